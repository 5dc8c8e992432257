"""A running rollout answers every update and query at once.

A refused one leaves no event.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import strategies as st
from pydantic import BaseModel
from temporalio.api.common.v1 import Payload
from temporalio.client import WorkflowHandle, WorkflowQueryFailedError, WorkflowUpdateFailedError
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from tests.fake_lambda.account import ACCOUNT, REGION
from tests.fuzz.documents import MARK
from tests.fuzz.harness import (
    QUEUE,
    Clock,
    FuzzHarness,
    Tally,
    assert_answered,
    assert_no_task_failed,
    run_cases,
    wait_for_ending,
)
from tests.fuzz.naming import check_refusal
from tests.fuzz.payloads import Sent, any_of_equally, inputs_around, read_document, read_input
from tests.fuzz.shaped import documents_of_model
from tests.fuzz.size import Case, count_share, draw_cases
from tests.harness import starts_in
from workflows.control_requests import (
    ApproveRequest,
    ControlRequest,
    EndWatchRequest,
    ReasonedRequest,
    ResolveRequest,
    ResumeRequest,
)
from workflows.domain.status import ReleaseStatus

UPDATES: dict[str, type[ControlRequest]] = {
    "approve": ApproveRequest,
    "pause": ReasonedRequest,
    "resume": ResumeRequest,
    "promote": ReasonedRequest,
    "abort": ReasonedRequest,
    "give_up": ReasonedRequest,
    "resolve": ResolveRequest,
    "end_watch": EndWatchRequest,
}
_OFTEN = ["pause"] * 4 + ["resume"] * 4 + ["approve"] * 2 + ["promote", "abort"]
_OFTEN += ["give_up", "resolve", "end_watch"]
_UNKNOWN = [
    "status",
    "run",
    "__init__",
    "__class__",
    "_check_pause",
    "Pause",
    "pause ",
    "a\x00b",
    "🦄" * 100,
    "__temporal_workflow_metadata",
    MARK,
]
_QUERIES = [
    *["status"] * 6,
    "__stack_trace",
    "__enhanced_stack_trace",
    "__temporal_workflow_metadata",
    "__temporal_workflow_history",
    *_UNKNOWN,
    "pause",
]
SITUATIONS: dict[str, dict[str, Any]] = {
    "baking": {"kind": "bake", "duration": "365d"},
    "awaiting approval": {"kind": "approval"},
}
_numbers = itertools.count(1)
_LONGEST_ANSWER = 2_500
_WAIT = 60.0


@dataclass(frozen=True)
class Word:
    """An update or a query with its inputs, and the phase of the release."""

    situation: str
    name: str
    sent: Sent

    def __str__(self) -> str:
        return f"{self.name!r} while {self.situation}: {self.sent}"


def _words(names: Sequence[str], model: dict[str, type[BaseModel]]) -> st.SearchStrategy[Word]:
    shapes = {
        name: inputs_around(
            documents_of_model(kind), lambda data, kind=kind: read_document(kind, data) is not None
        )
        for name, kind in {**model, "": ReasonedRequest}.items()
    }
    return st.tuples(st.sampled_from(list(SITUATIONS)), st.sampled_from(names)).flatmap(
        lambda which: shapes[which[1] if which[1] in model else ""].map(
            lambda one: Word(*which, one)
        )
    )


class RunningRollout:
    """A rollout in one phase; it is replaced when it has ended."""

    def __init__(self, harness: FuzzHarness, doing: str) -> None:
        self.harness = harness
        self.doing = doing
        self.begun: list[tuple[WorkflowHandle[Any, Any], WorkflowHandle[Any, Any]]] = []

    @property
    def rollout(self) -> WorkflowHandle[Any, ReleaseStatus]:
        return self.begun[-1][1]

    async def open(self) -> None:
        """Begin a release in real time, and wait until it is in its phase."""
        if self.begun and await self._stands():
            return
        function, client = self.harness.function(), self.harness.client
        request = {
            "target": {"function": function},
            "artifact": {"kind": "version", "version": "1"},
            "strategy": {"steps": [SITUATIONS[self.doing]]},
        }
        async with starts_in(self.harness.env, skipping=False):
            outer = await client.start_workflow(
                "Release", request, id=f"running-{next(_numbers)}", task_queue=QUEUE
            )
        rollout = client.get_workflow_handle(
            f"lambda:{ACCOUNT}:{REGION}:{function}:live", result_type=ReleaseStatus
        )
        self.begun.append((outer, rollout))
        async with asyncio.timeout(_WAIT):
            while not await self._stands():
                await asyncio.sleep(0.02)

    async def _stands(self) -> bool:
        try:
            status: ReleaseStatus = await self.rollout.query("status", result_type=ReleaseStatus)
        except (RPCError, WorkflowQueryFailedError):
            return False
        return status.phase == self.doing.replace(" ", "_")

    async def close(self) -> None:
        """Cancel the release, and check how it ended."""
        for outer, rollout in self.begun:
            await outer.cancel()
            kind, _ = await wait_for_ending(self.harness.client, outer)
            assert kind in {"CancelledError", "Completed", "ReleaseRolledBack"}, kind
            await assert_no_task_failed(self.harness.client, rollout)


async def _all(harness: FuzzHarness, title: str, cases: list[Case[Word]], say: Any) -> Tally:
    rollouts: dict[str, asyncio.Queue[RunningRollout]] = {}
    for doing in SITUATIONS:
        rollouts[doing] = asyncio.Queue()
        for _ in range(6):
            rollouts[doing].put_nowait(RunningRollout(harness, doing))

    async def meet(case: Case[Word], tally: Tally) -> None:
        free = rollouts[case.value.situation]
        running = await free.get()
        try:
            await running.open()
            await say(running, case.value, tally)
        finally:
            free.put_nowait(running)

    tally = await run_cases(title, cases, meet, at_once=12)
    every = [free.get_nowait() for free in rollouts.values() for _ in range(free.qsize())]
    await asyncio.gather(*(running.close() for running in every))
    return tally


@pytest.mark.timeout(3600)
@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # a cancel or an eviction drops coroutines
async def test_every_update_is_answered(cleared: FuzzHarness, tallies: list[Tally]) -> None:
    words = any_of_equally([*[_words(_OFTEN, dict(UPDATES))] * 5, _words(_UNKNOWN, {})])
    tally = await _all(
        cleared, "updates", draw_cases(words, count_share(16), entry="update"), _update
    )
    tallies.append(tally)
    tally.check()
    cleared.alive()
    await cleared.nothing_runs()


def _is_read(name: str, model: type[ControlRequest], payloads: Sequence[Payload]) -> bool:
    """Whether an update can be read: most need no input, and a null is one without any key."""
    if not payloads:
        return name not in {"resolve", "end_watch"}
    encoding, data = payloads[0].metadata.get("encoding"), payloads[0].data
    is_null = encoding == b"binary/null" or (encoding == b"json/plain" and data == b"null")
    if len(payloads) == 1 and is_null:
        return model is not ResolveRequest
    return read_input(model, payloads) is not None


async def _update(running: RunningRollout, word: Word, tally: Tally) -> None:
    payloads = word.sent.about("checkout")
    model = UPDATES.get(word.name)
    good = model is not None and _is_read(word.name, model, payloads)
    before, clock = await _length(running), Clock()
    tally.kinds[word.sent.kind] += 1
    refused, error = "", None
    try:
        async with asyncio.timeout(_WAIT):
            await running.rollout.execute_update(word.name, args=_raw(payloads))
    except WorkflowUpdateFailedError as failure:
        error = failure.cause
        refused = (
            (error.type or "?") if isinstance(error, ApplicationError) else type(error).__name__
        )
    except RPCError as problem:
        assert_answered(problem)
        refused = f"server: {problem.status.name}"
    tally.ends[f"{refused or 'done'}{'' if good else ' (input)' if model else ' (name)'}"] += 1
    assert refused or good, f"{word.name!r} was taken"
    if refused:
        assert await _length(running) == before, "a refusal left a trace"
    if good and refused:
        assert refused == "Refused", f"{refused}: {error}"
        assert isinstance(error, ApplicationError)
        assert 0 < len(error.message) <= _LONGEST_ANSWER
    if not good:
        tally.refused(clock)
        if model:
            assert refused == "Refused", f"{refused}: {error}"
            assert isinstance(error, ApplicationError)
            check_refusal(
                error.message, error.details, model, payloads[0].data if payloads else b""
            )


@pytest.mark.timeout(3600)
@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # a cancel or an eviction drops coroutines
async def test_every_query_is_answered(cleared: FuzzHarness, tallies: list[Tally]) -> None:
    tally = await _all(
        cleared, "queries", draw_cases(_words(_QUERIES, {}), count_share(13), entry="query"), _query
    )
    tallies.append(tally)
    tally.check()
    cleared.alive()
    await cleared.nothing_runs()


async def _query(running: RunningRollout, word: Word, tally: Tally) -> None:
    payloads = word.sent.about("checkout")
    before, clock = await _length(running), Clock()
    tally.kinds[word.sent.kind] += 1
    failed: str | None = None
    try:
        async with asyncio.timeout(_WAIT):
            await running.rollout.query(word.name, args=_raw(payloads))
    except WorkflowQueryFailedError as failure:
        failed = str(failure)
    except RPCError as problem:
        assert_answered(problem, RPCStatusCode.INVALID_ARGUMENT)
        failed = problem.message
    tally.refused(clock)
    tally.ends["answered" if failed is None else "refused"] += 1
    assert await _length(running) == before, "a query left a trace"
    assert failed is None or len(failed) <= _LONGEST_ANSWER, f"{len(failed)} characters"
    if word.name == "status":
        assert failed is None or payloads, (
            failed
        )  # what is sent along is not looked at, if it can be read
        assert (
            failed is None or failed == f"status: no input is taken, {len(payloads)} were given"
        ), failed
    assert failed is None or MARK not in failed.replace(word.name, ""), failed


def _raw(payloads: Sequence[Payload]) -> list[RawValue]:
    return [RawValue(each) for each in payloads]


async def _length(running: RunningRollout) -> int:
    return (await running.rollout.describe()).history_length

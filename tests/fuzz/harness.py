"""Where fuzzed inputs meet the real server: starts things side by side, waits for each to end, and tells what should not have happened."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import WorkflowTaskFailedCause
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment

from tests.fuzz.everything import Everything
from tests.fuzz.size import Case

QUEUE = "fuzz"
FUNCTION_PLACEHOLDER = b"checkout-fuzz"
"""Stands in a document for the function that an input is about: each has one of its own."""

HANG_SECONDS = 120.0
"""Seconds until something hangs. Nothing takes more than a few, but on a machine that is busy with other things."""

_STARVED = 2
"""Tasks of a workflow that may find the worker without a processor for ten seconds, and be given to it again."""

CONCURRENCY = 24

_T = TypeVar("_T")
_numbers = itertools.count(1)
_CAME_MEANWHILE = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND
"""How a server says that something (a cancel of ours) arrived while a task was being worked on: no fault of anybody's."""


@dataclass
class Tally:
    """What came of everything that was sent: how often, what was wrong, and how long the slowest refusal took."""

    title: str
    ends: Counter[str] = field(default_factory=Counter[str])
    kinds: Counter[str] = field(default_factory=Counter[str])
    wrong: list[str] = field(default_factory=list[str])
    slowest: float = 0.0
    seconds: float = 0.0

    @property
    def sent(self) -> int:
        """How many were sent; answers that were to be spoilt and were never asked for (in parentheses) do not count."""
        return sum(count for kind, count in self.kinds.items() if not kind.startswith("("))

    def check(self) -> None:
        assert not self.wrong, f"{len(self.wrong)} of {self.sent} went wrong:\n" + "\n".join(
            self.wrong[:12]
        )

    def refused(self, clock: Clock) -> None:
        """A malformed input was refused; how long that took."""
        self.slowest = max(self.slowest, clock.seconds)

    def __str__(self) -> str:
        kinds = f"\n    sent: {dict(self.kinds.most_common())}" if self.kinds else ""
        return (
            f"{self.title}: {self.sent} in {self.seconds:.1f} s, {len(self.wrong)} wrong, slowest refusal {self.slowest:.2f} s{kinds}"
            f"\n    ended: {dict(self.ends.most_common())}"
        )


class Clock:
    """Measures how long an answer takes."""

    def __init__(self) -> None:
        self._begun = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._begun


async def run_cases(
    title: str,
    cases: Sequence[Case[_T]],
    meet: Callable[[Case[_T], Tally], Awaitable[None]],
    *,
    at_once: int = CONCURRENCY,
) -> Tally:
    """Meet all of them, so many at a time; whatever goes wrong is told with the case, when all have been met."""
    tally, clock, waiting = Tally(title), Clock(), iter(cases)

    async def lane() -> None:
        for case in waiting:
            try:
                await meet(case, tally)
            except Exception as problem:  # noqa: BLE001 - told with the case
                tally.ends["!"] += 1
                tally.wrong.append(f"{type(problem).__name__}: {str(problem)[:900]}\n    {case}")

    await asyncio.gather(*(lane() for _ in range(at_once)))
    tally.seconds = clock.seconds
    return tally


@dataclass
class FuzzHarness:
    """The server, AWS, and the worker that must not die."""

    env: WorkflowEnvironment
    aws: Everything
    worker: asyncio.Future[None]

    @property
    def client(self) -> Client:
        return self.env.client

    def function(self) -> str:
        """A function of its own, two versions, the second live."""
        name = f"checkout-{next(_numbers)}"
        self.aws.create(name, "one", "two")
        return name

    def alive(self) -> None:
        assert not self.worker.done(), "the worker died"

    async def start(
        self, workflow: str, payloads: Sequence[Payload], *, id: str | None = None
    ) -> WorkflowHandle[Any, Any]:
        id = id or f"{workflow.lower()}-{next(_numbers)}"  # noqa: A001
        return await self.client.start_workflow(
            workflow, args=[RawValue(each) for each in payloads], id=id, task_queue=QUEUE
        )

    async def running(self) -> list[str]:
        """The ids of workflows that are still running here."""
        return [
            found.id
            async for found in self.client.list_workflows(
                f"TaskQueue = '{QUEUE}' AND ExecutionStatus = 'Running'"
            )
        ]

    async def nothing_runs(self) -> None:
        """Wait until nothing is left running, and fail if something is."""
        left: list[str] = []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HANG_SECONDS):
                while left := await self.running():
                    await asyncio.sleep(0.1)
        assert not left, f"{len(left)} workflows are left running: {left[:5]}"

    async def clear(self) -> None:
        """End what a failed test left."""
        for id_ in await self.running():
            await terminate(self.client.get_workflow_handle(id_))


async def terminate(handle: WorkflowHandle[Any, Any]) -> None:
    """End a workflow, if it has not ended meanwhile."""
    with contextlib.suppress(RPCError):
        await handle.terminate()


async def wait_for_ending(
    client: Client, handle: WorkflowHandle[Any, Any], *, patience: float = HANG_SECONDS
) -> tuple[str, ApplicationError | None]:
    """How a workflow ended: ``Completed``, ``CancelledError``, or its failure; one that does not end is ended, and says why it hung."""
    try:
        async with asyncio.timeout(patience):
            await handle.result()
    except WorkflowFailureError as failure:
        cause = failure.cause
        return (
            (cause.type or "?", cause)
            if isinstance(cause, ApplicationError)
            else (type(cause).__name__, None)
        )
    except TimeoutError:
        why = await _stuck(client, handle)
        await terminate(handle)
        raise AssertionError(f"{handle.id} never ended: {why}") from None
    return "Completed", None


async def assert_no_task_failed(client: Client, handle: WorkflowHandle[Any, Any]) -> None:
    """No workflow task failed on the way, here or in a child: a failed one is tried again, for ever if it must."""
    history = await handle.fetch_history()
    starved = 0
    for event in history.events:
        if event.HasField("child_workflow_execution_started_event_attributes"):
            child = event.child_workflow_execution_started_event_attributes.workflow_execution
            await assert_no_task_failed(
                client, client.get_workflow_handle(child.workflow_id, run_id=child.run_id)
            )
        if event.HasField("workflow_task_failed_event_attributes"):
            attributes = event.workflow_task_failed_event_attributes
            said = f"{attributes.failure.message[:300]} {attributes.failure.cause.message[:300]}"
            starved += "TMPRL1101" in said  # the SDK's word for two seconds without a processor
            assert attributes.cause == _CAME_MEANWHILE or "TMPRL1101" in said, (
                f"a task of {handle.id} failed: {said}"
            )
        starved += event.HasField("workflow_task_timed_out_event_attributes")
    assert starved <= _STARVED, f"{starved} tasks of {handle.id} timed out"


async def _stuck(client: Client, handle: WorkflowHandle[Any, Any]) -> str:
    """The last thing that failed in a history, or its child's, else what it waits for."""
    history = await handle.fetch_history()
    children = [event.child_workflow_execution_started_event_attributes for event in history.events]
    if child := next(
        (each.workflow_execution for each in children if each.workflow_execution.workflow_id), None
    ):
        return f"child {await _stuck(client, client.get_workflow_handle(child.workflow_id, run_id=child.run_id))}"
    failed = [
        event.workflow_task_failed_event_attributes
        for event in history.events
        if event.HasField("workflow_task_failed_event_attributes")
    ]
    if failed:
        return f"its task fails: {failed[-1].cause} {failed[-1].failure.message[:300]} {failed[-1].failure.cause.message[:300]}"
    description = (await handle.describe()).raw_description
    pending = [
        f"{each.activity_type.name} attempt {each.attempt}: {each.last_failure.message[:200]}"
        for each in description.pending_activities
    ]
    return f"pending: {pending}; last: {history.events[-1].event_type}"


def assert_answered(error: RPCError, *expected: RPCStatusCode) -> None:
    """The server said something, and not just nothing in time; one of these, if any are named."""
    assert error.status not in {
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.CANCELLED,
        RPCStatusCode.UNAVAILABLE,
    }, error
    assert not expected or error.status in expected, error

"""Where fuzzed inputs meet the real server: starts things side by side, waits for each to end, and tells what should not have happened."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from temporalio.api.common.v1 import Payload
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment

from tests.fuzz.documents import MARK
from tests.fuzz.everything import Everything
from tests.fuzz.size import batches

QUEUE = "fuzz"
PLACE = b"checkout-fuzz"
"""Stands in a document for the function that an input is about: each has one of its own."""

LONGEST_REFUSAL = 20_000
LONGEST_NAME = 100
PATIENCE = 20.0

_T = TypeVar("_T")
_numbers = itertools.count(1)
_COUNTS = re.compile(r"^\w+: (exactly one input is needed|no input is taken), \d+ were given$")


@dataclass
class Tally:
    """What came of everything that was sent: how often, what was wrong, and how long the slowest took."""

    ends: Counter[str] = field(default_factory=Counter[str])
    wrong: list[str] = field(default_factory=list[str])
    slowest: float = 0.0

    def check(self) -> None:
        assert not self.wrong, f"{len(self.wrong)} of {self.ends.total()} went wrong:\n" + "\n".join(self.wrong[:12])

    def __str__(self) -> str:
        return f"{self.ends.total()} sent, {len(self.wrong)} wrong, slowest {self.slowest:.2f} s: {dict(self.ends.most_common())}"


@dataclass
class Arena:
    """The server, AWS, and the worker that must not die."""

    env: WorkflowEnvironment
    aws: Everything
    worker: asyncio.Future[None]

    def function(self) -> str:
        """A function of its own, two versions, the second live."""
        name = f"checkout-{next(_numbers)}"
        self.aws.create(name, "one", "two")
        return name

    async def all(self, items: Sequence[_T], meet: Callable[[_T, Tally], Awaitable[None]]) -> Tally:
        """Meet all of them, so many side by side; the worker is looked after in between."""
        tally = Tally()
        for batch in batches(items):
            await asyncio.gather(*(self._one(item, meet, tally) for item in batch))
            assert not self.worker.done(), f"the worker died of one of {batch}"
        return tally

    async def _one(self, item: _T, meet: Callable[[_T, Tally], Awaitable[None]], tally: Tally) -> None:
        try:
            await meet(item, tally)
        except Exception as problem:  # noqa: BLE001 - told with the input, when all have been met
            tally.ends["!"] += 1
            tally.wrong.append(f"{type(problem).__name__}: {str(problem)[:600]}\n    {str(item)[:600]}")

    async def start(self, workflow: str, payloads: Sequence[Payload], name: str) -> WorkflowHandle[Any, Any]:
        id_ = f"{workflow.lower()}-{next(_numbers)}/{name}"
        return await self.env.client.start_workflow(workflow, args=[RawValue(each) for each in payloads], id=id_, task_queue=QUEUE)

    async def running(self) -> int:
        """How many workflows are still running here."""
        found = await self.env.client.count_workflows(f"TaskQueue = '{QUEUE}' AND ExecutionStatus = 'Running'")
        return found.count

    async def nothing_runs(self) -> None:
        async with asyncio.timeout(PATIENCE):
            while await self.running():
                await asyncio.sleep(0.1)

    async def clear(self) -> None:
        """End what a failed test left."""
        async for found in self.env.client.list_workflows(f"TaskQueue = '{QUEUE}' AND ExecutionStatus = 'Running'"):
            await self.env.client.get_workflow_handle(found.id).terminate()


async def ended(client: Client, handle: WorkflowHandle[Any, Any], *, patience: float = PATIENCE) -> tuple[str, ApplicationError | None]:
    """How a workflow ended: ``Completed``, ``Canceled``, or its failure; a test that waits in vain ends it, and says why it hung."""
    try:
        async with asyncio.timeout(patience):
            await handle.result()
    except WorkflowFailureError as failure:
        cause = failure.cause
        return (cause.type or "?", cause) if isinstance(cause, ApplicationError) else (type(cause).__name__, None)
    except TimeoutError:
        why = await _stuck(client, handle)
        with contextlib.suppress(Exception):
            await handle.terminate()
        raise AssertionError(f"{handle.id} never ended: {why}") from None
    return "Completed", None


async def _stuck(client: Client, handle: WorkflowHandle[Any, Any]) -> str:
    """The last thing that failed in a history, or its child's, else what it waits for."""
    history = await handle.fetch_history()
    children = [event.child_workflow_execution_started_event_attributes for event in history.events]
    if child := next((each.workflow_execution for each in children if each.workflow_execution.workflow_id), None):
        return f"child {await _stuck(client, client.get_workflow_handle(child.workflow_id, run_id=child.run_id))}"
    failed = [
        event.workflow_task_failed_event_attributes for event in history.events if event.HasField("workflow_task_failed_event_attributes")
    ]
    if failed:
        return f"its task fails: {failed[-1].cause} {failed[-1].failure.message[:300]} {failed[-1].failure.cause.message[:300]}"
    description = (await handle.describe()).raw_description
    pending = [
        f"{each.activity_type.name} attempt {each.attempt}: {each.last_failure.message[:200]}" for each in description.pending_activities
    ]
    return f"pending: {pending}; last: {history.events[-1].event_type}"


def check_refusal(text: str, details: Sequence[Any] = ()) -> None:
    """A refusal of an input names its field, repeats nothing that was typed there, and is of bounded length."""
    assert len(text) <= LONGEST_REFUSAL, f"{len(text)} characters"
    if _COUNTS.match(text):
        return
    assert len(details) == 1, f"no list of problems: {text[:300]}"
    problems: list[dict[str, str]] = details[0]
    for problem in problems:
        assert set(problem) == {"field", "problem"}
        assert problem["field"], f"no field: {text[:300]}"
        assert MARK not in problem["problem"], f"repeats what was typed: {text[:500]}"
        assert all(len(part) <= LONGEST_NAME for part in problem["field"].split("."))
    assert text.partition(": ")[2] == "; ".join(f"{problem['field']}: {problem['problem']}" for problem in problems)


class Clock:
    """Measures how long an answer takes."""

    def __init__(self) -> None:
        self._begun = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._begun

"""Sends fuzzed inputs to the real server, waits for each to end, and counts what went wrong."""

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
from tests.harness import starts_in

QUEUE = "fuzz"
FUNCTION_PLACEHOLDER = b"checkout-fuzz"
"""The function's name in a document; each input gets a function of its own."""

HANG_SECONDS = 120.0
"""Seconds after which a workflow hangs. All end within a few, except on a busy machine."""

_STARVED = 2
"""Workflow tasks that may time out because the worker got no CPU for ten seconds."""

CONCURRENCY = 24

_T = TypeVar("_T")
_numbers = itertools.count(1)
_CAME_MEANWHILE = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND
"""The server's cause where an event, like a cancel, arrived during a task.

Not a mistake.
"""


@dataclass
class Tally:
    """The endings of all inputs, what was wrong, and the slowest refusal."""

    title: str
    ends: Counter[str] = field(default_factory=Counter[str])
    kinds: Counter[str] = field(default_factory=Counter[str])
    wrong: list[str] = field(default_factory=list[str])
    slowest: float = 0.0
    seconds: float = 0.0

    @property
    def sent(self) -> int:
        """The number sent, without spoilt responses that were never requested (in parentheses)."""
        return sum(count for kind, count in self.kinds.items() if not kind.startswith("("))

    def check(self) -> None:
        assert not self.wrong, f"{len(self.wrong)} of {self.sent} went wrong:\n" + "\n".join(
            self.wrong[:12]
        )

    def refused(self, clock: Clock) -> None:
        """Record how long the refusal of a malformed input took."""
        self.slowest = max(self.slowest, clock.seconds)

    def __str__(self) -> str:
        kinds = f"\n    sent: {dict(self.kinds.most_common())}" if self.kinds else ""
        return (
            f"{self.title}: {self.sent} in {self.seconds:.1f} s, {len(self.wrong)} wrong, "
            f"slowest refusal {self.slowest:.2f} s{kinds}"
            f"\n    ended: {dict(self.ends.most_common())}"
        )


class Clock:
    """Measures seconds from its creation."""

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
    """Run all cases, so many at a time; failures are collected with their cases."""
    tally, clock, waiting = Tally(title), Clock(), iter(cases)

    async def lane() -> None:
        for case in waiting:
            try:
                await meet(case, tally)
            except Exception as problem:  # noqa: BLE001 - reported with the case
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
        """Create a function with two versions, the second live.

        No other test's function has such a name: the id of a rollout is that of its function.
        """
        name = f"fuzzfunc-{next(_numbers)}"
        self.aws.create(name, "one", "two")
        return name

    def alive(self) -> None:
        assert not self.worker.done(), "the worker died"

    async def start(
        self, workflow: str, payloads: Sequence[Payload], *, id: str | None = None
    ) -> WorkflowHandle[Any, Any]:
        id = id or f"{workflow.lower()}-{next(_numbers)}"  # noqa: A001
        async with starts_in(self.env, skipping=True):
            return await self.client.start_workflow(
                workflow, args=[RawValue(each) for each in payloads], id=id, task_queue=QUEUE
            )

    async def running(self) -> list[str]:
        """The ids of workflows that still run on this queue."""
        return [
            found.id
            async for found in self.client.list_workflows(
                f"TaskQueue = '{QUEUE}' AND ExecutionStatus = 'Running'"
            )
        ]

    async def nothing_runs(self) -> None:
        """Wait until no workflow runs; fail if one does not end."""
        left: list[str] = []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HANG_SECONDS):
                while left := await self.running():
                    await asyncio.sleep(0.1)
        assert not left, f"{len(left)} workflows are left running: {left[:5]}"

    async def clear(self) -> None:
        """Terminate what a failed test left running."""
        for id_ in await self.running():
            await terminate(self.client.get_workflow_handle(id_))


async def terminate(handle: WorkflowHandle[Any, Any]) -> None:
    """Terminate a workflow, if it has not ended."""
    with contextlib.suppress(RPCError):
        await handle.terminate()


async def wait_for_ending(
    client: Client, handle: WorkflowHandle[Any, Any], *, patience: float = HANG_SECONDS
) -> tuple[str, ApplicationError | None]:
    """Wait for a workflow to end: ``Completed``, ``CancelledError``, or its failure.

    One that does not end is terminated, and reported with what it waited for.
    """
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
    """Assert that no workflow task failed, here or in a child.

    Temporal retries a failed task without limit.
    """
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
            message = f"{attributes.failure.message[:300]} {attributes.failure.cause.message[:300]}"
            starved += "TMPRL1101" in message  # the SDK's code: two seconds without a CPU
            assert attributes.cause == _CAME_MEANWHILE or "TMPRL1101" in message, (
                f"a task of {handle.id} failed: {message}"
            )
        starved += event.HasField("workflow_task_timed_out_event_attributes")
    assert starved <= _STARVED, f"{starved} tasks of {handle.id} timed out"


async def _stuck(client: Client, handle: WorkflowHandle[Any, Any]) -> str:
    """The last failure in a history or its child's, else what it waits for."""
    history = await handle.fetch_history()
    children = [event.child_workflow_execution_started_event_attributes for event in history.events]
    if child := next(
        (each.workflow_execution for each in children if each.workflow_execution.workflow_id), None
    ):
        inner = client.get_workflow_handle(child.workflow_id, run_id=child.run_id)
        return f"child {await _stuck(client, inner)}"
    failed = [
        event.workflow_task_failed_event_attributes
        for event in history.events
        if event.HasField("workflow_task_failed_event_attributes")
    ]
    if failed:
        cause, failure = failed[-1].cause, failed[-1].failure
        return f"its task fails: {cause} {failure.message[:300]} {failure.cause.message[:300]}"
    description = (await handle.describe()).raw_description
    pending = [
        f"{each.activity_type.name} attempt {each.attempt}: {each.last_failure.message[:200]}"
        for each in description.pending_activities
    ]
    return f"pending: {pending}; last: {history.events[-1].event_type}"


def assert_answered(error: RPCError, *expected: RPCStatusCode) -> None:
    """Assert that the server answered in time, with one of these codes if any are given."""
    assert error.status not in {
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.CANCELLED,
        RPCStatusCode.UNAVAILABLE,
    }, error
    assert not expected or error.status in expected, error

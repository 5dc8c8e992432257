"""The harness of a workflow test.

One function in an AWS in memory, and a client of Temporal.

``tests/conftest.py`` has the fixtures: a test takes ``harness`` and gets one of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import inspect
import itertools
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from temporalio import activity
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.client import (
    Client,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowUpdateFailedError,
)
from temporalio.common import RawValue
from temporalio.converter import PayloadCodec
from temporalio.exceptions import ApplicationError, CancelledError
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities import list_operations
from tests.fake_lambda import FakeLambda
from tests.fake_lambda.account import ACCOUNT, REGION, Function
from workflows.client.update import execute_update
from workflows.domain.status import ReleaseStatus
from workflows.temporal.plugin import LambdaReleases

Handle = WorkflowHandle[Any, ReleaseStatus]

TEMPORAL_CLI: Final = str(Path(sys.executable).parent / "temporal")
QUEUE: Final = "lambda-releases"
CANARY: Final = {"strategy": "Canary10Percent5Minutes"}
ALL_AT_ONCE: Final = {"strategy": "AllAtOnce"}

_POLL_SECONDS: Final = 0.02
_FUNCTION = re.compile(r"checkout-\d+")
_function_numbers = itertools.count(1)
_workflow_numbers = itertools.count(1)
_start_lock = asyncio.Lock()


@asynccontextmanager
async def starts_in(env: WorkflowEnvironment, *, skipping: bool) -> AsyncIterator[None]:
    """Start workflows in this block with timers that take no time, or in real time.

    The SDK's switch is one flag for all tasks (temporalio 1.35, testing/_timeskipping.py): two
    blocks that overlap would leave it off, and every later timer would take its time.
    """
    async with _start_lock:
        if skipping:
            yield
        else:
            with env.with_time_skipping_disabled():
                yield


@dataclass(frozen=True)
class Ending:
    """How a workflow ended.

    ``kind`` is ``Completed``, ``Canceled``, or the type of its failure; ``text`` is the failure's
    message, or the note of the result; ``status`` is the status in the result or the failure.
    """

    kind: str
    text: str
    status: ReleaseStatus | None


@dataclass
class Harness:
    """One function with its own AWS, and what a test does with its releases."""

    env: WorkflowEnvironment
    client: Client
    aws: FakeLambda
    queue: str
    function: str

    @property
    def rollout_id(self) -> str:
        """The workflow id of the function's ``Rollout``."""
        return f"lambda:{ACCOUNT}:{REGION}:{self.function}:live"

    @property
    def state(self) -> Function:
        """The function as AWS has it."""
        return self.aws.functions[self.function]

    @property
    def rollout(self) -> Handle:
        """The ``Rollout`` of the function, whichever run is the latest."""
        return self.client.get_workflow_handle(self.rollout_id, result_type=ReleaseStatus)

    def package(self, text: str) -> dict[str, Any]:
        """Upload a package with this text to S3; return the artifact that names it."""
        self.aws.upload(f"{text}.zip", text)
        return {"kind": "s3", "bucket": "artifacts", "key": f"{text}.zip"}

    def move_alias(self, version: str, weights: dict[str, float] | None = None) -> None:
        """Move the alias, as another writer would."""
        self.aws.apply(
            "update_alias",
            FunctionName=self.function,
            Name="live",
            FunctionVersion=version,
            RoutingConfig={"AdditionalVersionWeights": weights or {}},
        )

    def assert_restored(self) -> None:
        """The alias and the code of ``$LATEST`` are those of version 2, as before the release."""
        assert self.aws.routing(self.function) == ("2", {})
        assert self.state.latest["CodeSha256"] == self.state.versions["2"]["CodeSha256"]

    # --- Start and finish ---

    async def start(
        self, workflow: str, *inputs: Any, id: str | None = None, skipping: bool = True
    ) -> Handle:
        """Start a workflow with exactly these inputs.

        ``skipping`` lets its timers take no time.
        """
        options: dict[str, Any] = {
            "id": id or f"{workflow.lower()}-{next(_workflow_numbers)}/{self.function}",
            "task_queue": self.queue,
            "args": inputs,
            "result_type": ReleaseStatus,
        }
        async with starts_in(self.env, skipping=skipping):
            return await self.client.start_workflow(workflow, **options)

    async def start_raw(self, workflow: str, payload: Payload) -> Handle:
        """Start a workflow with a payload that our own clients would not send."""
        return await self.start(workflow, RawValue(payload), skipping=False)

    def request(self, **keys: Any) -> dict[str, Any]:
        """The input of a ``Release`` or ``Rollback`` of the function."""
        return {"target": {"function": self.function}, **keys}

    async def begin(self, workflow: str = "Release", **keys: Any) -> Handle:
        """Start a release in real time, so that a test can act meanwhile.

        See :meth:`finish`.
        """
        return await self.start(workflow, self.request(**keys), skipping=False)

    async def begin_until(self, phase: str, *, percent: int | None = None, **keys: Any) -> Handle:
        """Begin a release of a new package; wait until it is in this phase."""
        handle = await self.begin(**({"artifact": self.package("three")} | keys))
        await self.wait_for_phase(phase, percent=percent)
        return handle

    async def release(self, **keys: Any) -> Ending:
        """Run a release to its end, skipping time."""
        return await read_ending(await self.start("Release", self.request(**keys)))

    async def roll_back(self, **keys: Any) -> Ending:
        """Run a ``Rollback`` to its end, skipping time."""
        return await read_ending(await self.start("Rollback", self.request(**keys)))

    async def fast_forward(self, duration: timedelta | None = None) -> None:
        """Skip so much time for the rollout; without a duration, all until it ends."""
        await self.env.fast_forward(self.rollout, duration)

    async def finish(self, handle: Handle) -> Ending:
        """Skip all the time that a release of :meth:`begin` still needs.

        Return its ending.

        Each workflow has a clock of its own. After the rollout was terminated it is the release
        that waits.
        """
        for workflow in (self.rollout, handle):
            with contextlib.suppress(RPCError):  # it has ended already
                await self.env.fast_forward(workflow)
        return await read_ending(handle)

    # --- Wait and read ---

    async def status(self) -> ReleaseStatus:
        """The rollout's status, by query."""
        answer: ReleaseStatus = await self.rollout.query("status", result_type=ReleaseStatus)
        return answer

    async def wait_for_phase(
        self, *phases: str, percent: int | None = None, seconds: float = 30
    ) -> ReleaseStatus:
        """Wait, in real time, until the rollout is in one of these phases.

        Fails at once if the rollout ended in another phase.
        """
        read: object = None
        async with asyncio.timeout(seconds):
            while True:
                try:
                    read = status = await self.status()
                    if status.phase in phases and percent in {None, status.routing.percent}:
                        return status
                except Exception as problem:  # noqa: BLE001 - the rollout has not started yet
                    read = problem
                if isinstance(read, ReleaseStatus) and read.phase in {
                    "succeeded",
                    "rolled_back",
                    "rejected",
                } - set(phases):
                    raise AssertionError(f"the release is over: {read}")
                await asyncio.sleep(_POLL_SECONDS)

    @staticmethod
    async def wait_until(
        condition: Callable[[], bool | Awaitable[bool]], *, seconds: float = 30
    ) -> None:
        """Poll a condition, in real time, until it holds."""
        async with asyncio.timeout(seconds):
            while True:
                holds = condition()
                if await holds if inspect.isawaitable(holds) else holds:
                    return
                await asyncio.sleep(_POLL_SECONDS)

    async def wait_for_note(self, pattern: str, *, seconds: float = 30) -> None:
        """Wait, in real time, until the note of the rollout's status matches somewhere."""

        async def has_note() -> bool:
            try:
                return re.search(pattern, (await self.status()).note) is not None
            except RPCError:  # it has not started yet
                return False

        await self.wait_until(has_note, seconds=seconds)

    @staticmethod
    async def wait_for(event: asyncio.Event, *, seconds: float = 30) -> None:
        """Wait for an event, in real time."""
        async with asyncio.timeout(seconds):
            await event.wait()

    @staticmethod
    async def assert_running(handle: Handle) -> None:
        """The workflow is still running half a second later, in real time."""
        await asyncio.sleep(0.5)
        assert (await handle.describe()).status is WorkflowExecutionStatus.RUNNING

    @staticmethod
    async def wait_briefly() -> None:
        """Wait a fifth of a second, in real time.

        Enough for what must not happen to happen.
        """
        await asyncio.sleep(0.2)

    async def cancel(self, handle: Handle) -> None:
        """Cancel a workflow; wait until the rollout has received the request."""
        await handle.cancel()

        async def has_received() -> bool:
            events = (await self.rollout.fetch_history()).events
            kind = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED
            return any(event.event_type == kind for event in events)

        await self.wait_until(has_received)

    async def wait_for_closed_runs(self, count: int) -> None:
        """Wait until visibility lists so many closed runs of the rollout."""
        query = f"WorkflowId = '{self.rollout_id}' AND ExecutionStatus != 'Running'"

        async def are_listed() -> bool:
            return (await self.client.count_workflows(query)).count >= count

        await self.wait_until(are_listed)

    async def history_length(self, handle: Handle | None = None) -> int:
        """The number of events in a history; the rollout's by default."""
        return (await (handle or self.rollout).describe()).history_length

    # --- Updates ---

    async def send(self, update: str, **fields: Any) -> ReleaseStatus:
        """Send an update to the rollout, by ana; return its answer."""
        return await self._send(update, [{"by": "ana", **fields}])

    async def _send(self, update: str, inputs: Sequence[Any]) -> ReleaseStatus:
        return await execute_update(self.rollout, update, *inputs)

    async def expect_refusal(self, update: str, *inputs: Any) -> str:
        """Send an update that must be refused, by ana if there is no input.

        Return the reason.
        """
        return await self.expect_refusal_of(update, inputs or [{"by": "ana"}])

    async def expect_refusal_of(self, update: str, inputs: Sequence[Any]) -> str:
        """Send an update with exactly these inputs, which must be refused.

        Return the reason.

        A refused update adds no event to the history.
        """
        before = await self.history_length()
        with pytest.raises(WorkflowUpdateFailedError, match="update failed") as refusal:
            await self._send(update, inputs)
        cause = refusal.value.cause
        assert isinstance(cause, ApplicationError)
        assert cause.type == "Refused", cause
        assert await self.history_length() == before
        return cause.message


async def read_ending(handle: Handle, *, seconds: float = 60) -> Ending:
    """Wait for a workflow to end, in real time; return how it ended."""
    async with asyncio.timeout(seconds):
        try:
            status = await handle.result()
        except WorkflowFailureError as failure:
            match failure.cause:
                case ApplicationError() as cause:
                    return Ending(cause.type or "", cause.message, _status_in(cause))
                case CancelledError() as cause:
                    return Ending("Canceled", cause.message, _status_in(cause))
                case cause:
                    return Ending(type(cause).__name__, str(cause), None)
        return Ending("Completed", status.note, status)


def _status_in(cause: ApplicationError | CancelledError) -> ReleaseStatus | None:
    match cause.details:
        case [{"phase": _} as detail, *_]:
            return ReleaseStatus.model_validate(detail)
    return None


class Accounts:
    """The AWS port of a worker that serves all tests.

    Each call goes to the AWS of the test whose function the calling workflow is about.
    """

    def __init__(self) -> None:
        self._by_function: dict[str, FakeLambda] = {}
        self._newest = FakeLambda()

    def add(self, function: str, aws: FakeLambda) -> None:
        """Serve this function from this AWS."""
        self._by_function[function] = self._newest = aws

    def _account(self) -> FakeLambda:
        named = _FUNCTION.search(activity.info().workflow_id or "")
        return self._by_function.get(named[0], self._newest) if named else self._newest

    async def call(
        self, service: str, operation: str, parameters: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Call an operation in the account of the calling workflow."""
        return await self._account().call(service, operation, parameters)

    async def download(self, url: str, *, limit: int) -> bytes:
        """Download from the account of the calling workflow."""
        return await self._account().download(url, limit=limit)


@asynccontextmanager
async def run_worker(temporal: WorkflowEnvironment) -> AsyncIterator[Accounts]:
    """Run a worker that serves all accounts that are added."""
    accounts = Accounts()
    async with Worker(temporal.client, task_queue=QUEUE, activities=list_operations(accounts)):
        yield accounts


async def connect_with_codec(temporal: WorkflowEnvironment, codec: PayloadCodec) -> Client:
    """Connect a client that encodes what it sends, as one with encryption does."""
    return await Client.connect(
        temporal.client.service_client.config.target_host,
        namespace=temporal.client.namespace,
        data_converter=dataclasses.replace(temporal.client.data_converter, payload_codec=codec),
        plugins=[LambdaReleases()],
    )


def create_harness(temporal: WorkflowEnvironment, accounts: Accounts, aws: FakeLambda) -> Harness:
    """Create a function whose versions are "one" and "two", the second live."""
    function = f"checkout-{next(_function_numbers)}"
    aws.create(function, "one", "two")
    accounts.add(function, aws)
    return Harness(temporal, temporal.client, aws, QUEUE, function)

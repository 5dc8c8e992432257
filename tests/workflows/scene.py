"""The stage of a workflow test: a function of its own in an AWS of its own, and someone who speaks."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import (
    Client,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowUpdateFailedError,
)
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError, CancelledError
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment

from tests.fake_lambda import FakeLambda
from tests.fakes.functions import ACCOUNT, REGION, Function
from workflows.domain.status import ReleaseStatus

Handle = WorkflowHandle[Any, ReleaseStatus]

_ids = itertools.count(1)
CANARY = {"strategy": "Canary10Percent5Minutes"}
ALL_AT_ONCE = {"strategy": "AllAtOnce"}


@dataclass(frozen=True)
class Ending:
    """How a workflow ended: ``Completed``, ``Canceled``, or the type of its failure; in which words; and the status it gave."""

    kind: str
    text: str
    status: ReleaseStatus | None


@dataclass
class Scene:
    env: WorkflowEnvironment
    client: Client
    aws: FakeLambda
    queue: str
    function: str

    @property
    def lock(self) -> str:
        return f"lambda/{ACCOUNT}/{REGION}/{self.function}:live"

    @property
    def state(self) -> Function:
        """What AWS holds of the function."""
        return self.aws.functions[self.function]

    @property
    def rollout(self) -> Handle:
        """Whoever holds the alias now."""
        return self.client.get_workflow_handle(self.lock, result_type=ReleaseStatus)

    def package(self, text: str) -> dict[str, Any]:
        """An artifact in S3 that holds this text."""
        self.aws.upload(f"{text}.zip", text)
        return {"kind": "s3", "bucket": "artifacts", "key": f"{text}.zip"}

    # --- starting and ending -------------------------------------------------------------------------------------------------

    async def start(
        self, workflow: str, *inputs: Any, id: str | None = None, skipping: bool = True
    ) -> Handle:
        """Start a workflow with exactly these inputs. Skipping, its waits take no time."""
        id = id or f"{workflow.lower()}-{next(_ids)}/{self.function}"  # noqa: A001
        options: dict[str, Any] = {
            "id": id,
            "task_queue": self.queue,
            "args": inputs,
            "result_type": ReleaseStatus,
        }
        if skipping:
            return await self.client.start_workflow(workflow, **options)
        with self.env.with_time_skipping_disabled():
            return await self.client.start_workflow(workflow, **options)

    async def start_raw(self, workflow: str, payload: Payload) -> Handle:
        """Start a workflow with what no client of ours would send."""
        return await self.start(workflow, RawValue(payload), skipping=False)

    def request(self, **keys: Any) -> dict[str, Any]:
        return {"target": {"function": self.function}, **keys}

    async def begin(self, workflow: str = "Release", **keys: Any) -> Handle:
        """Begin a release in real time, so that things can be done meanwhile; see :meth:`forward`."""
        return await self.start(workflow, self.request(**keys), skipping=False)

    async def release(self, **keys: Any) -> Ending:
        """Release and tell how it ended, however long that takes, in no time."""
        return await ending(await self.start("Release", self.request(**keys)))

    async def roll_back(self, **keys: Any) -> Ending:
        return await ending(await self.start("Rollback", self.request(**keys)))

    # --- watching ------------------------------------------------------------------------------------------------------------

    async def status(self) -> ReleaseStatus:
        answer: ReleaseStatus = await self.rollout.query("status", result_type=ReleaseStatus)
        return answer

    async def reaches(
        self, *phases: str, percent: int | None = None, patience: float = 10
    ) -> ReleaseStatus:
        """Wait, in real time, until the release is in one of these phases."""
        seen: object = None
        async with asyncio.timeout(patience):
            while True:
                try:
                    seen = status = await self.status()
                    if status.phase in phases and percent in {None, status.routing.percent}:
                        return status
                except Exception as problem:  # noqa: BLE001 - not there yet
                    seen = problem
                if isinstance(seen, ReleaseStatus) and seen.phase in {
                    "succeeded",
                    "rolled_back",
                    "rejected",
                } - set(phases):
                    raise AssertionError(f"the release is over: {seen}")
                await asyncio.sleep(0.02)

    @staticmethod
    def patience(seconds: float = 10) -> asyncio.Timeout:
        return asyncio.timeout(seconds)

    @staticmethod
    async def moment() -> None:
        await asyncio.sleep(0.02)

    async def forward(self, span: timedelta | None = None) -> None:
        """Let so much time pass for the release; all that it needs to its end if nothing is said."""
        await self.env.fast_forward(self.rollout, span)

    async def finished(self, handle: Handle) -> Ending:
        """Let all the time pass that a release begun in real time still needs, and tell how it ended."""
        with contextlib.suppress(RPCError):  # it is over already
            await self.forward()
        return await ending(handle)

    async def seen(self, runs: int) -> None:
        """Wait until so many ended runs of the rollout can be found by listing them."""
        async with asyncio.timeout(10):
            while (
                await self.client.count_workflows(
                    f"WorkflowId = '{self.lock}' AND ExecutionStatus != 'Running'"
                )
            ).count < runs:
                await self.moment()

    async def events(self, handle: Handle | None = None) -> int:
        """How long the history is."""
        return (await (handle or self.rollout).describe()).history_length

    # --- speaking ------------------------------------------------------------------------------------------------------------

    async def say(self, what: str, **said: Any) -> ReleaseStatus:
        """Send an update; it is ana who says it."""
        return await self._send(what, [{"by": "ana", **said}])

    async def _send(self, what: str, inputs: Sequence[Any]) -> ReleaseStatus:
        answer: ReleaseStatus = await self.rollout.execute_update(
            what, args=inputs, result_type=ReleaseStatus
        )
        return answer

    async def refused(self, what: str, *inputs: Any) -> str:
        """Send an update that is refused, by ana if no input is given; the reason. A refusal leaves no event behind."""
        return await self.refused_with(what, inputs or [{"by": "ana"}])

    async def refused_with(self, what: str, inputs: Sequence[Any]) -> str:
        """Send an update with exactly these inputs, which is refused; the reason."""
        before = await self.events()
        with pytest.raises(WorkflowUpdateFailedError) as refusal:
            await self._send(what, inputs)
        cause = refusal.value.cause
        assert isinstance(cause, ApplicationError)
        assert cause.type == "Refused", cause
        assert await self.events() == before
        return cause.message


async def ending(handle: Handle, *, patience: float = 30) -> Ending:
    """How a workflow ended, waiting for it."""
    async with asyncio.timeout(patience):
        try:
            status = await handle.result()
        except WorkflowFailureError as failure:
            match failure.cause:
                case ApplicationError() as cause:
                    given = (
                        ReleaseStatus.model_validate(cause.details[0])
                        if cause.details
                        and isinstance(cause.details[0], dict)
                        and "phase" in cause.details[0]
                        else None
                    )
                    return Ending(cause.type or "", cause.message, given)
                case CancelledError() as cause:
                    return Ending("Canceled", cause.message, None)
                case cause:
                    return Ending(type(cause).__name__, str(cause), None)
        return Ending("Completed", status.note, status)

"""``ReleaseClient``: what programs use to start, watch and steer releases. The command line is a thin skin over it.

For example::

    releases = await ReleaseClient.connect()
    handle = await releases.start(ReleaseRequest(target=Target(function="checkout"), artifact=Latest(kind="latest")))
    async for sight in releases.watch(handle.id):
        print(sight.status)

A target is named as people name it: ``checkout`` (alias ``live``), ``checkout:beta``, an ARN with or without an alias; or by a
workflow's id. Where a function lives need not be known: see :mod:`workflows.client.lookup`. Errors are those of :mod:`workflows.client.errors`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, Final, Self, cast

from temporalio.client import (
    Client,
    WorkflowExecutionDescription,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowHistoryEventFilterType,
    WorkflowQueryFailedError,
)
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.envconfig import ClientConfig
from temporalio.exceptions import TimeoutError as WorkflowTimedOut
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.runtime import Runtime

from activities.limits.priority import prioritize_workflow
from workflows.call import root_cause
from workflows.client.errors import NoSuchRelease, NoWorker, Refused, Unreachable, translate_errors
from workflows.client.explain import Explanation, explain
from workflows.client.history import facts_of
from workflows.client.lookup import find, new_id, rollout_of, run_of
from workflows.client.rejudge import Rejudged, rejudge
from workflows.client.runs import Run, RunEnding, RunOutcome, ending, strategy_of
from workflows.client.schedules import Schedules
from workflows.client.watch import Watch, WatchUpdate
from workflows.controls import ApproveRequest, ReasonedRequest, ResumeRequest
from workflows.domain.rules import Rules
from workflows.domain.status import Phase, ReleaseStatus
from workflows.domain.target import Target
from workflows.plan import ReleasePlan
from workflows.request import ReleaseRequest, RollbackRequest
from workflows.temporal.plugin import LambdaReleases

TASK_QUEUE: Final = "lambda-releases"
"""Where releases are worked on unless another queue is named."""

_CONNECTING: Final = timedelta(seconds=5)
_TELLING: Final = timedelta(seconds=8)
_TAKING_UP: Final = timedelta(seconds=20)
"""For a worker to take up what is said to a release: one that has just been restarted needs about ten of them."""

_PLANNING: Final = timedelta(minutes=2)
_AT_ONCE: Final = 8
_ENDED: Final = {
    Phase.SUCCEEDED: "succeeded",
    Phase.REJECTED: "was rejected",
    Phase.ROLLED_BACK: "was rolled back",
}

Handle = WorkflowHandle[Any, ReleaseStatus]


class ReleaseClient:
    """Releases, over a Temporal client that was connected with ``plugins=[LambdaReleases()]``."""

    def __init__(self, client: Client) -> None:
        """Speak through ``client``, which stays usable for everything else."""
        self.temporal: Final = client
        self.schedules: Final = Schedules(client)

    @classmethod
    async def connect(cls, *, runtime: Runtime | None = None) -> Self:
        """Connect as Temporal's own command line does: by its environment variables and configuration file, else to localhost:7233.

        Raises ``Unreachable`` after five seconds at most. An unknown namespace is noticed by the first call after this.
        """
        address = "localhost:7233"
        try:
            config = ClientConfig.load_client_connect_config()
            address = config.setdefault("target_host", address)
            async with asyncio.timeout(_CONNECTING.total_seconds()):
                return cls(
                    await Client.connect(
                        **cast("Any", config), plugins=[LambdaReleases()], runtime=runtime
                    )
                )
        except TimeoutError:
            raise Unreachable(f"Temporal does not answer at {address} (TEMPORAL_ADDRESS)") from None
        except (RuntimeError, ValueError, OSError) as error:
            raise Unreachable(
                f"cannot connect to Temporal at {address} (TEMPORAL_ADDRESS): {_plainly(error)}"
            ) from error

    # --- starting ----------------------------------------------------------------------------------------------------------------

    async def start(
        self, request: ReleaseRequest, *, id: str | None = None, task_queue: str = TASK_QUEUE
    ) -> Handle:
        """Start a ``Release`` and return at once; the handle's result is the final status.

        With an ``id`` of your own, a second start is ``Refused`` while the first runs: a repeated CI job releases once at a time.
        """
        return await self._start("Release", request, id=id, task_queue=task_queue)

    async def start_rollback(
        self, request: RollbackRequest, *, id: str | None = None, task_queue: str = TASK_QUEUE
    ) -> Handle:
        """Start a ``Rollback`` and return at once; otherwise as :meth:`start`."""
        return await self._start("Rollback", request, id=id, task_queue=task_queue)

    async def _start(
        self,
        workflow: str,
        request: ReleaseRequest | RollbackRequest,
        *,
        id: str | None,
        task_queue: str,
    ) -> Handle:
        wanted = id or new_id(workflow.lower(), request.target)
        try:
            with translate_errors():
                return await self.temporal.start_workflow(
                    workflow,
                    request,
                    id=wanted,
                    task_queue=task_queue,
                    static_summary=request.words[:200],
                    static_details=request.reason or None,
                    result_type=ReleaseStatus,
                    id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                )
        except WorkflowAlreadyStartedError:
            raise Refused(f"{wanted} is running already") from None

    async def plan(self, request: ReleaseRequest, *, task_queue: str = TASK_QUEUE) -> ReleasePlan:
        """What a release would do, and all that speaks against it. Reads only. ``NoWorker`` where nobody plans it within two minutes."""
        with translate_errors():
            handle: WorkflowHandle[Any, ReleasePlan] = await self.temporal.start_workflow(
                "Plan",
                request,
                id=new_id("plan", request.target),
                task_queue=task_queue,
                static_summary=request.words[:200],
                result_type=ReleasePlan,
                execution_timeout=_PLANNING,
            )
            try:
                return await handle.result()
            except WorkflowFailureError as error:
                if isinstance(error.cause, WorkflowTimedOut):
                    raise NoWorker(
                        f"no worker on {task_queue} has planned it within {_PLANNING.total_seconds():.0f} s"
                    ) from error
                raise Refused(root_cause(error.cause)) from error

    # --- looking -----------------------------------------------------------------------------------------------------------------

    async def status(self, target: str | Target) -> ReleaseStatus:
        """How a release stands, by its worker (``NoWorker`` without); of one that is over, how it ended, which needs none."""
        found = await find(self.temporal, target)
        if (ended := await self._ending(found)) and ended.status:
            return ended.status
        rollout = await rollout_of(self.temporal, found)
        if rollout.close_time:
            ended = await self._ending(rollout)
            return (ended and ended.status) or Run.of(rollout).status
        handle: WorkflowHandle[Any, Any] = self.temporal.get_workflow_handle(
            rollout.id, run_id=rollout.run_id
        )
        try:
            async with asyncio.timeout(_TELLING.total_seconds()):
                with translate_errors():
                    status: ReleaseStatus = await handle.query("status", result_type=ReleaseStatus)
        except WorkflowQueryFailedError:
            return Run.of(rollout).status
        except (TimeoutError, Unreachable, NoWorker, Refused) as error:
            raise NoWorker(f"no worker answers for {rollout.id}") from error
        return status

    async def describe(self, target: str | Target) -> Run:
        """A release as Temporal keeps it, without asking a worker: who, what, when, and how it ended if it did."""
        rollout = await rollout_of(self.temporal, await find(self.temporal, target))
        return await self._told(Run.of(rollout))

    async def watch(self, target: str | Target) -> AsyncIterator[WatchUpdate]:
        """All that happens to a release until its end, beginning with what has happened already: see :class:`WatchUpdate`."""
        found = await find(self.temporal, target)
        first = (
            (found.parent_id, found.parent_run_id) if found.parent_id else (found.id, found.run_id)
        )
        async for sight in Watch(
            self.temporal, self.temporal.get_workflow_handle(first[0], run_id=first[1])
        ).sights():
            yield sight

    async def running(self) -> list[Run]:
        """The releases and rollbacks that are under way, newest first."""
        return await self._runs(
            "WorkflowType = 'Rollout' AND ExecutionStatus = 'Running'", limit=None
        )

    async def history(self, target: str | Target, *, limit: int = 20) -> list[Run]:
        """The last releases and rollbacks of an alias, newest first, with what was asked and how each ended."""
        rollout = await rollout_of(self.temporal, await find(self.temporal, target))
        at_once = asyncio.Semaphore(_AT_ONCE)

        async def told(run: Run) -> Run:
            async with at_once:
                return await self._told(run)

        return list(
            await asyncio.gather(
                *map(told, await self._runs(f"WorkflowId = '{rollout.id}'", limit=limit))
            )
        )

    async def explain(self, target: str | Target, *, run_id: str | None = None) -> Explanation:
        """Why a release was promoted or rolled back, or how far it is, by its history. ``run_id`` is an earlier run of the rollout."""
        found = await find(self.temporal, target)
        try:
            rollout = await rollout_of(self.temporal, found)
        except NoSuchRelease:
            if found.close_time is None:
                raise
            return await explain(
                Run.refused(found, await self._ending(found)), facts_of(self.temporal, found)
            )  # before there was a rollout
        if run_id is not None:
            rollout = await run_of(self.temporal, rollout.id, run_id)
        return await explain(await self._told(Run.of(rollout)), facts_of(self.temporal, rollout))

    async def rejudge(
        self, target: str | Target, rules: Rules, *, limit: int = 20
    ) -> list[Rejudged]:
        """What ``rules`` would have made of the last releases of an alias, newest first, by what was measured of them then.

        ``limit`` is of runs; those that put no candidate on trial (rollbacks, rejected ones) are not among the answers.
        """
        judged: list[Rejudged] = []
        for run in await self.history(target, limit=limit):
            if run.running:
                continue
            described = await self.temporal.get_workflow_handle(
                run.id, run_id=run.run_id
            ).describe()
            if (found := await rejudge(run, facts_of(self.temporal, described), rules)) is not None:
                judged.append(found)
        return judged

    async def _runs(self, query: str, *, limit: int | None) -> list[Run]:
        with translate_errors():
            runs = [Run.of(run) async for run in self.temporal.list_workflows(query, limit=limit)]
        return sorted(runs, key=lambda run: run.started_at, reverse=True)

    async def _told(self, run: Run) -> Run:
        with translate_errors(f"the history of {run.id} has expired"):
            handle = self.temporal.get_workflow_handle(run.id, run_id=run.run_id)
            described = await handle.describe()
            first = await anext(aiter(handle.fetch_history_events(page_size=1)))
            told = {
                "words": await described.static_summary() or "",
                "ending": await self._ending(described),
                "strategy": await strategy_of(first, self.temporal.data_converter),
            }
            return run.model_copy(update=told)

    async def _ending(self, found: WorkflowExecutionDescription) -> RunEnding | None:
        """How a run ended, by its last event; a rollout that was killed, as the workflow that mended it. None while it is under way."""
        if found.close_time is None:
            return None
        handle = self.temporal.get_workflow_handle(found.id, run_id=found.run_id)
        with translate_errors(f"the history of {found.id} has expired"):
            last = await anext(
                aiter(
                    handle.fetch_history_events(
                        event_filter_type=WorkflowHistoryEventFilterType.CLOSE_EVENT
                    )
                )
            )
            ended = await ending(last, self.temporal.data_converter)
            if ended and ended.outcome is RunOutcome.KILLED and found.parent_id:
                parent = self.temporal.get_workflow_handle(
                    found.parent_id, run_id=found.parent_run_id
                )
                return await self._ending(await parent.describe()) or ended
        return ended

    # --- steering ----------------------------------------------------------------------------------------------------------------

    async def approve(self, target: str | Target, *, by: str, note: str = "") -> ReleaseStatus:
        """Let a release that waits for approval go on. ``Refused`` where none waits; ``NoWorker`` after twenty seconds without an answer."""
        return await self._say(target, "approve", ApproveRequest(by=by, note=note))

    async def pause(self, target: str | Target, *, by: str, reason: str = "") -> ReleaseStatus:
        """Hold a release where it is; its guards go on watching. Errors as for :meth:`approve`."""
        return await self._say(target, "pause", ReasonedRequest(by=by, reason=reason))

    async def resume(self, target: str | Target, *, by: str) -> ReleaseStatus:
        """Let a paused release go on. Errors as for :meth:`approve`."""
        return await self._say(target, "resume", ResumeRequest(by=by))

    async def promote(self, target: str | Target, *, by: str, reason: str = "") -> ReleaseStatus:
        """Skip the steps that are left: all traffic to the candidate. Errors as for :meth:`approve`."""
        return await self._say(target, "promote", ReasonedRequest(by=by, reason=reason))

    async def abort(self, target: str | Target, *, by: str, reason: str = "") -> ReleaseStatus:
        """Stop a release and put everything back, before all else that waits; returns before that is done. Errors as for :meth:`approve`."""
        return await self._say(target, "abort", ReasonedRequest(by=by, reason=reason))

    async def _say(
        self,
        target: str | Target,
        what: str,
        said: ApproveRequest | ReasonedRequest | ResumeRequest,
    ) -> ReleaseStatus:
        rollout = await rollout_of(self.temporal, await find(self.temporal, target))
        name = rollout.id.rsplit("/", 1)[-1]
        if rollout.close_time:
            raise Refused(
                f"{name} is not being released now: the last time it {_ENDED.get(Run.of(rollout).status.phase, 'was left half-way')}"
            )
        handle: Any = self.temporal.get_workflow_handle(rollout.id, run_id=rollout.run_id)
        if what == "abort":
            await prioritize_workflow(self.temporal, rollout.id, rollout.run_id)
        try:
            async with asyncio.timeout(_TAKING_UP.total_seconds()):
                with translate_errors(f"{name} is not being released any more"):
                    status: ReleaseStatus = await handle.execute_update(
                        what, said, result_type=ReleaseStatus
                    )
        except (TimeoutError, NoWorker) as error:
            raise NoWorker(
                f"no worker has answered within {_TAKING_UP.total_seconds():.0f} s; {what} may still take effect when one is back: "
                "look again before it is said twice"
            ) from error
        return status


def _plainly(error: Exception) -> str:
    """Why a connection failed, without the names of the Rust types that Temporal's SDK wraps it in."""
    said = re.findall(r'message: "([^"]+)"', str(error))
    return str(said[-1]) if said else str(error)

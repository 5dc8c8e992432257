"""``ReleaseClient``: starts, watches, controls and explains releases.

For example::

    releases = await ReleaseClient.connect()
    request = ReleaseRequest(target=Target(function="checkout"), artifact=Latest(kind="latest"))
    handle = await releases.start(request)
    async for update in releases.watch(handle.id):
        print(update.status)

A target is ``checkout`` (alias ``live``), ``checkout:beta``, an ARN with or without an alias, or a
workflow's id. Account and region of a function need not be known: see
:mod:`workflows.client.lookup`. The errors are those of :mod:`workflows.client.errors`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, Final, Self

from temporalio.client import (
    Client,
    WorkflowHandle,
    WorkflowQueryFailedError,
)
from temporalio.runtime import Runtime

from workflows.client.alias_holder import AliasHolder, find_holder, has_moved_traffic
from workflows.client.alias_runs import list_alias_runs
from workflows.client.connection import connect_temporal
from workflows.client.control import send_control
from workflows.client.errors import NoSuchRelease, NoWorker, Refused, Unreachable, translate_errors
from workflows.client.explain import explain
from workflows.client.explanation import Explanation
from workflows.client.history import read_facts
from workflows.client.live_status import read_live_statuses
from workflows.client.lookup import find_rollout, find_run, find_workflow
from workflows.client.place_search import Places
from workflows.client.plan import plan_release
from workflows.client.queue_outage import describe_silence
from workflows.client.rejudge import Rejudgement, ReleaseJudge
from workflows.client.release_search import find_release, list_pending_of
from workflows.client.release_start import Handle, check_start, start_release
from workflows.client.run_reader import RunReader
from workflows.client.runs import Run
from workflows.client.schedules import Schedules
from workflows.client.served_places import DEFAULT_QUEUE
from workflows.client.start_outcome import LONGEST_PREFLIGHT, StartOutcome, StartReader
from workflows.client.unbegun_release import PendingRelease, list_waiting
from workflows.client.watch import Watch, WatchUpdate
from workflows.control_requests import (
    ApproveRequest,
    Choice,
    ReasonedRequest,
    ResolveRequest,
    ResumeRequest,
)
from workflows.domain.rules import Rules
from workflows.domain.status import ReleaseStatus
from workflows.domain.target import Target
from workflows.plan import ReleasePlan
from workflows.request import ReleaseRequest, RollbackRequest
from workflows.run_chain import list_run_ids

TASK_QUEUE: Final = DEFAULT_QUEUE
"""The task queue of a worker with one account and region."""

_QUERY_TIMEOUT: Final = timedelta(seconds=8)


class ReleaseClient:
    """Releases, over a Temporal client that has the plugin ``LambdaReleases()``."""

    def __init__(self, client: Client) -> None:
        """``client`` stays usable for everything else."""
        self.temporal: Final = client
        self.schedules: Final = Schedules(client)
        self.places: Final = Places(client)
        self._runs: Final = RunReader(client)

    @classmethod
    async def connect(cls, *, runtime: Runtime | None = None) -> Self:
        """Connect as Temporal's own command line does; see :func:`connect_temporal`.

        Raises ``Unreachable`` after a few seconds.
        """
        return cls(await connect_temporal(runtime))

    # --- start -------------------------------------------------------------------------------

    async def start(
        self, request: ReleaseRequest, *, id: str | None = None, task_queue: str | None = None
    ) -> Handle:
        """Start a ``Release`` and return at once.

        Without a ``task_queue``, ``places`` find it, with their errors.

        The handle's result is the final status. With an ``id`` of your own a second start is
        ``Refused`` while the first is running: a CI job that is retried does not release twice at a
        time.
        """
        queue = task_queue or await self.places.find_queue(request.target)
        return await start_release(self.temporal, request, id=id, task_queue=queue)

    async def read_start(
        self, handle: Handle, *, longest: timedelta = LONGEST_PREFLIGHT
    ) -> StartOutcome:
        """Wait until preflight of a release that was just started is over; return what came of it.

        That takes about a second, and at most as long as given. It returns within 20 s where no
        worker takes the release, and at once where it has ended.
        """
        return await StartReader(self.temporal, handle).read_outcome(longest)

    async def check_start(self, handle: Handle) -> tuple[str, ...]:
        """Check that a release that was just started will be taken by a worker.

        Returns each reason why not, with what to do: nobody polls its task queue, or Worker
        Versioning routes it to no worker. Also says where only its id finds the release.
        """
        return await check_start(self.temporal, handle)

    async def start_rollback(
        self, request: RollbackRequest, *, id: str | None = None, task_queue: str | None = None
    ) -> Handle:
        """Start a ``Rollback`` and return at once; otherwise as :meth:`start`."""
        queue = task_queue or await self.places.find_queue(request.target)
        return await start_release(self.temporal, request, id=id, task_queue=queue)

    async def find_holder(self, target: Target) -> AliasHolder | None:
        """Find the release that runs or waits for a target: no rollback may begin beside it."""
        return await find_holder(self.temporal, target)

    async def has_moved(self, holder: AliasHolder) -> bool:
        """Whether a release that has ended had begun to change the alias."""
        return await has_moved_traffic(self.temporal, holder)

    async def plan(
        self, request: ReleaseRequest, *, task_queue: str | None = None, is_uploaded: bool = True
    ) -> ReleasePlan:
        """Plan a release: its steps, and every reason to reject it. Reads only.

        ``is_uploaded`` is false where the package is not in S3 yet: then it is not looked at.
        Raises ``NoWorker`` where no worker takes it within 20 s, or has not finished it within two
        minutes.
        """
        queue = task_queue or await self.places.find_queue(request.target)
        return await plan_release(self.temporal, request, task_queue=queue, is_uploaded=is_uploaded)

    # --- read --------------------------------------------------------------------------------

    async def status(self, target: str | Target) -> ReleaseStatus:
        """The status of a release: from its worker while it runs, else from its history.

        That of one which waits for a worker says so, and names its task queue. Raises ``NoWorker``
        for a running release whose worker does not answer.
        """
        found = await find_release(self.temporal, target)
        if isinstance(found, PendingRelease):
            return await found.read_status(self.temporal)
        if (ending := await self._runs.read_ending(found)) and ending.status:
            return ending.status
        rollout = await find_rollout(self.temporal, found)
        if rollout.close_time:
            ending = await self._runs.read_ending(rollout)
            return (ending and ending.status) or Run.from_execution(rollout).status
        handle: WorkflowHandle[Any, Any] = self.temporal.get_workflow_handle(
            rollout.id, run_id=rollout.run_id
        )
        try:
            async with asyncio.timeout(_QUERY_TIMEOUT.total_seconds()):
                with translate_errors():
                    status: ReleaseStatus = await handle.query("status", result_type=ReleaseStatus)
        except WorkflowQueryFailedError:
            return Run.from_execution(rollout).status
        except (TimeoutError, Unreachable, NoWorker, Refused) as error:
            silence = await describe_silence(self.temporal, rollout)
            reason = f": {silence}" if silence else ""
            raise NoWorker(f"no worker answers for {rollout.id}{reason}") from error
        return status

    async def describe(self, target: str | Target) -> Run:
        """A release as Temporal has recorded it; no worker is needed."""
        found = await find_release(self.temporal, target)
        if isinstance(found, PendingRelease):
            return found.run
        try:
            rollout = await find_rollout(self.temporal, found)
        except NoSuchRelease:
            if found.close_time is None:
                raise
            return Run.from_rejected(found, await self._runs.read_ending(found))
        return await self._runs.read_details(Run.from_execution(rollout))

    async def watch(self, target: str | Target) -> AsyncIterator[WatchUpdate]:
        """Yield what has happened to a release, then what happens until its end."""
        release = await find_release(self.temporal, target)
        found = release.execution if isinstance(release, PendingRelease) else release
        first = (
            (found.parent_id, found.parent_run_id) if found.parent_id else (found.id, found.run_id)
        )
        with translate_errors(f"the history of {first[0]} has expired"):
            run_ids = await list_run_ids(self.temporal, first[0], first[1] or "")
        handle = self.temporal.get_workflow_handle(first[0], run_id=run_ids[0])
        async for update in Watch(self.temporal, handle).read_updates():
            yield update

    async def running(self) -> list[Run]:
        """List the running releases and rollbacks, newest first, then those without a worker.

        With their own statuses, as far as they answer within three seconds.
        """
        query = "WorkflowType = 'Rollout' AND ExecutionStatus = 'Running'"
        listed = await self._runs.list_runs(query, limit=None)
        running = await read_live_statuses(self.temporal, listed)
        return [*running, *await list_waiting(self.temporal)]

    async def pending(self, target: str | Target) -> list[Run]:
        """List the releases of a target's function and alias that have not begun to roll out.

        Those that wait for a worker are among them, on whichever task queue, and those whose
        account is not known yet. None where the target is the id of a workflow.
        """
        return [one.run for one in await list_pending_of(self.temporal, target)]

    async def history(self, target: str | Target, *, limit: int = 20) -> list[Run]:
        """List the last releases and rollbacks of an alias, newest first, with endings.

        Attempts that were rejected are among them.
        """
        return await list_alias_runs(self.temporal, target, limit=limit)

    async def explain(self, target: str | Target, *, run_id: str | None = None) -> Explanation:
        """Explain from its history why a release was promoted or rolled back.

        A running release is explained so far. ``run_id`` names an earlier run of the rollout.
        """
        found = await find_workflow(self.temporal, target)
        try:
            rollout = await find_rollout(self.temporal, found)
        except NoSuchRelease:
            if found.close_time is None:
                raise
            # It ended before it had a rollout.
            rejected = Run.from_rejected(found, await self._runs.read_ending(found))
            return await explain(rejected, read_facts(self.temporal, found))
        if run_id is not None:
            rollout = await find_run(self.temporal, rollout.id, run_id)
        run = await self._runs.read_details(Run.from_execution(rollout))
        return await explain(run, read_facts(self.temporal, rollout))

    async def rejudge(
        self, target: str | Target, rules: Rules, *, limit: int = 20
    ) -> list[Rejudgement]:
        """Assess the last releases of an alias by other ``rules``, newest first.

        ``limit`` counts runs; those without a trial of a candidate (rollbacks, rejected releases)
        are not in the result.
        """
        judge = ReleaseJudge(rules)
        for run in reversed(await self.history(target, limit=limit)):
            if run.is_running:
                continue
            last = await find_run(self.temporal, run.id, run.run_id)
            await judge.take(run, read_facts(self.temporal, last))
        return judge.judge()

    # --- control -----------------------------------------------------------------------------

    async def approve(self, target: str | Target, *, by: str, note: str = "") -> ReleaseStatus:
        """Let a release that waits for approval continue.

        Raises ``Refused`` where none waits, ``NoWorker`` after twenty seconds without an answer.
        """
        return await send_control(
            self.temporal, target, "approve", ApproveRequest(by=by, note=note)
        )

    async def pause(self, target: str | Target, *, by: str, reason: str = "") -> ReleaseStatus:
        """Pause a release; its guards stay active. Errors as for :meth:`approve`."""
        return await send_control(
            self.temporal, target, "pause", ReasonedRequest(by=by, reason=reason)
        )

    async def resume(self, target: str | Target, *, by: str, reason: str = "") -> ReleaseStatus:
        """Let a paused release continue. Errors as for :meth:`approve`."""
        return await send_control(
            self.temporal, target, "resume", ResumeRequest(by=by, reason=reason)
        )

    async def promote(self, target: str | Target, *, by: str, reason: str = "") -> ReleaseStatus:
        """Skip the remaining steps: all traffic to the candidate.

        Errors as for :meth:`approve`.
        """
        return await send_control(
            self.temporal, target, "promote", ReasonedRequest(by=by, reason=reason)
        )

    async def abort(self, target: str | Target, *, by: str, reason: str = "") -> ReleaseStatus:
        """Stop a release and roll it back, before all other work of the queue.

        Returns before that is done. Errors as for :meth:`approve`.
        """
        return await send_control(
            self.temporal, target, "abort", ReasonedRequest(by=by, reason=reason)
        )

    async def give_up(self, target: str | Target, *, by: str, reason: str = "") -> ReleaseStatus:
        """End an undo that cannot succeed; what is not back stays as it is.

        Errors as for :meth:`approve`.
        """
        return await send_control(
            self.temporal, target, "give_up", ReasonedRequest(by=by, reason=reason)
        )

    async def resolve(
        self, target: str | Target, choice: Choice, *, by: str, reason: str = ""
    ) -> ReleaseStatus:
        """Choose what happens with routing that another writer has set.

        ``adopt`` makes it the stable routing, ``overwrite`` restores the release's own, ``leave``
        ends the release there. Errors as for :meth:`approve`.
        """
        request = ResolveRequest(by=by, choice=choice, reason=reason)
        return await send_control(self.temporal, target, "resolve", request)

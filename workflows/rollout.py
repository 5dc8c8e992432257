"""``Rollout``: holds an alias, makes the candidate, moves the traffic, and puts everything back if anything speaks against it.

Started by ``Release`` and ``Rollback`` under the alias' own id, which is the lock. :meth:`Rollout.run` is the promise,
:meth:`Rollout._roll_out` the story. Whatever may stop a release – an alarm, a hook, a person, a cancel, an error of AWS's – goes
down one path: the story is cancelled, the writes under way are waited for, and :mod:`workflows.undo` puts back what the journal says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from activities.errors import Fault
from activities.functions import FunctionConfiguration
from workflows import actions
from workflows.call import fault_of, raise_if_cancelled, root_cause, shield_from_cancel
from workflows.domain.journal import Journal
from workflows.domain.routing import Routing
from workflows.domain.status import Phase, ReleaseStatus
from workflows.domain.target import Place
from workflows.guards import ReleaseStopped
from workflows.preflight import DESCRIPTION, Findings, Rejected, Unpublished, preflight
from workflows.progress import Progress
from workflows.request import Image, ReleaseRequest, RollbackRequest, RolloutRequest, S3Package
from workflows.strategy_runner import Foreign, Trial
from workflows.undo import NotPutBack, put_back, restored

_T = TypeVar("_T")


@workflow.defn
class Rollout(Trial):
    """One release or rollback of one alias. Start ``Release`` or ``Rollback``, not this."""

    def _begin(self, request: ReleaseRequest | RollbackRequest) -> None:
        target = request.target.bare
        self._request = request
        self._journal = Journal(target=target)
        self._steer(
            Progress(
                ReleaseStatus(target=target, steps=len(request.strategy.steps)), request.strategy
            )
        )
        self._tell(Phase.PREPARING, request.words)

    @workflow.run
    async def run(self, request: RolloutRequest) -> ReleaseStatus:
        """Make the candidate live, or leave the alias as it was.

        Completes with all traffic on the candidate, or with nothing to do. Fails as ``ReleaseRejected`` with nothing touched, as
        ``ReleaseRolledBack`` with the alias as it was before, and as ``RollbackFailed`` where the alias could not be put back or somebody
        else moved it. A cancel at any moment, the first or a later one, is an abort.
        """
        self._begin(request.root)
        story = asyncio.create_task(self._roll_out())
        guard = asyncio.create_task(self._guard())
        try:
            await workflow.wait_condition(
                lambda: story.done() or self._controls.stopped is not None
            )
        except asyncio.CancelledError:
            self._controls.stop(f"cancelled{_reason()}")
        problem = await shield_from_cancel(_ended(story))
        await shield_from_cancel(_ended(guard))
        if self._following is not None:
            await shield_from_cancel(_ended(self._following))
        match problem, self._controls.stopped:
            case None, None:
                return self._progress.status
            case Rejected(), None:
                raise self._rejected(str(problem))
            case Foreign(), _:
                raise self._failed(str(problem))
            case _, why:
                return await self._fall_back(
                    why or root_cause(problem or RuntimeError("the release ended without a reason"))
                )

    # --- the story ---------------------------------------------------------------------------------------------------------------

    async def _roll_out(self) -> None:
        found = await preflight(self._request)
        self._check_lock(found.place)
        self._write_down(found)
        await self._prepare_to_judge(found)
        candidate = await self._make_candidate(found)
        if found.routing == Routing(version=candidate):
            await self._concurrency(found, candidate)
            raise_if_cancelled()
            self._tell(
                Phase.SUCCEEDED,
                f"Nothing to do: version {candidate} is live already",
                routing=self._split(candidate, 0),
            )
            return
        self._tell(note=f"The candidate is version {candidate}", candidate=candidate)
        await self._concurrency(found, candidate)
        await self._consult("before_traffic", found, candidate)
        if found.routing is None:
            await self._create_alias(candidate)
        else:
            self._follow(candidate)
            await self._take_steps(found.routing.version, candidate)
            await self._promote(candidate)
        await self._consult("after_traffic", found, candidate)
        await self._watch_over(candidate)
        await self._release_provisioned(found, candidate)
        raise_if_cancelled()
        self._tell(
            Phase.SUCCEEDED,
            f"All traffic is on version {candidate}",
            routing=self._split(candidate, 100),
            ends_at=None,
        )

    def _check_lock(self, place: Place) -> None:
        """Refuse to run without holding the lock. Who was started by a workflow holds it: a replay need not know the id for that."""
        lock = place.rollout_id(self._request.target.alias)
        if workflow.info().parent is None and workflow.info().workflow_id != lock:
            raise Rejected(
                f"a Rollout runs under the id of its alias, {lock}, and is started by Release or Rollback: start one of those"
            )

    def _write_down(self, found: Findings) -> None:
        """How things were, before the first deed."""
        self._revision = found.revision
        self._journal = self._journal.model_copy(
            update={
                "before": found.routing,
                "reserved": found.reserved,
                "candidate": found.version,
                "revision": found.latest.revision_id,
            }
        )
        self._tell(stable=self._journal.stable, routing=self._split(None, 0))

    async def _make_candidate(self, found: Findings) -> str:
        """The version to make live: published from an artifact, or one that there is already."""
        request, function = self._request, found.function
        if found.version is not None or not isinstance(request, ReleaseRequest):
            return found.version or ""
        artifact = request.artifact
        latest: Unpublished | FunctionConfiguration = found.latest
        if isinstance(artifact, S3Package | Image):
            self._note(latest=("code",))
            uploaded = await self._changing(
                actions.write_code(function, artifact, revision=latest.revision_id)
            )
            self._journal = self._journal.model_copy(update={"uploaded": uploaded})
            latest = self._ours(await actions.settle(function, superseded=latest.revision_id))
        if request.configuration is not None:
            described = (
                found.latest.description if request.configuration.description is not None else None
            )
            self._note(latest=(*self._journal.latest, "configuration"), description=described)
            await self._changing(
                actions.write_configuration(
                    function, request.configuration, revision=latest.revision_id
                )
            )
            latest = self._ours(await actions.settle(function, superseded=latest.revision_id))
        description = DESCRIPTION.format(
            run=workflow.info().first_execution_run_id, stable=self._journal.stable or "none"
        )
        publishing = actions.publish(
            function,
            code_sha256=latest.code_sha256,
            revision=latest.revision_id,
            description=description,
        )
        published = await self._changing(publishing)
        candidate = published.version
        if not candidate.isdecimal():
            raise ReleaseStopped("AWS published a version, and did not say which")
        self._journal = self._journal.model_copy(update={"candidate": candidate})
        if candidate != self._journal.stable and published.state != "Active":
            await actions.settle(function, qualifier=candidate)
        return candidate

    async def _changing(self, work: Awaitable[_T]) -> _T:
        """Do something with ``$LATEST``. If somebody else changed it meanwhile, theirs stays: nothing of it is put back."""
        try:
            return await work
        except ActivityError as error:
            if fault_of(error) is Fault.STALE or "CodeSHA256" in root_cause(error):
                self._note(latest=())
                raise ReleaseStopped(
                    f"somebody else changed $LATEST: {root_cause(error)}; it was left like that"
                ) from error
            raise

    def _ours(self, latest: FunctionConfiguration) -> FunctionConfiguration:
        """``$LATEST``, unless somebody else's upload came before ours had settled: theirs is not published, and not taken back."""
        uploaded = self._journal.uploaded
        if (
            uploaded is None
            or latest.code_sha256 == uploaded
            or not workflow.patched("only-what-was-uploaded")
        ):
            return latest
        self._note(latest=())
        raise ReleaseStopped(
            f"somebody else changed $LATEST: it holds other code ({latest.code_sha256}) than was uploaded ({uploaded}); it was left like that"
        )

    async def _concurrency(self, found: Findings, candidate: str) -> None:
        """Reserve and provision what was asked for, before any traffic moves; the live version keeps what it has until the end."""
        wanted = self._request.concurrency
        if wanted.reserved is not None and wanted.reserved != found.reserved:
            self._note(reserving=True)
            await actions.reserve(found.function, wanted.reserved)
        if wanted.provisioned is not None:
            had = (
                found.version_provisioned
                if candidate == self._journal.stable
                else await actions.provisioned(found.function, candidate)
            )
            if had != wanted.provisioned:
                self._note(provisioned={**self._journal.provisioned, candidate: had})
                await actions.provision(found.function, candidate, wanted.provisioned)
                await actions.warm(found.function, candidate)

    async def _release_provisioned(self, found: Findings, candidate: str) -> None:
        """Release what was provisioned on the version that was live: the candidate, with its own, has taken over."""
        stable = self._journal.stable
        if (
            self._request.concurrency.provisioned is None
            or found.version_provisioned is None
            or stable is None
            or stable == candidate
        ):
            return
        self._note(provisioned={**self._journal.provisioned, stable: found.version_provisioned})
        await actions.provision(found.function, stable, None)

    async def _promote(self, candidate: str) -> None:
        await self._unpaused()
        self._tell(Phase.PROMOTING, f"Moving all traffic to version {candidate}")
        match self._progress.status.routing.percent:
            case 100:  # a step was this already
                await self._still_there(Routing(version=candidate))
            case percent:
                if percent == 0:
                    await self._last_look()
                await self._route(Routing(version=candidate), f"All traffic to version {candidate}")
        self._tell(routing=self._split(candidate, 100), step=len(self._request.strategy.steps))

    async def _create_alias(self, candidate: str) -> None:
        await self._unpaused()
        self._tell(
            Phase.PROMOTING,
            f"First release: {self._request.target.alias} begins at version {candidate}",
        )
        await self._last_look()
        self._note(shifting=True)
        self._revision = await actions.create_alias(self._journal.target, candidate)
        self._tell(routing=self._split(candidate, 100), step=len(self._request.strategy.steps))

    async def _still_there(self, routing: Routing) -> None:
        """Find out, where there is nothing left to move, whether somebody else moved it."""
        alias = await actions.read_alias(self._journal.target)
        found = actions.routing_of(alias) if alias else None
        if found != routing:
            raise Foreign(
                f"somebody else moved {self._journal.target}: found {found or 'no alias'}; it was left like that"
            )

    # --- endings -----------------------------------------------------------------------------------------------------------------

    async def _fall_back(self, why: str) -> ReleaseStatus:
        self._tell(Phase.ROLLING_BACK, f"Rolling back: {why}", ends_at=None, paused=False)
        try:
            leftovers = await shield_from_cancel(
                put_back(self._journal, revision=self._revision, once_back=self._alias_is_back)
            )
        except NotPutBack as problem:
            raise self._failed(f"{why}; {problem}") from problem
        ending = "; ".join(
            [
                f"{why}; {'nothing had been changed' if self._journal.is_empty else restored(self._journal.before)}",
                *leftovers,
            ]
        )
        self._tell(Phase.ROLLED_BACK, f"Rolled back: {ending}", routing=self._split(None, 0))
        if workflow.cancellation_reason() is not None:
            raise asyncio.CancelledError(ending)
        raise ApplicationError(
            ending, self._progress.status, type="ReleaseRolledBack", non_retryable=True
        )

    def _alias_is_back(self) -> None:
        if self._journal.shifting:
            self._tell(
                note=f"{self._journal.target} is back: {restored(self._journal.before)}",
                routing=self._split(None, 0),
            )

    def _rejected(self, why: str) -> ApplicationError:
        self._tell(Phase.REJECTED, f"Rejected: {why}")
        return ApplicationError(
            why, self._progress.status, type="ReleaseRejected", non_retryable=True
        )

    def _failed(self, why: str) -> ApplicationError:
        self._tell(Phase.ROLLING_BACK, f"Not rolled back: {why}", ends_at=None)
        return ApplicationError(
            why, self._progress.status, type="RollbackFailed", non_retryable=True
        )


def _reason() -> str:
    reason = workflow.cancellation_reason()
    return f": {reason}" if reason else ""


async def _ended(task: asyncio.Task[None]) -> BaseException | None:
    """Cancel a task unless it is done, wait for it, and return what it ended with, if it did not end well."""
    task.cancel()
    try:
        await workflow.wait([task])
        task.result()
    except (Exception, asyncio.CancelledError) as problem:  # noqa: BLE001 - every problem takes the same way back
        return problem
    return None

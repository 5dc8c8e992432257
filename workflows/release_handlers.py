"""The updates and the query that ``Release`` and ``Rollback`` answer.

They are those of the ``Rollout``: whoever has started a release holds the handle that steers it. A
query is answered by the rollout itself (:mod:`workflows.temporal.rollout_queries`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError

from workflows.call import shield_from_cancel
from workflows.control_requests import (
    APPROVED_BY_UNKNOWN,
    DESCRIPTIONS,
    REASONED_BY_UNKNOWN,
    RESUMED_BY_UNKNOWN,
    ApproveRequest,
    ControlRequest,
    EndWatchRequest,
    ReasonedRequest,
    ResolveRequest,
    ResumeRequest,
    describe_request,
)
from workflows.domain.status import ReleaseStatus
from workflows.handed_control import hand_on
from workflows.release_state import ReleaseState, RolloutAddress


class ReleaseHandlers:
    """The handlers of updates and the query, which know the rollout once it has started.

    A mixin, since Temporal looks for handlers on the class of a workflow.
    """

    def __init__(self) -> None:
        """Begin without a rollout."""
        self._state = ReleaseState()

    @property
    def rollout(self) -> RolloutAddress | None:
        """The rollout that knows more than this workflow, while there is one."""
        return self._state.rollout

    def refuse_input(self, failure: ApplicationError) -> BaseException:
        """Know that the input was refused, before there was a run; return the failure to end with.

        The query answers with the status in its details.
        """
        return self._state.fail(failure)

    async def _close(self, release: Awaitable[ReleaseStatus]) -> ReleaseStatus:
        """Run a release to its end, and answer what was requested of it before that ends, too."""
        try:
            status = self._state.end(await release)
        except (asyncio.CancelledError, FailureError) as error:
            failure = self._state.fail(error)
            await _answer_updates()
            raise failure from None
        await _answer_updates()
        return status

    @workflow.query(description="How the release stands")
    def status(self) -> ReleaseStatus:
        """Return how the release stands, as far as it is known here."""
        return self._state.status

    @workflow.update(description=DESCRIPTIONS["approve"])
    async def approve(self, request: ApproveRequest = APPROVED_BY_UNKNOWN) -> ReleaseStatus:
        """Continue a release that waits for approval."""
        return await self._hand_on("approve", request)

    @approve.validator
    def _check_approve(self, request: ApproveRequest = APPROVED_BY_UNKNOWN) -> None:
        self._state.check_control("approve")

    @workflow.update(description=DESCRIPTIONS["pause"])
    async def pause(self, request: ReasonedRequest = REASONED_BY_UNKNOWN) -> ReleaseStatus:
        """Hold a release at its current weight."""
        return await self._hand_on("pause", request)

    @workflow.update(description=DESCRIPTIONS["resume"])
    async def resume(self, request: ResumeRequest = RESUMED_BY_UNKNOWN) -> ReleaseStatus:
        """Continue a paused release."""
        return await self._hand_on("resume", request)

    @resume.validator
    def _check_resume(self, request: ResumeRequest = RESUMED_BY_UNKNOWN) -> None:
        self._state.check_control("resume")

    @workflow.update(description=DESCRIPTIONS["promote"])
    async def promote(self, request: ReasonedRequest = REASONED_BY_UNKNOWN) -> ReleaseStatus:
        """Skip the steps that are left. Hooks and guards are not skipped."""
        return await self._hand_on("promote", request)

    @workflow.update(description=DESCRIPTIONS["give_up"])
    async def give_up(self, request: ReasonedRequest = REASONED_BY_UNKNOWN) -> ReleaseStatus:
        """End an undo that does not succeed; what is not back stays as it is."""
        return await self._hand_on("give_up", request)

    @pause.validator
    @promote.validator
    @give_up.validator
    def _check_reasoned(self, request: ReasonedRequest = REASONED_BY_UNKNOWN) -> None:
        self._state.check_control("reasoned")

    @workflow.update(description=DESCRIPTIONS["abort"])
    async def abort(self, request: ReasonedRequest = REASONED_BY_UNKNOWN) -> ReleaseStatus:
        """Stop the release and put everything back; before it has begun, end it."""
        state = self._state
        if state.rollout is None:
            state.abort(describe_request("aborted", request.by, request.reason))
            await workflow.wait_condition(lambda: state.is_over or state.rollout is not None)
        if state.rollout is None:
            return state.status
        return await self._hand_on("abort", request)

    @abort.validator
    def _check_abort(self, request: ReasonedRequest = REASONED_BY_UNKNOWN) -> None:
        self._state.check_control("abort")

    @workflow.update(description=DESCRIPTIONS["resolve"])
    async def resolve(self, request: ResolveRequest) -> ReleaseStatus:
        """Choose what happens with foreign routing; see ``guards.on_foreign``."""
        return await self._hand_on("resolve", request)

    @resolve.validator
    def _check_resolve(self, request: ResolveRequest) -> None:
        self._state.check_control("resolve")

    @workflow.update(description=DESCRIPTIONS["end_watch"])
    async def end_watch(self, request: EndWatchRequest) -> ReleaseStatus:
        """End the watch after promotion. Alarms are looked at once more."""
        return await self._hand_on("end_watch", request)

    @end_watch.validator
    def _check_end_watch(self, request: EndWatchRequest) -> None:
        self._state.check_control("end_watch")

    async def _hand_on(self, name: str, request: ControlRequest) -> ReleaseStatus:
        rollout = self._state.rollout
        if rollout is None:
            self._state.check_control(name)
            return self._state.status
        status = await hand_on(rollout, name, request)
        return status.model_copy(update={"rollout": rollout.id})


async def _answer_updates() -> None:
    """Wait for the answers of the updates that are being handed on: seconds, at most half a minute.

    A workflow that ended before them would leave their senders with an error of Temporal's.
    """
    if not workflow.all_handlers_finished():
        await shield_from_cancel(workflow.wait_condition(workflow.all_handlers_finished))

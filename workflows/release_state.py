"""What a ``Release`` or ``Rollback`` knows of its rollout, for its query and its updates."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict
from temporalio import workflow
from temporalio.exceptions import (
    ApplicationError,
    CancelledError,
    FailureError,
    is_cancelled_exception,
)

from workflows.call import end_task
from workflows.controls import refuse_if
from workflows.domain.status import Phase, ReleaseStatus
from workflows.preflight_reads import ReleaseRejected
from workflows.release_page import ReleasePage
from workflows.request import ReleaseRequest, RollbackRequest

_Result = TypeVar("_Result")

_UNTOUCHED: Final = "cancelled; nothing had been changed"


class RolloutAddress(BaseModel):
    """Which rollout, by its workflow id and its first run; None: whichever run has the id."""

    model_config = ConfigDict(frozen=True)

    id: str
    first_run_id: str | None = None


class ReleaseState:
    """How a release stands, as far as the workflow that started its rollout knows."""

    def __init__(self) -> None:
        """Begin without a request."""
        self.rollout: RolloutAddress | None = None
        """The rollout that does the work, from its start to its end."""
        self.is_over = False
        self._status: ReleaseStatus | None = None
        self._abort_reason: str | None = None
        self._page: ReleasePage | None = None
        self._followed: str | None = None

    @property
    def status(self) -> ReleaseStatus:
        """How the release stands. Refused where its input was, since nothing is known then."""
        if self._status is None:
            text = "nothing is known of this release: its input was refused, or it has not begun"
            raise ApplicationError(text, type="Refused", non_retryable=True)
        return self._status

    @property
    def is_aborted(self) -> bool:
        """Whether it was aborted before it had a rollout."""
        return self._abort_reason is not None

    def begin(self, request: ReleaseRequest | RollbackRequest) -> None:
        """Begin with a request."""
        self._page = ReleasePage(request)
        self._status = ReleaseStatus(
            note=request.summary,
            target=request.target.bare,
            account=request.target.account,
            region=request.target.region,
            steps=len(request.strategy.steps),
            revision=request.revision,
            hotfix=bool(request.hotfix),
        )

    def start(self, rollout_id: str, first_run_id: str | None) -> None:
        """Know the rollout, which has the status from now on."""
        self.rollout = RolloutAddress(id=rollout_id, first_run_id=first_run_id)
        self._report(rollout=rollout_id, note=f"{rollout_id} does the work")
        if self._page is not None:
            self._page.show_rollout(rollout_id, first_run_id)

    def follow(self, rollout_id: str | None) -> None:
        """Know which rollout this workflow looks at, after a reset, to find out if it is its own.

        None: it is not.
        """
        self._followed = rollout_id

    def take_over(self, note: str) -> None:
        """Know that the rollout was killed, and that this workflow does what is left."""
        self.rollout = None
        self._report(phase=Phase.ROLLING_BACK, note=note)

    def _report(self, **changes: Any) -> None:
        self._status = self.status.model_copy(update=changes)

    # --- before there is a rollout ---------------------------------------------------------------

    def abort(self, reason: str) -> None:
        """End the release before it has a rollout; see :meth:`unless_aborted`."""
        self._abort_reason = self._abort_reason or reason

    async def unless_aborted(self, wait: Awaitable[_Result]) -> _Result:
        """Wait for something that has to be before the rollout, unless the release is aborted.

        Raises :class:`ReleaseRejected` then. It adds nothing to a history.
        """
        task = asyncio.ensure_future(wait)
        try:
            await workflow.wait_condition(lambda: task.done() or self.is_aborted)
        except asyncio.CancelledError:
            await end_task(task)
            raise
        if self.is_aborted:
            await end_task(task)
            raise ReleaseRejected(self._abort_reason)
        return task.result()

    # --- endings ---------------------------------------------------------------------------------

    def end(self, status: ReleaseStatus) -> ReleaseStatus:
        """Know how the release has ended; return it with the id of its rollout."""
        rollout = self._status.rollout if self._status else None
        self._status = status.model_copy(update={"rollout": rollout})
        self.rollout, self.is_over = None, True
        if self._page is not None:
            self._page.show_end(self._status)
        return self._status

    def fail(self, error: BaseException) -> BaseException:
        """Know how the release has failed; return its failure with the status in its details."""
        details = error.details if isinstance(error, ApplicationError | CancelledError) else ()
        if details and isinstance(details[0], ReleaseStatus):
            status = self.end(details[0])
        elif is_cancelled_exception(error) and workflow.cancellation_reason() is not None:
            status = self.end(
                self.status.model_copy(update={"phase": Phase.ROLLED_BACK, "note": _UNTOUCHED})
            )
            details = (status,)
        else:
            self.is_over = True
            return error
        if isinstance(error, ApplicationError):
            return ApplicationError(
                error.message,
                status,
                *details[1:],
                type=error.type,
                non_retryable=error.non_retryable,
            )
        message = error.message if isinstance(error, FailureError) else _UNTOUCHED
        return CancelledError(message, status, *details[1:])

    # --- updates ---------------------------------------------------------------------------------

    def check_control(self, name: str) -> None:
        """Refuse a control where there is no rollout that could take it."""
        status = self.status
        phase = status.phase.replace("_", " ")
        refuse_if(self.is_over, f"too late: the release is {phase}")
        refuse_if(self.is_aborted, f"too late: {self._abort_reason}")
        followed = f"this release was reset, and follows {self._followed}: send {name} to that"
        refuse_if(self._followed, followed)
        is_taken_over = status.phase is Phase.ROLLING_BACK and self.rollout is None
        refuse_if(is_taken_over, f"too late: the release is {phase} ({status.note})")
        is_early = self.rollout is None and name != "abort"
        refuse_if(is_early, "too early: nothing has begun yet, and only abort ends it")

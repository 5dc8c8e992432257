"""The controls of a running release: what was requested of it, and which requests make sense.

An update (:mod:`workflows.control_handlers`) sets a field of :class:`Controls`; the release acts on
it where it waits, and alone calls AWS.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pydantic import BaseModel, ConfigDict
from temporalio import workflow
from temporalio.exceptions import ApplicationError

from workflows.call import raise_if_cancelled
from workflows.continuation import Continuation
from workflows.control_requests import Choice
from workflows.domain.status import Phase, ReleaseStatus
from workflows.release_clock import ClockState, ReleaseClock

_OVER: Final = {Phase.SUCCEEDED, Phase.ROLLING_BACK, Phase.ROLLED_BACK, Phase.REJECTED}


class ReleaseStopped(Exception):
    """The release has to be rolled back: a guard refused it, or ``$LATEST`` was changed."""


class ControlsState(BaseModel):
    """What was requested of a release, for its next run: see :class:`Controls`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    clock: ClockState
    promoted: bool
    promoted_by: str | None = None
    given_up: str | None
    watch_ended_by: str | None = None
    is_watch: bool = False


class Controls:
    """What the updates have requested so far."""

    def __init__(self) -> None:
        """Begin with nothing requested."""
        self.clock = ReleaseClock()
        self.continuation = Continuation()
        self.is_held = False
        """Whether it is a guard that has paused the release, and no person."""
        self.promoted = False
        self.promoted_by: str | None = None
        """Who skipped the steps that were left, once somebody has."""
        self.approved = False
        self.stop_reason: str | None = None
        """Why the release has to stop, once it has to."""
        self.is_refused = False
        """Whether that reason speaks against the candidate."""
        self.given_up: str | None = None
        """Who gave up the undo, and why, once somebody has."""
        self.is_watch = False
        """Whether all traffic has moved, and ``guards.after`` is not over."""
        self.watch_ended_by: str | None = None
        """Which newer release ended the watch after promotion, once one has."""
        self.choice: Choice | None = None
        """What a person chose about foreign routing, until it is taken."""
        self._problem: str | None = None
        self._choices: frozenset[Choice] = frozenset()

    def to_state(self) -> ControlsState:
        """Return all that :meth:`resume` needs."""
        return ControlsState(
            clock=self.clock.state,
            promoted=self.promoted,
            promoted_by=self.promoted_by,
            given_up=self.given_up,
            watch_ended_by=self.watch_ended_by,
            is_watch=self.is_watch,
        )

    def resume(self, state: ControlsState) -> None:
        """Go on where another run of this release stopped."""
        self.clock = ReleaseClock(state.clock)
        self.promoted, self.given_up = state.promoted, state.given_up
        self.promoted_by = state.promoted_by
        self.watch_ended_by, self.is_watch = state.watch_ended_by, state.is_watch

    @property
    def paused(self) -> bool:
        """Whether the release is paused, and its clock stands still."""
        return self.clock.is_stopped

    def stop(self, reason: str) -> None:
        """Stop the release: its candidate is refused. The first reason counts."""
        self.is_refused = self.is_refused or self.stop_reason is None
        self.stop_reason = self.stop_reason or reason

    def break_off(self, reason: str) -> None:
        """Stop the release, for a reason that says nothing about its candidate."""
        self.stop_reason = self.stop_reason or reason

    def pause(self) -> None:
        """Pause in a person's name."""
        self.clock.stop()
        self.is_held = False

    def hold(self) -> None:
        """Pause in a guard's name: see :meth:`release`. A person may take over, or resume."""
        self.clock.stop()
        self.is_held = True

    def release(self) -> None:
        """End a pause, a person's or a guard's."""
        self.clock.start()
        self.is_held = False

    async def wait_while_paused(self) -> None:
        """Return at once, or as soon as the release is resumed.

        Raises :class:`~workflows.continuation.ContinueRun` where the history has become long.
        """
        raise_if_cancelled()
        while self.paused:
            await workflow.wait_condition(lambda: not self.paused or self.continuation.is_due())
            if self.paused:
                self.continuation.raise_if_due()

    def report_problem(self, problem: str) -> None:
        """Allow to give up an undo that does not succeed, for this reason."""
        self._problem = problem

    def offer(self, choices: Iterable[Choice]) -> None:
        """Allow these choices about foreign routing."""
        self._choices = frozenset(choices)

    def take_choice(self) -> Choice | None:
        """Return what was chosen, and allow no choice any more."""
        choice, self.choice, self._choices = self.choice, None, frozenset()
        return choice

    def check_running(self, status: ReleaseStatus) -> None:
        """Refuse every request to a release that is over or is being rolled back."""
        phase, reason = status.phase.replace("_", " "), self.stop_reason
        refuse_if(status.phase in _OVER, f"too late: the release is {phase}")
        refuse_if(reason, f"too late: the release is being stopped ({reason})")

    def check_approve(self, status: ReleaseStatus) -> None:
        """Refuse an approval that the release does not wait for."""
        self.check_running(status)
        waits = status.phase is Phase.AWAITING_APPROVAL and not self.approved
        refuse_if(not waits, f"nothing to approve: the release is {status.phase}")

    def check_pause(self, status: ReleaseStatus) -> None:
        """Refuse to pause twice, or during promotion."""
        self.check_running(status)
        refuse_if(self.paused and not self.is_held, "paused already")
        promoting = self.promoted or status.phase is Phase.PROMOTING
        refuse_if(promoting, "too late: all traffic is going to the candidate")

    def check_resume(self, status: ReleaseStatus) -> None:
        """Refuse to resume a release that is not paused."""
        self.check_running(status)
        refuse_if(not self.paused, "not paused")

    def check_promote(self, status: ReleaseStatus) -> None:
        """Refuse to promote twice, or before there is a candidate."""
        self.check_running(status)
        promoting = self.promoted or status.phase is Phase.PROMOTING
        refuse_if(promoting, "being promoted already")
        preparing = status.phase is Phase.PREPARING
        refuse_if(preparing, "too early: the candidate is not on trial yet")

    def check_give_up(self, status: ReleaseStatus) -> None:
        """Refuse to give up an undo that succeeds, and to give it up twice."""
        refuse_if(self.given_up, "given up already")
        refuse_if(
            status.phase is not Phase.ROLLING_BACK or self._problem is None,
            f"nothing to give up: the release is {status.phase.replace('_', ' ')}, and no undo "
            "is failing (abort stops a release that is running)",
        )

    def check_end_watch(self, status: ReleaseStatus, version: str | None) -> None:
        """Refuse to end the watch after promotion where there is none, or a person has paused it.

        ``version`` is the one that the newer release is about.
        """
        self.check_running(status)
        refuse_if(self.watch_ended_by, f"its watch was ended by {self.watch_ended_by} already")
        refuse_if(not self.is_watch, f"it is {status.phase.replace('_', ' ')}")
        is_person = self.paused and not self.is_held
        refuse_if(is_person, "somebody has paused its watch (releases resume goes on)")
        live = status.candidate
        refuse_if(version == live, f"version {live} is live already, and is watched")

    def check_resolve(self, choice: Choice) -> None:
        """Refuse a choice that nobody waits for, and one that is not possible."""
        refuse_if(not self._choices, "nothing to resolve: no foreign routing waits for a choice")
        refuse_if(self.choice, f"resolved already: {self.choice}")
        possible = " or ".join(sorted(self._choices))
        refuse_if(choice not in self._choices, f"choice: {choice} is not possible here: {possible}")


def refuse_if(condition: object, reason: str) -> None:
    """Refuse a request if the condition holds; the sender gets the reason."""
    if condition:
        raise ApplicationError(reason, type="Refused", non_retryable=True)

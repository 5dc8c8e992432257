"""What a release does whose rollout was killed: it keeps what is live, or undoes what it finds.

It undoes for as long as that takes. Where its own history becomes long meanwhile, it continues in a
new run.
"""

from __future__ import annotations

from typing import Final, NoReturn

from pydantic import BaseModel, ConfigDict
from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.operation import WRITE
from workflows.alias_undo import PutBackFailed
from workflows.call import root_cause
from workflows.continuation import Continuation
from workflows.domain.journal import Journal
from workflows.past_rollouts import read_journal
from workflows.promotion import is_promoted
from workflows.request import ReleaseRequest, RollbackRequest
from workflows.undo import UndoEvents, describe_restored, put_back

KILLED_MEMO: Final = "killed"
"""The memo in which a release that continues in a new run has what its rollout left."""


class Remains(BaseModel):
    """What is left of a killed rollout: which run, what happened to it, and its journal."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    workflow_id: str
    run_id: str
    killed: str
    journal: Journal | None = None


class UndoImpossible(Exception):
    """What a killed rollout had changed is not back; the text is why."""


def find_remains() -> Remains | None:
    """Return what a killed rollout left, as the run before this one has handed it on."""
    return workflow.memo_value(KILLED_MEMO, default=None, type_hint=Remains)


class KilledRollout:
    """A rollout that was killed; ``journal`` is what it had begun to change, once that is read."""

    def __init__(self, remains: Remains, request: ReleaseRequest | RollbackRequest) -> None:
        """Deal with the rollout of ``request``."""
        self._remains = remains
        self._request = request
        self._continuation = Continuation()
        self.journal = remains.journal

    async def read(self) -> None:
        """Read the journal. Raises :class:`UndoImpossible` where the rollout was deleted."""
        if self.journal is not None:
            return
        remains = self._remains
        try:
            self.journal = await read_journal(remains.workflow_id, remains.run_id)
        except ActivityError as problem:
            raise UndoImpossible(
                f"{remains.killed}, and what it had changed cannot be known: "
                f"{remains.workflow_id} was deleted ({root_cause(problem)})"
            ) from None

    async def is_kept(self) -> bool:
        """Whether its candidate stays live. A release that undoes already goes on with that."""
        remains, journal = self._remains, self.journal
        if journal is None or remains.journal is not None:
            return False
        return await is_promoted(remains.workflow_id, remains.run_id, journal, self._request)

    @property
    def killed(self) -> str:
        """What happened to it."""
        return self._remains.killed

    @property
    def kept_note(self) -> str:
        """What to say of a candidate that stays live."""
        journal = self.journal or Journal(target=self._request.target)
        ended = "and its watch ended with it" if self._request.guards.after else "at the very end"
        rest = (
            f"; what was provisioned for version {journal.stable} stays"
            if journal.provisioned and journal.stable
            else ""
        )
        return (
            f"All traffic is on version {journal.candidate}, and nothing spoke against it: "
            f"{self._remains.killed}, {ended}{rest}"
        )

    async def undo(self) -> str:
        """Undo what the journal holds; return what happened.

        Raises :class:`UndoImpossible`, and :class:`~workflows.continuation.ContinueRun` where this
        workflow's history has become long.
        """
        killed, journal = self._remains.killed, self.journal
        if journal is None:
            return f"{killed} before it changed anything"
        workflow.set_current_details(f"{killed.capitalize()}: putting everything back.")
        events = UndoEvents(
            on_alias_restored=lambda _: None,
            on_problem=self._report,
            before_rest=_wait_for_late_writes,
            before_retry=self._continuation.raise_if_due,
            cause=killed,
        )
        try:
            leftovers = await put_back(journal, revision=None, written=None, events=events)
        except PutBackFailed as problem:
            raise UndoImpossible(f"{killed}; {problem}") from None
        return "; ".join([killed, describe_restored(journal.before), *leftovers])

    def _report(self, cause: str) -> None:
        workflow.set_current_details(
            f"{self._remains.killed.capitalize()}. Cannot put back yet: {cause}. It is tried until "
            "it succeeds."
        )

    def continue_as_new(self) -> NoReturn:
        """Go on in a new run, with what is known."""
        remains = self._remains.model_copy(update={"journal": self.journal})
        memo = {**workflow.memo(), KILLED_MEMO: remains}
        workflow.continue_as_new(self._request, memo=memo)


async def _wait_for_late_writes() -> None:
    """Wait until no write of a killed rollout can be on its way any more.

    AWS refuses its late writes of the alias by their revision, and no other late write.
    """
    if workflow.patched("mend-waits-for-late-writes"):
        summary = "Wait until the killed rollout can have nothing under way any more"
        await workflow.sleep(WRITE.start_to_close, summary=summary)

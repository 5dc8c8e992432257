"""Who may speak against a candidate: hooks, which are asked, and alarms, which are watched.

Hooks are asked once before traffic moves and once after. Alarms are watched from the first move, or from the first wait if that comes
earlier, to the end; and looked at once more wherever a wait is over or all traffic is about to move at once, as the watch may be seconds behind.
"""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import is_cancelled_exception

from workflows import steps
from workflows.call import sentence
from workflows.domain.journal import Journal
from workflows.domain.status import Phase
from workflows.preflight import Findings
from workflows.request import ReleaseRequest, RollbackRequest
from workflows.steering import Steered
from workflows.steps import alarm_in

_WAITING = {Phase.BAKING, Phase.AWAITING_APPROVAL}


class Refused(Exception):
    """A hook or an alarm speaks against the candidate, or somebody else has changed what it was to be made of."""


class Judged(Steered):
    """A workflow whose candidate may be refused."""

    _request: ReleaseRequest | RollbackRequest
    _journal: Journal

    async def _guard(self) -> None:
        """Have the release stopped as soon as one of its alarms goes off, or cannot be read any more."""
        alarms = self._request.guards.alarms
        if not alarms:
            return
        await workflow.wait_condition(lambda: self._journal.shifting or self._controls.paused or self._progress.status.phase in _WAITING)
        try:
            self._controls.stop(await steps.watch(alarms))
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody would watch any more
            if not is_cancelled_exception(error):
                self._controls.stop(f"the alarms cannot be read: {sentence(error)}")

    async def _last_look(self) -> None:
        """Look at the alarms, now."""
        alarms = self._request.guards.alarms
        if alarms and (off := alarm_in(await steps.look(alarms), alarms)):
            raise Refused(off)

    async def _consult(self, name: str, found: Findings, candidate: str) -> None:
        """Ask a hook, if there is one."""
        hook: str | None = getattr(self._request.hooks, name)
        if hook is None:
            return
        await self._unpaused()
        self._tell(note=f"Asking {hook} ({name})")
        stable = self._journal.stable
        question: dict[str, object] = {
            "hook": name,
            "release": workflow.info().workflow_id,
            "target": {"function": found.function, "alias": self._request.target.alias},
            "stable": stable,
            "stable_arn": f"{found.arn}:{stable}" if stable else None,
            "candidate": candidate,
            "candidate_arn": f"{found.arn}:{candidate}",
        }
        answer = await steps.consult(hook, question, name=name)
        if not answer.accept:
            raise Refused(f"hook {hook} ({name}) refused version {candidate}: {answer.reason}")

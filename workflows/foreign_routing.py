"""Routing that another writer has set during a release: whether it is foreign, and what follows.

Only the routing counts. An alias whose description or policy was changed routes as before, and the
release continues at its new revision. So it does with the weights that AWS itself sets while it
moves provisioned concurrency of an alias from one version to another.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from temporalio import workflow

from workflows.control_requests import Choice
from workflows.controls import Controls
from workflows.domain.routing import Routing
from workflows.domain.target import Target
from workflows.progress import Progress

TIME_TO_CHOOSE: Final = timedelta(hours=1)
"""How long a person may choose, where ``guards.on_foreign`` is ``ask``."""

_FOUND_LENGTH: Final = 500


class ForeignChange(Exception):
    """Another writer changed the routing of the alias: it must not be written any more."""

    def __init__(self, text: str, found: Routing | None = None) -> None:
        """``text`` says what was found; ``found`` is the routing, None where there is no alias."""
        super().__init__(text)
        self.found = found


class AliasDeleted(ForeignChange):
    """Another writer deleted the alias."""

    def __init__(self) -> None:
        super().__init__("it is gone: somebody deleted it")


class ForeignRouting:
    """Lets a person choose, where that is requested; else foreign routing is left."""

    def __init__(self, *, ask: bool, controls: Controls, progress: Progress) -> None:
        """``ask`` is whether a person is to choose."""
        self._ask = ask
        self._controls = controls
        self._progress = progress

    async def choose(self, found: Routing | None, *, is_adoptable: bool) -> Choice:
        """Wait for the choice, an hour at most; without one the routing is left.

        An alias that was deleted cannot be chosen about.
        """
        if not self._ask or found is None:
            return Choice.LEAVE
        choices = [choice for choice in Choice if is_adoptable or choice is not Choice.ADOPT]
        text, before = ", ".join(choices), self._progress.status.note
        self._controls.offer(choices)
        note = f"Another writer changed the routing: found {found}. Resolve within 1 h: {text}"
        self._progress.report(note=note)
        try:
            await workflow.wait_condition(
                lambda: self._controls.choice is not None,
                timeout=TIME_TO_CHOOSE,
                timeout_summary=f"Wait for a choice: {text}",
            )
        except TimeoutError:
            return Choice.LEAVE
        finally:
            choice = self._controls.take_choice()
        self._progress.report(note=before)
        return choice or Choice.LEAVE


def is_own(found: Routing, written: Routing, *others: str | None) -> bool:
    """Whether an alias routes as it was last written, or as AWS moves it there.

    AWS's own weights: all of the traffic to the version that the alias leaves, which is one of
    ``others``, while provisioned concurrency of the alias is moved.
    """
    if found == written:
        return True
    if written.weights or found.version != written.version:
        return False
    return all(weight == 1 and version in others for version, weight in found.weights.items())


def describe_foreign(target: Target, change: ForeignChange, stable: str | None) -> str:
    """Say what was found, that it was left, and which command puts the alias back."""
    text = f"somebody else moved {target}: {str(change)[:_FOUND_LENGTH]}; it was left like that"
    if stable is None:
        return text
    command = f"releases rollback {target} --to {stable}"
    if isinstance(change, AliasDeleted):
        command = (
            f"aws lambda create-alias --function-name {target.name} --name {target.alias} "
            f"--function-version {stable}"
        )
    return f"{text}. To put it back: {command}"

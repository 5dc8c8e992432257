"""A release as a log: a group for each of its steps."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from deploy.ci.forge import Forge

_MARKS: Final = {
    "request": "·",
    "start": "…",
    "done": "✓",
    "absent": "–",
    "failed": "✗",
    "control": "»",
}
_ENDS: Final = {"done", "absent", "failed"}
_DECISIONS: Final = {"awaiting_approval"}


class Progress:
    """Prints the updates of a watch, in order."""

    def __init__(self, forge: Forge, target: str) -> None:
        """Begin before the first update."""
        self._forge = forge
        self._target = target
        self._group: tuple[str, str] | None = None
        self._retries: set[str] = set()
        self._outage = ""
        self.ending: dict[str, Any] | None = None

    def follow(self, updates: Iterable[dict[str, Any]]) -> None:
        """Print updates up to the last one, which has the ending."""
        for update in updates:
            self._show(update)
        self._close()

    def _show(self, update: dict[str, Any]) -> None:
        status, ending = update.get("status"), update.get("ending")
        if self._group is None:
            self._open("preparing", "Preparing")
        for entry in _select(update["entries"]):
            text = f"{entry['at'][11:19]} {_MARKS[entry['kind']]} {entry['text']}"
            self._forge.print_line(text)
        self._show_trouble(update)
        if ending:
            self.ending = ending
        elif status:
            self._enter(status)

    def _enter(self, status: dict[str, Any]) -> None:
        """Open a group where a step begins."""
        phase, note = status["phase"], status["note"]
        if self._group == (phase, note) or phase in {"preparing", "succeeded", "rolled_back"}:
            return
        is_step = status.get("steps") and phase not in {"rolling_back", "promoting"}
        step = min((status.get("step") or 0) + 1, status.get("steps") or 0)
        place = f"Step {step} of {status['steps']}: " if is_step else ""
        title = f"{place}{phase.replace('_', ' ')}: {note}"
        self._close()
        self._open(phase, note, title)
        if status.get("paused") or phase in _DECISIONS or status.get("waiting_for"):
            self._forge.note(
                f"{self._target} waits for a person",
                f"{note}: releases status {self._target} names the commands",
            )

    def _show_trouble(self, update: dict[str, Any]) -> None:
        outage = ""
        if not update["connected"]:
            outage = "Temporal does not answer; the release goes on without this job"
        elif not update["worker_answers"]:
            outage = "no worker answers; a release goes on as soon as one does"
        if outage != self._outage:
            self._outage = outage
            self._forge.print_line(f"! {outage or 'it answers again'}")
        for retry in update["retries"]:
            key = f"{retry['summary']}: {retry['failure']}"
            if not retry["is_waiting"] and key not in self._retries:
                self._retries.add(key)
                self._forge.print_line(f"↻ {key}")

    def _open(self, phase: str, note: str, title: str = "") -> None:
        self._group = (phase, note)
        self._forge.open_group(title or note)

    def _close(self) -> None:
        if self._group:
            self._forge.close_group()
        self._group = None


def _select(entries: list[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    """Leave out measurements, and starts of what has ended since."""
    for index, entry in enumerate(entries):
        ended = any(
            later["kind"] in _ENDS and later["text"].startswith(entry["text"])
            for later in entries[index + 1 :]
        )
        if entry["kind"] in _MARKS and not (entry["kind"] == "start" and ended):
            yield entry

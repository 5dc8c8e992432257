"""Watches over the stable version, as long as a release that has all traffic may go back to it.

Other tools delete versions to which no alias points. That does not stop the release: its status
says so at once, and not only when the version is needed.
"""

from __future__ import annotations

import asyncio

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from activities.version_watch import VersionWatch, WatchVersionRequest
from workflows.call import call, end_task, root_cause, shield_from_cancel
from workflows.domain.journal import Journal
from workflows.progress import Progress
from workflows.promotion import WATCH_MEMO, PromotedWatch


class StableWatch:
    """The watch over the stable version of one release."""

    def __init__(self, progress: Progress) -> None:
        """Report to ``progress``."""
        self._progress = progress
        self._task: asyncio.Task[None] | None = None

    def begin(self, journal: Journal, alarms: tuple[str, ...]) -> None:
        """Begin, and record that the watch after promotion has begun, in which ``alarms`` count.

        Nothing is watched where there is no stable version.
        """
        if not workflow.patched("stable-is-watched"):
            return
        if workflow.memo_value(WATCH_MEMO, default=None) is None:
            workflow.upsert_memo({WATCH_MEMO: PromotedWatch(alarms=alarms)})
        stable = journal.stable
        if stable is not None and not self._has_reported(stable):
            self._task = asyncio.create_task(self._watch(journal.function, stable))

    async def end(self) -> None:
        """End the watch, if it has begun."""
        if self._task is not None:
            await shield_from_cancel(end_task(self._task))

    async def _watch(self, function: str, stable: str) -> None:
        request = WatchVersionRequest(function_name=function, version=stable)
        try:
            found = await call(
                VersionWatch.watch_version, request, summary=f"Watch over version {stable}"
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            problem = f"cannot be looked at any more: {root_cause(error)}"
        else:
            problem = f"{found.problem}: there is nothing to go back to"
        sentence = f"{_subject(stable)} {problem}. The release goes on"
        self._progress.report(note=sentence, notes=(*self._progress.status.notes, sentence))

    def _has_reported(self, stable: str) -> bool:
        """Whether another run of this release has reported already what happened to the version."""
        return any(note.startswith(_subject(stable)) for note in self._progress.status.notes)


def _subject(stable: str) -> str:
    return f"Version {stable}, which an abort would go back to,"

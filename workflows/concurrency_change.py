"""What a release changes about concurrency: before traffic moves, and at its end.

The candidate gets its provisioned concurrency, and is warm, before it gets traffic. The stable
version keeps what it has until the release has succeeded. Where the request says nothing, the
candidate gets what the stable version has.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from temporalio.exceptions import ActivityError, is_cancelled_exception

from workflows.call import root_cause
from workflows.concurrency import (
    put_provisioned,
    put_reserved,
    read_provisioned,
    wait_until_provisioned,
)
from workflows.preflight import PreflightResult
from workflows.progress import Progress
from workflows.request import ReleaseRequest, RollbackRequest
from workflows.traffic import Traffic

_WARMING: Final = timedelta(minutes=10)
"""How long a rollback waits until the version that it goes back to is warm."""


class ConcurrencyChange:
    """What a release changes about the concurrency of its function; the journal first, then AWS."""

    def __init__(
        self,
        request: ReleaseRequest | RollbackRequest,
        found: PreflightResult,
        traffic: Traffic,
        progress: Progress,
    ) -> None:
        """Change to what is requested from what preflight ``found``."""
        self._wanted = request.concurrency
        self._is_rollback = isinstance(request, RollbackRequest)
        self._is_hotfix = bool(request.hotfix)
        self._found = found
        self._traffic = traffic
        self._progress = progress

    async def apply(self, candidate: str) -> None:
        """Reserve and provision what was requested; wait until the candidate is warm."""
        wanted, found = self._wanted, self._found
        if wanted.reserved is not None and wanted.reserved != found.reserved:
            self._traffic.record(reserving=True, reserved_written=wanted.reserved)
            await put_reserved(found.function, wanted.reserved)
        if wanted.provisioned is not None:
            present = await self._read_provisioned(candidate)
            if (present or 0) != wanted.provisioned:
                await self._provision(candidate, present, wanted.provisioned or None)
                if wanted.provisioned:
                    await wait_until_provisioned(found.function, candidate, self._report)
        elif found.inherited and candidate != self._traffic.journal.stable:
            await self._warm(candidate, found.inherited)

    async def release_stable(self, candidate: str) -> None:
        """Remove what is provisioned on the stable version, now that the candidate has its own."""
        stable, present = self._traffic.journal.stable, self._found.version_provisioned
        if stable is None or stable == candidate or present is None:
            return
        if self._found.routing is None or stable != self._found.routing.version:
            return  # a person adopted another version as stable: what it has is not ours
        inherited = self._found.inherited
        if self._wanted.provisioned is None and inherited is None:
            return
        await self._provision(stable, present, None)
        if inherited is not None and inherited < present:
            await self._complete(candidate, present)

    async def _warm(self, candidate: str, executions: int) -> None:
        """Give the candidate what the stable version has, as far as there is room beside it.

        A rollback goes on without: a cold version that works is better than one that does not. A
        hotfix does not wait for it.
        """
        stable = self._traffic.journal.stable
        present = await self._read_provisioned(candidate)
        if (present or 0) >= executions:
            return
        self._report(f"Provisioning {executions} on version {candidate}, as version {stable} has")
        try:
            await self._provision(candidate, present, executions)
            if not self._is_hotfix:
                longest = _WARMING if self._is_rollback else None
                await wait_until_provisioned(
                    self._found.function, candidate, self._report, longest=longest
                )
        except ActivityError as error:
            if is_cancelled_exception(error) or not self._is_rollback:
                raise
            self._note(f"Version {candidate} is not warm: {root_cause(error)}")

    async def _complete(self, candidate: str, executions: int) -> None:
        """Give the candidate all that the stable version had: now there is room for it."""
        present = await self._read_provisioned(candidate)
        if (present or 0) >= executions:
            return
        try:
            await self._provision(candidate, present, executions)
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            self._note(
                f"Version {candidate} has only {present or 0} of {executions} provisioned: "
                f"{root_cause(error)}"
            )

    async def _read_provisioned(self, candidate: str) -> int | None:
        if candidate == self._traffic.journal.stable:
            return self._found.version_provisioned
        return await read_provisioned(self._found.function, candidate)

    async def _provision(self, version: str, present: int | None, executions: int | None) -> None:
        """Change what a version has, once the journal holds what it had before the release."""
        journal = self._traffic.journal
        self._traffic.record(
            provisioned={version: present, **journal.provisioned},
            provisioned_written={**journal.provisioned_written, version: executions},
        )
        await put_provisioned(self._found.function, version, executions)

    def _report(self, note: str) -> None:
        self._progress.report(note=note)

    def _note(self, sentence: str) -> None:
        self._report(sentence)
        self._progress.add_notes((sentence,))

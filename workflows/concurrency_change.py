"""What a release changes about concurrency: before traffic moves, and at its end.

The candidate gets its provisioned concurrency, and is warm, before it gets traffic. The stable
version keeps what it has until the release has succeeded.
"""

from __future__ import annotations

from workflows.concurrency import (
    put_provisioned,
    put_reserved,
    read_provisioned,
    wait_until_provisioned,
)
from workflows.preflight import PreflightResult
from workflows.request import Concurrency
from workflows.traffic import Traffic


class ConcurrencyChange:
    """What a release changes about the concurrency of its function; the journal first, then AWS."""

    def __init__(self, wanted: Concurrency, found: PreflightResult, traffic: Traffic) -> None:
        """Change to what is ``wanted`` from what preflight ``found``."""
        self._wanted = wanted
        self._found = found
        self._traffic = traffic

    async def apply(self, candidate: str) -> None:
        """Reserve and provision what was requested; wait until the candidate is warm."""
        wanted, found, journal = self._wanted, self._found, self._traffic.journal
        if wanted.reserved is not None and wanted.reserved != found.reserved:
            self._traffic.record(reserving=True, reserved_written=wanted.reserved)
            await put_reserved(found.function, wanted.reserved)
        if wanted.provisioned is None:
            return
        if candidate == journal.stable:
            present = found.version_provisioned
        else:
            present = await read_provisioned(found.function, candidate)
        if present != wanted.provisioned:
            self._record_provisioned(candidate, present, wanted.provisioned)
            await put_provisioned(found.function, candidate, wanted.provisioned)
            await wait_until_provisioned(found.function, candidate)

    async def release_stable(self, candidate: str) -> None:
        """Remove what is provisioned on the stable version, now that the candidate has its own."""
        stable, present = self._traffic.journal.stable, self._found.version_provisioned
        if stable is None or stable == candidate:
            return
        if present is None or self._wanted.provisioned is None:
            return
        self._record_provisioned(stable, present, None)
        await put_provisioned(self._found.function, stable, None)

    def _record_provisioned(self, version: str, before: int | None, written: int | None) -> None:
        journal = self._traffic.journal
        self._traffic.record(
            provisioned={**journal.provisioned, version: before},
            provisioned_written={**journal.provisioned_written, version: written},
        )

"""``Release``: what users, schedules and the Web UI start, under any id, to make something new live behind an alias."""

from __future__ import annotations

from temporalio import workflow

from workflows.domain.status import ReleaseStatus
from workflows.request import ReleaseRequest
from workflows.supervisor import Supervisor


@workflow.defn
class Release(Supervisor):
    """Release an artifact, a configuration, or both."""

    @workflow.run
    async def run(self, request: ReleaseRequest) -> ReleaseStatus:
        """Release, step by step, and report how it ended. A second release of the same alias is rejected while one runs."""
        return await self.hold(request)

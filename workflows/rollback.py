"""``Rollback``: puts an alias on a named version, or on the one that was live before, when no release is running."""

from __future__ import annotations

from temporalio import workflow

from workflows.domain.status import ReleaseStatus
from workflows.request import RollbackRequest
from workflows.supervisor import Supervisor


@workflow.defn
class Rollback(Supervisor):
    """Put an alias back, in one step. Weights that something left on the alias are cleared by it."""

    @workflow.run
    async def run(self, request: RollbackRequest) -> ReleaseStatus:
        """Roll back and report how it ended. Rejected while a release runs: abort that one instead."""
        return await self.hold(request)

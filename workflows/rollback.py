"""``Rollback``: puts an alias on a named version, or on the one that was live before."""

from __future__ import annotations

from temporalio import workflow

from workflows.domain.status import ReleaseStatus
from workflows.release_metrics import count_release
from workflows.request import RollbackRequest
from workflows.supervisor import Supervisor


@workflow.defn
class Rollback:
    """Put an alias back, in one step. Weights that are left on the alias are cleared by it."""

    @workflow.run
    async def run(self, request: RollbackRequest) -> ReleaseStatus:
        """Roll back and return how it ended. It ends the watch of a release (``guards.after``).

        Rejected while a release runs otherwise: abort that instead.
        """
        return await count_release(request.target.bare, Supervisor(request).run())

"""``Rollback``: puts an alias on a named version, or on the one that was live before."""

from __future__ import annotations

from temporalio import workflow

from workflows.domain.status import ReleaseStatus
from workflows.release_handlers import ReleaseHandlers
from workflows.release_log import log_end
from workflows.release_metrics import count_release
from workflows.request import RollbackRequest
from workflows.supervisor import Supervisor


@workflow.defn
class Rollback(ReleaseHandlers):
    """Put an alias back, in one step. Weights that are left on the alias are cleared by it."""

    @workflow.run
    async def run(self, request: RollbackRequest) -> ReleaseStatus:
        """Roll back and return how it ended. It ends the watch of a release (``guards.after``).

        Rejected while a release runs otherwise: abort that instead.
        """
        target = request.target.bare
        release = self._close(Supervisor(request, self._state).run())
        return await log_end(target, count_release(target, release))

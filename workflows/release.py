"""``Release``: started by users and schedules, under any id, to make something new live."""

from __future__ import annotations

from temporalio import workflow

from workflows.domain.status import ReleaseStatus
from workflows.release_handlers import ReleaseHandlers
from workflows.release_log import log_end
from workflows.release_metrics import count_release
from workflows.request import ReleaseRequest
from workflows.supervisor import Supervisor


@workflow.defn
class Release(ReleaseHandlers):
    """Release an artifact, a configuration, or both."""

    @workflow.run
    async def run(self, request: ReleaseRequest) -> ReleaseStatus:
        """Release step by step, and return how it ended.

        A second release of the same alias is rejected while one runs.
        """
        target = request.target.bare
        release = self._close(Supervisor(request, self._state).run())
        return await log_end(target, count_release(target, release))

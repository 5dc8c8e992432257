"""Makes the candidate: code and configuration into ``$LATEST``, then a published version of it.

``$LATEST`` is guarded by its revision throughout. Where another writer changes it meanwhile, that
change stays: it is neither published nor undone, and the release is rolled back without it.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.configuration import ConfigurationChange
from activities.configuration_response import FunctionConfiguration
from activities.errors import Fault
from workflows import actions
from workflows.call import fault_of, root_cause
from workflows.guards import ReleaseStopped
from workflows.preflight import LatestState, PreflightResult
from workflows.preflight_reads import VERSION_DESCRIPTION
from workflows.request import Image, ReleaseRequest, RollbackRequest, S3Package
from workflows.traffic import Traffic

_T = TypeVar("_T")


class CandidateBuilder:
    """Publishes the version of one release, or names the one that there is already."""

    def __init__(
        self,
        request: ReleaseRequest | RollbackRequest,
        found: PreflightResult,
        traffic: Traffic,
    ) -> None:
        """Build what ``request`` names, from what preflight ``found``."""
        self._request = request
        self._found = found
        self._traffic = traffic

    async def build(self) -> str:
        """Return the version to make live: published now, or before.

        Raises :class:`~workflows.guards.ReleaseStopped` where another writer changed ``$LATEST``.
        """
        request, found = self._request, self._found
        if found.version is not None or not isinstance(request, ReleaseRequest):
            return found.version or ""
        latest: LatestState | FunctionConfiguration = found.latest
        if isinstance(request.artifact, S3Package | Image):
            latest = await self._write_code(request.artifact, latest)
        if request.configuration is not None:
            latest = await self._write_configuration(request.configuration, latest)
        return await self._publish(latest)

    async def _write_code(
        self, artifact: S3Package | Image, latest: LatestState | FunctionConfiguration
    ) -> FunctionConfiguration:
        function = self._found.function
        self._traffic.record(latest=("code",))
        uploaded = await self._write(
            actions.write_code(function, artifact, revision=latest.revision_id)
        )
        self._traffic.remember(uploaded=uploaded)
        return await self._wait_until_settled(latest.revision_id)

    async def _write_configuration(
        self, change: ConfigurationChange, latest: LatestState | FunctionConfiguration
    ) -> FunctionConfiguration:
        journal = self._traffic.journal
        description = self._found.latest.description if change.description is not None else None
        self._traffic.record(latest=(*journal.latest, "configuration"), description=description)
        function = self._found.function
        await self._write(
            actions.write_configuration(function, change, revision=latest.revision_id)
        )
        return await self._wait_until_settled(latest.revision_id)

    async def _publish(self, latest: LatestState | FunctionConfiguration) -> str:
        function, stable = self._found.function, self._traffic.journal.stable
        description = VERSION_DESCRIPTION.format(
            run=workflow.info().first_execution_run_id, stable=stable or "none"
        )
        published = await self._write(
            actions.publish_version(
                function,
                code_sha256=latest.code_sha256,
                revision=latest.revision_id,
                description=description,
            )
        )
        candidate = published.version
        if not candidate.isdecimal():
            raise ReleaseStopped("AWS published a version, and did not say which")
        self._traffic.remember(candidate=candidate)
        if candidate != stable and published.state != "Active":
            await actions.wait_until_settled(function, qualifier=candidate)
        return candidate

    async def _write(self, action: Awaitable[_T]) -> _T:
        """Write to ``$LATEST``, or publish it. Where another writer changed it, undo none of it."""
        try:
            return await action
        except ActivityError as error:
            if _is_foreign_change(error):
                self._traffic.record(latest=())
                reason = (
                    f"somebody else changed $LATEST: {root_cause(error)}; it was left like that"
                )
                raise ReleaseStopped(reason) from error
            raise

    async def _wait_until_settled(self, superseded: str | None) -> FunctionConfiguration:
        """Wait for AWS to finish; refuse code that was uploaded by another writer meanwhile."""
        latest = await actions.wait_until_settled(self._found.function, superseded=superseded)
        uploaded = self._traffic.journal.uploaded
        if uploaded is None or latest.code_sha256 == uploaded:
            return latest
        if not workflow.patched("only-what-was-uploaded"):
            return latest
        self._traffic.record(latest=())
        raise ReleaseStopped(
            f"somebody else changed $LATEST: it holds other code ({latest.code_sha256}) "
            f"than was uploaded ({uploaded}); it was left like that"
        )


def _is_foreign_change(error: ActivityError) -> bool:
    """Whether a write failed because ``$LATEST`` is not what was read.

    Workers of 0.1.0's first histories reported a publish of other code as ``Invalid``, with AWS's
    message; it is ``Stale`` since.
    """
    fault = fault_of(error)
    if fault is Fault.INVALID and "CodeSHA256" in root_cause(error):
        return not workflow.patched("code-mismatch-is-stale")
    return fault is Fault.STALE

"""Makes the candidate: code and configuration into ``$LATEST``, then a published version of it.

``$LATEST`` is guarded by its revision throughout. Where another writer changes it meanwhile, that
change stays: it is neither published nor undone, and the release is rolled back without it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Final, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from activities.configuration import ConfigurationChange
from activities.configuration_response import FunctionConfiguration
from activities.errors import Fault
from activities.latest_comparison import CompareLatestResponse
from workflows import actions
from workflows.call import fault_of, root_cause
from workflows.controls import ReleaseStopped
from workflows.domain.artifact import Image, S3Package
from workflows.domain.journal import LatestPart
from workflows.domain.version_description import VERSION_DESCRIPTION
from workflows.foreign_content import (
    find_foreign_settings,
    find_other_code,
    find_other_content,
    find_other_image,
)
from workflows.latest_check import (
    LatestFindings,
    check_written,
    describe_content,
    is_configured_first,
    is_equal,
)
from workflows.latest_content import describe_change, describe_source
from workflows.preflight import LatestState, PreflightResult
from workflows.preflight_reads import ReleaseRejected
from workflows.readiness import wait_until_active
from workflows.request import ReleaseRequest, RollbackRequest
from workflows.traffic import Traffic
from workflows.wait import Report, wait_visibly

_REFUSALS: Final = {
    Fault.STALE,
    Fault.EXISTS,
    Fault.NOT_FOUND,
    Fault.INVALID,
    Fault.DENIED,
    Fault.EXHAUSTED,
}

_T = TypeVar("_T")

_UNSIGNED_CODES: Final = ("CodeVerificationFailedException", "InvalidCodeSignatureException")


class CandidateBuilder:
    """Publishes the version of one release, or names the one that there is already."""

    def __init__(
        self,
        request: ReleaseRequest | RollbackRequest,
        found: PreflightResult,
        traffic: Traffic,
        report: Report,
    ) -> None:
        """Build what ``request`` names, from what preflight ``found``; ``report`` takes notes."""
        self._request = request
        self._found = found
        self._findings = found.findings
        self._traffic = traffic
        self._report = report
        self._code: str | None = found.latest.code_sha256
        self._is_live = bool(found.findings and found.findings.is_equal)

    async def build(self) -> str:
        """Return the version to make live: published now, or before.

        Raises :class:`~workflows.guards.ReleaseStopped` where another writer changed ``$LATEST``.
        """
        request, found = self._request, self._found
        if found.version is not None or not isinstance(request, ReleaseRequest):
            return found.version or ""
        artifact, change = request.artifact, request.configuration
        code = artifact if isinstance(artifact, S3Package | Image) else None
        latest: LatestState | FunctionConfiguration = found.latest
        if code and change and is_configured_first(request, self._findings):
            latest = await self._write_configuration(change, latest)
            latest = await self._write_code(code, latest, is_last=True)
        else:
            if code is not None:
                latest = await self._write_code(code, latest, is_last=change is None)
            if change is not None:
                latest = await self._write_configuration(change, latest, is_last=True)
        if self._is_live and self._traffic.journal.stable:
            self._traffic.remember(candidate=self._traffic.journal.stable)
            return self._traffic.journal.stable
        return await self._publish(latest)

    async def _write_code(
        self,
        named: S3Package | Image,
        latest: LatestState | FunctionConfiguration,
        *,
        is_last: bool = False,
    ) -> FunctionConfiguration:
        function, artifact = self._found.function, self._complete(named)
        before = self._traffic.journal.latest
        self._traffic.record(
            latest=(*before, "code"),
            found=self._found.latest.content,
            source=describe_source(artifact),
        )
        uploaded = await self._write(
            actions.write_code(function, artifact, revision=latest.revision_id), before
        )
        self._traffic.remember(uploaded=uploaded)
        self._code = uploaded
        return await self._wait_until_settled(latest.revision_id, is_last=is_last)

    def _complete(self, artifact: S3Package | Image) -> S3Package | Image:
        """Return an artifact with all that the request leaves as the live version has it."""
        if (findings := self._findings) is None:
            return artifact
        architecture = artifact.architecture or findings.architecture
        if isinstance(artifact, Image):
            uri = findings.image or artifact.uri
            return artifact.model_copy(update={"uri": uri, "architecture": architecture})
        return artifact.model_copy(
            update={
                "architecture": architecture,
                "kms_key": artifact.kms_key or findings.kms_key,
                "storage_mode": artifact.storage_mode or findings.storage_mode,
            }
        )

    async def _write_configuration(
        self,
        change: ConfigurationChange,
        latest: LatestState | FunctionConfiguration,
        *,
        is_last: bool = False,
    ) -> FunctionConfiguration:
        journal = self._traffic.journal
        description = self._found.latest.description if change.description is not None else None
        self._traffic.record(
            latest=(*journal.latest, "configuration"),
            description=description,
            found=self._found.latest.content,
            written=describe_change(change),
        )
        function = self._found.function
        await self._write(
            actions.write_configuration(function, change, revision=latest.revision_id),
            journal.latest,
        )
        return await self._wait_until_settled(latest.revision_id, is_last=is_last)

    async def _publish(self, latest: LatestState | FunctionConfiguration) -> str:
        function, stable = self._found.function, self._traffic.journal.stable
        description = VERSION_DESCRIPTION.format(
            revision=f"revision {revision}, " if (revision := self._request.revision) else "",
            run=workflow.info().first_execution_run_id,
            stable=stable or "none",
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
        if self._findings is not None and candidate != stable:
            checked = (
                describe_content(latest)
                if isinstance(latest, FunctionConfiguration)
                else self._findings.content
            )
            if problem := find_other_content(published, checked):
                raise ReleaseStopped(problem)
        if candidate != stable and published.state != "Active":
            await wait_until_active(function, candidate, self._report)
        return candidate

    async def _write(
        self, action: Awaitable[_T], before: tuple[LatestPart, ...] | None = None
    ) -> _T:
        """Write to ``$LATEST``, or publish it. What AWS has refused is not undone.

        ``before`` are the parts that were changed before this write. Where an earlier attempt may
        have succeeded, or another writer changed ``$LATEST``, the undo finds out what is whose.
        """
        try:
            return await action
        except ActivityError as error:
            if self._findings is not None and before is not None and _is_refused(error):
                self._traffic.remember(latest=before)
                if not before and _is_unsigned(error):
                    raise ReleaseRejected(f"artifact: {root_cause(error)}") from error
            if _is_foreign_change(error):
                if self._findings is None:
                    self._traffic.record(latest=())
                reason = (
                    f"somebody else changed $LATEST: {root_cause(error)}; it was left like that"
                )
                raise ReleaseStopped(reason) from error
            raise

    async def _wait_until_settled(
        self, superseded: str | None, *, is_last: bool
    ) -> FunctionConfiguration:
        """Wait for AWS to finish; refuse what another writer changed meanwhile.

        After the last change the whole of ``$LATEST`` is compared with the live version.
        """
        if not is_last or self._findings is None:
            latest = await wait_visibly(
                lambda options: actions.wait_until_settled(
                    self._found.function, superseded=superseded, options=options
                ),
                what="$LATEST",
                report=self._report,
            )
            self._refuse_foreign_code(latest)
            self._traffic.remember(settled=latest.revision_id)
            return latest
        stable = self._traffic.journal.stable
        found = await wait_visibly(
            lambda options: check_written(
                self._found.function, live=stable, superseded=superseded, options=options
            ),
            what="$LATEST",
            report=self._report,
        )
        self._refuse_foreign_content(found, self._findings)
        self._is_live = is_equal(found)
        self._traffic.remember(settled=found.latest.revision_id)
        return found.latest

    def _refuse_foreign_code(self, latest: FunctionConfiguration) -> None:
        """Refuse code that was uploaded by another writer. An image's hash is taken as it is."""
        uploaded = self._traffic.journal.uploaded
        expected = uploaded if self._findings is None else self._code
        self._code = expected or latest.code_sha256
        problem = find_other_code(latest, expected=self._code, uploaded=uploaded)
        if problem and (self._findings is not None or workflow.patched("only-what-was-uploaded")):
            self._drop_code()
            raise ReleaseStopped(problem)

    def _refuse_foreign_content(self, found: CompareLatestResponse, before: LatestFindings) -> None:
        """Refuse what is not as this release has written or found it."""
        if not isinstance(self._request, ReleaseRequest):
            return
        artifact, change = self._request.artifact, self._request.configuration
        named = self._complete(artifact) if isinstance(artifact, Image) else None
        if isinstance(named, Image) and (problem := find_other_image(named, found)):
            self._drop_code()
            raise ReleaseStopped(problem)
        self._refuse_foreign_code(found.latest)
        if problem := find_foreign_settings(found, before, change):
            raise ReleaseStopped(problem)

    def _drop_code(self) -> None:
        """Take the code out of what is undone: it is another writer's."""
        parts = self._traffic.journal.latest
        self._traffic.record(
            latest=() if self._findings is None else tuple(p for p in parts if p != "code")
        )


def _is_refused(error: ActivityError) -> bool:
    """Whether AWS has refused a write for good, at its first attempt: nothing has happened."""
    cause = error.cause
    if not isinstance(cause, ApplicationError) or fault_of(error) not in _REFUSALS:
        return False
    details = cause.details[0] if cause.details else None
    return isinstance(details, Mapping) and "attempt" not in details


def _is_unsigned(error: ActivityError) -> bool:
    """Whether AWS refused code for its signature: the function's code signing enforces one."""
    return isinstance(error.cause, ApplicationError) and any(
        code in error.cause.message for code in _UNSIGNED_CODES
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

"""Restores ``$LATEST``: code, settings, or both, to what it held before a release.

A release changes ``$LATEST`` before it publishes a version. After a rollback the alias routes to
the stable version again, but ``$LATEST`` still holds the change, and the next publish would include
it. AWS has no operation to undo that. Neither code nor environment values leave the activity.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from temporalio.workflow import ActivityCancellationType

from activities.errors import AwsError, Fault, classify_error
from activities.function_content import get_code_sha256
from activities.latest_code import (
    DOWNLOAD_FAILED,
    CodeOutcome,
    LatestCode,
    PackageCopies,
)
from activities.latest_settings import LatestSettings, SettingsOutcome
from activities.latest_writer import NAME, LatestWriter, has_waited
from activities.operation import (
    HEARTBEAT_TIMEOUT,
    WRITE,
    AwsWithDownloads,
    OperationGroup,
    OperationPolicy,
    operation,
)
from activities.restore_models import CODE, RestoreLatestRequest, RestoreLatestResponse
from activities.settling import poll_until_settled

RESTORE: Final = OperationPolicy(
    timedelta(minutes=10),
    WRITE.retry,
    ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    HEARTBEAT_TIMEOUT,
    WRITE.budget,
)
"""Long enough to download and upload a package of 50 MB, and for some changes to settle."""

_READ_PATIENCE: Final = timedelta(minutes=1)
"""How long a read from before a confirmed change is not believed."""


class RestoreLatest(OperationGroup):
    """Puts code and settings back into ``$LATEST``."""

    def __init__(self, aws: AwsWithDownloads) -> None:
        super().__init__(aws)
        self._packages = PackageCopies(aws)

    @operation(RESTORE)
    async def restore_latest(self, request: RestoreLatestRequest) -> RestoreLatestResponse:
        """Put back what the release changed in ``$LATEST``, part by part, setting by setting.

        Each change settles before the next one. What is as before already is not written, so a
        retry continues where the last attempt stopped. What AWS refuses, what another writer has
        changed since, and what no version holds is left out and named in the response. Nothing is
        written where ``$LATEST`` is still at the ``superseded`` revision: nothing was changed.
        Raises what passes, and what concerns the function as a whole.
        """
        latest = await poll_until_settled(
            self.aws, request.function_name, None, NAME, superseded=request.superseded
        )
        before = get_code_sha256(latest)
        writer = LatestWriter(self.aws, request.function_name, latest, settled=request.settled)
        code, settings = CodeOutcome(), SettingsOutcome()
        if _is_unchanged(request, latest["Configuration"].get("RevisionId")):
            intact = [*([CODE] if CODE in request.parts else []), *request.written]
            return RestoreLatestResponse(
                intact=intact, code_sha256_before=before, code_sha256_after=before
            )
        waiting: AwsError | None = None
        if CODE in request.parts:
            try:
                code = await LatestCode(request, writer, self._packages).restore()
            except AwsError as error:
                if error.code != DOWNLOAD_FAILED and classify_error(error) is not Fault.DENIED:
                    raise
                waiting = error  # nothing was sent or changed, and no setting waits for the code
        if "configuration" in request.parts:
            settings = await LatestSettings(request, writer).restore()
            if code.leftover and code.leftover.reason == "refused" and settings.written:
                # AWS may refuse code for a setting, such as a runtime that it does not support.
                code = await LatestCode(request, writer, self._packages).restore()
        if waiting is not None:
            raise waiting
        is_intact = CODE in request.parts and not code.is_written and code.leftover is None
        return RestoreLatestResponse(
            restored=[*([CODE] if code.is_written else []), *settings.written],
            intact=[*([CODE] if is_intact else []), *settings.intact],
            leftovers=[*([code.leftover] if code.leftover else []), *settings.leftovers],
            code_sha256_before=before,
            code_sha256_after=get_code_sha256(writer.latest),
        )


def _is_unchanged(request: RestoreLatestRequest, revision: str | None) -> bool:
    """Whether ``$LATEST`` is at the revision from before the release's first change.

    Where AWS had confirmed a change, that is an old read: it is retried for a minute.
    """
    if request.superseded is None or revision != request.superseded:
        return False
    if request.uploaded is None and request.settled is None:
        return True
    if has_waited(_READ_PATIENCE):
        return False
    raise AwsError(
        NAME, "InProgress", "AWS still answers what it was before the change", retry_after=2
    )

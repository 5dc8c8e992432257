"""Restores ``$LATEST`` from a published version: code, configuration, or both.

A release changes ``$LATEST`` before it publishes a version. After a rollback the alias routes to
the stable version again, but ``$LATEST`` still holds the change, and the next publish would include
it. AWS has no operation to undo that: the version's package is downloaded and uploaded again, and
each setting that differs is written. Neither code nor environment values leave the activity.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any, Final, Literal, Protocol

from pydantic import Field
from temporalio.workflow import ActivityCancellationType

from activities.errors import AwsError
from activities.function_content import (
    find_unreadable_part,
    get_code_sha256,
    get_package_identity,
    to_settings,
)
from activities.operation import (
    HEARTBEAT_TIMEOUT,
    WRITE,
    Aws,
    OperationGroup,
    OperationPolicy,
    operation,
)
from activities.readback import PRECONDITION_FAILED, not_settled_error
from activities.settling import poll_until_settled, raise_if_failed
from activities.shapes import Description, FunctionName, Request, Response

MAX_PACKAGE_BYTES: Final = 52_428_800
"""AWS's limit for a zipped package in a request (50 MB).

A larger package can come from S3 only, and its S3 object is not known.
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

RESTORE: Final = OperationPolicy(
    timedelta(minutes=4),
    WRITE.retry,
    ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    HEARTBEAT_TIMEOUT,
)
"""Long enough to download and upload a package of 50 MB, and for two changes to settle."""

_MAX_PACKAGES_IN_MEMORY: Final = 2
"""Each takes about three times its size."""

_NAME: Final = "restore_latest"

Part = Literal["code", "configuration"]

_PublishedVersion = Annotated[
    str, Field(pattern=r"^[0-9]+$", description="A published version's number.")
]


class AwsWithDownloads(Aws, Protocol):
    """A port to AWS that also downloads packages from GetFunction's presigned URL."""

    async def download(self, url: str, *, limit: int) -> bytes:
        """Return the content of a URL, at most ``limit`` bytes.

        Raises :class:`~activities.errors.AwsError` and nothing else; the error does not hold the
        URL.
        """
        ...


def _all_parts() -> list[Part]:
    return ["code", "configuration"]


class RestoreLatestRequest(Request):
    """The function, the published version to copy from, and the parts to copy.

    ``replacing`` is the version that was published from the content to be replaced. Where
    ``$LATEST`` equals neither that nor ``version``, another writer has changed it since.
    ``uploaded`` is the code to be replaced (base64 of its SHA-256), where no version was published
    from it yet. ``superseded`` is the RevisionId from before the release's first write, which a
    read may still return for a moment. ``description`` is the function's own: a version's
    description is about the version, and is not copied.
    """

    function_name: FunctionName
    version: _PublishedVersion
    parts: Annotated[list[Part], Field(min_length=1)] = Field(default_factory=_all_parts)
    replacing: _PublishedVersion | None = None
    uploaded: str | None = None
    superseded: str | None = None
    description: Description | None = None


class RestoreLatestResponse(Response):
    """The parts that this attempt has written, and the code before and after.

    The code is ``$LATEST``'s, as base64 of its SHA-256.
    """

    restored: list[Part]
    code_sha256_before: str
    code_sha256_after: str


class RestoreLatest(OperationGroup):
    """Copies code and configuration from a version to ``$LATEST``."""

    def __init__(self, aws: AwsWithDownloads) -> None:
        super().__init__(aws)
        self._downloads = aws
        self._packages = asyncio.Semaphore(_MAX_PACKAGES_IN_MEMORY)

    @operation(RESTORE)
    async def restore_latest(self, request: RestoreLatestRequest) -> RestoreLatestResponse:
        """Make ``$LATEST`` equal to a version, part by part.

        Each change settles before the next one. Parts that are equal already are not written, so a
        retry continues where the last attempt stopped. ``Exhausted`` where the version cannot be
        copied: a package over 50 MB, or one that AWS cannot show. The message names what
        ``$LATEST`` still holds. ``Stale``, with nothing written, where the content of ``$LATEST``
        is not that of ``replacing`` or ``uploaded``.
        """
        function, restored = request.function_name, list[Part]()
        source = await self._read_version(function, request.version)
        latest = await poll_until_settled(
            self.aws, function, None, _NAME, superseded=request.superseded
        )
        sha256_before = get_code_sha256(latest)
        await self._refuse_foreign_content(request, source, latest)
        has_failed = latest["Configuration"].get("LastUpdateStatus") == "Failed"
        if "code" in request.parts and (
            has_failed or get_package_identity(source) != get_package_identity(latest)
        ):
            await self._copy_code(function, latest, source, version=request.version)
            latest = await self._wait_for_update(function)
            restored.append("code")
        if "configuration" in request.parts:
            changes = _find_changes(request, source, latest, rewrite_all=has_failed)
            if changes:
                await self._write(
                    "update_function_configuration", latest, {"FunctionName": function, **changes}
                )
                latest = await self._wait_for_update(function)
                restored.append("configuration")
        return RestoreLatestResponse(
            restored=restored,
            code_sha256_before=sha256_before,
            code_sha256_after=get_code_sha256(latest),
        )

    async def _read_version(self, function: str, version: str) -> Mapping[str, Any]:
        return await self.aws.call(
            "lambda", "get_function", {"FunctionName": function, "Qualifier": version}
        )

    async def _wait_for_update(self, function: str) -> Mapping[str, Any]:
        latest = await poll_until_settled(self.aws, function, None, _NAME)
        raise_if_failed(_NAME, latest["Configuration"])
        return latest

    async def _refuse_foreign_content(
        self, request: RestoreLatestRequest, source: Mapping[str, Any], latest: Mapping[str, Any]
    ) -> None:
        """Raise ``Stale`` for content that neither the release nor its undo wrote."""
        if request.replacing is not None:
            replaced = await self._read_version(request.function_name, request.replacing)
            changed = _find_foreign_content(request, latest, (source, replaced))
            if changed:
                raise _foreign_content_error(request, changed)
        elif request.uploaded is not None and "code" in request.parts:
            sha256 = get_code_sha256(latest)
            if sha256 not in {get_code_sha256(source), request.uploaded}:
                raise _foreign_content_error(request, [f"code ({sha256})"])

    async def _copy_code(
        self, function: str, latest: Mapping[str, Any], source: Mapping[str, Any], *, version: str
    ) -> None:
        code, configuration = source.get("Code", {}), source["Configuration"]
        if "Error" in code:
            reason = code["Error"].get("ErrorCode", "no reason given")
            raise _cannot_restore_error("code", version, f"AWS cannot show it ({reason})")
        parameters = {"FunctionName": function} | {
            name: holder[name]
            for holder, name in ((configuration, "Architectures"), (code, "SourceKMSKeyArn"))
            if holder.get(name)
        }
        if image := code.get("ResolvedImageUri") or code.get("ImageUri"):
            parameters |= {"ImageUri": image}
        elif s3_object := code.get("ResolvedS3Object"):
            parameters |= s3_object | {"S3ObjectStorageMode": "REFERENCE"}
        elif (size := configuration.get("CodeSize", 0)) > MAX_PACKAGE_BYTES:
            raise _cannot_restore_error(
                "code",
                version,
                f"its package has {size / 1e6:.0f} MB, and only 50 MB can be sent back",
            )
        elif not code.get("Location"):
            raise _cannot_restore_error("code", version, "AWS gives no address for its package")
        else:
            await self._upload_package(latest, source, parameters, version=version)
            return
        await self._write("update_function_code", latest, parameters)

    async def _upload_package(
        self,
        latest: Mapping[str, Any],
        source: Mapping[str, Any],
        parameters: Mapping[str, Any],
        *,
        version: str,
    ) -> None:
        """Download a version's package, check it, and upload it to ``$LATEST``."""
        if self._packages.locked():
            raise AwsError(
                _NAME,
                "InProgress",
                "other packages are being restored by this worker",
                retry_after=5,
            )
        async with self._packages:
            package = await self._downloads.download(
                source["Code"]["Location"], limit=MAX_PACKAGE_BYTES
            )
            digest = base64.b64encode(hashlib.sha256(package).digest()).decode()
            # A package that is encrypted with a customer's key is not compared.
            if (
                digest != source["Configuration"]["CodeSha256"]
                and "SourceKMSKeyArn" not in parameters
            ):
                raise AwsError(
                    _NAME,
                    "DownloadFailed",
                    f"the downloaded package is not the one of version {version}",
                )
            await self._write("update_function_code", latest, {**parameters, "ZipFile": package})

    async def _write(
        self, operation: str, latest: Mapping[str, Any], parameters: Mapping[str, Any]
    ) -> None:
        """Change ``$LATEST`` if it is still at the revision of ``latest``.

        If not, the failure is retried, and the next attempt reads everything again.
        """
        revision = latest["Configuration"].get("RevisionId")
        condition = {"RevisionId": revision} if revision else {}
        try:
            await self.aws.call("lambda", operation, {**parameters, **condition})
        except AwsError as error:
            if error.code == PRECONDITION_FAILED:
                raise not_settled_error(_NAME, "$LATEST was changed after it was read") from None
            raise


def _find_changes(
    request: RestoreLatestRequest,
    source: Mapping[str, Any],
    latest: Mapping[str, Any],
    *,
    rewrite_all: bool,
) -> dict[str, Any]:
    """Return the settings to write: those that differ, or all if unclear."""
    if unreadable := find_unreadable_part(source["Configuration"]):
        raise _cannot_restore_error(
            "configuration", request.version, f"AWS cannot show it ({unreadable})"
        )
    settings, present = to_settings(source["Configuration"]), to_settings(latest["Configuration"])
    if request.description is not None:
        settings["Description"] = request.description
        present["Description"] = latest["Configuration"].get("Description", "")
    if rewrite_all or find_unreadable_part(latest["Configuration"]):
        return settings
    return {name: value for name, value in settings.items() if present.get(name) != value}


def _find_foreign_content(
    request: RestoreLatestRequest, latest: Mapping[str, Any], known: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Return the names of the parts of ``$LATEST`` that no known version has."""
    foreign: list[str] = []
    if "code" in request.parts and get_package_identity(latest) not in [
        get_package_identity(version) for version in known
    ]:
        foreign.append(f"code ({get_code_sha256(latest)})")
    if "configuration" in request.parts:
        known_settings = [to_settings(version["Configuration"]) for version in known]
        foreign += [
            name
            for name, value in to_settings(latest["Configuration"]).items()
            if value not in [settings.get(name) for settings in known_settings]
        ]
    return foreign


def _foreign_content_error(request: RestoreLatestRequest, changed: Sequence[str]) -> AwsError:
    expected = (
        f"what version {request.replacing} was made of"
        if request.replacing
        else "what the release had uploaded"
    )
    return AwsError(
        _NAME,
        "PreconditionFailedException",
        f"$LATEST of {request.function_name} is not {expected} any more: {', '.join(changed)};"
        " nothing was overwritten",
    )


def _cannot_restore_error(part: Part, version: str, reason: str) -> AwsError:
    return AwsError(
        _NAME,
        "CannotRestore",
        f"the {part} of version {version} cannot be copied back to $LATEST: {reason}. $LATEST keeps"
        " what this release has put there; no alias is affected. Deploy version"
        f" {version}'s {part} from its source before anything is published again",
    )

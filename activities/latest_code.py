"""Puts the code of ``$LATEST`` back: from where it is known by name, or from a version.

AWS has no operation to copy code from a version. Its package is downloaded and uploaded again; code
never leaves the activity.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from activities.errors import AwsError
from activities.function_content import PackageIdentity, get_code_sha256, get_package_identity
from activities.function_models import UpdateFunctionCodeRequest
from activities.function_readback import has_requested_code
from activities.latest_writer import NAME, LatestWriter, is_refusal, to_leftover
from activities.operation import AwsWithDownloads
from activities.restore_models import CODE, Leftover, LeftoverReason, RestoreLatestRequest

MAX_PACKAGE_BYTES: Final = 52_428_800
"""AWS's limit for a zipped package in a request (50 MB).

A larger package can come from S3 only.
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

DOWNLOAD_FAILED: Final = "DownloadFailed"
"""Our code where a package could not be fetched, or is not the one that it should be."""

_MAX_PACKAGES_IN_MEMORY: Final = 2
"""Each takes about three times its size."""


@dataclass(frozen=True)
class CodeOutcome:
    """Whether code was written, and why it is not as it was, if so."""

    is_written: bool = False
    leftover: Leftover | None = None


@dataclass(frozen=True)
class _Source:
    """Where code can be had from: a version, or where there is none its name (``location``)."""

    identity: PackageIdentity | None
    version: Mapping[str, Any] | None = None
    lost: Leftover | None = None


class PackageCopies:
    """Copies packages from versions to ``$LATEST``, a few at a time."""

    def __init__(self, downloads: AwsWithDownloads) -> None:
        """Download through this port."""
        self._downloads = downloads
        self._slots = asyncio.Semaphore(_MAX_PACKAGES_IN_MEMORY)

    async def copy(
        self, source: Mapping[str, Any], writer: LatestWriter, parameters: Mapping[str, Any]
    ) -> None:
        """Download a version's package, check it, and upload it to ``$LATEST``."""
        if self._slots.locked():
            raise AwsError(
                NAME,
                "InProgress",
                "other packages are being restored by this worker",
                retry_after=5,
            )
        async with self._slots:
            package = await self._downloads.download(
                source["Code"]["Location"], limit=MAX_PACKAGE_BYTES
            )
            digest = base64.b64encode(hashlib.sha256(package).digest()).decode()
            # A package that is encrypted with a customer's key is not compared.
            if digest != get_code_sha256(source) and "SourceKMSKeyArn" not in parameters:
                raise AwsError(
                    NAME,
                    DOWNLOAD_FAILED,
                    "the downloaded package is not the one of version "
                    f"{source['Configuration'].get('Version', 'requested')}",
                )
            await writer.write("update_function_code", {**parameters, "ZipFile": package})


class LatestCode:
    """The code of ``$LATEST``: whether it is the release's, and what was there before."""

    def __init__(
        self, request: RestoreLatestRequest, writer: LatestWriter, packages: PackageCopies
    ) -> None:
        """Put back what ``request`` describes."""
        self._request = request
        self._writer = writer
        self._packages = packages

    async def restore(self) -> CodeOutcome:
        """Put the code back. Raises what passes.

        Code that nobody published cannot be had back: that of ``version`` is put there instead.
        """
        latest = self._writer.latest
        present = get_package_identity(latest)
        has_failed = self._writer.has_failed
        wanted = self._find_wanted()
        if wanted == present and not has_failed:
            return CodeOutcome()
        source = await self._find_source(wanted)
        if source.identity is None:
            return CodeOutcome(leftover=source.lost)
        if present == source.identity and not has_failed:
            return CodeOutcome(leftover=source.lost)
        if present != source.identity and not await self._is_own(latest):
            text = f"another writer has uploaded other code ({get_code_sha256(latest)})"
            return CodeOutcome(leftover=_leftover("foreign", text))
        try:
            refused = await self._write(source)
        except AwsError as error:
            if not is_refusal(error):
                raise
            refused = to_leftover(CODE, error)
        return CodeOutcome(is_written=refused is None, leftover=refused or source.lost)

    def _find_wanted(self) -> PackageIdentity | None:
        """Return what identifies the code that was there; None where that is not known."""
        before = self._request.before
        if before is None or not before.code_sha256:
            return None
        return before.code_sha256, before.architectures or ["x86_64"]

    async def _find_source(self, wanted: PackageIdentity | None) -> _Source:
        """Find where the code that was there, or else the version's, can be had from."""
        request, before = self._request, self._request.before
        if wanted and before and before.location:
            return _Source(wanted)
        stable = await self._writer.versions.read(request.version) if request.version else None
        identity = get_package_identity(stable) if stable else None
        if wanted is None:
            gone = _leftover("refused", f"version {request.version} does not exist any more")
            return _Source(identity, stable, None if stable else gone)
        if identity == wanted:
            return _Source(identity, stable)
        number = await self._writer.versions.find_package(wanted)
        if number is not None and (found := await self._writer.versions.read(number)):
            return _Source(wanted, found)
        there = f"that of version {request.version}" if stable else "the release's"
        lost = f"what was there ({wanted[0]}) was never published, and {there} is there now"
        return _Source(identity, stable, _leftover("lost", lost))

    async def _is_own(self, latest: Mapping[str, Any]) -> bool:
        """Whether the release wrote the code that is there now."""
        request = self._request
        if self._writer.is_untouched or not request.has_known_content:
            return True
        if get_code_sha256(latest) == request.uploaded:
            return True
        replaced = (
            await self._writer.versions.read(request.replacing) if request.replacing else None
        )
        if replaced and get_package_identity(replaced) == get_package_identity(latest):
            return True
        if request.source:
            uploading = UpdateFunctionCodeRequest.model_validate(
                {"FunctionName": request.function_name, **request.source}
            )
            return await has_requested_code(self._writer.aws, uploading, dict(latest))
        return False

    async def _write(self, source: _Source) -> Leftover | None:
        """Write the code; return why it cannot be written, where that is known before."""
        if source.version is None:
            before = self._request.before
            location = before.location if before else {}
            architectures = source.identity[1] if source.identity else ["x86_64"]
            await self._writer.write(
                "update_function_code", {"Architectures": architectures, **location}
            )
            return None
        code, configuration = source.version.get("Code", {}), source.version["Configuration"]
        parameters: dict[str, Any] = {
            name: holder[name]
            for holder, name in ((configuration, "Architectures"), (code, "SourceKMSKeyArn"))
            if holder.get(name)
        }
        if image := code.get("ResolvedImageUri") or code.get("ImageUri"):
            parameters |= {"ImageUri": image}
        elif s3_object := code.get("ResolvedS3Object"):
            parameters |= {**s3_object, "S3ObjectStorageMode": "REFERENCE"}
        elif problem := _find_problem(source.version):
            if not self._request.package:
                return problem
            parameters |= self._request.package
            await self._writer.write("update_function_code", parameters)
            is_same = get_package_identity(self._writer.latest) == source.identity
            return None if is_same else _leftover("lost", "its package in S3 is another one now")
        else:
            await self._packages.copy(source.version, self._writer, parameters)
            return None
        await self._writer.write("update_function_code", parameters)
        return None


def _find_problem(source: Mapping[str, Any]) -> Leftover | None:
    """Return why the package of a version cannot be downloaded and sent back, if so."""
    code, size = source.get("Code", {}), source["Configuration"].get("CodeSize", 0)
    if error := code.get("Error"):
        reason = error.get("ErrorCode", "no reason given")
        return _leftover("refused", f"AWS cannot show its package ({reason})")
    if size > MAX_PACKAGE_BYTES:
        text = f"its package has {size / 1e6:.0f} MB, and only 50 MB can be sent back"
        version = source["Configuration"].get("Version")
        return Leftover(name=CODE, reason="too_large", cause=text, version=version)
    if not code.get("Location"):
        return _leftover("refused", "AWS gives no address for its package")
    return None


def _leftover(reason: LeftoverReason, cause: str) -> Leftover:
    return Leftover(name=CODE, reason=reason, cause=cause)

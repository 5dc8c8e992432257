"""Finds a published version whose content equals that of another, or what would be published.

Two versions are equal if their code, architecture and settings are. Environment values are compared
here and never leave this activity.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, cast

from pydantic import Field

from activities.configuration import ConfigurationChange
from activities.errors import AwsError, classify_error
from activities.function_content import (
    PackageIdentity,
    find_unreadable_part,
    get_package_identity,
    to_settings,
)
from activities.function_models import UpdateFunctionCodeRequest
from activities.operation import READ, OperationGroup, operation
from activities.readback import read_or_none
from activities.shapes import FunctionName, PublishedVersionNumber, Request, Response

_DIGEST: Final = "@sha256:"


class FindEqualVersionRequest(Request):
    """The function, the versions to compare with, and what is compared.

    That is the version ``candidate``, or, without one, what would be published: the content of
    ``$LATEST``, once ``code`` and ``configuration`` are written to it. ``live`` is the version that
    is live: what equals it, equals none of the others.
    """

    function_name: FunctionName
    versions: Annotated[list[PublishedVersionNumber], Field(min_length=1, max_length=20)]
    candidate: PublishedVersionNumber | None = None
    live: PublishedVersionNumber | None = None
    code: UpdateFunctionCodeRequest | None = None
    configuration: ConfigurationChange | None = None


class FindEqualVersionResponse(Response):
    """The version that is equal, the first of those in the request; None where there is none."""

    version: str | None = None


class VersionComparison(OperationGroup):
    """The operation that compares versions."""

    @operation(READ)
    async def find_equal_version(
        self, request: FindEqualVersionRequest
    ) -> FindEqualVersionResponse:
        """Find the version that has the same code, architecture and settings.

        Code that is not in ``$LATEST`` yet is known by a dry run of UpdateFunctionCode, which
        changes nothing: AWS returns the hash of the package. Where AWS refuses the dry run, or a
        setting is a dynamic reference, nothing is equal: the version is to be compared once it is
        published. Versions that are gone are left out. Safe to repeat.
        """
        given = await self._read(request.function_name, request.candidate)
        if given is None or find_unreadable_part(given["Configuration"]):
            return FindEqualVersionResponse()
        identity, settings = get_package_identity(given), to_settings(given["Configuration"])
        if request.candidate is None:
            settings |= _to_written_settings(request.configuration)
            if request.code is not None:
                identity = await self._identify_code(request.code, identity[1])
        if request.live is not None and await self._equals(
            request, request.live, identity, settings
        ):
            return FindEqualVersionResponse()
        for version in request.versions:
            if version == request.candidate or await self._equals(
                request, version, identity, settings
            ):
                return FindEqualVersionResponse(version=version)
        return FindEqualVersionResponse()

    async def _read(self, function: str, version: str | None) -> Mapping[str, Any] | None:
        qualifier = {"Qualifier": version} if version else {}
        parameters = {"FunctionName": function, **qualifier}
        return await read_or_none(self.aws.call("lambda", "get_function", parameters))

    async def _identify_code(
        self, request: UpdateFunctionCodeRequest, architectures: list[str]
    ) -> PackageIdentity:
        """Return hash and architectures of code that would be uploaded; no hash if unknown."""
        architectures = list(request.architectures or architectures)
        _, is_digest, digest = (request.image_uri or "").partition(_DIGEST)
        if is_digest:
            return digest, architectures
        parameters = {**request.parameters(), "DryRun": True}
        parameters.pop("RevisionId", None)
        try:
            response = await self.aws.call("lambda", "update_function_code", parameters)
        except AwsError as error:
            if classify_error(error).is_retryable:
                raise
            return "", architectures
        return str(response.get("CodeSha256", "")), architectures

    async def _equals(
        self,
        request: FindEqualVersionRequest,
        version: str,
        identity: PackageIdentity,
        settings: Mapping[str, Any],
    ) -> bool:
        found = await self._read(request.function_name, version)
        if found is None or find_unreadable_part(found["Configuration"]):
            return False
        is_known = identity[0] != ""
        is_same = get_package_identity(found) == identity
        return is_known and is_same and to_settings(found["Configuration"]) == settings


def _to_written_settings(change: ConfigurationChange | None) -> dict[str, Any]:
    """Return what is written, in the form of ``to_settings``."""
    written = change.parameters() if change else {}
    written.pop("Description", None)
    for name, value in written.get("VpcConfig", {}).items():
        if isinstance(value, list):
            written["VpcConfig"][name] = sorted(cast("list[str]", value))
    return written

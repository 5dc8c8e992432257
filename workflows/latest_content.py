"""Reads from AWS's responses what an undo would put back into ``$LATEST``."""

from __future__ import annotations

from typing import Any, Final

from pydantic import JsonValue

from activities.configuration import ConfigurationChange
from activities.configuration_response import FunctionConfiguration
from activities.function_content import to_settings
from activities.function_models import FunctionCodeLocation, GetFunctionResponse
from workflows.domain.artifact import Image, S3Package
from workflows.domain.latest_content import LatestContent
from workflows.latest_check import LatestFindings, uses_latest
from workflows.request import ReleaseRequest, RollbackRequest

_ENVIRONMENT: Final = "Environment"


def read_content(
    request: ReleaseRequest | RollbackRequest,
    latest: FunctionConfiguration,
    function: GetFunctionResponse,
    findings: LatestFindings | None,
) -> LatestContent:
    """Return what ``latest`` holds, as far as a release may overwrite it.

    ``function`` was read before: it names the code, if it is at the same revision.
    """
    if not uses_latest(request) or not isinstance(request, ReleaseRequest):
        return LatestContent()
    found = latest.model_dump(by_alias=True, exclude_none=True)
    settings: dict[str, Any] = {**to_settings(found), "Description": latest.description}
    settings[_ENVIRONMENT] = sorted(settings[_ENVIRONMENT]["Variables"])
    before = function.configuration
    is_same = before is not None and before.revision_id == latest.revision_id
    names = request.configuration.parameters() if request.configuration else {}
    return LatestContent(
        code_sha256=latest.code_sha256,
        architectures=tuple(latest.architectures or ()),
        location=_name_code(function.code) if is_same and function.code else {},
        settings={name: settings[name] for name in names if name in settings},
        environment_version=findings.environment_version if findings else None,
        is_environment_lost=bool(findings and findings.is_environment_lost),
    )


def describe_change(change: ConfigurationChange) -> dict[str, JsonValue]:
    """Return what a change writes; of the environment the names of its variables alone."""
    written: dict[str, Any] = change.parameters()
    if environment := written.pop(_ENVIRONMENT, None):
        written[_ENVIRONMENT] = sorted(environment.get("Variables", {}))
    return written


def describe_source(artifact: S3Package | Image) -> dict[str, str]:
    """Return the members of UpdateFunctionCode that name an artifact."""
    if isinstance(artifact, Image):
        return {"ImageUri": artifact.uri}
    version = {"S3ObjectVersion": artifact.object_version} if artifact.object_version else {}
    return {"S3Bucket": artifact.bucket, "S3Key": artifact.key, **version}


def _name_code(code: FunctionCodeLocation) -> dict[str, str]:
    """Return the members of UpdateFunctionCode that name code; none if AWS has a copy of it."""
    if image := code.resolved_image_uri or code.image_uri:
        return {"ImageUri": image}
    if code.resolved_s3_object is None:
        return {}
    key = {"SourceKMSKeyArn": code.source_kms_key_arn} if code.source_kms_key_arn else {}
    named = {**code.resolved_s3_object.parameters(), **key}
    return {**named, "S3ObjectStorageMode": "REFERENCE"}

"""Compares a function with a request, before the request is repeated."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from activities.errors import AwsError
from activities.function_models import (
    FunctionCode,
    UpdateFunctionCodeRequest,
    UpdateFunctionConfigurationRequest,
)
from activities.operation import Aws
from activities.readback import find_differences, not_settled_error, stale_error


async def read_function(aws: Aws, function: str) -> dict[str, Any]:
    """Return AWS's response to GetFunction for ``$LATEST``."""
    return await aws.call("lambda", "get_function", {"FunctionName": function})


def get_revision(found: dict[str, Any]) -> str | None:
    """Return the RevisionId in a response to GetFunction."""
    revision: str | None = found["Configuration"].get("RevisionId")
    return revision


def to_requested_form(configuration: dict[str, Any]) -> dict[str, Any]:
    """Return a received configuration in the members in which settings are sent."""
    image: dict[str, Any] = configuration.get("ImageConfigResponse", {})
    layers: list[dict[str, str]] = configuration.get("Layers", [])
    return {
        **configuration,
        "ImageConfig": image.get("ImageConfig"),
        "Layers": [layer["Arn"] for layer in layers],
    }


def has_same_code(code: FunctionCode, found: dict[str, Any], *, if_unknown: bool) -> bool:
    """Whether a function has this code; ``if_unknown`` where that is unknown.

    A .zip is compared by its SHA-256, an image by its URI, an S3 object that Lambda references by
    its name. The code of an S3 object that Lambda has copied is unknown.
    """
    if code.zip_file is not None:
        return bool(
            found["Configuration"].get("CodeSha256")
            == base64.b64encode(hashlib.sha256(code.zip_file).digest()).decode()
        )
    location: dict[str, Any] = found.get("Code", {})
    if code.image_uri is not None:
        return code.image_uri in {location.get("ImageUri"), location.get("ResolvedImageUri")}
    if s3_object := location.get("ResolvedS3Object"):
        requested = code.model_dump(
            by_alias=True, include={"s3_bucket", "s3_key", "s3_object_version"}, exclude_none=True
        )
        return not find_differences(requested, s3_object)
    return if_unknown


async def has_requested_code(
    aws: Aws, request: UpdateFunctionCodeRequest, found: dict[str, Any]
) -> bool:
    """Whether a function already has the requested code and architecture."""
    if find_differences(
        request.model_dump(by_alias=True, include={"architectures"}, exclude_none=True),
        found["Configuration"],
    ):
        return False
    return has_same_code(request, found, if_unknown=False) or await _has_code_of_s3_object(
        aws, request, found["Configuration"]
    )


async def _has_code_of_s3_object(
    aws: Aws, request: UpdateFunctionCodeRequest, configuration: dict[str, Any]
) -> bool:
    """Whether a function's code is the S3 object's, by S3's metadata.

    The object is not read. Compares the SHA-256 where S3 has one, else the size. False where S3
    does not respond.
    """
    if not request.s3_bucket:
        return False
    version = {"VersionId": request.s3_object_version} if request.s3_object_version else {}
    try:
        metadata = await aws.call(
            "s3",
            "head_object",
            {
                "Bucket": request.s3_bucket,
                "Key": request.s3_key,
                "ChecksumMode": "ENABLED",
                **version,
            },
        )
    except AwsError:
        return False
    # The checksum of a multipart upload may be COMPOSITE: of its parts, not of the whole object.
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
    is_full_object = metadata.get("ChecksumType", "FULL_OBJECT") == "FULL_OBJECT"
    if is_full_object and (sha256 := metadata.get("ChecksumSHA256")):
        return bool(sha256 == configuration.get("CodeSha256"))
    size = metadata.get("ContentLength")
    return bool(size and size == configuration.get("CodeSize"))


def foreign_change_error(
    operation: str,
    request: UpdateFunctionCodeRequest | UpdateFunctionConfigurationRequest,
    found: dict[str, Any],
    differences: list[str],
) -> Exception:
    """Return the failure of a change whose revision was refused."""
    if get_revision(found) == request.revision_id:
        return not_settled_error(
            operation,
            f"AWS refused revision {request.revision_id} of {request.function_name}, and still"
            " returns it",
        )
    modified = found["Configuration"].get("LastModified")
    return stale_error(
        operation,
        f"{request.function_name} is at revision {get_revision(found)} (modified {modified}), and"
        f" not as it was read (revision {request.revision_id}); it differs from the request in"
        f" {', '.join(differences)}",
    )

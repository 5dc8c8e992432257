"""A function's package: read from a request or from S3, and served for download."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any, Final

from deploy.local.awslambda import ministack_api
from deploy.local.awslambda.errors import LambdaError, invalid_parameter, package_too_large
from deploy.local.awslambda.ministack_api import Record, Response

REQUEST_LIMIT_BYTES: Final = 70_167_211
"""The largest request that uploads code, as recorded from AWS."""

ZIP_LIMIT_BYTES: Final = 52_428_800
"""The largest package that is uploaded directly. From S3 it may be larger."""


def check_size(operation: str, body: bytes) -> None:
    """Raise :class:`LambdaError` for a request that is too large."""
    if len(body) > REQUEST_LIMIT_BYTES:
        raise package_too_large(
            f"Request must be smaller than {REQUEST_LIMIT_BYTES} bytes "
            f"for the {operation} operation"
        )


def read_package(source: dict[str, Any]) -> bytes | None:
    """Read the package of a request; None for an image.

    Raises :class:`LambdaError` for a package that is missing, too large, or not a zip.
    """
    if "ImageUri" in source:
        return None
    if "ZipFile" in source:
        content = _decode(source["ZipFile"])
        if len(content) > ZIP_LIMIT_BYTES:
            raise package_too_large(f"Zipped size must be smaller than {ZIP_LIMIT_BYTES} bytes")
    elif source.get("S3Bucket") and source.get("S3Key"):
        content = _fetch_from_s3(source["S3Bucket"], source["S3Key"], source.get("S3ObjectVersion"))
    else:
        raise invalid_parameter("Please provide a source for function code.")
    if ministack_api.reject_unreadable_zip(content) is not None:
        raise invalid_parameter(
            "Could not unzip uploaded file. Please check your file, then try to upload again."
        )
    return content


def compute_sha256(content: bytes) -> str:
    """Compute AWS's ``CodeSha256`` of a package."""
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise LambdaError("SerializationException", "ZipFile is no base64.", 400) from None


def _fetch_from_s3(bucket: str, key: str, version: str | None) -> bytes:
    content: bytes | None = ministack_api.fetch_from_s3(bucket, key, version_id=version)
    if content is not None:
        return content
    if ministack_api.bucket_region(bucket) is None:
        code, message = "NoSuchBucket", "The specified bucket does not exist"
    elif version is not None:
        code, message = "NoSuchVersion", "The specified version does not exist."
    else:
        code, message = "NoSuchKey", "The specified key does not exist."
    raise invalid_parameter(
        f"Error occurred while GetObject. S3 Error Code: {code}. S3 Error Message: {message}"
    )


def make_download_url(name: str, number: str) -> str:
    """Make the URL where a plain GET downloads a version's package.

    It looks presigned, and is valid as long as the version exists.
    """
    return ministack_api.code_url(f"{name}:{number}")


def serve_package(
    reference: str, account_id: str | None = None, region: str | None = None
) -> Response:
    """Respond to a GET of :func:`make_download_url`."""
    name, _, number = reference.partition(":")
    record: Record | None = ministack_api.functions.get_scoped(account_id, region, name)
    if record is not None and number.isdigit():
        record = record["versions"].get(number)
    if record is None:
        return 404, {"Content-Type": "text/plain"}, b"no such package"
    return 200, {"Content-Type": "application/zip"}, record["code_zip"] or b""

"""A function's package: where it comes from, and the address it can be fetched from again."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any, Final

from deploy.local.awslambda import upstream
from deploy.local.awslambda.refusals import RefusalError, invalid, package_too_large
from deploy.local.awslambda.upstream import Answer, Record

REQUEST_LIMIT: Final = 70_167_211
"""Bytes of a whole request that uploads code, as recorded."""

ZIP_LIMIT: Final = 52_428_800
"""Bytes of a package that is uploaded directly. From S3 it may be larger."""


def check_size(operation: str, body: bytes) -> None:
    """Refuse a request that is too large to be looked at."""
    if len(body) > REQUEST_LIMIT:
        raise package_too_large(
            f"Request must be smaller than {REQUEST_LIMIT} bytes for the {operation} operation"
        )


def package(source: dict[str, Any]) -> bytes | None:
    """The bytes of the package a request points at; None for an image.

    Refuses a package that is missing, too large, or no zip.
    """
    if "ImageUri" in source:
        return None
    if "ZipFile" in source:
        content = _decoded(source["ZipFile"])
        if len(content) > ZIP_LIMIT:
            raise package_too_large(f"Zipped size must be smaller than {ZIP_LIMIT} bytes")
    elif source.get("S3Bucket") and source.get("S3Key"):
        content = _from_s3(source["S3Bucket"], source["S3Key"], source.get("S3ObjectVersion"))
    else:
        raise invalid("Please provide a source for function code.")
    if upstream.reject_unreadable_zip(content) is not None:
        raise invalid(
            "Could not unzip uploaded file. Please check your file, then try to upload again."
        )
    return content


def sha256(content: bytes) -> str:
    """AWS's ``CodeSha256`` of a package."""
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise RefusalError("SerializationException", "ZipFile is no base64.", 400) from None


def _from_s3(bucket: str, key: str, version: str | None) -> bytes:
    content: bytes | None = upstream.fetch_from_s3(bucket, key, version_id=version)
    if content is not None:
        return content
    if upstream.bucket_region(bucket) is None:
        code, message = "NoSuchBucket", "The specified bucket does not exist"
    elif version is not None:
        code, message = "NoSuchVersion", "The specified version does not exist."
    else:
        code, message = "NoSuchKey", "The specified key does not exist."
    raise invalid(
        f"Error occurred while GetObject. S3 Error Code: {code}. S3 Error Message: {message}"
    )


def location(name: str, number: str) -> str:
    """Where a plain GET fetches the package of this version. It looks presigned, and holds as long as the version does."""
    return upstream.code_url(f"{name}:{number}")


def serve(reference: str, account_id: str | None = None, region: str | None = None) -> Answer:
    """Answer a GET of :func:`location`."""
    name, _, number = reference.partition(":")
    record: Record | None = upstream.functions.get_scoped(account_id, region, name)
    if record is not None and number.isdigit():
        record = record["versions"].get(number)
    if record is None:
        return 404, {"Content-Type": "text/plain"}, b"no such package"
    return 200, {"Content-Type": "application/zip"}, record["code_zip"] or b""

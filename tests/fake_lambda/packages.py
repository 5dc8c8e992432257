"""Packages: the code that a request brings, and the addresses that GetFunction gives of it."""

from __future__ import annotations

from typing import Any

from tests.fake_lambda.account import (
    LATEST,
    Account,
    Function,
    Package,
    Parameters,
    compute_image_digest,
)
from tests.fake_lambda.refusals import Refusal, invalid

ZIP_LIMIT_BYTES = 52_428_800
"""The largest package in a request. One that comes from S3 may be larger."""

_OBJECT_MEMBERS = ("S3Bucket", "S3Key", "S3ObjectVersion")


def read_package(account: Account, source: Parameters) -> Package:
    """The package that a request brings or names."""
    if "ImageUri" in source:
        return _read_image(account, source["ImageUri"])
    key = source.get("SourceKMSKeyArn")
    if "ZipFile" in source:
        if len(source["ZipFile"]) > ZIP_LIMIT_BYTES:
            raise Refusal(
                "RequestEntityTooLargeException",
                f"Zipped size must be smaller than {ZIP_LIMIT_BYTES} bytes",
            )
        return Package(source["ZipFile"], key=key)
    where = tuple(source[member] for member in _OBJECT_MEMBERS if member in source)
    if not where:
        raise invalid("Please provide a source for function code.")
    content = _read_object(account, where)
    is_reference = source.get("S3ObjectStorageMode") == "REFERENCE"
    return Package(content, source=where if is_reference else (), key=key)


def put_code(function: Function, package: Package) -> None:
    """Make a package the code of ``$LATEST``."""
    function.packages[LATEST] = package
    size = len(package.content) if package.image is None else 0
    function.latest.update(CodeSha256=package.digest, CodeSize=size)


def locate_package(account: Account, function: Function, version: str) -> dict[str, Any]:
    """Where the code of a version is: a presigned address, an object, or an image."""
    package = function.packages[version]
    if package.image is not None:
        repository = package.image.split("@")[0].rsplit(":", 1)[0]
        return {
            "RepositoryType": "ECR",
            "ImageUri": package.image,
            "ResolvedImageUri": f"{repository}@sha256:{package.digest}",
        }
    located: dict[str, Any] = {"RepositoryType": "S3"}
    if package.key:
        located["SourceKMSKeyArn"] = package.key
    if package.key in account.unreadable_keys:
        return located | {"Error": {"ErrorCode": "KMSAccessDenied", "Message": "Access denied"}}
    if package.source:
        members = zip(_OBJECT_MEMBERS, package.source, strict=False)
        located["ResolvedS3Object"] = dict(members)
        if package.source not in account.objects:
            return located | {"Error": {"ErrorCode": "NoSuchKey", "Message": "It was deleted"}}
    url = f"{account.package_url}/code/{function.name}/{version}"
    return located | {"Location": f"{url}?X-Amz-Signature={account.signature}"}


def get_package(account: Account, path: str) -> bytes:
    """The package at the path of an address that GetFunction gave."""
    _, _, name, version = path.split("/")
    return account.functions[name].packages[version].content


def _read_image(account: Account, uri: str) -> Package:
    if uri in account.missing_images:
        raise invalid(f"Source image {uri} does not exist. Provide a valid source image.")
    return Package(
        uri.encode(), uri, image_digest=account.images.get(uri) or compute_image_digest(uri)
    )


def _read_object(account: Account, where: tuple[str, ...]) -> bytes:
    if where[:2] in account.denied_objects:
        raise Refusal(
            "AccessDeniedException",
            "Your access has been denied by S3, please make sure your request credentials have "
            f"permission to GetObject for {where[0]}/{where[1]}. S3 Error Code: AccessDenied. "
            "S3 Error Message: Access Denied",
        )
    if where in account.objects:
        return account.objects[where]
    code, message = "NoSuchKey", "The specified key does not exist."
    if where[:2] in account.objects:
        code, message = "NoSuchVersion", "The specified version does not exist."
    raise invalid(
        f"Error occurred while GetObject. S3 Error Code: {code}. S3 Error Message: {message}"
    )

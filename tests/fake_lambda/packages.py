"""Packages: the code that a request brings, and the addresses that GetFunction gives of it."""

from __future__ import annotations

from tests.fake_lambda.account import LATEST, Account, Function, Package, Parameters
from tests.fake_lambda.refusals import invalid


def read_package(account: Account, source: Parameters) -> Package:
    """The package that a request brings or names."""
    if "ImageUri" in source:
        return Package(source["ImageUri"].encode(), source["ImageUri"])
    if "ZipFile" in source:
        return Package(source["ZipFile"])
    members = ("S3Bucket", "S3Key", "S3ObjectVersion")
    where = tuple(source[member] for member in members if member in source)
    if not where:
        raise invalid("Please provide a source for function code.")
    if where not in account.objects:
        raise invalid(
            "Error occurred while GetObject. S3 Error Code: NoSuchKey. "
            "S3 Error Message: The specified key does not exist."
        )
    return Package(account.objects[where])


def put_code(function: Function, package: Package) -> None:
    """Make a package the code of ``$LATEST``."""
    function.packages[LATEST] = package
    size = len(package.content) if package.image is None else 0
    function.latest.update(CodeSha256=package.digest, CodeSize=size)


def locate_package(account: Account, function: Function, version: str) -> dict[str, str]:
    """Where the code of a version is: a presigned address, or an image."""
    package = function.packages[version]
    if package.image is None:
        url = f"{account.package_url}/code/{function.name}/{version}"
        return {"RepositoryType": "S3", "Location": f"{url}?X-Amz-Signature={account.signature}"}
    repository = package.image.split("@")[0].rsplit(":", 1)[0]
    return {
        "RepositoryType": "ECR",
        "ImageUri": package.image,
        "ResolvedImageUri": f"{repository}@sha256:{package.digest}",
    }


def get_package(account: Account, path: str) -> bytes:
    """The package at the path of an address that GetFunction gave."""
    _, _, name, version = path.split("/")
    return account.functions[name].packages[version].content

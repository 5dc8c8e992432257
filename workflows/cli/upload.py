"""Uploading a local package before its release: to S3, under the hash of its content, so that the same package is uploaded once."""

from __future__ import annotations

import asyncio
import hashlib
import os
import zipfile
from pathlib import Path

from workflows.client.errors import BadRequest, Refused, ReleaseClientError
from workflows.domain.target import Target
from workflows.request import S3Package

_READ_SECONDS = 600


def package(path: Path, *, bucket: str, target: Target) -> S3Package:
    """What a local package is called in S3: ``<function>/<sha256>.zip``. ``BadRequest`` where it is no .zip file."""
    if not zipfile.is_zipfile(path):
        raise BadRequest([f"--zip: {path} is not a .zip file"])
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return S3Package(kind="s3", bucket=bucket, key=f"{target.name}/{digest}.zip")


async def upload(path: Path, artifact: S3Package) -> S3Package:
    """Put a package where ``artifact`` says, unless it is there; with its version where the bucket keeps versions.

    Needs AWS credentials that may read and write there; the region is the bucket's, ``AWS_REGION`` or the profile's.
    """
    from activities.aws import AwsConfigurationError, Timeouts, connect  # noqa: PLC0415 - botocore: only whoever uploads waits for it
    from activities.errors import AwsError  # noqa: PLC0415

    content = await asyncio.to_thread(path.read_bytes)
    place = {"Bucket": artifact.bucket, "Key": artifact.key}
    try:
        async with connect(
            os.environ.get("AWS_REGION"), timeouts=Timeouts(read=_READ_SECONDS)
        ) as aws:
            try:
                there = await aws.call("s3", "head_object", place)
            except AwsError:  # not there, or not ours to read: then writing tells
                there = await aws.call("s3", "put_object", {**place, "Body": content})
    except AwsConfigurationError as problem:
        raise ReleaseClientError(f"--zip: {problem}") from None
    except AwsError as error:
        raise Refused(f"--zip: cannot upload to {artifact}: {error}") from None
    version = there.get("VersionId")
    return (
        artifact
        if version in {None, "null"}
        else artifact.model_copy(update={"object_version": version})
    )

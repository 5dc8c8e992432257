"""Uploads a local package to S3, once, under the hash of its content."""

from __future__ import annotations

import asyncio
import hashlib
import os
import zipfile
from pathlib import Path
from typing import Final

from activities.errors import AwsError
from activities.transport import Timeouts
from workflows.client.errors import BadRequest, Refused, ReleaseClientError
from workflows.domain.artifact import S3Package
from workflows.domain.target import Target

_READ_TIMEOUT_SECONDS: Final = 600


def name_package(path: Path, *, bucket: str, target: Target) -> S3Package:
    """Name the place of a local package in S3: ``<function>/<sha256>.zip``.

    Raises ``BadRequest`` where the file is not a .zip file.
    """
    if not zipfile.is_zipfile(path):
        raise BadRequest([f"--zip: {path} is not a .zip file"])
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return S3Package(kind="s3", bucket=bucket, key=f"{target.name}/{digest}.zip")


async def upload_package(path: Path, artifact: S3Package) -> S3Package:
    """Upload a package to ``artifact``, unless it is there already.

    Returns the artifact, with its object version where the bucket keeps versions. Needs AWS
    credentials that may read and write there. The region is the bucket's: ``AWS_REGION``, or the
    profile's.
    """
    # Imported here because botocore takes long to load: only an upload pays for it.
    from activities.aws import AwsConfigurationError, connect  # noqa: PLC0415 - see above

    content = await asyncio.to_thread(path.read_bytes)
    place = {"Bucket": artifact.bucket, "Key": artifact.key}
    try:
        async with connect(
            os.environ.get("AWS_REGION"), timeouts=Timeouts(read=_READ_TIMEOUT_SECONDS)
        ) as aws:
            try:
                response = await aws.call("s3", "head_object", place)
            except AwsError:  # it is missing, or may not be read: in both cases try to write it
                response = await aws.call("s3", "put_object", {**place, "Body": content})
    except AwsConfigurationError as problem:
        raise ReleaseClientError(f"--zip: {problem}") from None
    except AwsError as error:
        raise Refused(f"--zip: cannot upload to {artifact}: {error}") from None
    version = response.get("VersionId")
    if version in {None, "null"}:  # S3's version id of objects in a bucket without versions
        return artifact
    return artifact.model_copy(update={"object_version": version})

"""Looks up what a release names before anything is written: a package, an image, references.

AWS would refuse the first write otherwise, and a release would have to be rolled back that had
nothing to put back. Nothing is read but whether it is there: of a package S3's metadata, of
references their values, which are dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from activities.bucket_region import WRONG_REGION
from activities.dynamic_references import find_unresolvable
from activities.errors import AwsError, Fault, classify_error
from activities.function_models import UpdateFunctionCodeRequest
from activities.images import ABSENT_IMAGE_CODES, ECR_URI
from activities.operation import Aws
from activities.reference_scope import ReferenceScope
from activities.shapes import Boolean, Response

PACKAGE: Final = "package"
IMAGE: Final = "image"
REFERENCES: Final = "references"

_NOT_THERE_STATUSES: Final = {404, 405}
"""405 is for a version that is the mark of a deletion."""

_FORBIDDEN: Final = 403
_FORBIDDEN_REASON: Final = (
    "S3 answers 403, as it does where the worker's role lacks s3:GetObject (with a version "
    "s3:GetObjectVersion), and for a missing object where it lacks s3:ListBucket"
)
_NOT_THERE_CODES: Final = {"NoSuchKey", "NoSuchBucket", "NoSuchVersion"}  # where a body says it
_PATIENCE_SECONDS: Final = 5
"""For S3 and ECR. A worker may have no way there, and a release needs none: AWS Lambda reads."""


class LookupFinding(Response):
    """What is not there (``is_missing``), or was not looked at, and why.

    ``subject`` is ``package``, ``image`` or ``references``.
    """

    subject: str
    problem: str
    is_missing: Boolean = False


async def look_up_code(aws: Aws, code: UpdateFunctionCodeRequest) -> LookupFinding | None:
    """Look whether the code of a request is there; None where it is, or is in the request.

    What S3 or ECR does not show, or not soon, is a finding: AWS Lambda may be able to read it all
    the same. AWS: HeadObject, BatchGetImage.
    """
    subject = PACKAGE if code.s3_bucket else IMAGE
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            if code.s3_bucket and code.s3_key:
                return await _look_up_package(aws, code)
            if code.image_uri:
                return await _look_up_image(aws, code.image_uri)
    except TimeoutError:
        problem = f"no response within {_PATIENCE_SECONDS} s"
        return LookupFinding(subject=subject, problem=problem)
    return None


async def look_up_references(
    aws: Aws, references: Mapping[str, str], *, function: str, scope: ReferenceScope
) -> list[LookupFinding]:
    """Look whether all references can be resolved; a finding for each that cannot.

    Errors that may pass, and AWS's refusal to show one, are raised. AWS: GetParameters,
    GetSecretValue.
    """
    problems = await find_unresolvable(aws, references, function=function, scope=scope)
    return [
        LookupFinding(subject=REFERENCES, problem=problem, is_missing=True) for problem in problems
    ]


async def _look_up_package(aws: Aws, code: UpdateFunctionCodeRequest) -> LookupFinding | None:
    place = {"Bucket": code.s3_bucket, "Key": code.s3_key}
    version = {"VersionId": code.s3_object_version} if code.s3_object_version else {}
    name = f"s3://{code.s3_bucket}/{code.s3_key}"
    name += f" in version {code.s3_object_version}" if version else ""
    try:
        await aws.call("s3", "head_object", {**place, **version})
    except AwsError as error:
        if error.status in _NOT_THERE_STATUSES or error.code in _NOT_THERE_CODES:
            problem = f"there is no {name}: upload it, or correct what names it"
            return LookupFinding(subject=PACKAGE, problem=problem, is_missing=True)
        if error.code == WRONG_REGION:
            problem = f"{name}: {error.message}"
            return LookupFinding(subject=PACKAGE, problem=problem, is_missing=True)
        # A HEAD has no body, and so no code of AWS's: its status alone says what is wrong.
        reason = _FORBIDDEN_REASON if error.status == _FORBIDDEN else str(error)
        return LookupFinding(subject=PACKAGE, problem=f"{name}: {reason}")
    return None


async def _look_up_image(aws: Aws, uri: str) -> LookupFinding | None:
    """Look up an image by its digest. A tag is resolved (:mod:`activities.images`)."""
    tagged, _, digest = uri.partition("@")
    match = ECR_URI.fullmatch(tagged)
    if match is None or not digest:
        return None
    request = {
        "registryId": match["registry"],
        "repositoryName": match["repository"],
        "imageIds": [{"imageDigest": digest}],
    }
    try:
        answer = await aws.call("ecr", "batch_get_image", request)
    except AwsError as error:
        is_missing = classify_error(error) is Fault.NOT_FOUND
        return LookupFinding(subject=IMAGE, problem=str(error), is_missing=is_missing)
    if answer.get("images"):
        return None
    failures: list[dict[str, str]] = answer.get("failures") or [{}]
    code = failures[0].get("failureCode", "no image in the answer")
    return LookupFinding(
        subject=IMAGE,
        problem=f"the repository {match['repository']} has no image {digest} ({code})",
        is_missing=code in ABSENT_IMAGE_CODES,
    )

"""Container images in Amazon ECR: the digest that a tag names at the moment.

A tag may be moved between the moment that a release names it and the moment that Lambda reads it. A
digest cannot.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import Field
from temporalio import activity

from activities.errors import AwsError, Fault, classify_error
from activities.operation import READ, OperationGroup, operation
from activities.shapes import Request, Response

ECR_URI: Final = re.compile(
    r"(?P<repository_uri>(?P<registry>\d{12})\.dkr[.-]ecr[a-z0-9.-]*/(?P<repository>[^:@]+))"
    r"(?::(?P<tag>[^:@]+))?",
    re.ASCII,
)
_DEFAULT_TAG: Final = "latest"
ABSENT_IMAGE_CODES: Final = {"ImageNotFound", "InvalidImageTag"}
_MAX_ATTEMPTS: Final = 4
"""1 + 2 + 4 s. A worker may have no way to ECR at all, and a release can do without its digest."""


class ResolveImageRequest(Request):
    """The URI of an image in ECR, with a tag, with a digest, or with neither."""

    image_uri: Annotated[str, Field(min_length=1, max_length=1024)]


class ResolveImageResponse(Response):
    """The same image by its digest; or the URI as it was, and why there is no digest."""

    image_uri: str
    problem: str | None = None


class Images(OperationGroup):
    """The operation on images."""

    @operation(READ)
    async def resolve_image(self, request: ResolveImageRequest) -> ResolveImageResponse:
        """Find the digest of an image's tag.

        ``NotFound`` where the repository has no such tag. Where ECR may not be read, or does not
        respond to four attempts, the response has the tag, and a ``problem``. AWS: BatchGetImage.
        """
        uri = request.image_uri
        match = ECR_URI.fullmatch(uri)
        if match is None:
            return ResolveImageResponse(
                image_uri=uri, problem=None if "@" in uri else "it is not the URI of an ECR image"
            )
        tag = match["tag"] or _DEFAULT_TAG
        try:
            answer = await self.aws.call(
                "ecr",
                "batch_get_image",
                {
                    "registryId": match["registry"],
                    "repositoryName": match["repository"],
                    "imageIds": [{"imageTag": tag}],
                },
            )
        except AwsError as error:
            fault = classify_error(error)
            is_away = fault.is_retryable and _has_attempts_left()
            if fault is Fault.NOT_FOUND or error.is_about_worker or is_away:
                raise
            return ResolveImageResponse(image_uri=uri, problem=str(error))
        digest = next((_digest_of(image) for image in answer.get("images") or ()), None)
        if digest:
            return ResolveImageResponse(image_uri=f"{match['repository_uri']}@{digest}")
        failures: list[dict[str, str]] = answer.get("failures") or [{}]
        code = failures[0].get("failureCode", "no image in the answer")
        if code in ABSENT_IMAGE_CODES:
            raise AwsError(
                "resolve_image",
                "ImageNotFoundException",
                f"the repository {match['repository']} has no image with the tag {tag}",
            )
        return ResolveImageResponse(image_uri=uri, problem=f"ECR did not resolve it: {code}")


def _digest_of(image: dict[str, Any]) -> str | None:
    digest: str | None = image.get("imageId", {}).get("imageDigest")
    return digest


def _has_attempts_left() -> bool:
    return not activity.in_activity() or activity.info().attempt < _MAX_ATTEMPTS

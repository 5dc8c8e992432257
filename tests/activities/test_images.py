"""The digest of an image's tag."""

from __future__ import annotations

import pytest
from temporalio.exceptions import ApplicationError

from activities.images import Images, ResolveImageRequest, ResolveImageResponse
from tests.activities.adapter import REGION
from tests.activities.operations import on_attempt
from tests.fake_lambda import FakeLambda

REPOSITORY = f"123456789012.dkr.ecr.{REGION}.amazonaws.com/shop/checkout"
DIGEST = "a" * 64


async def resolve(port: FakeLambda, uri: str, attempt: int = 1) -> ResolveImageResponse:
    request = ResolveImageRequest(image_uri=uri)
    found: ResolveImageResponse = await on_attempt(attempt, Images(port).resolve_image, request)
    return found


@pytest.mark.parametrize(("suffix", "tag"), [(":7", ":7"), ("", ":latest")])
async def test_image_is_found_by_its_tag(port: FakeLambda, suffix: str, tag: str) -> None:
    port.images[f"{REPOSITORY}{tag}"] = DIGEST
    found = await resolve(port, f"{REPOSITORY}{suffix}")
    assert (found.image_uri, found.problem) == (f"{REPOSITORY}@sha256:{DIGEST}", None)


@pytest.mark.parametrize("tag", ["", ":7"])
async def test_digest_is_left_as_it_is(port: FakeLambda, tag: str) -> None:
    uri = f"{REPOSITORY}{tag}@sha256:{DIGEST}"
    assert (await resolve(port, uri)) == ResolveImageResponse(image_uri=uri)
    assert port.calls == []


async def test_image_of_another_registry_is_left_as_it_is(port: FakeLambda) -> None:
    found = await resolve(port, "docker.io/library/python:3.13")
    assert found.image_uri == "docker.io/library/python:3.13"
    assert found.problem is not None


@pytest.mark.parametrize("uri", [f"{REPOSITORY}:typo", f"999999999999{REPOSITORY[12:]}:7"])
async def test_image_that_does_not_exist_is_not_found(port: FakeLambda, uri: str) -> None:
    port.missing_images.add(f"{REPOSITORY}:typo")
    with pytest.raises(ApplicationError, match="NotFound") as missing:
        await resolve(port, uri)
    assert (missing.value.type, missing.value.non_retryable) == ("NotFound", True)


@pytest.mark.parametrize("code", ["ExpiredTokenException", "RequestTimeTooSkewed"])
async def test_credentials_that_are_mended_are_waited_for(port: FakeLambda, code: str) -> None:
    port.fail("batch_get_image", code, "not with these credentials")
    with pytest.raises(ApplicationError, match="not with these credentials") as refused:
        await resolve(port, f"{REPOSITORY}:7")
    assert (refused.value.type, refused.value.non_retryable) == ("Denied", False)


async def test_tag_stays_where_ecr_may_not_be_read(port: FakeLambda) -> None:
    port.fail("batch_get_image", "AccessDeniedException", "no ecr:BatchGetImage")
    found = await resolve(port, f"{REPOSITORY}:7")
    assert found.image_uri == f"{REPOSITORY}:7"
    assert "no ecr:BatchGetImage" in (found.problem or "")


async def test_tag_stays_where_ecr_does_not_respond_four_times(port: FakeLambda) -> None:
    port.fail("batch_get_image", "EndpointConnectionError", "no way there", times=None)
    with pytest.raises(ApplicationError, match="no way there") as failed:
        await resolve(port, f"{REPOSITORY}:7", attempt=3)
    assert not failed.value.non_retryable
    found = await resolve(port, f"{REPOSITORY}:7", attempt=4)
    assert found.image_uri == f"{REPOSITORY}:7"
    assert "no way there" in (found.problem or "")

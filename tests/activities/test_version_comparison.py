"""Finding a version of the same content: code, architecture and settings."""

from __future__ import annotations

from typing import Any

import pytest

from activities.version_comparison import FindEqualVersionRequest, VersionComparison
from tests.fake_lambda import FakeLambda

IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/checkout@sha256:"


@pytest.fixture
def aws(port: FakeLambda) -> FakeLambda:
    """Versions 1 and 2 differ in their code, 2 and 3 in their settings; ``$LATEST`` is 3."""
    port.create("checkout", "one", "two")
    publish(port, MemorySize=512)
    for text in ("one", "two", "four"):
        port.upload(f"{text}.zip", text)
    return port


def publish(aws: FakeLambda, **settings: Any) -> None:
    """Publish ``$LATEST`` with these settings."""
    aws.apply("update_function_configuration", FunctionName="checkout", **settings)
    while (
        aws.apply("get_function", FunctionName="checkout")["Configuration"]["LastUpdateStatus"]
        == "InProgress"
    ):
        pass
    aws.apply("publish_version", FunctionName="checkout")


async def find(aws: FakeLambda, *versions: str, package: str | None = None, **keys: Any) -> Any:
    code = {"FunctionName": "checkout", "S3Bucket": "artifacts", "S3Key": f"{package}.zip"}
    request = FindEqualVersionRequest.model_validate(
        {"function_name": "checkout", "versions": list(versions)}
        | ({"code": code} if package else {})
        | keys
    )
    return (await VersionComparison(aws).find_equal_version(request)).version


async def test_latest_equals_the_version_published_from_it(aws: FakeLambda) -> None:
    assert await find(aws, "1", "2", "3") == "3"
    assert await find(aws, "1", "2") is None


async def test_candidate_is_compared_whole(aws: FakeLambda) -> None:
    assert await find(aws, "2", candidate="3") is None, "the settings differ"
    publish(aws, MemorySize=128)
    assert await find(aws, "3", "2", candidate="4") == "2"


async def test_environments_are_compared_by_their_values(aws: FakeLambda) -> None:
    for value in ("hunter2", "hunter3", "hunter2"):
        publish(aws, Environment={"Variables": {"PASSWORD": value}})
    assert await find(aws, "5", "4", candidate="6") == "4"


async def test_package_is_known_before_it_is_uploaded(aws: FakeLambda) -> None:
    before = dict(aws.functions["checkout"].latest)
    memory = {"configuration": {"MemorySize": 128}}
    assert await find(aws, "1", "2", package="two", **memory) == "2"
    assert await find(aws, "1", "2", package="two") is None, "the settings differ"
    assert await find(aws, "1", "2", package="four", **memory) is None
    assert aws.functions["checkout"].latest == before


async def test_package_that_cannot_be_read_equals_none(aws: FakeLambda) -> None:
    assert await find(aws, "1", "2", "3", package="missing") is None


async def test_architecture_is_compared(aws: FakeLambda) -> None:
    code = {
        "FunctionName": "checkout",
        "S3Bucket": "artifacts",
        "S3Key": "two.zip",
        "Architectures": ["arm64"],
    }
    memory = {"MemorySize": 128}
    assert await find(aws, "2", code=code, configuration=memory) is None
    aws.functions["checkout"].versions["2"]["Architectures"] = ["arm64"]
    assert await find(aws, "2", code=code, configuration=memory) == "2"


async def test_image_is_known_by_its_digest(aws: FakeLambda) -> None:
    digest = "a" * 64
    for content in (aws.functions["checkout"].latest, aws.functions["checkout"].versions["3"]):
        content["PackageType"] = "Image"
        content.pop("Layers", None)
    aws.functions["checkout"].versions["3"]["CodeSha256"] = digest
    code = {"FunctionName": "checkout", "ImageUri": IMAGE + digest}
    assert await find(aws, "3", code=code) == "3"
    code = {"FunctionName": "checkout", "ImageUri": IMAGE + "b" * 64}
    assert await find(aws, "3", code=code) is None


async def test_content_of_the_live_version_equals_no_other(aws: FakeLambda) -> None:
    publish(aws, MemorySize=128)
    assert await find(aws, "2", live="4") is None


async def test_version_that_is_gone_is_left_out(aws: FakeLambda) -> None:
    del aws.functions["checkout"].versions["2"]
    assert await find(aws, "9", "2", "3") == "3"

"""What is to be written is looked up, over real HTTP: there, missing, or not shown."""

from __future__ import annotations

import pytest

from activities.artifact_lookup import LookupFinding, look_up_code
from activities.aws import Connection
from activities.function_models import UpdateFunctionCodeRequest
from tests.activities.stub import Answer, Stub
from tests.fake_lambda import FakeLambda

PACKAGE = UpdateFunctionCodeRequest(function_name="checkout", s3_bucket="artifacts", s3_key="a/1")
NAME = "s3://artifacts/a/1"


async def test_package_that_is_there_is_no_finding(aws: Connection, fake: FakeLambda) -> None:
    fake.upload("a/1", "one", version="v1")
    assert await look_up_code(aws, PACKAGE) is None
    in_version = PACKAGE.model_copy(update={"s3_object_version": "v1"})
    assert await look_up_code(aws, in_version) is None


async def test_package_that_is_not_there_is_missing(aws: Connection, fake: FakeLambda) -> None:
    found = await look_up_code(aws, PACKAGE)
    assert found == LookupFinding(
        subject="package",
        problem=f"there is no {NAME}: upload it, or correct what names it",
        is_missing=True,
    )
    fake.upload("a/1", "one", version="v1")
    gone = await look_up_code(aws, PACKAGE.model_copy(update={"s3_object_version": "v2"}))
    assert gone is not None
    assert (gone.is_missing, "in version v2" in gone.problem) == (True, True)


async def test_mark_of_a_deletion_is_a_missing_package(aws: Connection, stub: Stub) -> None:
    stub.meets(Answer(405, body=b""), operation="1")
    found = await look_up_code(aws, PACKAGE)
    assert found is not None
    assert found.is_missing


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Answer(403, body=b""), "s3:ListBucket"),
        (Answer(400, body=b""), "HTTP 400"),
        (Answer(503, body=b""), "HTTP 503"),
    ],
)
async def test_package_that_s3_does_not_show_may_be_there(
    aws: Connection, fake: FakeLambda, stub: Stub, fault: Answer, words: str
) -> None:
    fake.upload("a/1", "one")
    stub.meets(fault, fault, operation="1")  # botocore looks twice after a 400
    found = await look_up_code(aws, PACKAGE)
    assert found is not None
    assert not found.is_missing
    assert found.problem.startswith(f"{NAME}: ")
    assert words in found.problem


async def test_bucket_of_another_region_is_not_followed(aws: Connection, stub: Stub) -> None:
    stub.meets(Answer(301, body=b"", headers={"x-amz-bucket-region": "us-east-1"}), operation="1")
    found = await look_up_code(aws, PACKAGE)
    assert found is not None
    assert found.is_missing
    assert "the bucket is in us-east-1" in found.problem

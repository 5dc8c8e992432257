"""Comparing ``$LATEST`` with the live version: both ways, by name, and no value of a secret."""

from __future__ import annotations

from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.latest_comparison import (
    CompareLatestRequest,
    CompareLatestResponse,
    LatestComparison,
)
from tests.activities.operations import on_attempt
from tests.fake_lambda import FakeLambda
from tests.fake_lambda.account import compute_sha256

SECRET = "hunter2-of-the-environment"
LAYER = "arn:aws:lambda:eu-central-1:123456789012:layer:tools:3"


@pytest.fixture
def comparison(port: FakeLambda) -> LatestComparison:
    port.create("checkout", "one", "two")
    return LatestComparison(port)


async def compare(
    comparison: LatestComparison, version: str | None = "2", **members: Any
) -> CompareLatestResponse:
    request = CompareLatestRequest(function_name="checkout", version=version, **members)
    found: CompareLatestResponse = await on_attempt(1, comparison.compare_latest, request)
    return found


def names(found: CompareLatestResponse) -> list[str]:
    return [each.name for each in found.differences]


def deploy(port: FakeLambda, **settings: Any) -> None:
    port.apply("update_function_configuration", FunctionName="checkout", **settings)
    port.settle("checkout")


async def test_version_just_published_does_not_differ(comparison: LatestComparison) -> None:
    found = await compare(comparison)
    assert (found.differences, found.unpublished, found.unreadable) == ([], None, None)
    assert found.live is not None
    assert found.latest.code_sha256 == found.live.code_sha256


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"Timeout": 30}, ["Timeout"]),
        ({"Layers": [LAYER]}, ["Layers"]),
        (
            {"EphemeralStorage": {"Size": 1024}, "MemorySize": 512},
            ["EphemeralStorage", "MemorySize"],
        ),
        ({"VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}}, ["VpcConfig"]),
        ({"LoggingConfig": {"LogFormat": "JSON"}}, ["LoggingConfig"]),
        ({"SnapStart": {"ApplyOn": "PublishedVersions"}}, ["SnapStart"]),
        ({"Environment": {"Variables": {"A1": SECRET}}}, ["Environment.Variables.A1"]),
    ],
)
async def test_setting_of_latest_alone_is_named(
    port: FakeLambda, comparison: LatestComparison, settings: dict[str, Any], expected: list[str]
) -> None:
    deploy(port, **settings)
    found = await compare(comparison)
    assert names(found) == expected
    assert SECRET not in found.model_dump_json()


async def test_variables_that_were_changed_added_and_lost_are_named(
    port: FakeLambda, comparison: LatestComparison
) -> None:
    port.functions["checkout"].versions["2"]["Environment"] = {
        "Variables": {"SAME": "1", "CHANGED": SECRET, "LOST": "1"}
    }
    deploy(port, Environment={"Variables": {"SAME": "1", "CHANGED": "2", "ADDED": SECRET}})
    found = await compare(comparison)
    assert names(found) == [
        f"Environment.Variables.{name}" for name in ("ADDED", "CHANGED", "LOST")
    ]
    assert SECRET not in found.model_dump_json()


async def test_short_values_are_shown(port: FakeLambda, comparison: LatestComparison) -> None:
    deploy(port, Timeout=30)
    (difference,) = (await compare(comparison)).differences
    assert (difference.live, difference.latest) == ("3", "30")


async def test_description_is_no_difference(port: FakeLambda, comparison: LatestComparison) -> None:
    deploy(port, Description="the version's is another")
    assert (await compare(comparison)).differences == []


async def test_default_that_aws_does_not_send_is_no_difference(
    port: FakeLambda, comparison: LatestComparison
) -> None:
    del port.functions["checkout"].latest["TracingConfig"]
    del port.functions["checkout"].latest["SnapStart"]
    assert (await compare(comparison)).differences == []


@pytest.mark.parametrize(
    ("package", "unpublished"), [("one", False), ("theirs", True), ("two", None)]
)
async def test_code_that_no_version_has_is_unpublished(
    port: FakeLambda, comparison: LatestComparison, package: str, unpublished: bool | None
) -> None:
    port.page_size = 1
    port.overwrite("checkout", package)
    found = await compare(comparison)
    assert found.unpublished is unpublished
    assert found.latest.code_sha256 == compute_sha256(package.encode())


async def test_environment_that_aws_cannot_show_is_not_compared(
    port: FakeLambda, comparison: LatestComparison
) -> None:
    port.functions["checkout"].latest["Environment"] = {
        "Error": {"ErrorCode": "AccessDeniedException", "Message": "no kms:Decrypt"}
    }
    found = await compare(comparison)
    assert (names(found), found.unreadable) == ([], "AccessDeniedException")


async def test_without_a_live_version_nothing_is_compared(comparison: LatestComparison) -> None:
    found = await compare(comparison, None)
    assert (found.live, found.differences) == (None, [])


async def test_change_in_progress_is_waited_for(
    port: FakeLambda, comparison: LatestComparison
) -> None:
    before = port.functions["checkout"].latest["RevisionId"]
    port.polls = 1
    port.apply("update_function_configuration", FunctionName="checkout", Timeout=30)
    found = await compare(comparison, superseded=before)
    assert found.latest.last_update_status == "Successful"
    assert names(found) == ["Timeout"]


async def test_change_that_failed_is_invalid(
    port: FakeLambda, comparison: LatestComparison
) -> None:
    port.update_fails = "the layer is gone"
    port.apply("update_function_configuration", FunctionName="checkout", Timeout=30)
    with pytest.raises(ApplicationError, match="the layer is gone") as failed:
        await compare(comparison, superseded="")
    assert failed.value.type == "Invalid"


async def test_live_version_that_does_not_exist_is_not_found(comparison: LatestComparison) -> None:
    with pytest.raises(ApplicationError, match="not found") as missing:
        await compare(comparison, "9")
    assert missing.value.type == "NotFound"

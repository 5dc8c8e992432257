"""Rules of AWS's that the fake keeps: what it refuses, and what moves by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.fake_lambda import FakeLambda
from tests.fake_lambda.account import ACCOUNT, REGION
from tests.fake_lambda.refusals import Refusal

OTHER = "999999999999"
LAYER = f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:base:1"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/one"
SIGNING = f"arn:aws:lambda:{REGION}:{ACCOUNT}:code-signing-config:csc-0123456789abcdef0"
CHECKOUT = {"FunctionName": "checkout"}


@pytest.fixture
def aws() -> FakeLambda:
    """A function with versions 1 and 2, which answers, and ``live`` on the second."""
    aws = FakeLambda()
    aws.create("checkout", "one", "two")
    aws.handlers["checkout"] = lambda _: {"ok": True}
    return aws


def refuses(aws: FakeLambda, operation: str, **parameters: Any) -> str:
    """The code and the message of a refusal."""
    with pytest.raises(Refusal, match=r".") as refused:
        aws.apply(operation, **(CHECKOUT | parameters))
    return f"{refused.value.code}: {refused.value.message}"


def revision(aws: FakeLambda) -> str:
    return str(aws.functions["checkout"].aliases["live"]["RevisionId"])


# --- accounts and names ---


@pytest.mark.parametrize("form", ["arn:aws:lambda:{0}:{1}:function:{2}", "{1}:function:{2}"])
def test_function_of_another_account_is_denied(aws: FakeLambda, form: str) -> None:
    name = form.format(REGION, OTHER, "checkout")
    assert "AccessDeniedException" in refuses(aws, "get_function", FunctionName=name)
    own = form.format(REGION, ACCOUNT, "checkout")
    assert aws.apply("get_function", FunctionName=own)["Configuration"]["Version"] == "$LATEST"


def test_function_of_another_region_is_not_reachable(aws: FakeLambda) -> None:
    name = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:checkout"
    assert "not reachable in this region" in refuses(aws, "get_function", FunctionName=name)


def test_name_and_qualifier_must_agree(aws: FakeLambda) -> None:
    text = refuses(aws, "get_function", FunctionName="checkout:1", Qualifier="2")
    assert "does not match the specified qualifier" in text


# --- states ---


@pytest.mark.parametrize("state", ["Failed", "Deactivated", "ActiveNonInvocable", "Deleting"])
def test_version_that_is_not_active_runs_nothing(aws: FakeLambda, state: str) -> None:
    aws.functions["checkout"].versions["2"]["State"] = state
    assert f"following state: {state}" in refuses(aws, "invoke", Qualifier="live")
    assert f"following state: {state}" in refuses(
        aws, "put_provisioned_concurrency_config", Qualifier="2", ProvisionedConcurrentExecutions=1
    )


def test_inactive_version_is_woken_by_an_invocation_that_fails(aws: FakeLambda) -> None:
    version = aws.functions["checkout"].versions["2"]
    version["State"] = "Inactive"
    aws.apply("invoke", **CHECKOUT, Qualifier="2", InvocationType="DryRun")
    assert version["State"] == "Inactive"
    assert "ResourceNotReadyException" in refuses(aws, "invoke", Qualifier="2")
    assert (version["State"], version["StateReasonCode"]) == ("Pending", "Restoring")
    assert aws.apply("invoke", **CHECKOUT, Qualifier="2")["ExecutedVersion"] == "2"


def test_function_without_code_fails(aws: FakeLambda) -> None:
    del aws.handlers["checkout"]
    assert aws.apply("invoke", **CHECKOUT)["FunctionError"] == "Unhandled"


def test_published_version_may_arrive_in_another_state(aws: FakeLambda) -> None:
    aws.creation_ends = "ActiveNonInvocable"
    aws.overwrite("checkout", "three")
    number = aws.apply("publish_version", **CHECKOUT)["Version"]
    found = aws.apply("get_function", **CHECKOUT, Qualifier=number)["Configuration"]
    assert found["State"] == "ActiveNonInvocable"


# --- aliases ---


def test_policy_of_an_alias_moves_its_revision(aws: FakeLambda) -> None:
    revisions = [revision(aws)]
    grant = {"StatementId": "one", "Action": "lambda:InvokeFunction", "Principal": "*"}
    aws.apply("add_permission", **CHECKOUT, **grant)
    assert revision(aws) == revisions[0]
    aws.apply("add_permission", **CHECKOUT, **grant, Qualifier="live")
    revisions.append(revision(aws))
    aws.apply("remove_permission", **CHECKOUT, StatementId="one", Qualifier="live")
    revisions.append(revision(aws))
    assert len(set(revisions)) == 3


def test_alias_with_capacity_stays_on_its_version_while_that_moves(aws: FakeLambda) -> None:
    aws.polls = 1
    aws.apply(
        "put_provisioned_concurrency_config",
        **CHECKOUT,
        Qualifier="live",
        ProvisionedConcurrentExecutions=5,
    )
    aws.apply("update_alias", **CHECKOUT, Name="live", FunctionVersion="1")
    assert aws.routing("checkout") == ("1", {"2": 1.0})
    moving = aws.apply("get_provisioned_concurrency_config", **CHECKOUT, Qualifier="live")
    assert moving["Status"] == "IN_PROGRESS"
    revisions = {revision(aws)}
    for _ in range(2):
        aws.apply("get_alias", **CHECKOUT, Name="live")
    assert aws.routing("checkout") == ("1", {})
    assert revision(aws) not in revisions
    moved = aws.apply("get_provisioned_concurrency_config", **CHECKOUT, Qualifier="live")
    assert moved["Status"] == "READY"


# --- code and configuration ---


def test_blocked_runtime_is_refused_until_it_is_changed(aws: FakeLambda) -> None:
    aws.functions["checkout"].latest["Runtime"] = "python3.7"
    aws.upload("three.zip", "three")
    package = {"S3Bucket": "artifacts", "S3Key": "three.zip"}
    assert "no longer supported" in refuses(aws, "update_function_code", **package)
    aws.apply("update_function_configuration", **CHECKOUT, Runtime="python3.13")
    aws.settle("checkout")
    aws.apply("update_function_code", **CHECKOUT, **package)


CHANGES: dict[str, tuple[Callable[[FakeLambda], object], dict[str, Any], str]] = {
    "a deleted layer": (
        lambda aws: aws.deleted_layers.add(LAYER),
        {"Layers": [LAYER]},
        f"Layer version {LAYER} does not exist",
    ),
    "a key that may not be used": (
        lambda aws: aws.unreadable_keys.add(KEY),
        {"KMSKeyArn": KEY},
        "KMS Exception: AccessDeniedException",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_configuration_is_refused_with(aws: FakeLambda, name: str) -> None:
    prepare, change, text = CHANGES[name]
    prepare(aws)
    before = dict(aws.functions["checkout"].latest)
    assert text in refuses(aws, "update_function_configuration", **change, Timeout=9)
    assert aws.functions["checkout"].latest == before


PACKAGES: dict[str, tuple[Callable[[FakeLambda], object], dict[str, Any], str]] = {
    "a missing key": (
        lambda _: None,
        {"S3Bucket": "artifacts", "S3Key": "none.zip"},
        "S3 Error Code: NoSuchKey",
    ),
    "a missing object version": (
        lambda aws: aws.upload("three.zip", "three", version="a"),
        {"S3Bucket": "artifacts", "S3Key": "three.zip", "S3ObjectVersion": "b"},
        "S3 Error Code: NoSuchVersion",
    ),
    "an object that nobody may read": (
        lambda aws: aws.denied_objects.add(("artifacts", "three.zip")),
        {"S3Bucket": "artifacts", "S3Key": "three.zip"},
        "AccessDeniedException: Your access has been denied by S3",
    ),
    "more than 50 MB": (
        lambda _: None,
        {"ZipFile": bytes(52_428_801)},
        "RequestEntityTooLargeException: Zipped size must be smaller",
    ),
    "a package without a signature": (
        lambda aws: (
            aws.signing_policies.update({SIGNING: "Enforce"}),
            aws.apply("put_function_code_signing_config", **CHECKOUT, CodeSigningConfigArn=SIGNING),
        ),
        {"ZipFile": b"three"},
        "CodeVerificationFailedException",
    ),
}


@pytest.mark.parametrize("name", PACKAGES)
def test_code_is_refused_with(aws: FakeLambda, name: str) -> None:
    prepare, source, text = PACKAGES[name]
    prepare(aws)
    assert text in refuses(aws, "update_function_code", **source)
    assert aws.functions["checkout"].code == b"two"


def test_environment_under_an_unreadable_key_is_not_shown(aws: FakeLambda) -> None:
    aws.create("paid", Environment={"Variables": {"A": "1"}}, KMSKeyArn=KEY)
    aws.unreadable_keys.add(KEY)
    shown = aws.apply("get_function_configuration", FunctionName="paid")["Environment"]
    assert (set(shown), shown["Error"]["ErrorCode"]) == ({"Error"}, "AccessDeniedException")
    assert "KMSAccessDeniedException" in refuses(aws, "invoke", FunctionName="paid")


def test_key_without_a_version_names_the_newest_object(aws: FakeLambda) -> None:
    aws.upload("three.zip", "three", version="a")
    aws.upload("three.zip", "four", version="b")
    aws.apply("update_function_code", **CHECKOUT, S3Bucket="artifacts", S3Key="three.zip")
    assert aws.functions["checkout"].code == b"four"


def test_tag_names_the_image_that_was_pushed(aws: FakeLambda) -> None:
    by_digest = aws.push_image("checkout", "2", "content")
    asked = {"repositoryName": "checkout", "imageIds": [{"imageTag": "2"}]}
    found = aws.perform("ecr", "batch_get_image", asked)["images"]
    assert by_digest.endswith(found[0]["imageId"]["imageDigest"])


# --- concurrency ---


def provision(wanted: int, qualifier: str = "2") -> dict[str, Any]:
    return {"Qualifier": qualifier, "ProvisionedConcurrentExecutions": wanted}


def test_hundred_executions_stay_unreserved(aws: FakeLambda) -> None:
    text = "below its minimum value of [100]"
    assert text in refuses(aws, "put_provisioned_concurrency_config", **provision(901))
    aws.apply("put_provisioned_concurrency_config", **CHECKOUT, **provision(900))
    assert text in refuses(aws, "put_function_concurrency", ReservedConcurrentExecutions=901)


def test_small_account_reserves_nothing(aws: FakeLambda) -> None:
    aws.concurrency_limit = 50
    text = refuses(aws, "put_function_concurrency", ReservedConcurrentExecutions=20)
    assert "below its minimum value of [50]" in text


@pytest.mark.parametrize(
    "setting",
    [
        {"SnapStart": {"ApplyOn": "PublishedVersions", "OptimizationStatus": "On"}},
        {"TenancyConfig": {"TenantIsolationMode": "PER_TENANT"}},
    ],
)
def test_version_cannot_be_provisioned_with(aws: FakeLambda, setting: dict[str, Any]) -> None:
    aws.functions["checkout"].versions["2"] |= setting
    assert "not supported" in refuses(aws, "put_provisioned_concurrency_config", **provision(1))


def test_isolated_function_needs_a_tenant(aws: FakeLambda) -> None:
    assert "Remove the tenant ID" in refuses(aws, "invoke", TenantId="blue")
    aws.functions["checkout"].latest["TenancyConfig"] = {"TenantIsolationMode": "PER_TENANT"}
    assert "Add a valid tenant ID" in refuses(aws, "invoke")
    assert aws.apply("invoke", **CHECKOUT, TenantId="blue")["StatusCode"] == 200


# --- alarms ---


def test_alarm_says_when_it_changed(aws: FakeLambda) -> None:
    aws.alarms["errors"] = "OK"
    aws.alarms["errors"] = "ALARM"
    [alarm] = aws.perform("cloudwatch", "describe_alarms", {})["MetricAlarms"]
    history = aws.perform("cloudwatch", "describe_alarm_history", {"AlarmName": "errors"})
    [item] = history["AlarmHistoryItems"]
    assert item["HistorySummary"] == "Alarm updated from OK to ALARM"
    assert item["Timestamp"] == alarm["StateUpdatedTimestamp"]

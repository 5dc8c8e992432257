"""Restoring ``$LATEST`` to what a version holds, over real HTTP, package and all."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from pydantic import ValidationError
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from temporalio.workflow import ActivityCancellationType

from activities import latest_writer, settling
from activities.aws import Connection
from activities.errors import AwsError
from activities.operation import HEARTBEAT_TIMEOUT, get_operation_policy
from activities.restore_latest import RESTORE, RestoreLatest
from activities.restore_models import (
    Leftover,
    RestoreLatestRequest,
    RestoreLatestResponse,
)
from tests.activities.scripted_aws import ScriptedAws
from tests.activities.stub import Answer, DropAfter, Stub
from tests.fake_lambda import FakeLambda, Function
from tests.fake_lambda.account import Package

ACCESS_POINT = (
    "arn:aws:elasticfilesystem:eu-west-1:123456789012:access-point/fsap-0123456789abcdef0"
)
REQUEST = RestoreLatestRequest(function_name="checkout", version="1")
DESCRIBED = RestoreLatestRequest(function_name="checkout", version="1", description="as it was")
BEFORE = {
    "Handler": "app.handler",
    "Runtime": "python3.13",
    "MemorySize": 256,
    "Timeout": 10,
    "Description": "as it was",
    "Environment": {"Variables": {"PASSWORD": "hunter2", "MODE": "calm"}},
    "Layers": ["arn:aws:lambda:eu-west-1:123456789012:layer:one:1"],
    "TracingConfig": {"Mode": "Active"},
    "EphemeralStorage": {"Size": 1024},
}
AFTER = {
    "Handler": "new.handler",
    "MemorySize": 512,
    "Timeout": 20,
    "Description": "release 42",
    "Environment": {"Variables": {"PASSWORD": "other"}},
    "Layers": ["arn:aws:lambda:eu-west-1:123456789012:layer:two:2"],
    "TracingConfig": {"Mode": "PassThrough"},
    "VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
    "DeadLetterConfig": {"TargetArn": "arn:aws:sqs:eu-west-1:123456789012:lost"},
    "KMSKeyArn": "arn:aws:kms:eu-west-1:123456789012:key/1",
    "FileSystemConfigs": [
        {
            "Arn": ACCESS_POINT,
            "LocalMountPath": "/mnt/x",
        }
    ],
    "EphemeralStorage": {"Size": 2048},
    "SnapStart": {"ApplyOn": "PublishedVersions"},
    "LoggingConfig": {"LogFormat": "JSON", "LogGroup": "/elsewhere"},
}


@pytest.fixture
def function(fake: FakeLambda) -> Function:
    """Published as version 1 with one code and configuration; ``$LATEST`` then got others."""
    function = fake.create_unpublished("checkout", "one", **BEFORE)
    fake.publish("checkout")
    fake.overwrite("checkout", "two")
    fake.apply("update_function_configuration", FunctionName="checkout", **AFTER)
    fake.settle("checkout")
    return function


async def restored(
    aws: Any, request: RestoreLatestRequest = REQUEST, attempt: int = 1
) -> RestoreLatestResponse:
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, attempt=attempt)
    return await environment.run(RestoreLatest(aws).restore_latest, request)


def shown(configuration: dict[str, Any]) -> dict[str, Any]:
    """A configuration without what belongs to one version alone."""
    return {
        name: value
        for name, value in configuration.items()
        if name not in {"RevisionId", "Version", "FunctionArn", "LastUpdateStatus"}
        and value not in ("", [], None)
    }


async def test_description_of_a_version_is_not_taken_for_the_functions(
    aws: Connection, function: Function
) -> None:
    await restored(aws, RestoreLatestRequest(function_name="checkout", version="1"))
    assert function.latest["Description"] == "release 42"


async def test_foreign_code_in_latest_is_left_alone(
    aws: Connection, fake: FakeLambda, function: Function
) -> None:
    fake.publish("checkout")
    theirs = fake.overwrite("checkout", "theirs")
    answer = await restored(
        aws, RestoreLatestRequest(function_name="checkout", version="1", replacing="2")
    )
    assert function.code == b"theirs"
    (leftover,) = answer.leftovers
    assert (leftover.name, leftover.reason) == ("code", "foreign")
    assert theirs in leftover.cause
    assert function.latest["Timeout"] == BEFORE["Timeout"]


async def test_code_of_the_release_is_replaced(
    aws: Connection, fake: FakeLambda, function: Function
) -> None:
    fake.publish("checkout")
    await restored(aws, RestoreLatestRequest(function_name="checkout", version="1", replacing="2"))
    assert function.code == b"one"


async def test_code_and_configuration_become_those_of_the_version(
    aws: Connection, function: Function
) -> None:
    answer = await restored(aws, DESCRIBED)
    assert function.code == b"one"
    expected = shown(function.versions["1"]) | {
        "VpcConfig": {"SubnetIds": [], "SecurityGroupIds": [], "VpcId": ""},
    }
    assert shown(function.latest) == expected
    assert {"code", "Timeout", "Environment"} <= {*answer.restored}
    assert answer.leftovers == []
    assert (
        answer.code_sha256_after
        == function.versions["1"]["CodeSha256"]
        != answer.code_sha256_before
    )


async def test_members_that_differ_are_written_and_no_others(
    aws: Connection, stub: Stub, fake: FakeLambda
) -> None:
    fake.apply("update_function_configuration", FunctionName="checkout", Timeout=60)
    fake.settle("checkout")
    revision = fake.functions["checkout"].latest["RevisionId"]
    answer = await restored(aws)
    assert answer.restored == ["Timeout"]
    sent = next(
        request for request in stub.requests if request.operation == "update_function_configuration"
    )
    assert sent.parameters == {"FunctionName": "checkout", "Timeout": 3, "RevisionId": revision}


@pytest.mark.usefixtures("function")
async def test_second_restore_changes_nothing(aws: Connection, stub: Stub) -> None:
    await restored(aws)
    stub.requests.clear()
    assert (await restored(aws)).restored == []
    assert {request.operation for request in stub.requests} == {"get_function"}


@pytest.mark.parametrize("operation", ["update_function_code", "update_function_configuration"])
async def test_lost_response_does_not_lead_to_a_second_write(
    aws: Connection, stub: Stub, function: Function, operation: str
) -> None:
    stub.meets(DropAfter(), operation=operation)
    with pytest.raises(ApplicationError, match="Unavailable") as caught:
        await restored(aws, DESCRIBED)
    assert (caught.value.type, caught.value.non_retryable) == ("Unavailable", False)
    await restored(aws, DESCRIBED, attempt=2)
    assert stub.sent(operation) == 1
    assert function.code == b"one"
    assert function.latest["Description"] == "as it was"


async def test_parts_that_were_not_requested_stay(aws: Connection, function: Function) -> None:
    await restored(aws, RestoreLatestRequest(function_name="checkout", version="1", parts=["code"]))
    assert (function.code, function.latest["Description"]) == (b"one", "release 42")


async def test_change_settles_before_the_next(
    aws: Connection, stub: Stub, fake: FakeLambda, function: Function
) -> None:
    fake.polls = 1
    await restored(aws, DESCRIBED)
    operations = [request.operation for request in stub.requests]
    code, configuration = (
        operations.index("update_function_code"),
        operations.index("update_function_configuration"),
    )
    assert operations[code + 1 : configuration].count("get_function") == 2
    assert function.latest["Description"] == "as it was"


@pytest.mark.usefixtures("function")
async def test_long_change_is_waited_for_by_a_benign_retry(
    aws: Connection, stub: Stub, fake: FakeLambda, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "POLL_SECONDS_PER_ATTEMPT", 0.05)
    monkeypatch.setattr(latest_writer, "SETTLE_SECONDS", 0)
    fake.polls = 3
    with pytest.raises(ApplicationError, match="NotReady") as caught:
        await restored(aws)
    assert (caught.value.type, caught.value.non_retryable) == ("NotReady", False)
    monkeypatch.setattr(settling, "POLL_SECONDS_PER_ATTEMPT", 20)
    fake.polls = 0
    assert "Timeout" in (await restored(aws, attempt=2)).restored
    assert stub.sent("update_function_code") == 1


@pytest.mark.usefixtures("function")
async def test_response_holds_neither_code_nor_environment(aws: Connection) -> None:
    answer = (await restored(aws)).model_dump_json(by_alias=True)
    assert set(RestoreLatestResponse.model_fields) == {
        "restored",
        "intact",
        "leftovers",
        "code_sha256_before",
        "code_sha256_after",
    }
    assert "hunter2" not in answer


async def test_damaged_package_is_not_uploaded(
    aws: Connection, stub: Stub, function: Function
) -> None:
    function.packages["1"] = Package(b"something else")
    with pytest.raises(ApplicationError, match="Unavailable") as caught:
        await restored(aws)
    assert (caught.value.type, caught.value.non_retryable) == ("Unavailable", False)
    assert stub.sent("update_function_code") == 0


async def test_refused_download_is_retried_and_keeps_no_setting_waiting(
    aws: Connection, stub: Stub, function: Function
) -> None:
    stub.meets(Answer(403, body=b"<Error>Request has expired</Error>"), operation="$LATEST")
    stub.meets(Answer(403, body=b"<Error>Request has expired</Error>"), operation="1")
    with pytest.raises(ApplicationError, match="DownloadFailed") as caught:
        await restored(aws)
    assert not caught.value.non_retryable
    assert "127.0.0.1" not in str(caught.value)
    assert (function.code, function.latest["Timeout"]) == (b"two", BEFORE["Timeout"])


# --- what cannot be put back, and what is put back otherwise ---------------------------------


def found(code: dict[str, Any], **configuration: Any) -> dict[str, Any]:
    return {
        "Configuration": {
            "FunctionName": "checkout",
            "CodeSha256": "one",
            "State": "Active",
            **configuration,
        },
        "Code": code,
    }


LATEST = found({}, CodeSha256="two", RevisionId="r2")
DONE = found({}, CodeSha256="one", RevisionId="r3")


def left(name: str, reason: str, cause: str) -> Leftover:
    return Leftover(name=name, reason=reason, cause=cause)


@pytest.mark.parametrize(
    ("source", "leftover"),
    [
        (
            found({"Location": "https://x"}, CodeSize=52_428_801, Timeout=3),
            left("code", "too_large", "its package has 52 MB, and only 50 MB can be sent back"),
        ),
        (
            found({"Error": {"ErrorCode": "AccessDenied", "Message": "hidden"}}, Timeout=3),
            left("code", "refused", "AWS cannot show its package (AccessDenied)"),
        ),
        (found({}, Timeout=3), left("code", "refused", "AWS gives no address for its package")),
        (
            found(
                {"Location": "https://x"},
                CodeSha256="two",
                Timeout=3,
                Environment={"Error": {"ErrorCode": "KMSAccessDenied", "Message": "hidden"}},
            ),
            left("Environment", "refused", "kms:Decrypt"),
        ),
        (
            found(
                {"ImageUri": "x"},
                CodeSha256="two",
                Timeout=3,
                PackageType="Image",
                ImageConfigResponse={"Error": {"ErrorCode": "Strange"}},
            ),
            left("ImageConfig", "refused", "AWS cannot show that of version 1 (Strange)"),
        ),
    ],
)
async def test_part_that_cannot_be_copied_is_left_out_and_says_why(
    source: dict[str, Any], leftover: Leftover
) -> None:
    changed = found({}, CodeSha256="two", RevisionId="r2", Timeout=9)
    settled = found({}, CodeSha256="two", RevisionId="r3", Timeout=3)
    port = ScriptedAws(get_function=[changed, source, settled], update_function_configuration={})
    answer = await restored(port)
    assert answer.leftovers[0].name == leftover.name
    assert answer.leftovers[0].reason == leftover.reason
    assert leftover.cause in answer.leftovers[0].cause
    assert port.last("update_function_configuration")["Timeout"] == 3
    assert port.times("update_function_code") == 0


@pytest.mark.parametrize(
    ("code", "sent"),
    [
        ({"ImageUri": "r:tag", "ResolvedImageUri": "r@sha256:1"}, {"ImageUri": "r@sha256:1"}),
        (
            {
                "ResolvedS3Object": {"S3Bucket": "b", "S3Key": "k", "S3ObjectVersion": "v"},
                "Location": "https://x",
            },
            {
                "S3Bucket": "b",
                "S3Key": "k",
                "S3ObjectVersion": "v",
                "S3ObjectStorageMode": "REFERENCE",
            },
        ),
    ],
)
async def test_image_and_referenced_object_are_named_and_not_downloaded(
    code: dict[str, Any], sent: dict[str, Any]
) -> None:
    port = ScriptedAws(
        get_function=[LATEST, found(code, Architectures=["arm64"]), DONE], update_function_code={}
    )
    await restored(
        port, RestoreLatestRequest(function_name="checkout", version="1", parts=["code"])
    )
    assert port.last("update_function_code") == {
        "FunctionName": "checkout",
        "Architectures": ["arm64"],
        "RevisionId": "r2",
        **sent,
    }


@pytest.mark.parametrize("operation", ["update_function_code", "update_function_configuration"])
async def test_foreign_change_between_read_and_write_is_not_overwritten(
    operation: str,
) -> None:
    moved = AwsError(
        operation,
        "PreconditionFailedException",
        "The Revision Id provided does not match the latest Revision Id.",
        status=412,
    )
    source = (
        found({"ImageUri": "r:tag"})
        if operation.endswith("code")
        else found({}, CodeSha256="two", Timeout=9)
    )
    port = ScriptedAws(get_function=[LATEST, source], **{operation: moved})
    with pytest.raises(ApplicationError, match="Conflict") as caught:
        await restored(port)
    assert (caught.value.type, caught.value.non_retryable) == ("Conflict", False)
    assert port.last(operation)["RevisionId"] == "r2"


async def test_foreign_upload_before_a_publication_is_left_alone(
    aws: Connection, fake: FakeLambda, function: Function
) -> None:
    ours = function.latest["CodeSha256"]
    request = RestoreLatestRequest(
        function_name="checkout", version="1", parts=["code"], uploaded=ours
    )
    fake.overwrite("checkout", "theirs")
    (leftover,) = (await restored(aws, request)).leftovers
    assert (leftover.name, leftover.reason) == ("code", "foreign")
    assert function.code == b"theirs"


async def test_unpublished_upload_of_the_release_is_replaced(
    aws: Connection, function: Function
) -> None:
    request = RestoreLatestRequest(
        function_name="checkout",
        version="1",
        parts=["code"],
        uploaded=function.latest["CodeSha256"],
    )
    assert (await restored(aws, request)).restored == ["code"]
    assert function.code == b"one"


async def test_stale_read_is_not_taken_for_restored_already() -> None:
    before = found({}, CodeSha256="one", RevisionId="r1")
    source = found({"ImageUri": "r:tag"}, CodeSha256="one")
    port = ScriptedAws(get_function=[before, LATEST, source, DONE], update_function_code={})
    answer = await restored(
        port,
        RestoreLatestRequest(
            function_name="checkout", version="1", parts=["code"], superseded="r1"
        ),
    )
    assert answer.restored == ["code"]


async def test_architecture_makes_the_same_code_another_package() -> None:
    source, latest = (
        found({"ImageUri": "x"}, Architectures=["arm64"]),
        found({}, Architectures=["x86_64"]),
    )
    port = ScriptedAws(get_function=[latest, source, source], update_function_code={})
    assert (await restored(port)).restored == ["code"]


async def test_image_configuration_is_restored_as_an_images() -> None:
    image = {"ImageConfig": {"Command": ["run"]}}
    source = found({}, PackageType="Image", ImageConfigResponse=image)
    latest = found({}, PackageType="Image", Description="new")
    port = ScriptedAws(get_function=[latest, source, source], update_function_configuration={})
    await restored(port)
    assert port.last("update_function_configuration") == {"FunctionName": "checkout", **image}


async def test_failed_update_makes_every_member_be_written() -> None:
    source = found({"ImageUri": "x"}, Role="arn:role", Timeout=3)
    port = ScriptedAws(
        get_function=[
            source | {"Configuration": source["Configuration"] | {"LastUpdateStatus": "Failed"}},
            source,
        ],
        update_function_code={},
        update_function_configuration={},
    )
    assert (await restored(port)).restored[0] == "code"
    assert {"Role", "Timeout", "VpcConfig", "Environment", "Layers"} <= set(
        port.last("update_function_configuration")
    )


async def test_unreadable_environment_of_latest_is_written() -> None:
    source = found({}, Timeout=3)
    latest = found({}, Timeout=3, Environment={"Error": {"ErrorCode": "KMSAccessDenied"}})
    port = ScriptedAws(get_function=[latest, source, source], update_function_configuration={})
    assert (await restored(port)).restored == ["Environment"]
    assert port.last("update_function_configuration")["Environment"] == {"Variables": {}}


async def test_setting_that_aws_cannot_apply_is_left_out_with_its_reason() -> None:
    source = found({}, Timeout=3)
    failed = found(
        {},
        Timeout=3,
        LastUpdateStatus="Failed",
        LastUpdateStatusReason="no subnet",
        LastUpdateStatusReasonCode="InvalidSubnet",
    )
    port = ScriptedAws(
        get_function=[found({}, Timeout=9), source, failed], update_function_configuration={}
    )
    (leftover,) = (await restored(port)).leftovers
    assert (leftover.name, leftover.reason) == ("Timeout", "refused")
    assert "no subnet" in leftover.cause


async def test_missing_version_is_not_found() -> None:
    port = ScriptedAws(
        get_function=AwsError("get_function", "ResourceNotFoundException", "none", status=404)
    )
    with pytest.raises(ApplicationError, match="NotFound") as caught:
        await restored(port)
    assert (caught.value.type, caught.value.non_retryable) == ("NotFound", True)


async def test_third_package_at_a_time_is_not_ready() -> None:
    group = RestoreLatest(ScriptedAws(get_function=[LATEST, found({"Location": "https://x"})]))
    for _ in range(2):
        await group._packages._slots.acquire()
    with pytest.raises(ApplicationError, match="NotReady") as caught:
        await group.restore_latest(REQUEST)
    assert (caught.value.type, caught.value.non_retryable) == ("NotReady", False)


@pytest.mark.parametrize(
    "wrong", [{"version": "$LATEST"}, {"version": "live"}, {"parts": []}, {"parts": ["tags"]}]
)
def test_request_names_a_published_version_and_its_parts(
    wrong: dict[str, Any],
) -> None:
    with pytest.raises(ValidationError, match="validation error for RestoreLatestRequest"):
        RestoreLatestRequest.model_validate(
            {
                "FunctionName": "checkout",
                "Version": "1",
                **{name.title(): value for name, value in wrong.items()},
            }
        )


def test_policy_has_a_short_heartbeat_and_lets_a_cancel_wait() -> None:
    assert get_operation_policy(RestoreLatest.restore_latest) is RESTORE
    assert RESTORE.heartbeat == HEARTBEAT_TIMEOUT
    assert RESTORE.cancellation is ActivityCancellationType.WAIT_CANCELLATION_COMPLETED

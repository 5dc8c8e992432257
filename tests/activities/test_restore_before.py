"""Restoring what ``$LATEST`` held before a release, and leaving out all else, over real HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import settling
from activities.aws import Connection
from activities.restore_latest import RestoreLatest
from activities.restore_models import (
    LatestBefore,
    Leftover,
    RestoreLatestRequest,
    RestoreLatestResponse,
)
from tests.activities.stub import Stub
from tests.fake_lambda import FakeLambda, Function
from tests.fake_lambda.account import Account, Answer, Parameters, compute_sha256
from tests.fake_lambda.functions import update_function_configuration
from tests.fake_lambda.interventions import Call
from tests.fake_lambda.refusals import invalid

LAYER = "arn:aws:lambda:eu-west-1:123456789012:layer:one:1"
FOUND: dict[str, Any] = {
    "Timeout": 10,
    "MemorySize": 256,
    "Layers": [LAYER],
    "EphemeralStorage": {"Size": 1024},
    "Description": "as it was",
    "Environment": {"Variables": {"PASSWORD": "hunter2"}},
}
WRITTEN: dict[str, Any] = {
    "Timeout": 20,
    "MemorySize": 512,
    "Layers": [],
    "EphemeralStorage": {"Size": 2048},
    "Description": "release 42",
    "Environment": {"Variables": {"PASSWORD": "other"}},
}


def name_variables(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings as a journal holds them: of the environment the names alone."""
    return {**settings, "Environment": sorted(settings["Environment"]["Variables"])}


BEFORE = LatestBefore(
    code_sha256=compute_sha256(b"one"),
    settings=name_variables(FOUND),
    environment_version="1",
)


@pytest.fixture
def function(fake: FakeLambda) -> Function:
    """Version 1 is what ``$LATEST`` held; a release then wrote code and settings."""
    function = fake.create_unpublished("checkout", "one", **FOUND)
    fake.publish("checkout")
    fake.overwrite("checkout", "two")
    configure(fake, **WRITTEN)
    return function


def configure(fake: FakeLambda, **settings: Any) -> None:
    """Change settings of ``$LATEST``."""
    fake.apply("update_function_configuration", FunctionName="checkout", **settings)
    fake.settle("checkout")


async def restored(aws: Connection | FakeLambda, **fields: Any) -> RestoreLatestResponse:
    """Restore with what a release that published nothing knows."""
    request: dict[str, Any] = {
        "version": "1",
        "before": BEFORE,
        "written": name_variables(WRITTEN),
        "uploaded": compute_sha256(b"two"),
        **fields,
    }
    return await ActivityEnvironment().run(
        RestoreLatest(aws).restore_latest, RestoreLatestRequest(function_name="checkout", **request)
    )


def show(leftovers: list[Leftover]) -> dict[str, str]:
    """The reasons by name."""
    return {leftover.name: leftover.reason for leftover in leftovers}


# --- what was there ---


async def test_settings_become_what_was_found(aws: Connection, function: Function) -> None:
    answer = await restored(aws)
    assert answer.leftovers == []
    assert {*answer.restored} == {"code", *FOUND}
    assert function.code == b"one"
    found = {**FOUND, "Layers": [{"Arn": LAYER, "CodeSize": 1}]}
    assert {name: function.latest[name] for name in FOUND} == found


async def test_setting_that_the_release_did_not_write_stays(
    aws: Connection, fake: FakeLambda, function: Function
) -> None:
    configure(fake, TracingConfig={"Mode": "Active"})
    await restored(aws)
    assert function.latest["TracingConfig"] == {"Mode": "Active"}


async def test_environment_comes_from_the_version_that_has_it(
    aws: Connection, fake: FakeLambda, function: Function
) -> None:
    fake.publish("checkout")
    await restored(aws, version="2")
    assert function.latest["Environment"] == FOUND["Environment"]


async def test_lost_environment_is_that_of_the_version(aws: Connection, function: Function) -> None:
    lost = BEFORE.model_copy(update={"environment_version": None, "is_environment_lost": True})
    answer = await restored(aws, before=lost)
    assert show(answer.leftovers) == {"Environment": "lost"}
    assert function.latest["Environment"] == FOUND["Environment"]
    again = await restored(aws, before=lost)
    assert (again.restored, show(again.leftovers)) == ([], {"Environment": "lost"})


async def test_lost_code_is_that_of_the_version(aws: Connection, function: Function) -> None:
    lost = BEFORE.model_copy(update={"code_sha256": compute_sha256(b"never published")})
    answer = await restored(aws, before=lost)
    assert show(answer.leftovers) == {"code": "lost"}
    assert function.code == b"one"
    again = await restored(aws, before=lost)
    assert (again.restored, show(again.leftovers)) == ([], {"code": "lost"})


async def test_code_comes_from_any_version_that_has_it(
    aws: Connection, fake: FakeLambda, function: Function
) -> None:
    fake.publish("checkout")
    assert (await restored(aws, version="2")).leftovers == []
    assert function.code == b"one"


async def test_setting_without_a_value_that_clears_it_is_named(
    aws: Connection, function: Function
) -> None:
    written = name_variables(WRITTEN) | {"DurableConfig": {"ExecutionTimeout": 60}}
    answer = await restored(aws, written=written)
    assert show(answer.leftovers) == {"DurableConfig": "refused"}
    assert function.latest["Timeout"] == 10


@pytest.mark.usefixtures("function")
async def test_response_has_no_environment_value(aws: Connection) -> None:
    answer = await restored(aws)
    assert not {"hunter2", "other"} & {*answer.model_dump_json().split('"')}


# --- what was not done ---


async def test_latest_at_its_first_revision_is_not_written(
    aws: Connection, stub: Stub, function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "_READ_LAG_SECONDS", 0.1)
    revision = function.latest["RevisionId"]
    answer = await restored(aws, uploaded=None, superseded=revision)
    assert (answer.restored, answer.leftovers) == ([], [])
    assert {request.operation for request in stub.requests} == {"get_function"}


async def test_old_read_after_a_confirmed_upload_is_repeated(
    aws: Connection, function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "_READ_LAG_SECONDS", 0.1)
    monkeypatch.setattr("activities.restore_latest.has_waited", lambda _: False)
    with pytest.raises(ApplicationError, match="NotReady") as caught:
        await restored(aws, superseded=function.latest["RevisionId"])
    assert not caught.value.non_retryable


# --- what is another writer's ---


async def test_foreign_settings_stay_and_are_named(
    aws: Connection, fake: FakeLambda, function: Function
) -> None:
    theirs = {"Variables": {"PASSWORD": "theirs", "MODE": "calm"}}
    configure(fake, Timeout=77, Environment=theirs)
    answer = await restored(aws)
    assert show(answer.leftovers) == {"Timeout": "foreign", "Environment": "foreign"}
    assert (function.latest["Timeout"], function.latest["Environment"]) == (77, theirs)
    assert (function.latest["MemorySize"], function.code) == (256, b"one")


async def test_foreign_environment_of_equal_names_stays(
    aws: Connection, fake: FakeLambda, function: Function
) -> None:
    fake.publish("checkout")
    theirs = {"Variables": {"PASSWORD": "theirs"}}
    configure(fake, Environment=theirs)
    answer = await restored(aws, replacing="2")
    assert show(answer.leftovers) == {"Environment": "foreign"}
    assert function.latest["Environment"] == theirs


async def test_settled_revision_makes_everything_the_releases(
    aws: Connection, fake: FakeLambda, function: Function
) -> None:
    configure(fake, Timeout=21)  # as AWS may round what was written
    answer = await restored(aws, settled=function.latest["RevisionId"])
    assert answer.leftovers == []
    assert function.latest["Timeout"] == 10


async def test_code_of_a_lost_upload_is_known_by_its_object(
    fake: FakeLambda, function: Function
) -> None:
    fake.upload("two.zip", "two")
    source = {"S3Bucket": "artifacts", "S3Key": "two.zip"}
    answer = await restored(fake, uploaded=None, source=source)
    assert answer.leftovers == []
    assert function.code == b"one"


async def test_code_of_another_object_is_foreign(fake: FakeLambda, function: Function) -> None:
    fake.upload("three.zip", "another")
    source = {"S3Bucket": "artifacts", "S3Key": "three.zip"}
    answer = await restored(fake, uploaded=None, source=source)
    assert show(answer.leftovers) == {"code": "foreign"}
    assert function.code == b"two"


# --- what AWS refuses ---


async def test_refused_settings_are_left_out_and_the_others_written(
    aws: Connection, fake: FakeLambda, stub: Stub, function: Function
) -> None:
    def refuse_two(account: Account, parameters: Parameters) -> Answer:
        for name in ("EphemeralStorage", "Layers"):
            if name in parameters:
                raise invalid(f"{name} is not what it was")
        return update_function_configuration(account, parameters)

    fake.overrides["lambda", "update_function_configuration"] = refuse_two
    answer = await restored(aws)
    assert show(answer.leftovers) == {"EphemeralStorage": "refused", "Layers": "refused"}
    assert (
        "Layers is not what it was"
        in {each.name: each for each in answer.leftovers}["Layers"].cause
    )
    assert {*answer.restored} == {"code", "Timeout", "MemorySize", "Description", "Environment"}
    assert function.latest["Timeout"] == 10
    assert stub.sent("update_function_configuration") <= 16


async def test_setting_that_needs_another_first_is_written_after_it(
    aws: Connection, fake: FakeLambda, function: Function
) -> None:
    def refuse_early(account: Account, parameters: Parameters) -> Answer:
        if "Timeout" in parameters and function.latest["MemorySize"] != 256:
            raise invalid("MemorySize has to be 256 first")
        return update_function_configuration(account, parameters)

    fake.overrides["lambda", "update_function_configuration"] = refuse_early
    assert (await restored(aws)).leftovers == []
    assert (function.latest["Timeout"], function.latest["MemorySize"]) == (10, 256)


async def test_code_that_a_setting_forbids_is_written_after_it(
    aws: Connection, fake: FakeLambda, function: Function
) -> None:
    configure(fake, Runtime="python3.12")
    fake.blocked_runtimes = frozenset({"python3.12"})
    settings = {**BEFORE.settings, "Runtime": "python3.13"}
    written = {**name_variables(WRITTEN), "Runtime": "python3.12"}
    answer = await restored(
        aws, before=BEFORE.model_copy(update={"settings": settings}), written=written
    )
    assert answer.leftovers == []
    assert (function.code, function.latest["Runtime"]) == (b"one", "python3.13")


async def test_denied_code_keeps_no_setting_waiting(fake: FakeLambda, function: Function) -> None:
    fake.fail("update_function_code", "AccessDeniedException", "no lambda:UpdateFunctionCode")
    with pytest.raises(ApplicationError, match="no lambda:UpdateFunctionCode") as caught:
        await restored(fake)
    assert caught.value.type == "Denied"
    assert (function.code, function.latest["Timeout"]) == (b"two", 10)


async def test_package_that_is_too_large_names_its_version(
    aws: Connection, function: Function
) -> None:
    function.versions["1"]["CodeSize"] = 60_000_000
    (leftover,) = (await restored(aws)).leftovers
    assert (leftover.name, leftover.reason, leftover.version) == ("code", "too_large", "1")
    assert function.latest["Timeout"] == 10


async def test_package_that_is_too_large_comes_from_s3(
    aws: Connection, fake: FakeLambda, function: Function
) -> None:
    function.versions["1"]["CodeSize"] = 60_000_000
    fake.upload("one.zip", "one", version="v1")
    package = {"S3Bucket": "artifacts", "S3Key": "one.zip", "S3ObjectVersion": "v1"}
    assert (await restored(aws, package=package)).leftovers == []
    assert function.code == b"one"


async def test_package_that_is_gone_from_s3_is_refused(aws: Connection, function: Function) -> None:
    function.versions["1"]["CodeSize"] = 60_000_000
    package = {"S3Bucket": "artifacts", "S3Key": "one.zip", "S3ObjectVersion": "v1"}
    answer = await restored(aws, package=package)
    assert show(answer.leftovers) == {"code": "refused"}
    assert "NoSuchKey" in answer.leftovers[0].cause
    assert function.latest["Timeout"] == 10


async def test_setting_that_fails_slowly_is_left_out_in_one_attempt(
    fake: FakeLambda, function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "POLL_SECONDS_PER_ATTEMPT", 0.05)
    fake.polls = 1  # longer than one poll lasts

    def fail_layers(call: Call) -> None:
        fake.update_fails = "the layer is too large" if "Layers" in call.parameters else None

    fake.before("update_function_configuration", fail_layers, times=None)
    answer = await restored(fake)
    assert show(answer.leftovers) == {"Layers": "refused"}
    assert "the layer is too large" in answer.leftovers[0].cause
    assert function.latest["Timeout"] == 10

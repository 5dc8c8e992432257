"""What is put back when a release fails, in which order, and for how long that is tried."""

from __future__ import annotations

from typing import Any

import pytest

from activities.limits.priority import RollbackAnnouncements
from tests.fake_lambda import FakeLambda
from tests.fakes.functions import sha256
from tests.harness import ALL_AT_ONCE, CANARY, Harness, read_ending
from workflows.temporal import interceptors

REFUSED = {"hooks": {"after_traffic": "smoke"}}


def refusing(aws: FakeLambda) -> None:
    """Let the hook after the last move refuse, so that everything has to be put back."""
    aws.hook("smoke", lambda _: {"accept": False, "reason": "500"})


def back(harness: Harness) -> None:
    """The alias and ``$LATEST`` are as they were."""
    assert harness.aws.routing(harness.function) == ("2", {})
    assert harness.state.latest["CodeSha256"] == harness.state.versions["2"]["CodeSha256"]


# --- what is put back, and in which order ----------------------------------------------------------------------------------------


async def test_the_alias_goes_back_before_everything_else(harness: Harness) -> None:
    refusing(harness.aws)
    harness.aws.somebody(
        "put_function_concurrency", FunctionName=harness.function, ReservedConcurrentExecutions=20
    )
    end = await harness.release(
        artifact=harness.package("three"),
        configuration={"Timeout": 9},
        concurrency={"reserved": 50, "provisioned": 5},
        **REFUSED,
        **ALL_AT_ONCE,
    )
    assert end.kind == "ReleaseRolledBack"
    calls = harness.aws.since(harness.aws.operations.index("invoke") + 1)
    assert calls[0] == "update_alias"
    assert [name for name in calls if not name.startswith("get_")] == [
        "update_alias",
        "delete_provisioned_concurrency_config",
        "put_function_concurrency",
        "update_function_code",
        "update_function_configuration",
    ]
    back(harness)
    assert harness.state.latest["Timeout"] == 3
    assert (harness.state.reserved, harness.state.provisioned) == (20, {})


async def test_what_was_not_changed_is_not_put_back(harness: Harness) -> None:
    refusing(harness.aws)
    end = await harness.release(artifact={"kind": "version", "version": "1"}, **REFUSED, **CANARY)
    assert end.kind == "ReleaseRolledBack"
    assert set(harness.aws.writes) == {"update_alias"}
    back(harness)


async def test_a_reservation_that_there_was_not_is_given_back(harness: Harness) -> None:
    refusing(harness.aws)
    await harness.release(
        artifact=harness.package("three"), concurrency={"reserved": 50}, **REFUSED, **ALL_AT_ONCE
    )
    assert harness.state.reserved is None
    back(harness)


async def test_the_old_version_keeps_its_provisioned_concurrency_to_the_end(
    harness: Harness,
) -> None:
    refusing(harness.aws)
    harness.aws.somebody(
        "put_provisioned_concurrency_config",
        FunctionName=harness.function,
        Qualifier="2",
        ProvisionedConcurrentExecutions=3,
    )
    await harness.release(
        artifact=harness.package("three"), concurrency={"provisioned": 5}, **REFUSED, **CANARY
    )
    assert {
        version: config["RequestedProvisionedConcurrentExecutions"]
        for version, config in harness.state.provisioned.items()
    } == {"2": 3}


async def test_a_version_that_had_provisioned_concurrency_gets_it_back(harness: Harness) -> None:
    refusing(harness.aws)
    harness.aws.somebody(
        "put_provisioned_concurrency_config",
        FunctionName=harness.function,
        Qualifier="1",
        ProvisionedConcurrentExecutions=3,
    )
    artifact = {"kind": "version", "version": "1"}
    await harness.release(artifact=artifact, concurrency={"provisioned": 5}, **REFUSED, **CANARY)
    assert {
        version: config["RequestedProvisionedConcurrentExecutions"]
        for version, config in harness.state.provisioned.items()
    } == {"1": 3}


async def test_environment_values_are_put_back_and_shown_to_nobody(harness: Harness) -> None:
    harness.aws.create(
        harness.function, "one", "two", Environment={"Variables": {"TOKEN": "old-secret"}}
    )
    refusing(harness.aws)
    end = await harness.release(
        configuration={"Environment": {"Variables": {"TOKEN": "new-secret"}}},
        **REFUSED,
        **ALL_AT_ONCE,
    )
    assert end.kind == "ReleaseRolledBack"
    assert harness.state.latest["Environment"] == {"Variables": {"TOKEN": "old-secret"}}
    history = (await harness.rollout.fetch_history()).to_json()
    assert "old-secret" not in history


async def test_an_image_is_put_back_by_its_digest(harness: Harness) -> None:
    harness.aws.create(harness.function, "checkout", image=True)
    refusing(harness.aws)
    uri = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/checkout:2"
    end = await harness.release(artifact={"kind": "image", "uri": uri}, **REFUSED, **CANARY)
    assert end.kind == "ReleaseRolledBack"
    assert harness.aws.routing(harness.function) == ("1", {})
    assert harness.state.latest["CodeSha256"] == harness.state.versions["1"]["CodeSha256"]


async def test_after_a_first_release_there_is_nothing_to_put_latest_back_to(
    harness: Harness,
) -> None:
    del harness.state.aliases["live"]
    refusing(harness.aws)
    end = await harness.release(artifact=harness.package("three"), **REFUSED)
    assert end.kind == "ReleaseRolledBack"
    assert "stay as released" in end.text
    assert "live" not in harness.state.aliases


async def test_after_a_roll_back_the_same_release_can_be_tried_again(harness: Harness) -> None:
    refusing(harness.aws)
    assert (
        await harness.release(artifact=harness.package("three"), **REFUSED, **ALL_AT_ONCE)
    ).kind == "ReleaseRolledBack"
    end = await harness.release(artifact=harness.package("three"), **ALL_AT_ONCE)
    assert end.kind == "Completed"
    version, _ = harness.aws.routing(harness.function)
    assert harness.state.versions[version]["CodeSha256"] == sha256(b"three")


# --- an error of AWS's in each step ----------------------------------------------------------------------------------------------

FULL: dict[str, Any] = {
    "configuration": {"Timeout": 9},
    "concurrency": {"reserved": 50, "provisioned": 5},
    **CANARY,
}


@pytest.mark.parametrize(
    ("operation", "skip"),
    [
        ("update_function_code", 0),
        ("update_function_configuration", 0),
        ("publish_version", 0),
        ("put_function_concurrency", 0),
        ("put_provisioned_concurrency_config", 0),
        ("update_alias", 0),
        ("update_alias", 1),
    ],
)
async def test_an_error_in_any_step_puts_everything_back(
    harness: Harness, operation: str, skip: int
) -> None:
    harness.aws.fail(operation, "AccessDeniedException", f"no {operation}", skip=skip)
    end = await harness.release(artifact=harness.package("three"), **FULL)
    assert end.kind == "ReleaseRolledBack", end
    assert f"no {operation}" in end.text
    back(harness)
    assert harness.state.latest["Timeout"] == 3
    assert (harness.state.reserved, harness.state.provisioned) == (None, {})


async def test_an_update_that_fails_to_settle_puts_everything_back(harness: Harness) -> None:
    harness.aws.update_fails = "the image has no such layer"
    harness.aws.before(
        "update_function_code", lambda _: setattr(harness.aws, "update_fails", None), skip=1
    )
    end = await harness.release(artifact=harness.package("three"), **CANARY)
    assert end.kind == "ReleaseRolledBack"
    assert "the image has no such layer" in end.text
    back(harness)


async def test_a_candidate_that_cannot_be_created_gets_no_traffic(harness: Harness) -> None:
    harness.aws.creation_fails = "out of addresses"
    end = await harness.release(artifact=harness.package("three"), **CANARY)
    assert end.kind == "ReleaseRolledBack"
    assert "out of addresses" in end.text
    assert "update_alias" not in harness.aws.operations


async def test_concurrency_that_cannot_be_provisioned_gets_no_traffic(harness: Harness) -> None:
    harness.aws.provisioning_fails = "FUNCTION_ERROR_INIT_FAILURE"
    end = await harness.release(
        artifact=harness.package("three"), concurrency={"provisioned": 5}, **CANARY
    )
    assert end.kind == "ReleaseRolledBack"
    assert "FUNCTION_ERROR_INIT_FAILURE" in end.text
    assert "update_alias" not in harness.aws.operations
    assert harness.state.provisioned == {}


async def test_a_package_that_is_not_there_changes_nothing(harness: Harness) -> None:
    end = await harness.release(artifact={"kind": "s3", "bucket": "artifacts", "key": "typo.zip"})
    assert end.kind == "ReleaseRolledBack"
    assert "NoSuchKey" in end.text
    assert harness.aws.writes == []
    back(harness)


@pytest.mark.parametrize("code", ["TooManyRequestsException", "ConnectionClosedError"])
@pytest.mark.parametrize("operation", ["update_function_code", "publish_version", "update_alias"])
async def test_an_error_that_passes_delays_a_release_and_no_more(
    harness: Harness, operation: str, code: str
) -> None:
    harness.aws.fail(operation, code, times=2)
    end = await harness.release(artifact=harness.package("three"), **ALL_AT_ONCE)
    assert end.kind == "Completed"
    assert list(harness.state.versions) == ["1", "2", "3"]


# --- lost answers ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "skip"),
    [
        ("update_function_code", 0),
        ("update_function_configuration", 0),
        ("publish_version", 0),
        ("put_function_concurrency", 0),
        ("put_provisioned_concurrency_config", 0),
        ("update_alias", 0),
        ("update_alias", 1),
    ],
)
async def test_a_lost_answer_to_any_write_is_no_second_write(
    harness: Harness, operation: str, skip: int
) -> None:
    harness.aws.lose(operation, skip=skip)
    end = await harness.release(artifact=harness.package("three"), **FULL)
    assert end.kind == "Completed", end
    assert list(harness.state.versions) == ["1", "2", "3"]
    assert harness.aws.routing(harness.function) == ("3", {})
    if operation not in {
        "put_function_concurrency",
        "put_provisioned_concurrency_config",
    }:  # absolute: again does no harm
        assert harness.aws.writes.count(operation) == (2 if operation == "update_alias" else 1)


async def test_a_lost_answer_to_the_creation_of_the_alias_is_no_second_creation(
    harness: Harness,
) -> None:
    del harness.state.aliases["live"]
    harness.aws.lose("create_alias")
    end = await harness.release(artifact=harness.package("three"))
    assert end.kind == "Completed"
    assert harness.aws.writes.count("create_alias") == 1


async def test_a_lost_answer_while_the_update_is_in_progress_is_waited_for(
    harness: Harness,
) -> None:
    harness.aws.looks = 1
    harness.aws.lose("update_function_code")
    end = await harness.release(artifact=harness.package("three"), **ALL_AT_ONCE)
    assert end.kind == "Completed"
    assert harness.aws.writes.count("update_function_code") == 1


@pytest.mark.parametrize(
    "operation", ["update_alias", "update_function_code", "update_function_configuration"]
)
async def test_a_lost_answer_in_the_undo_is_no_failure(harness: Harness, operation: str) -> None:
    refusing(harness.aws)
    harness.aws.lose(operation, skip=1)
    end = await harness.release(
        artifact=harness.package("three"), configuration={"Timeout": 9}, **REFUSED, **ALL_AT_ONCE
    )
    assert end.kind == "ReleaseRolledBack"
    assert "could not be put back" not in end.text
    back(harness)


async def test_an_abort_while_the_answer_to_a_move_is_lost_knows_where_the_alias_is(
    harness: Harness,
) -> None:
    harness.aws.lose("update_alias")
    hold = harness.aws.hold("get_alias", skip=1)  # the look before the second attempt
    handle = await harness.begin(artifact=harness.package("three"), **CANARY)
    await harness.wait_for(hold.reached)
    await harness.send("abort")
    hold.release()
    assert (await harness.finish(handle)).kind == "ReleaseRolledBack"
    back(harness)


async def test_a_move_that_failed_with_its_answer_lost_is_still_put_back(harness: Harness) -> None:
    harness.aws.lose("update_alias")
    harness.aws.fail(
        "get_alias", "AccessDeniedException", "no lambda:GetAlias", skip=1
    )  # the look before the second attempt
    end = await harness.release(artifact=harness.package("three"), **CANARY)
    assert end.kind == "ReleaseRolledBack", end
    assert harness.aws.writes.count("update_alias") == 2
    back(harness)


# --- for how long, and what if not -----------------------------------------------------------------------------------------------


async def test_an_undo_outlasts_an_hour_without_aws(harness: Harness) -> None:
    refusing(harness.aws)
    down = harness.aws.fail(
        "update_alias", "ServiceException", skip=1, times=120
    )  # 1 + 2 + 4 + 8 + 16 + 115 × 30 s
    handle = await harness.start(
        "Release", harness.request(artifact=harness.package("three"), **REFUSED, **ALL_AT_ONCE)
    )
    end = await read_ending(handle, seconds=60)
    assert end.kind == "ReleaseRolledBack"
    assert down.met == 120
    back(harness)


async def test_while_the_undo_goes_on_the_phase_says_so(harness: Harness) -> None:
    refusing(harness.aws)
    hold = harness.aws.hold("update_alias", skip=1)
    handle = await harness.begin(artifact=harness.package("three"), **REFUSED, **ALL_AT_ONCE)
    await harness.wait_for(hold.reached)
    status = await harness.status()
    assert status.phase == "rolling_back"
    assert "hook smoke (after_traffic) refused version 3: 500" in status.note
    hold.release()
    assert (await harness.finish(handle)).kind == "ReleaseRolledBack"


async def test_an_undo_that_is_denied_fails_and_says_where_the_alias_is(harness: Harness) -> None:
    refusing(harness.aws)
    harness.aws.fail(
        "update_alias", "AccessDeniedException", "no lambda:UpdateAlias", skip=1, times=None
    )
    handle = await harness.start(
        "Release", harness.request(artifact=harness.package("three"), **REFUSED, **ALL_AT_ONCE)
    )
    end = await read_ending(handle)
    assert end.kind == "RollbackFailed"
    assert "500" in end.text
    assert "no lambda:UpdateAlias" in end.text
    assert end.status is not None
    assert (end.status.phase, end.status.stable, end.status.candidate) == ("rolling_back", "2", "3")
    assert harness.aws.calls[-1].operation == "update_alias"  # nothing more is touched


async def test_what_cannot_be_put_back_besides_the_alias_is_said(harness: Harness) -> None:
    refusing(harness.aws)
    harness.aws.fail(
        "update_function_code",
        "AccessDeniedException",
        "no lambda:UpdateFunctionCode",
        skip=1,
        times=None,
    )
    end = await harness.release(artifact=harness.package("three"), **REFUSED, **ALL_AT_ONCE)
    assert end.kind == "ReleaseRolledBack"
    assert "code of $LATEST could not be put back" in end.text
    assert "no lambda:UpdateFunctionCode" in end.text
    assert harness.aws.routing(harness.function) == ("2", {})


async def test_the_calls_of_an_undo_go_before_all_others(harness: Harness) -> None:
    refusing(harness.aws)
    await harness.release(artifact=harness.package("three"), **REFUSED, **ALL_AT_ONCE)
    scheduled = [
        event.activity_task_scheduled_event_attributes
        async for event in harness.rollout.fetch_history_events()
        if event.HasField("activity_task_scheduled_event_attributes")
    ]
    priorities = {
        (activity.activity_type.name, activity.priority.priority_key) for activity in scheduled
    }
    assert ("update_alias", 1) in priorities
    assert ("restore_latest", 1) in priorities
    assert ("update_function_code", 1) not in priorities


async def test_the_worker_hears_of_what_restores_service_and_of_nothing_else(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    announced = RollbackAnnouncements()
    monkeypatch.setattr(interceptors, "ROLLBACK_ANNOUNCEMENTS", announced)
    assert (
        await harness.release(artifact=harness.package("three"), **ALL_AT_ONCE)
    ).kind == "Completed"
    assert not announced.consume()
    refusing(harness.aws)
    assert (
        await harness.release(artifact=harness.package("four"), **REFUSED, **ALL_AT_ONCE)
    ).kind == "ReleaseRolledBack"
    assert announced.consume()

"""The undo: what a failed release restores, in which order, and for how long."""

from __future__ import annotations

from typing import Any

import pytest

from activities.limits.priority import RollbackAnnouncements
from tests.fake_lambda.account import compute_sha256
from tests.fake_lambda.refusals import Refusal
from tests.harness import ALL_AT_ONCE, CANARY, Harness, read_ending
from workflows.temporal import interceptors

FULL: dict[str, Any] = {
    "configuration": {"Timeout": 9},
    "concurrency": {"reserved": 50, "provisioned": 5},
    **CANARY,
}
WRITES = [
    ("update_function_code", 0),
    ("update_function_configuration", 0),
    ("publish_version", 0),
    ("put_function_concurrency", 0),
    ("put_provisioned_concurrency_config", 0),
    ("update_alias", 0),
    ("update_alias", 1),
]
"""The writes of :data:`FULL`, each with the number of those of its kind before it."""


def add_refusing_hook(harness: Harness) -> dict[str, Any]:
    """Let the hook after the last move refuse, so that everything has to be restored."""
    harness.aws.hook("smoke", lambda _: {"accept": False, "reason": "500"})
    return {"hooks": {"after_traffic": "smoke"}}


# --- order and contents ---


async def test_alias_is_restored_before_everything_else(harness: Harness) -> None:
    harness.aws.apply(
        "put_function_concurrency", FunctionName=harness.function, ReservedConcurrentExecutions=20
    )
    end = await harness.release(
        artifact=harness.package("three"),
        configuration={"Timeout": 9},
        concurrency={"reserved": 50, "provisioned": 5},
        **add_refusing_hook(harness),
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
    harness.assert_restored()
    assert harness.state.latest["Timeout"] == 3
    assert (harness.state.reserved, harness.state.provisioned) == (20, {})


async def test_unchanged_settings_are_not_restored(harness: Harness) -> None:
    end = await harness.release(
        artifact={"kind": "version", "version": "1"}, **add_refusing_hook(harness), **CANARY
    )
    assert end.kind == "ReleaseRolledBack"
    assert set(harness.aws.writes) == {"update_alias"}
    harness.assert_restored()


async def test_new_reservation_is_deleted(harness: Harness) -> None:
    await harness.release(
        artifact=harness.package("three"),
        concurrency={"reserved": 50},
        **add_refusing_hook(harness),
        **ALL_AT_ONCE,
    )
    assert harness.state.reserved is None
    harness.assert_restored()


@pytest.mark.parametrize("provisioned", ["stable", "candidate"])
async def test_provisioned_concurrency_is_restored(harness: Harness, provisioned: str) -> None:
    version = "2" if provisioned == "stable" else "1"
    artifacts = {
        "stable": harness.package("three"),
        "candidate": {"kind": "version", "version": version},
    }
    harness.aws.apply(
        "put_provisioned_concurrency_config",
        FunctionName=harness.function,
        Qualifier=version,
        ProvisionedConcurrentExecutions=3,
    )
    await harness.release(
        artifact=artifacts[provisioned],
        concurrency={"provisioned": 5},
        **add_refusing_hook(harness),
        **CANARY,
    )
    assert {
        version: config["RequestedProvisionedConcurrentExecutions"]
        for version, config in harness.state.provisioned.items()
    } == {version: 3}


async def test_environment_values_are_restored_and_not_in_the_history(harness: Harness) -> None:
    harness.aws.create(
        harness.function, "one", "two", Environment={"Variables": {"TOKEN": "old-secret"}}
    )
    end = await harness.release(
        configuration={"Environment": {"Variables": {"TOKEN": "new-secret"}}},
        **add_refusing_hook(harness),
        **ALL_AT_ONCE,
    )
    assert end.kind == "ReleaseRolledBack"
    assert harness.state.latest["Environment"] == {"Variables": {"TOKEN": "old-secret"}}
    history = (await harness.rollout.fetch_history()).to_json()
    assert "old-secret" not in history


async def test_image_is_restored_by_its_digest(harness: Harness) -> None:
    harness.aws.create(harness.function, "checkout", image=True)
    uri = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/checkout:2"
    end = await harness.release(
        artifact={"kind": "image", "uri": uri}, **add_refusing_hook(harness), **CANARY
    )
    assert end.kind == "ReleaseRolledBack"
    assert harness.aws.routing(harness.function) == ("1", {})
    assert harness.state.latest["CodeSha256"] == harness.state.versions["1"]["CodeSha256"]


async def test_unpublished_latest_of_a_first_release_stays_as_released(
    harness: Harness,
) -> None:
    del harness.state.aliases["live"]
    harness.aws.overwrite(harness.function, "never published")
    end = await harness.release(artifact=harness.package("three"), **add_refusing_hook(harness))
    assert end.kind == "ReleaseRolledBack"
    assert "was never published, and the release's is there now" in end.text
    assert "live" not in harness.state.aliases


async def test_rolled_back_release_can_be_repeated(harness: Harness) -> None:
    assert (
        await harness.release(
            artifact=harness.package("three"), **add_refusing_hook(harness), **ALL_AT_ONCE
        )
    ).kind == "ReleaseRolledBack"
    end = await harness.release(
        artifact=harness.package("three"), again=True, reason="the hook is mended", **ALL_AT_ONCE
    )
    assert end.kind == "Completed", end
    version, _ = harness.aws.routing(harness.function)
    assert harness.state.versions[version]["CodeSha256"] == compute_sha256(b"three")


# --- errors of AWS ---


@pytest.mark.parametrize(("operation", "skip"), WRITES)
async def test_error_in_any_step_restores_everything(
    harness: Harness, operation: str, skip: int
) -> None:
    harness.aws.fail(operation, "InvalidParameterValueException", f"no {operation}", skip=skip)
    end = await harness.release(artifact=harness.package("three"), **FULL)
    assert end.kind == "ReleaseRolledBack", end
    assert f"no {operation}" in end.text
    harness.assert_restored()
    assert harness.state.latest["Timeout"] == 3
    assert (harness.state.reserved, harness.state.provisioned) == (None, {})


async def test_update_that_fails_to_settle_restores_everything(harness: Harness) -> None:
    harness.aws.update_fails = "the image has no such layer"
    harness.aws.before(
        "update_function_code", lambda _: setattr(harness.aws, "update_fails", None), skip=1
    )
    end = await harness.release(artifact=harness.package("three"), **CANARY)
    assert end.kind == "ReleaseRolledBack"
    assert "the image has no such layer" in end.text
    harness.assert_restored()


async def test_candidate_that_cannot_be_created_gets_no_traffic(harness: Harness) -> None:
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


async def test_package_that_only_lambda_finds_missing_changes_nothing(harness: Harness) -> None:
    harness.aws.lists_buckets = False
    end = await harness.release(artifact={"kind": "s3", "bucket": "artifacts", "key": "typo.zip"})
    assert end.kind == "ReleaseRolledBack"
    assert "NoSuchKey" in end.text
    assert harness.aws.writes == []
    harness.assert_restored()


@pytest.mark.parametrize("code", ["TooManyRequestsException", "ConnectionClosedError"])
@pytest.mark.parametrize("operation", ["update_function_code", "publish_version", "update_alias"])
async def test_transient_error_only_delays_a_release(
    harness: Harness, operation: str, code: str
) -> None:
    harness.aws.fail(operation, code, times=2)
    end = await harness.release(artifact=harness.package("three"), **ALL_AT_ONCE)
    assert end.kind == "Completed"
    assert list(harness.state.versions) == ["1", "2", "3"]


# --- lost responses ---


@pytest.mark.parametrize(("operation", "skip"), WRITES)
async def test_lost_response_to_a_write_is_no_second_write(
    harness: Harness, operation: str, skip: int
) -> None:
    harness.aws.lose(operation, skip=skip)
    end = await harness.release(artifact=harness.package("three"), **FULL)
    assert end.kind == "Completed", end
    assert list(harness.state.versions) == ["1", "2", "3"]
    assert harness.aws.routing(harness.function) == ("3", {})
    # Concurrency is set to an absolute value: a second write does no harm.
    if operation not in {"put_function_concurrency", "put_provisioned_concurrency_config"}:
        assert harness.aws.writes.count(operation) == (2 if operation == "update_alias" else 1)


async def test_lost_response_to_create_alias_is_no_second_creation(
    harness: Harness,
) -> None:
    del harness.state.aliases["live"]
    harness.aws.lose("create_alias")
    end = await harness.release(artifact=harness.package("three"))
    assert end.kind == "Completed"
    assert harness.aws.writes.count("create_alias") == 1


async def test_lost_response_to_an_update_in_progress_is_waited_for(
    harness: Harness,
) -> None:
    harness.aws.polls = 1
    harness.aws.lose("update_function_code")
    end = await harness.release(artifact=harness.package("three"), **ALL_AT_ONCE)
    assert end.kind == "Completed"
    assert harness.aws.writes.count("update_function_code") == 1


@pytest.mark.parametrize(
    "operation", ["update_alias", "update_function_code", "update_function_configuration"]
)
async def test_lost_response_in_the_undo_is_no_failure(harness: Harness, operation: str) -> None:
    harness.aws.lose(operation, skip=1)
    end = await harness.release(
        artifact=harness.package("three"),
        configuration={"Timeout": 9},
        **add_refusing_hook(harness),
        **ALL_AT_ONCE,
    )
    assert end.kind == "ReleaseRolledBack"
    assert "could not be put back" not in end.text
    harness.assert_restored()


async def test_abort_during_a_lost_response_restores_the_alias(
    harness: Harness,
) -> None:
    harness.aws.lose("update_alias")
    hold = harness.aws.hold("get_alias", skip=1)  # the read before the second attempt
    handle = await harness.begin(artifact=harness.package("three"), **CANARY)
    await harness.wait_for(hold.reached)
    await harness.send("abort")
    hold.release()
    assert (await harness.finish(handle)).kind == "ReleaseRolledBack"
    harness.assert_restored()


async def test_move_whose_response_is_lost_is_reverted(harness: Harness) -> None:
    harness.aws.lose("update_alias")
    # The read before the second attempt.
    harness.aws.fail("get_alias", "InvalidParameterValueException", "no GetAlias", skip=1)
    end = await harness.release(artifact=harness.package("three"), **CANARY)
    assert end.kind == "ReleaseRolledBack", end
    assert harness.aws.writes.count("update_alias") == 2
    harness.assert_restored()


# --- duration and failure ---


async def test_undo_outlasts_an_hour_without_aws(harness: Harness) -> None:
    # The retries come after 1, 2, 4, 8 and 16 s, then each 30 s.
    outage = harness.aws.fail("update_alias", "ServiceException", skip=1, times=120)
    handle = await harness.start(
        "Release",
        harness.request(
            artifact=harness.package("three"), **add_refusing_hook(harness), **ALL_AT_ONCE
        ),
    )
    end = await read_ending(handle)
    assert end.kind == "ReleaseRolledBack"
    assert outage.met == 120
    harness.assert_restored()


async def test_phase_during_the_undo_is_rolling_back(harness: Harness) -> None:
    hold = harness.aws.hold("update_alias", skip=1)
    handle = await harness.begin(
        artifact=harness.package("three"), **add_refusing_hook(harness), **ALL_AT_ONCE
    )
    await harness.wait_for(hold.reached)
    status = await harness.status()
    assert status.phase == "rolling_back"
    assert "hook smoke (after_traffic) refused version 3: 500" in status.note
    hold.release()
    assert (await harness.finish(handle)).kind == "ReleaseRolledBack"


async def test_calls_of_an_undo_have_the_highest_priority(harness: Harness) -> None:
    await harness.release(
        artifact=harness.package("three"), **add_refusing_hook(harness), **ALL_AT_ONCE
    )
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


async def test_rollback_activities_are_announced_to_their_worker(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    announced = RollbackAnnouncements()
    monkeypatch.setattr(interceptors, "ROLLBACK_ANNOUNCEMENTS", announced)
    assert (
        await harness.release(artifact=harness.package("three"), **ALL_AT_ONCE)
    ).kind == "Completed"
    assert not announced.consume(harness.queue)
    assert (
        await harness.release(
            artifact=harness.package("four"), **add_refusing_hook(harness), **ALL_AT_ONCE
        )
    ).kind == "ReleaseRolledBack"
    assert announced.consume(harness.queue)


async def test_denied_first_move_is_no_failure_of_the_undo(harness: Harness) -> None:
    harness.aws.fail("update_alias", "AccessDeniedException", "no lambda:UpdateAlias", times=None)
    end = await harness.release(artifact=harness.package("three"), **CANARY)
    assert end.kind == "ReleaseRolledBack", end
    harness.assert_restored()


async def test_move_that_arrives_after_its_timeout_is_refused(
    harness: Harness,
) -> None:
    late: list[dict[str, Any]] = []
    harness.aws.before("update_alias", lambda call: late.append(dict(call.parameters)))
    harness.aws.fail("update_alias", "ReadTimeoutError")
    hold = harness.aws.hold("get_alias", skip=1)  # the read before the second attempt
    handle = await harness.begin(artifact=harness.package("three"), **CANARY)
    await harness.wait_for(hold.reached)
    await harness.send("abort")
    hold.release()
    assert (await harness.finish(handle)).kind == "ReleaseRolledBack"
    with pytest.raises(Refusal, match="Revision Id provided does not match"):
        harness.aws.apply("update_alias", **late[0])
    harness.assert_restored()


async def test_provisioned_concurrency_is_lowered_before_the_reservation(harness: Harness) -> None:
    name = {"FunctionName": harness.function}
    harness.aws.apply("put_function_concurrency", **name, ReservedConcurrentExecutions=20)
    harness.aws.apply(
        "put_provisioned_concurrency_config",
        **name,
        Qualifier="1",
        ProvisionedConcurrentExecutions=10,
    )
    end = await harness.release(
        artifact={"kind": "version", "version": "1"},
        concurrency={"reserved": 50, "provisioned": 40},
        **add_refusing_hook(harness),
        **CANARY,
    )
    assert end.kind == "ReleaseRolledBack"
    assert "could not be put back" not in end.text
    assert harness.state.reserved == 20
    assert harness.state.provisioned["1"]["RequestedProvisionedConcurrentExecutions"] == 10


async def test_description_of_the_function_is_kept(harness: Harness) -> None:
    harness.state.latest["Description"] = "the checkout"
    assert (
        await harness.release(artifact=harness.package("three"), **ALL_AT_ONCE)
    ).kind == "Completed"
    end = await harness.release(
        configuration={"Timeout": 9, "Description": "new"},
        **add_refusing_hook(harness),
        **ALL_AT_ONCE,
    )
    assert end.kind == "ReleaseRolledBack"
    assert harness.state.latest["Timeout"] == 3
    assert harness.state.latest["Description"] == "the checkout"

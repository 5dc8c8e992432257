"""Preflight: what a release refuses before it changes anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.harness import ALL_AT_ONCE, CANARY, Ending, Harness, read_ending

OTHER_ROLE = "arn:aws:iam::123456789012:role/other"
QUEUE = "arn:aws:sqs:eu-central-1:123456789012:failed"


def assert_rejected(end: Ending, harness: Harness, *words: str) -> None:
    """It was rejected with these words, and AWS was only read."""
    assert end.kind == "ReleaseRejected", end
    assert all(word in end.text for word in words), end.text
    assert end.status is not None
    assert end.status.phase == "rejected"
    assert harness.aws.writes == []
    assert harness.aws.of("invoke") == []


def _change_role_of_version_1(harness: Harness) -> None:
    harness.state.versions["1"]["Role"] = OTHER_ROLE


def _set_weights(harness: Harness) -> None:
    harness.move_alias("1", {"2": 0.25})


def _point_alias_at_latest(harness: Harness) -> None:
    harness.move_alias("$LATEST")


def _start_update(harness: Harness) -> None:
    harness.state.latest["LastUpdateStatus"], harness.state.polls = "InProgress", 9


def _provision_alias(harness: Harness) -> None:
    harness.aws.apply(
        "put_provisioned_concurrency_config",
        FunctionName=harness.function,
        Qualifier="live",
        ProvisionedConcurrentExecutions=1,
    )


def _provision_version_2(harness: Harness) -> None:
    harness.aws.apply(
        "put_provisioned_concurrency_config",
        FunctionName=harness.function,
        Qualifier="2",
        ProvisionedConcurrentExecutions=4,
    )


def _raise_alarm(harness: Harness) -> None:
    harness.aws.alarms["errors"] = "ALARM"


def _change_nothing(harness: Harness) -> None:
    del harness


VERSION_1 = {"artifact": {"kind": "version", "version": "1"}}
CODE = {"artifact": {"kind": "s3", "bucket": "artifacts", "key": "three.zip"}}
IMAGE = {
    "artifact": {
        "kind": "image",
        "uri": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/checkout:2",
    }
}


@pytest.mark.parametrize(
    ("arrange", "keys", "words"),
    [
        (
            _change_nothing,
            {"artifact": {"kind": "version", "version": "9"}},
            ["artifact.version", "not found", ":9"],
        ),
        (_point_alias_at_latest, CODE, ["target.alias", "$LATEST"]),
        (_set_weights, CODE, ["target.alias", "weights", "25% to version 2"]),
        (
            _change_role_of_version_1,
            VERSION_1 | CANARY,
            ["strategy", "roles", OTHER_ROLE, "AllAtOnce"],
        ),
        (
            _change_nothing,
            {"configuration": {"Role": OTHER_ROLE}} | CANARY,
            ["strategy", "roles", OTHER_ROLE],
        ),
        (
            _change_nothing,
            {"configuration": {"DeadLetterConfig": {"TargetArn": QUEUE}}} | CANARY,
            ["strategy", "dead-letter", QUEUE],
        ),
        (_provision_alias, CODE | CANARY, ["target.alias", "provisioned concurrency itself"]),
        (
            _provision_alias,
            CODE | ALL_AT_ONCE | {"concurrency": {"provisioned": 2}},
            ["concurrency.provisioned"],
        ),
        (
            _change_nothing,
            CODE | {"concurrency": {"reserved": 901}},
            ["concurrency.reserved", "901", "at most 900"],
        ),
        (
            _change_nothing,
            CODE | {"concurrency": {"reserved": 4, "provisioned": 5}},
            ["concurrency.provisioned", "5", "4"],
        ),
        (
            _provision_version_2,
            CODE | {"concurrency": {"reserved": 8, "provisioned": 5}},
            ["concurrency.provisioned", "4 of the live version"],
        ),
        (
            _raise_alarm,
            CODE | {"guards": {"alarms": ["errors"]}},
            ["guards.alarms", "errors is in ALARM already"],
        ),
        (
            _change_nothing,
            CODE | {"guards": {"alarms": ["typo"]}},
            ["guards.alarms", "there is no alarm typo"],
        ),
        (
            _change_nothing,
            CODE | {"hooks": {"before_traffic": "missing"}},
            ["hooks.before_traffic", "not found"],
        ),
        (
            _change_nothing,
            CODE | {"hooks": {"after_traffic": "missing"}},
            ["hooks.after_traffic", "not found"],
        ),
        (_change_nothing, IMAGE, ["artifact", "not images"]),
    ],
)
async def test_preflight_refuses_the_request_and_nothing_is_written(
    harness: Harness, arrange: Callable[[Harness], None], keys: dict[str, Any], words: list[str]
) -> None:
    harness.package("three")
    arrange(harness)
    assert_rejected(await harness.release(**keys), harness, *words)


async def test_package_for_a_function_of_images_is_refused(harness: Harness) -> None:
    harness.aws.create(harness.function, "checkout", image=True)
    assert_rejected(
        await harness.release(artifact=harness.package("three")),
        harness,
        "artifact",
        "not .zip packages",
    )


async def test_function_that_does_not_exist_is_refused(harness: Harness) -> None:
    end = await read_ending(
        await harness.start(
            "Release", {"target": {"function": "missing"}, "artifact": {"kind": "latest"}}
        )
    )
    assert_rejected(end, harness, "target.function", "missing")


async def test_function_of_another_region_is_refused(harness: Harness) -> None:
    harness.aws.fail(
        "get_function",
        "WrongRegion",
        "the function is in eu-west-1, and this worker in eu-central-1",
        times=None,
    )
    target = {"function": f"arn:aws:lambda:eu-west-1:123456789012:function:{harness.function}"}
    assert_rejected(
        await read_ending(
            await harness.start("Release", {"target": target, "artifact": {"kind": "latest"}})
        ),
        harness,
        "target.function",
        "eu-west-1",
    )


async def test_all_problems_are_listed_at_once(harness: Harness) -> None:
    _set_weights(harness)
    harness.aws.alarms["errors"] = "ALARM"
    end = await harness.release(
        **CODE, guards={"alarms": ["errors", "typo"]}, concurrency={"reserved": 901}
    )
    assert_rejected(
        end, harness, "target.alias", "errors is in ALARM", "no alarm typo", "concurrency.reserved"
    )


async def test_all_missing_hooks_are_listed(harness: Harness) -> None:
    end = await harness.release(
        **CODE, hooks={"before_traffic": "missing", "after_traffic": "missing-too"}
    )
    assert_rejected(end, harness, "hooks.before_traffic", "hooks.after_traffic")


async def test_configuration_alone_never_publishes_foreign_code_in_latest(
    harness: Harness,
) -> None:
    live, left = (
        harness.state.latest["CodeSha256"],
        harness.aws.overwrite(harness.function, "half-done"),
    )
    assert_rejected(
        await harness.release(configuration={"Timeout": 9}), harness, live, left, "latest"
    )


async def test_other_role_may_go_live_all_at_once(harness: Harness) -> None:
    end = await harness.release(configuration={"Role": OTHER_ROLE}, **ALL_AT_ONCE)
    assert end.kind == "Completed"
    assert harness.state.versions["3"]["Role"] == OTHER_ROLE


async def test_alias_with_provisioned_concurrency_may_move_all_at_once(
    harness: Harness,
) -> None:
    _provision_alias(harness)
    end = await harness.release(artifact=harness.package("three"), **ALL_AT_ONCE)
    assert end.kind == "Completed"


async def test_update_in_progress_does_not_stop_a_published_version(harness: Harness) -> None:
    _start_update(harness)
    end = await harness.release(**VERSION_1, **CANARY)
    assert end.kind == "Completed"


@pytest.mark.parametrize("workflow", ["Release", "Rollback"])
async def test_version_that_cannot_serve_traffic_gets_none(harness: Harness, workflow: str) -> None:
    harness.state.versions["1"]["State"] = "Failed"
    what = VERSION_1 if workflow == "Release" else {"version": "1"}
    assert_rejected(
        await read_ending(await harness.start(workflow, harness.request(**what))),
        harness,
        "cannot serve traffic, its State is Failed",
    )


async def test_reads_that_fail_for_a_while_do_not_reject(harness: Harness) -> None:
    harness.aws.fail("get_alias", "TooManyRequestsException", retry_after=1)
    harness.aws.fail("get_function", "ServiceException", times=2)
    end = await harness.release(artifact=harness.package("three"), **ALL_AT_ONCE)
    assert end.kind == "Completed"


async def test_denied_reads_reject_and_name_the_field(harness: Harness) -> None:
    harness.aws.fail("get_alias", "AccessDeniedException", "no lambda:GetAlias", times=None)
    assert_rejected(
        await harness.release(artifact=harness.package("three")),
        harness,
        "target.alias",
        "no lambda:GetAlias",
    )


async def test_read_that_fails_permanently_rejects(harness: Harness) -> None:
    harness.aws.fail(
        "get_function", "ResponseTooLarge", "the answer is larger than 8000000 bytes", times=None
    )
    end = await harness.release(artifact=harness.package("three"))
    assert end.kind == "ReleaseRejected", end


async def test_function_without_an_arn_rejects(harness: Harness) -> None:
    harness.state.latest["FunctionArn"] = "arn:of:nothing"
    end = await harness.release(artifact=harness.package("three"))
    assert end.kind == "ReleaseRejected", end

"""What a release refuses before it touches anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.harness import ALL_AT_ONCE, CANARY, Ending, Harness, read_ending

OTHER_ROLE = "arn:aws:iam::123456789012:role/other"
QUEUE = "arn:aws:sqs:eu-central-1:123456789012:failed"


def rejected(end: Ending, harness: Harness, *words: str) -> None:
    """It was rejected in these words, and AWS was only read."""
    assert end.kind == "ReleaseRejected", end
    assert all(word in end.text for word in words), end.text
    assert end.status is not None
    assert end.status.phase == "rejected"
    assert harness.aws.writes == []
    assert harness.aws.of("invoke") == []


def _no_role_in_common(harness: Harness) -> None:
    harness.state.versions["1"]["Role"] = OTHER_ROLE


def _weights(harness: Harness) -> None:
    routing = {"AdditionalVersionWeights": {"2": 0.25}}
    harness.aws.somebody(
        "update_alias",
        FunctionName=harness.function,
        Name="live",
        FunctionVersion="1",
        RoutingConfig=routing,
    )


def _latest(harness: Harness) -> None:
    harness.aws.somebody(
        "update_alias", FunctionName=harness.function, Name="live", FunctionVersion="$LATEST"
    )


def _updating(harness: Harness) -> None:
    harness.state.latest["LastUpdateStatus"], harness.state.looks = "InProgress", 9


def _alias_provisioned(harness: Harness) -> None:
    harness.aws.somebody(
        "put_provisioned_concurrency_config",
        FunctionName=harness.function,
        Qualifier="live",
        ProvisionedConcurrentExecutions=1,
    )


def _version_provisioned(harness: Harness) -> None:
    harness.aws.somebody(
        "put_provisioned_concurrency_config",
        FunctionName=harness.function,
        Qualifier="2",
        ProvisionedConcurrentExecutions=4,
    )


def _alarming(harness: Harness) -> None:
    harness.aws.alarms["errors"] = "ALARM"


def _nothing(harness: Harness) -> None:
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
            _nothing,
            {"artifact": {"kind": "version", "version": "9"}},
            ["artifact.version", "not found", ":9"],
        ),
        (_latest, CODE, ["target.alias", "$LATEST"]),
        (_weights, CODE, ["target.alias", "weights", "0.25 of the traffic to version 2"]),
        (_updating, CODE, ["in progress already", "InProgress"]),
        (_updating, {"configuration": {"Timeout": 5}}, ["in progress already"]),
        (_no_role_in_common, VERSION_1 | CANARY, ["strategy", "roles", OTHER_ROLE, "AllAtOnce"]),
        (
            _nothing,
            {"configuration": {"Role": OTHER_ROLE}} | CANARY,
            ["strategy", "roles", OTHER_ROLE],
        ),
        (
            _nothing,
            {"configuration": {"DeadLetterConfig": {"TargetArn": QUEUE}}} | CANARY,
            ["strategy", "dead-letter", QUEUE],
        ),
        (_alias_provisioned, CODE | CANARY, ["target.alias", "provisioned concurrency itself"]),
        (
            _alias_provisioned,
            CODE | ALL_AT_ONCE | {"concurrency": {"provisioned": 2}},
            ["concurrency.provisioned"],
        ),
        (
            _nothing,
            CODE | {"concurrency": {"reserved": 901}},
            ["concurrency.reserved", "901", "at most 900"],
        ),
        (
            _nothing,
            CODE | {"concurrency": {"reserved": 4, "provisioned": 5}},
            ["concurrency.provisioned", "5", "4"],
        ),
        (
            _version_provisioned,
            CODE | {"concurrency": {"reserved": 8, "provisioned": 5}},
            ["concurrency.provisioned", "4 of the live version"],
        ),
        (
            _alarming,
            CODE | {"guards": {"alarms": ["errors"]}},
            ["guards.alarms", "errors is in ALARM already"],
        ),
        (
            _nothing,
            CODE | {"guards": {"alarms": ["typo"]}},
            ["guards.alarms", "there is no alarm typo"],
        ),
        (
            _nothing,
            CODE | {"hooks": {"before_traffic": "nobody"}},
            ["hooks.before_traffic", "not found"],
        ),
        (
            _nothing,
            CODE | {"hooks": {"after_traffic": "nobody"}},
            ["hooks.after_traffic", "not found"],
        ),
        (_nothing, IMAGE, ["artifact", "not images"]),
    ],
)
async def test_preflight_refuses_it_and_nothing_is_written(
    harness: Harness, arrange: Callable[[Harness], None], keys: dict[str, Any], words: list[str]
) -> None:
    harness.package("three")
    arrange(harness)
    rejected(await harness.release(**keys), harness, *words)


async def test_a_package_for_a_function_of_images_is_refused(harness: Harness) -> None:
    harness.aws.create(harness.function, "checkout", image=True)
    rejected(
        await harness.release(artifact=harness.package("three")),
        harness,
        "artifact",
        "not .zip packages",
    )


async def test_a_function_that_does_not_exist_is_refused(harness: Harness) -> None:
    end = await read_ending(
        await harness.start(
            "Release", {"target": {"function": "nobody"}, "artifact": {"kind": "latest"}}
        )
    )
    rejected(end, harness, "target.function", "nobody")


async def test_a_function_of_another_region_is_refused(harness: Harness) -> None:
    harness.aws.fail(
        "get_function",
        "WrongRegion",
        "the function is in eu-west-1, and this worker in eu-central-1",
        times=None,
    )
    target = {"function": f"arn:aws:lambda:eu-west-1:123456789012:function:{harness.function}"}
    rejected(
        await read_ending(
            await harness.start("Release", {"target": target, "artifact": {"kind": "latest"}})
        ),
        harness,
        "target.function",
        "eu-west-1",
    )


async def test_all_that_speaks_against_a_release_is_said_at_once(harness: Harness) -> None:
    _weights(harness)
    harness.aws.alarms["errors"] = "ALARM"
    end = await harness.release(
        **CODE, guards={"alarms": ["errors", "typo"]}, concurrency={"reserved": 901}
    )
    rejected(
        end, harness, "target.alias", "errors is in ALARM", "no alarm typo", "concurrency.reserved"
    )


async def test_several_things_that_cannot_be_found_are_all_named(harness: Harness) -> None:
    end = await harness.release(
        **CODE, hooks={"before_traffic": "nobody", "after_traffic": "no-one"}
    )
    rejected(end, harness, "hooks.before_traffic", "hooks.after_traffic")


async def test_a_configuration_alone_never_ships_code_that_somebody_left_in_latest(
    harness: Harness,
) -> None:
    live, left = (
        harness.state.latest["CodeSha256"],
        harness.aws.overwrite(harness.function, "half-done"),
    )
    rejected(await harness.release(configuration={"Timeout": 9}), harness, live, left, "latest")


async def test_a_role_that_differs_may_still_go_live_all_at_once(harness: Harness) -> None:
    end = await harness.release(configuration={"Role": OTHER_ROLE}, **ALL_AT_ONCE)
    assert end.kind == "Completed"
    assert harness.state.versions["3"]["Role"] == OTHER_ROLE


async def test_an_alias_with_provisioned_concurrency_of_its_own_may_move_all_at_once(
    harness: Harness,
) -> None:
    _alias_provisioned(harness)
    end = await harness.release(artifact=harness.package("three"), **ALL_AT_ONCE)
    assert end.kind == "Completed"


async def test_an_update_in_progress_does_not_hinder_a_published_version(harness: Harness) -> None:
    _updating(harness)
    end = await harness.release(**VERSION_1, **CANARY)
    assert end.kind == "Completed"


@pytest.mark.parametrize("workflow", ["Release", "Rollback"])
async def test_a_version_that_cannot_serve_traffic_gets_none(
    harness: Harness, workflow: str
) -> None:
    harness.state.versions["1"]["State"] = "Failed"
    what = VERSION_1 if workflow == "Release" else {"version": "1"}
    rejected(
        await read_ending(await harness.start(workflow, harness.request(**what))),
        harness,
        "cannot serve traffic, its State is Failed",
    )


async def test_reads_that_fail_for_a_while_do_not_reject(harness: Harness) -> None:
    harness.aws.fail("get_alias", "TooManyRequestsException", retry_after=1)
    harness.aws.fail("get_function", "ServiceException", times=2)
    end = await harness.release(artifact=harness.package("three"), **ALL_AT_ONCE)
    assert end.kind == "Completed"


async def test_reads_that_are_denied_reject_and_name_the_field(harness: Harness) -> None:
    harness.aws.fail("get_alias", "AccessDeniedException", "no lambda:GetAlias", times=None)
    rejected(
        await harness.release(artifact=harness.package("three")),
        harness,
        "target.alias",
        "no lambda:GetAlias",
    )

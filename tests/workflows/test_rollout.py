"""``Rollout``: how a release ends, which calls it makes, and what stays in its history."""

from __future__ import annotations

import pytest
from temporalio.client import WorkflowExecutionStatus

from tests.fake_lambda import FakeLambda
from tests.fake_lambda.account import ACCOUNT, REGION
from tests.harness import CANARY, Harness, read_ending
from tests.workflows.test_progress import read_attributes

TRIGGER_READS = {"get_policy", "list_event_source_mappings", "list_function_url_configs"}


def list_control_plane_calls(aws: FakeLambda) -> list[str]:
    """The calls that count against AWS's limit of 15 a second.

    Those that find triggers take turns that nobody else needs, and ``head_object`` is one of S3.
    """
    others = {"get_function", "head_object", *TRIGGER_READS}
    return [name for name in aws.operations if name not in others]


# --- success ---


async def test_canary_ends_with_all_traffic_on_the_candidate(
    harness: Harness,
) -> None:
    end = await harness.release(artifact=harness.package("three"), **CANARY)
    assert (end.kind, end.text) == ("Completed", "All traffic is on version 3")
    assert end.status is not None
    assert end.status.model_dump(mode="json", exclude={"notes"}) == {
        "phase": "succeeded",
        "note": "All traffic is on version 3",
        "target": {"function": harness.function, "alias": "live"},
        "account": ACCOUNT,
        "region": REGION,
        "stable": "2",
        "candidate": "3",
        "routing": {"stable": "2", "canary": "3", "percent": 100},
        "step": 2,
        "steps": 2,
        "paused": False,
        "ends_at": None,
        "rollout": harness.rollout_id,
    }
    assert harness.aws.routing(harness.function) == ("3", {})


async def test_canary_takes_six_control_plane_calls(harness: Harness) -> None:
    await harness.release(artifact=harness.package("three"), **CANARY)
    assert sorted(list_control_plane_calls(harness.aws)[:2]) == [
        "get_alias",
        "list_provisioned_concurrency_configs",
    ]
    assert list_control_plane_calls(harness.aws)[2:] == [
        "update_function_code",
        "publish_version",
        "update_alias",
        "update_alias",
    ]


# --- the first release, and nothing to do ---


async def test_first_release_creates_the_alias_at_the_candidate(harness: Harness) -> None:
    del harness.state.aliases["live"]
    end = await harness.release(artifact=harness.package("three"), **CANARY)
    assert end.kind == "Completed"
    assert harness.aws.writes == ["update_function_code", "publish_version", "create_alias"]
    assert harness.aws.routing(harness.function) == ("3", {})
    assert end.status is not None
    assert (end.status.stable, end.status.candidate) == (None, "3")


@pytest.mark.parametrize("strategy", ["AllAtOnce", "Canary10Percent5Minutes"])
async def test_code_that_is_live_already_is_nothing_to_do(harness: Harness, strategy: str) -> None:
    end = await harness.release(artifact=harness.package("two"), strategy=strategy)
    assert (end.kind, end.text) == ("Completed", "Nothing to do: version 2 is live already")
    assert "update_alias" not in harness.aws.operations
    assert list(harness.state.versions) == ["1", "2"]


async def test_version_that_is_live_already_is_nothing_to_do(harness: Harness) -> None:
    end = await harness.release(artifact={"kind": "version", "version": "2"})
    assert (end.kind, harness.aws.writes) == ("Completed", [])


async def test_concurrency_alone_is_set_on_the_live_version(
    harness: Harness,
) -> None:
    end = await harness.release(
        artifact={"kind": "version", "version": "2"}, concurrency={"reserved": 50, "provisioned": 5}
    )
    assert end.kind == "Completed"
    assert harness.aws.writes == ["put_function_concurrency", "put_provisioned_concurrency_config"]
    assert (harness.state.reserved, set(harness.state.provisioned)) == (50, {"2"})


# --- one at a time ---


async def test_rollout_under_another_id_is_rejected(harness: Harness) -> None:
    end = await read_ending(
        await harness.start(
            "Rollout",
            harness.request(artifact=harness.package("three")),
            id=f"mine-{harness.function}",
        )
    )
    assert end.kind == "ReleaseRejected"
    assert harness.rollout_id in end.text
    assert harness.aws.writes == []


async def test_rollout_under_its_own_id_needs_no_parent(harness: Harness) -> None:
    end = await read_ending(
        await harness.start(
            "Rollout", harness.request(artifact=harness.package("three")), id=harness.rollout_id
        )
    )
    assert end.kind == "Completed"
    assert harness.aws.routing(harness.function) == ("3", {})


# --- what it tells ---


async def test_rolled_back_release_fails_with_its_status(
    harness: Harness,
) -> None:
    harness.aws.fail("update_alias", "ValidationException", skip=1)
    handle = await harness.start(
        "Release", harness.request(artifact=harness.package("three"), **CANARY)
    )
    end = await read_ending(handle)
    assert end.kind == "ReleaseRolledBack"
    assert "all traffic is on version 2" in end.text
    assert end.status is not None
    assert (end.status.phase, end.status.candidate, end.status.routing.percent) == (
        "rolled_back",
        "3",
        0,
    )
    assert (await handle.describe()).status is WorkflowExecutionStatus.FAILED
    assert (await read_attributes(harness.rollout))["TrafficPercent"] == 0
    assert (await read_attributes(harness.rollout))["ReleasePhase"] == "rolled_back"
    assert (await read_attributes(handle))["ReleasePhase"] == "rolled_back"


async def test_history_of_a_release_is_short(harness: Harness) -> None:
    handle = await harness.begin_until("baking", **CANARY)
    await harness.finish(handle)
    assert await harness.history_length(handle) <= 30
    assert await harness.history_length() <= 90


async def test_promotion_is_the_last_call_of_a_release(harness: Harness) -> None:
    await harness.release(artifact=harness.package("three"), **CANARY)
    assert harness.aws.calls[-1].operation == "update_alias"
    assert harness.aws.calls[-1].parameters["FunctionVersion"] == "3"

"""``$LATEST`` is compared whole with the live version: nothing foreign is shipped with it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.fake_lambda.account import compute_sha256
from tests.harness import ALL_AT_ONCE, CANARY, Ending, Harness, read_ending
from workflows.plan import ReleasePlan

SECRET = "hunter2-of-the-environment"


def assert_rejected(end: Ending, harness: Harness, *words: str) -> None:
    """It was rejected with these words, nothing was written, and no secret stands in it."""
    assert end.kind == "ReleaseRejected", end
    assert all(word in end.text for word in words), end.text
    assert SECRET not in end.text
    assert harness.aws.writes == []


def deploy(harness: Harness, **settings: Any) -> None:
    """Change settings of ``$LATEST`` as another tool would, and publish nothing."""
    harness.aws.apply("update_function_configuration", FunctionName=harness.function, **settings)
    harness.aws.settle(harness.function)


async def plan(harness: Harness, **keys: Any) -> ReleasePlan:
    handle = await harness.client.start_workflow(
        "Plan",
        harness.request(**keys),
        id=f"plan/{harness.function}",
        task_queue=harness.queue,
        result_type=ReleasePlan,
    )
    result: ReleasePlan = await handle.result()
    return result


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"Timeout": 30}, ["Timeout (3 live, 30 in $LATEST)"]),
        ({"Environment": {"Variables": {"TOKEN": SECRET}}}, ["the variable TOKEN"]),
        ({"Layers": ["arn:aws:lambda:eu-central-1:123456789012:layer:tools:3"]}, ["Layers"]),
        ({"TracingConfig": {"Mode": "Active"}, "MemorySize": 512}, ["TracingConfig", "512"]),
    ],
)
async def test_setting_that_nobody_requested_is_refused_by_name(
    harness: Harness, settings: dict[str, Any], words: list[str]
) -> None:
    deploy(harness, **settings)
    end = await harness.release(artifact=harness.package("three"), **ALL_AT_ONCE)
    assert_rejected(end, harness, "include_latest", "version 2", *words)


async def test_setting_of_the_live_version_that_latest_lost_is_refused(harness: Harness) -> None:
    harness.state.versions["2"].update(Timeout=60, MemorySize=1024)
    end = await harness.release(artifact=harness.package("three"), **ALL_AT_ONCE)
    assert_rejected(end, harness, "Timeout (60 live, 3 in $LATEST)", "MemorySize (1024 live")


async def test_setting_that_was_requested_may_differ(harness: Harness) -> None:
    deploy(harness, Timeout=30)
    end = await harness.release(
        artifact=harness.package("three"), configuration={"Timeout": 9}, **ALL_AT_ONCE
    )
    assert end.kind == "Completed", end
    assert harness.state.versions["3"]["Timeout"] == 9


async def test_included_settings_are_shipped_and_noted(harness: Harness) -> None:
    deploy(harness, Timeout=30)
    end = await harness.release(
        artifact=harness.package("three"), include_latest=True, **ALL_AT_ONCE
    )
    assert end.kind == "Completed", end
    assert end.status is not None
    assert any("Timeout (3 live, 30 in $LATEST)" in note for note in end.status.notes)
    assert harness.state.versions["3"]["Timeout"] == 30


async def test_configuration_with_foreign_code_needs_include_latest(harness: Harness) -> None:
    theirs = harness.aws.overwrite(harness.function, "theirs")
    refused = await harness.release(configuration={"Timeout": 9}, **ALL_AT_ONCE)
    assert_rejected(refused, harness, theirs, "latest")
    end = await harness.release(configuration={"Timeout": 9}, include_latest=True, **ALL_AT_ONCE)
    assert end.kind == "Completed", end
    assert harness.state.versions["3"]["CodeSha256"] == theirs


async def test_code_that_was_never_published_is_noted_before_it_is_replaced(
    harness: Harness,
) -> None:
    theirs = harness.aws.overwrite(harness.function, "theirs")
    end = await harness.release(artifact=harness.package("three"), **ALL_AT_ONCE)
    assert end.status is not None
    assert any(theirs in note and "never published" in note for note in end.status.notes)


async def test_code_of_an_older_version_is_replaced_without_a_note(harness: Harness) -> None:
    harness.aws.overwrite(harness.function, "one")
    end = await harness.release(artifact=harness.package("three"), **ALL_AT_ONCE)
    assert end.status is not None
    assert not any("never published" in note for note in end.status.notes)


async def test_plan_shows_what_latest_holds(harness: Harness) -> None:
    deploy(harness, Environment={"Variables": {"TOKEN": SECRET}}, Timeout=30)
    found = await plan(harness, artifact={"kind": "latest"})
    assert any("the variable TOKEN, Timeout (3 live, 30" in note for note in found.notes)
    assert SECRET not in found.model_dump_json()


async def test_plan_refuses_what_a_release_would(harness: Harness) -> None:
    deploy(harness, Timeout=30)
    found = await plan(harness, artifact=harness.package("three"))
    assert any(text.startswith("include_latest: ") for text in found.refusals), found


async def test_latest_after_a_failed_update_is_refused(harness: Harness) -> None:
    harness.state.latest.update(
        LastUpdateStatus="Failed", LastUpdateStatusReason="the image was deleted"
    )
    end = await harness.release(artifact={"kind": "latest"}, **ALL_AT_ONCE)
    assert_rejected(end, harness, "artifact", "the image was deleted")


async def test_package_after_a_failed_update_is_released(harness: Harness) -> None:
    harness.state.latest.update(LastUpdateStatus="Failed", LastUpdateStatusReason="broken")
    end = await harness.release(artifact=harness.package("three"), **ALL_AT_ONCE)
    assert end.kind == "Completed", end


async def test_alias_at_the_published_latest_is_refused(harness: Harness) -> None:
    harness.state.aliases["live"]["FunctionVersion"] = "$LATEST.PUBLISHED"
    end = await harness.release(artifact=harness.package("three"), **ALL_AT_ONCE)
    assert_rejected(end, harness, "target.alias", "$LATEST.PUBLISHED")


# --- Nothing to do ---


@pytest.mark.parametrize(
    "keys", [{"artifact": "two"}, {"artifact": "two", "configuration": {"Timeout": 3}}]
)
async def test_package_of_the_live_version_is_nothing_to_do_after_a_refusal(
    harness: Harness, keys: dict[str, Any]
) -> None:
    harness.aws.hook("smoke", lambda _: {"accept": False})
    hooks = {"before_traffic": "smoke"}
    refused = await harness.release(artifact=harness.package("three"), hooks=hooks, **CANARY)
    assert refused.kind == "ReleaseRolledBack", refused
    keys = keys | {"artifact": harness.package(keys["artifact"])}
    end = await harness.release(**keys, **CANARY)
    assert (end.kind, end.text) == ("Completed", "Nothing to do: version 2 is live already")
    assert list(harness.state.versions) == ["1", "2", "3"]


async def test_latest_that_is_live_is_nothing_to_do(harness: Harness) -> None:
    harness.aws.overwrite(harness.function, "three")
    harness.aws.publish(harness.function)
    harness.aws.overwrite(harness.function, "two")
    end = await harness.release(artifact={"kind": "latest"}, **CANARY)
    assert end.text == "Nothing to do: version 2 is live already"
    assert harness.aws.writes == []


async def test_configuration_that_is_live_is_nothing_to_do(harness: Harness) -> None:
    harness.aws.overwrite(harness.function, "three")
    harness.aws.publish(harness.function)
    harness.aws.overwrite(harness.function, "two")
    end = await harness.release(configuration={"Timeout": 3}, **CANARY)
    assert end.text == "Nothing to do: version 2 is live already"
    assert list(harness.state.versions) == ["1", "2", "3"]


# --- Two releases of one function ---


def add_beta(harness: Harness) -> None:
    """A second alias of the function."""
    harness.aws.apply(
        "create_alias", FunctionName=harness.function, Name="beta", FunctionVersion="1"
    )


def of_beta(harness: Harness, **keys: Any) -> dict[str, Any]:
    return {"target": {"function": harness.function, "alias": "beta"}, **keys}


async def test_latest_in_use_by_another_alias_rejects_and_names_it(harness: Harness) -> None:
    add_beta(harness)
    first = await harness.begin_until("baking", **CANARY)
    writes = len(harness.aws.writes)
    artifact = harness.package("four")
    end = await read_ending(
        await harness.start("Release", of_beta(harness, artifact=artifact, **ALL_AT_ONCE))
    )
    assert end.kind == "ReleaseRejected", end
    assert "$LATEST" in end.text
    assert harness.rollout_id in end.text
    assert len(harness.aws.writes) == writes
    assert (await harness.finish(first)).kind == "Completed"


async def test_version_is_released_beside_one_that_uses_latest(harness: Harness) -> None:
    add_beta(harness)
    first = await harness.begin_until("baking", **CANARY)
    request = of_beta(harness, artifact={"kind": "version", "version": "2"}, **ALL_AT_ONCE)
    end = await read_ending(await harness.start("Release", request))
    assert end.kind == "Completed", end
    assert (await harness.finish(first)).kind == "Completed"


async def test_release_waits_for_one_that_is_still_preparing(harness: Harness) -> None:
    add_beta(harness)
    hold = harness.aws.hold("update_function_code")
    first = await harness.begin(artifact=harness.package("three"), **ALL_AT_ONCE)
    await harness.wait_for(hold.reached)
    beta = harness.rollout_id.removesuffix("live") + "beta"
    second = await harness.start(
        "Release",
        of_beta(harness, artifact=harness.package("four"), include_latest=True, **ALL_AT_ONCE),
        skipping=False,
    )
    rollout = harness.client.get_workflow_handle(beta)

    async def waits() -> bool:
        try:
            note = (await rollout.query("status"))["note"]
        except Exception:  # noqa: BLE001 - it has not started yet
            return False
        return f"Waiting for {harness.rollout_id}" in note

    await harness.wait_until(waits)
    assert harness.aws.writes == []
    hold.release()
    assert (await read_ending(first)).kind == "Completed"
    assert (await read_ending(second)).kind == "Completed"
    assert harness.state.versions["4"]["CodeSha256"] == compute_sha256(b"four")


async def test_earlier_of_two_releases_goes_first(harness: Harness) -> None:
    add_beta(harness)
    hold = harness.aws.hold("get_function", skip=2)
    first = await harness.begin(artifact=harness.package("three"), **ALL_AT_ONCE)
    await harness.wait_for(hold.reached)
    request = of_beta(harness, artifact=harness.package("four"), include_latest=True, **ALL_AT_ONCE)
    second = await harness.start("Release", request, skipping=False)
    await harness.wait_briefly()
    assert harness.aws.writes == []
    hold.release()
    assert (await read_ending(first)).kind == "Completed"
    assert (await read_ending(second)).kind == "Completed"
    assert harness.state.versions["3"]["CodeSha256"] == compute_sha256(b"three")


async def test_plan_writes_in_the_order_of_the_release(harness: Harness) -> None:
    found = await plan(
        harness,
        artifact=harness.package("three"),
        configuration={"Runtime": "python3.14", "MemorySize": 512},
    )
    assert found.steps[:2] == (
        "Configure $LATEST: MemorySize (128 → 512), Runtime",
        "Put s3://artifacts/three.zip into $LATEST",
    )


async def test_wait_for_another_release_ends_after_five_minutes(harness: Harness) -> None:
    add_beta(harness)
    hold = harness.aws.hold("update_function_code")
    first = await harness.begin(artifact=harness.package("three"), **ALL_AT_ONCE)
    await harness.wait_for(hold.reached)
    request = of_beta(harness, artifact=harness.package("four"), **ALL_AT_ONCE)
    end = await read_ending(await harness.start("Release", request), seconds=30)
    assert end.kind == "ReleaseRejected", end
    assert harness.rollout_id in end.text
    hold.release()
    assert (await read_ending(first)).kind == "Completed"


async def test_two_releases_started_at_once_go_one_after_the_other(harness: Harness) -> None:
    add_beta(harness)
    one, two = harness.package("three"), harness.package("four")
    requests = (harness.request(artifact=one), of_beta(harness, artifact=two))
    handles = await asyncio.gather(
        *(
            harness.start("Release", {**request, **ALL_AT_ONCE}, skipping=False)
            for request in requests
        )
    )
    ends = [await read_ending(handle) for handle in handles]
    assert [end.kind for end in ends] == ["Completed", "Completed"], ends
    shipped = {harness.state.versions[number]["CodeSha256"] for number in ("3", "4")}
    assert shipped == {compute_sha256(b"three"), compute_sha256(b"four")}
    live, beta = (harness.aws.routing(harness.function, alias)[0] for alias in ("live", "beta"))
    assert harness.state.versions[live]["CodeSha256"] == compute_sha256(b"three")
    assert harness.state.versions[beta]["CodeSha256"] == compute_sha256(b"four")

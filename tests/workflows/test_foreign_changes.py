"""Another writer changes the function meanwhile.

The release stops and overwrites nothing.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.fake_lambda.account import compute_sha256
from tests.harness import ALL_AT_ONCE, CANARY, Ending, Handle, Harness


def create_move(
    harness: Harness, version: str = "1", weights: dict[str, float] | None = None
) -> Any:
    def move(_: object = None) -> None:
        routing = {"AdditionalVersionWeights": weights or {}}
        harness.aws.apply(
            "update_alias",
            FunctionName=harness.function,
            Name="live",
            FunctionVersion=version,
            RoutingConfig=routing,
        )

    return move


def assert_not_overwritten(end: Ending, harness: Harness, writes: int) -> None:
    """The release failed, reported the foreign move, and wrote nothing after it."""
    assert end.kind == "RollbackFailed", end
    assert f"somebody else moved {harness.function}:live" in end.text
    assert "version 1" in end.text
    assert end.status is not None
    assert harness.aws.routing(harness.function) == ("1", {})
    assert len(harness.aws.writes) == writes


async def test_foreign_move_in_the_bake_is_not_overwritten_by_the_next_step(
    harness: Harness,
) -> None:
    handle = await harness.begin_until("baking", **CANARY)
    create_move(harness)()
    writes = len(harness.aws.writes)
    assert_not_overwritten(await harness.finish(handle), harness, writes)


async def test_foreign_move_is_not_overwritten_by_a_rollback(harness: Harness) -> None:
    handle = await harness.begin_until("baking", **CANARY)
    create_move(harness)()
    writes = len(harness.aws.writes)
    await harness.send("abort")
    assert_not_overwritten(await harness.finish(handle), harness, writes)


async def test_foreign_move_before_the_first_step_is_not_overwritten(harness: Harness) -> None:
    harness.aws.before("update_alias", create_move(harness))
    end = await harness.release(artifact=harness.package("three"), **CANARY)
    assert_not_overwritten(end, harness, writes=2)  # code and version


async def test_foreign_move_during_a_lost_response_is_not_overwritten(harness: Harness) -> None:
    harness.aws.fail("update_alias", "ServiceException")
    harness.aws.before("get_alias", create_move(harness), skip=1)
    end = await harness.release(artifact=harness.package("three"), **CANARY)
    assert_not_overwritten(end, harness, writes=2)


async def test_foreign_weights_on_stable_are_a_foreign_move(harness: Harness) -> None:
    handle = await harness.begin_until("baking", **CANARY)
    create_move(harness, "2", {"1": 0.5})()
    end = await harness.finish(handle)
    assert end.kind == "RollbackFailed"
    assert "50% to version 1" in end.text
    assert harness.aws.routing(harness.function) == ("2", {"1": 0.5})


@pytest.mark.parametrize("how", ["goes on", "is aborted"])
async def test_foreign_weights_on_the_candidate_are_a_foreign_move(
    harness: Harness, how: str
) -> None:
    handle = await harness.begin_until("baking", **CANARY)
    create_move(harness, "2", {"3": 0.5})()
    if how == "is aborted":
        await harness.send("abort")
    end = await harness.finish(handle)
    assert end.kind == "RollbackFailed"
    assert "50% to version 3" in end.text
    assert harness.aws.routing(harness.function) == ("2", {"3": 0.5})


async def test_foreign_promotion_of_the_candidate_completes_the_release(
    harness: Harness,
) -> None:
    handle = await harness.begin_until("baking", **CANARY)
    create_move(harness, "3")()
    assert (await harness.finish(handle)).kind == "Completed"
    assert harness.aws.routing(harness.function) == ("3", {})


async def test_deleted_alias_is_not_created_again(harness: Harness) -> None:
    handle = await harness.begin_until("baking", **CANARY)
    harness.aws.apply("delete_alias", FunctionName=harness.function, Name="live")
    end = await harness.finish(handle)
    assert end.kind == "RollbackFailed", end
    create = f"aws lambda create-alias --function-name {harness.function} --name live"
    assert f"{create} --function-version 2" in end.text
    assert "live" not in harness.state.aliases
    assert "create_alias" not in harness.aws.operations


async def test_alias_created_by_another_writer_stays_unchanged(harness: Harness) -> None:
    del harness.state.aliases["live"]

    def create(_: object) -> None:
        harness.aws.apply(
            "create_alias", FunctionName=harness.function, Name="live", FunctionVersion="1"
        )

    harness.aws.before("create_alias", create)
    end = await harness.release(artifact=harness.package("three"))
    assert end.kind in {"RollbackFailed", "ReleaseRolledBack"}
    assert harness.aws.routing(harness.function) == ("1", {})
    assert "delete_alias" not in harness.aws.operations


async def test_foreign_upload_before_the_publish_is_never_published(
    harness: Harness,
) -> None:
    harness.aws.before(
        "publish_version", lambda _: harness.aws.overwrite(harness.function, "theirs")
    )
    end = await harness.release(artifact=harness.package("three"), **CANARY)
    assert end.kind == "ReleaseRolledBack"
    assert list(harness.state.versions) == ["1", "2"]
    assert harness.aws.routing(harness.function) == ("2", {})


async def test_foreign_upload_before_the_publish_is_not_overwritten(
    harness: Harness,
) -> None:
    harness.aws.before(
        "publish_version", lambda _: harness.aws.overwrite(harness.function, "theirs")
    )
    end = await harness.release(artifact=harness.package("three"), **CANARY)
    assert "somebody else changed $LATEST" in end.text
    assert harness.state.latest["CodeSha256"] == compute_sha256(b"theirs")


async def test_foreign_upload_before_the_upload_is_not_overwritten(harness: Harness) -> None:
    harness.aws.before(
        "update_function_code", lambda _: harness.aws.overwrite(harness.function, "theirs")
    )
    end = await harness.release(artifact=harness.package("three"), **CANARY)
    assert end.kind == "ReleaseRolledBack"
    assert "somebody else changed $LATEST" in end.text
    assert harness.aws.writes == []
    assert harness.state.latest["CodeSha256"] == compute_sha256(b"theirs")


async def test_foreign_change_of_the_configuration_is_not_overwritten(
    harness: Harness,
) -> None:
    def change(_: object) -> None:
        harness.state.latest.update(Timeout=77, RevisionId="theirs")

    harness.aws.before("update_function_configuration", change)
    end = await harness.release(configuration={"Timeout": 9}, **ALL_AT_ONCE)
    assert end.kind == "ReleaseRolledBack"
    assert harness.state.latest["Timeout"] == 77


@pytest.mark.parametrize("moment", ["baking", "after the promotion"])
async def test_foreign_publish_does_not_disturb_a_release(harness: Harness, moment: str) -> None:
    handle = await harness.begin_until("baking", **CANARY)
    if moment == "baking":
        harness.aws.overwrite(harness.function, "four")
        harness.aws.publish(harness.function)
    assert (await harness.finish(handle)).kind == "Completed"
    assert harness.aws.routing(harness.function) == ("3", {})


async def test_foreign_upload_in_the_bake_is_not_overwritten_by_the_undo(
    harness: Harness,
) -> None:
    handle = await harness.begin_until("baking", **CANARY)
    harness.aws.overwrite(harness.function, "theirs")
    await harness.send("abort")
    assert (await harness.finish(handle)).kind == "ReleaseRolledBack"
    assert harness.state.latest["CodeSha256"] == compute_sha256(b"theirs")


async def test_foreign_upload_before_the_upload_settles_is_never_published(
    harness: Harness,
) -> None:
    harness.aws.after(
        "update_function_code", lambda _: harness.aws.overwrite(harness.function, "theirs")
    )
    end = await harness.release(artifact=harness.package("three"), **CANARY)
    assert end.kind == "ReleaseRolledBack", end
    assert "somebody else changed $LATEST" in end.text
    assert list(harness.state.versions) == ["1", "2"]
    assert harness.state.latest["CodeSha256"] == compute_sha256(b"theirs")


async def test_foreign_upload_survives_a_cancel_before_the_publish(
    harness: Harness,
) -> None:
    hold = harness.aws.hold("get_function", skip=3)
    handle = await harness.begin(artifact=harness.package("three"), **CANARY)
    await harness.wait_for(hold.reached)
    harness.aws.overwrite(harness.function, "theirs")
    await harness.cancel(handle)
    hold.release()
    assert (await harness.finish(handle)).kind == "Canceled"
    assert harness.state.latest["CodeSha256"] == compute_sha256(b"theirs")


async def test_foreign_move_after_a_step_of_all_traffic_is_found(harness: Harness) -> None:
    steps = [{"kind": "set_weight", "percent": 100}, {"kind": "bake", "duration": "5m"}]
    handle = await harness.begin_until("baking", strategy={"steps": steps})
    harness.move_alias("1")
    end = await harness.finish(handle)
    assert end.kind == "RollbackFailed", end
    assert "version 1" in end.text
    assert harness.aws.routing(harness.function) == ("1", {})


@pytest.mark.parametrize("part", ["code", "configuration"])
async def test_foreign_change_of_latest_in_the_bake_stays(harness: Harness, part: str) -> None:
    handle = await harness.begin_until("baking", configuration={"Timeout": 9}, **CANARY)
    if part == "code":
        harness.aws.overwrite(harness.function, "theirs")
    else:
        harness.state.latest.update(Timeout=77, RevisionId="theirs")
    theirs = harness.state.latest["CodeSha256"]
    await harness.send("abort")
    end = await harness.finish(handle)
    assert end.kind == "ReleaseRolledBack"
    assert f"{part if part == 'code' else 'Timeout'} of $LATEST is changed by another" in end.text
    assert harness.aws.routing(harness.function) == ("2", {})
    found = (harness.state.latest["CodeSha256"], harness.state.latest["Timeout"])
    stable = harness.state.versions["2"]["CodeSha256"]
    assert found == ((theirs, 3) if part == "code" else (stable, 77))


# --- the same routing at another revision, and a person who chooses ---


def edit_description(harness: Harness) -> None:
    """Do what Terraform and CDK do: write the alias as it is, with another description."""
    harness.aws.apply(
        "update_alias", FunctionName=harness.function, Name="live", Description="by terraform"
    )


@pytest.mark.parametrize("how", ["goes on", "is aborted"])
async def test_edited_description_of_the_alias_is_not_foreign(harness: Harness, how: str) -> None:
    handle = await harness.begin_until("baking", **CANARY)
    edit_description(harness)
    if how == "is aborted":
        await harness.send("abort")
    end = await harness.finish(handle)
    assert end.kind == ("Completed" if how == "goes on" else "ReleaseRolledBack"), end
    assert harness.aws.routing(harness.function) == ("3" if how == "goes on" else "2", {})
    assert harness.state.aliases["live"]["Description"] == "by terraform"


async def test_description_edited_at_each_write_is_not_foreign(harness: Harness) -> None:
    handle = await harness.begin_until("baking", **CANARY)
    for skip in range(2):
        harness.aws.before("update_alias", lambda _: edit_description(harness), skip=skip)
    end = await harness.finish(handle)
    assert end.kind == "Completed", end
    assert harness.aws.routing(harness.function) == ("3", {})


async def test_weights_of_aws_itself_are_not_foreign(harness: Harness) -> None:
    steps = [{"kind": "set_weight", "percent": 100}, {"kind": "bake", "duration": "5m"}]
    handle = await harness.begin_until("baking", strategy={"steps": steps})
    create_move(harness, "3", {"2": 1.0})()
    end = await harness.finish(handle)
    assert end.kind == "Completed", end


async def test_ending_names_the_command_that_puts_the_alias_back(harness: Harness) -> None:
    handle = await harness.begin_until("baking", **CANARY)
    create_move(harness)()
    end = await harness.finish(handle)
    assert end.kind == "RollbackFailed"
    assert f"releases rollback {harness.function}:live --to 2" in end.text


QUESTION = "Resolve within 1 h"
ASK: dict[str, Any] = {"guards": {"on_foreign": "ask"}}
SHORT_CANARY: dict[str, Any] = {
    "strategy": {
        "steps": [{"kind": "set_weight", "percent": 10}, {"kind": "bake", "duration": "1s"}]
    }
}


async def begin_until_asked(harness: Harness) -> Handle:
    """Begin a release that finds the alias moved before its promotion, and asks."""
    hold = harness.aws.hold("update_alias", skip=1)
    handle = await harness.begin(artifact=harness.package("three"), **ASK, **SHORT_CANARY)
    await harness.wait_for(hold.reached)
    create_move(harness)()
    hold.release()
    await harness.wait_for_note(QUESTION)
    return handle


@pytest.mark.parametrize(
    ("choice", "kind", "routing"),
    [
        ("adopt", "Completed", ("3", {})),
        ("overwrite", "Completed", ("3", {})),
        ("leave", "RollbackFailed", ("1", {})),
    ],
)
async def test_person_chooses_about_foreign_routing(
    harness: Harness, choice: str, kind: str, routing: Any
) -> None:
    handle = await begin_until_asked(harness)
    await harness.send("resolve", choice=choice)
    end = await harness.finish(handle)
    assert (end.kind, harness.aws.routing(harness.function)) == (kind, routing), end


async def test_adopted_routing_is_what_an_abort_goes_back_to(harness: Harness) -> None:
    steps = [
        {"kind": "set_weight", "percent": 10},
        {"kind": "approval", "timeout": "1h"},
        {"kind": "set_weight", "percent": 50},
        {"kind": "approval", "timeout": "1h"},
    ]
    handle = await harness.begin_until("awaiting_approval", strategy={"steps": steps}, **ASK)
    create_move(harness)()
    await harness.send("approve")
    await harness.wait_for_note(QUESTION)
    await harness.send("resolve", choice="adopt")
    await harness.wait_for_phase("awaiting_approval", percent=50)
    assert harness.aws.routing(harness.function) == ("1", {"3": 0.5})
    await harness.send("abort")
    assert (await harness.finish(handle)).kind == "ReleaseRolledBack"
    assert harness.aws.routing(harness.function) == ("1", {})


async def test_person_chooses_about_foreign_routing_in_an_undo(harness: Harness) -> None:
    handle = await harness.begin_until("baking", **ASK, **CANARY)
    create_move(harness)()
    await harness.send("abort")
    await harness.wait_for_note(QUESTION)
    await harness.send("resolve", choice="overwrite")
    end = await harness.finish(handle)
    assert end.kind == "ReleaseRolledBack", end
    assert harness.aws.routing(harness.function) == ("2", {})


async def test_question_that_nobody_answers_ends_the_release(harness: Harness) -> None:
    handle = await harness.begin_until("baking", **ASK, **CANARY)
    create_move(harness)()
    end = await harness.finish(handle)
    assert end.kind == "RollbackFailed"
    assert harness.aws.routing(harness.function) == ("1", {})


async def test_choice_is_refused_where_nobody_waits_for_it(harness: Harness) -> None:
    await harness.begin_until("baking", **ASK, **CANARY)
    refusal = await harness.expect_refusal("resolve", {"by": "ana", "choice": "adopt"})
    assert "nothing to resolve" in refusal


async def test_concurrency_of_an_adopted_version_stays(harness: Harness) -> None:
    for version, count in (("1", 7), ("2", 4)):
        harness.aws.apply(
            "put_provisioned_concurrency_config",
            FunctionName=harness.function,
            Qualifier=version,
            ProvisionedConcurrentExecutions=count,
        )
    handle = await begin_until_asked(harness)
    await harness.send("resolve", choice="adopt")
    end = await harness.finish(handle)
    assert end.kind == "Completed", end
    found = harness.state.provisioned
    assert found["1"]["RequestedProvisionedConcurrentExecutions"] == 7
    assert found["3"]["RequestedProvisionedConcurrentExecutions"] == 4

"""Hooks: functions that are asked before and after traffic moves. Whatever is not a clear yes is a no."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.workflows.scene import CANARY, Scene, ending

BEFORE = {"hooks": {"before_traffic": "preflight"}}
AFTER = {"hooks": {"after_traffic": "smoke"}}


def accept(_: object) -> dict[str, bool]:
    return {"accept": True}


async def test_a_hook_is_told_what_it_is_asked_about(scene: Scene) -> None:
    asked: list[dict[str, Any]] = []

    def hook(question: dict[str, Any]) -> dict[str, Any]:
        asked.append(question)
        return {"accept": True, "reason": "fine", "extra": 1}

    scene.aws.hook("preflight", hook)
    scene.aws.hook("smoke", hook)
    end = await scene.release(
        artifact=scene.package("three"),
        hooks={"before_traffic": "preflight", "after_traffic": "smoke"},
        **CANARY,
    )
    assert end.kind == "Completed"
    told = {
        "release": scene.lock,
        "target": {"function": scene.function, "alias": "live"},
        "stable": "2",
        "stable_arn": f"{scene.state.arn}:2",
        "candidate": "3",
        "candidate_arn": f"{scene.state.arn}:3",
    }
    assert asked == [{"hook": "before_traffic", **told}, {"hook": "after_traffic", **told}]


async def test_hooks_are_asked_before_the_first_and_after_the_last_move(scene: Scene) -> None:
    scene.aws.hook("preflight", accept)
    scene.aws.hook("smoke", accept)
    await scene.release(
        artifact=scene.package("three"),
        hooks={"before_traffic": "preflight", "after_traffic": "smoke"},
        **CANARY,
    )
    moves = [name for name in scene.aws.operations if name in {"invoke", "update_alias"}]
    assert moves == ["invoke", "update_alias", "update_alias", "invoke"]


@pytest.mark.parametrize(
    "name",
    [
        "{}:live",
        "arn:aws:lambda:eu-central-1:123456789012:function:{}",
        "123456789012:function:{}:1",
    ],
)
async def test_a_hook_is_found_under_every_form_of_its_name(scene: Scene, name: str) -> None:
    scene.aws.create("preflight")
    scene.aws.handlers["preflight"] = accept
    end = await scene.release(
        artifact=scene.package("three"), hooks={"before_traffic": name.format("preflight")}
    )
    assert end.kind == "Completed", end


async def test_a_refusal_before_traffic_leaves_the_alias_untouched(scene: Scene) -> None:
    scene.aws.hook("preflight", lambda _: {"accept": False, "reason": "database not migrated"})
    revision = scene.state.aliases["live"]["RevisionId"]
    end = await scene.release(artifact=scene.package("three"), **BEFORE, **CANARY)
    assert end.kind == "ReleaseRolledBack"
    assert "hook preflight (before_traffic) refused version 3: database not migrated" in end.text
    assert scene.state.aliases["live"]["RevisionId"] == revision


async def test_a_refusal_after_traffic_puts_the_alias_back(scene: Scene) -> None:
    scene.aws.hook("smoke", lambda _: {"accept": False, "reason": "500"})
    end = await scene.release(artifact=scene.package("three"), **AFTER, **CANARY)
    assert end.kind == "ReleaseRolledBack"
    assert "hook smoke (after_traffic) refused version 3: 500" in end.text
    assert scene.aws.routing(scene.function) == ("2", {})
    assert end.status is not None
    assert end.status.routing.percent == 0


async def test_a_refusal_of_a_first_release_takes_the_alias_away_again(scene: Scene) -> None:
    del scene.state.aliases["live"]
    scene.aws.hook("smoke", lambda _: {"accept": False, "reason": "500"})
    end = await scene.release(artifact=scene.package("three"), **AFTER)
    assert end.kind == "ReleaseRolledBack"
    assert "live" not in scene.state.aliases


def crash(_: object) -> None:
    raise RuntimeError("boom")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (crash, "it failed (Unhandled)"),
        (lambda _: None, "it gave no answer"),
        (lambda _: b"", "it gave no answer"),
        (lambda _: b"{accept", "not of the form"),
        (lambda _: "yes", "not of the form"),
        (lambda _: {"accept": "true"}, "not of the form"),
        (lambda _: {"accepted": True}, "not of the form"),
        (lambda _: {"accept": False}, "it gave no reason"),
    ],
)
async def test_whatever_is_not_a_clear_yes_is_a_no(scene: Scene, answer: Any, why: str) -> None:
    scene.aws.hook("preflight", answer)
    end = await scene.release(artifact=scene.package("three"), **BEFORE)
    assert end.kind == "ReleaseRolledBack"
    assert why in end.text
    assert "update_alias" not in scene.aws.operations


async def test_a_throttled_hook_is_asked_again(scene: Scene) -> None:
    scene.aws.hook("preflight", accept)
    scene.aws.fail("invoke", "TooManyRequestsException", times=3)
    end = await scene.release(artifact=scene.package("three"), **BEFORE)
    assert end.kind == "Completed"
    assert len(scene.aws.of("invoke")) == 4


async def test_a_hook_that_stays_throttled_is_a_no(scene: Scene) -> None:
    scene.aws.hook("preflight", accept)
    scene.aws.fail("invoke", "TooManyRequestsException", times=None)
    end = await scene.release(artifact=scene.package("three"), **BEFORE)
    assert end.kind == "ReleaseRolledBack"
    assert "could not be asked" in end.text


async def test_a_hook_whose_answer_was_lost_is_not_asked_twice(scene: Scene) -> None:
    scene.aws.hook("preflight", accept)
    scene.aws.lose("invoke")
    end = await scene.release(artifact=scene.package("three"), **BEFORE)
    assert end.kind == "ReleaseRolledBack"
    assert len(scene.aws.of("invoke")) == 1


async def test_a_hook_runs_while_a_cancel_does_not_wait_for_it(scene: Scene) -> None:
    scene.aws.hook("smoke", accept)
    hold = scene.aws.hold("invoke")
    handle = await scene.start(
        "Release", scene.request(artifact=scene.package("three"), **AFTER, **CANARY)
    )
    await hold.reached.wait()
    await handle.cancel()
    end = await ending(handle)
    hold.release()
    assert end.kind == "Canceled"
    assert scene.aws.routing(scene.function) == ("2", {})


async def test_an_answer_of_a_megabyte_does_not_stop_a_release(scene: Scene) -> None:
    scene.aws.hook(
        "preflight", lambda _: json.dumps({"accept": True, "log": "x" * 900_000}).encode()
    )
    end = await scene.release(artifact=scene.package("three"), **BEFORE)
    assert end.kind == "Completed"


async def test_an_answer_that_is_too_large_is_a_no(scene: Scene) -> None:
    scene.aws.hook(
        "preflight", lambda _: json.dumps({"accept": True, "log": "x" * 3_000_000}).encode()
    )
    end = await scene.release(artifact=scene.package("three"), **BEFORE)
    assert end.kind == "ReleaseRolledBack"


async def test_nothing_to_do_asks_nobody(scene: Scene) -> None:
    scene.aws.hook("preflight", crash)
    end = await scene.release(artifact=scene.package("two"), **BEFORE)
    assert (end.kind, scene.aws.of("invoke")) == ("Completed", [])

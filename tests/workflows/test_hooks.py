"""Hooks run before and after traffic moves. Anything but a clear yes is a refusal."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.harness import ALL_AT_ONCE, CANARY, Harness, read_ending

BEFORE = {"hooks": {"before_traffic": "preflight"}}
AFTER = {"hooks": {"after_traffic": "smoke"}}


def accept(_: object) -> dict[str, bool]:
    return {"accept": True}


async def test_hook_receives_the_release_the_versions_and_their_arns(harness: Harness) -> None:
    requests: list[dict[str, Any]] = []

    def hook(request: dict[str, Any]) -> dict[str, Any]:
        requests.append(request)
        return {"accept": True, "reason": "fine", "extra": 1}

    harness.aws.hook("preflight", hook)
    harness.aws.hook("smoke", hook)
    end = await harness.release(
        artifact=harness.package("three"),
        hooks={"before_traffic": "preflight", "after_traffic": "smoke"},
        **CANARY,
    )
    assert end.kind == "Completed"
    fields = {
        "release": harness.rollout_id,
        "target": {"function": harness.function, "alias": "live"},
        "stable": "2",
        "stable_arn": f"{harness.state.arn}:2",
        "candidate": "3",
        "candidate_arn": f"{harness.state.arn}:3",
    }
    assert requests == [{"hook": "before_traffic", **fields}, {"hook": "after_traffic", **fields}]


async def test_hooks_run_before_the_first_and_after_the_last_move(harness: Harness) -> None:
    harness.aws.hook("preflight", accept)
    harness.aws.hook("smoke", accept)
    await harness.release(
        artifact=harness.package("three"),
        hooks={"before_traffic": "preflight", "after_traffic": "smoke"},
        **CANARY,
    )
    moves = [name for name in harness.aws.operations if name in {"invoke", "update_alias"}]
    assert moves == ["invoke", "update_alias", "update_alias", "invoke"]


@pytest.mark.parametrize(
    "name",
    [
        "{}:live",
        "arn:aws:lambda:eu-central-1:123456789012:function:{}",
        "123456789012:function:{}:1",
    ],
)
async def test_hook_is_found_by_every_form_of_its_name(harness: Harness, name: str) -> None:
    harness.aws.create("preflight")
    harness.aws.handlers["preflight"] = accept
    end = await harness.release(
        artifact=harness.package("three"), hooks={"before_traffic": name.format("preflight")}
    )
    assert end.kind == "Completed", end


async def test_refusal_before_traffic_leaves_the_alias_untouched(harness: Harness) -> None:
    harness.aws.hook("preflight", lambda _: {"accept": False, "reason": "database not migrated"})
    revision = harness.state.aliases["live"]["RevisionId"]
    end = await harness.release(artifact=harness.package("three"), **BEFORE, **CANARY)
    assert end.kind == "ReleaseRolledBack"
    assert "hook preflight (before_traffic) refused version 3: database not migrated" in end.text
    assert harness.state.aliases["live"]["RevisionId"] == revision


async def test_refusal_after_traffic_restores_the_alias(harness: Harness) -> None:
    harness.aws.hook("smoke", lambda _: {"accept": False, "reason": "500"})
    end = await harness.release(artifact=harness.package("three"), **AFTER, **CANARY)
    assert end.kind == "ReleaseRolledBack"
    assert "hook smoke (after_traffic) refused version 3: 500" in end.text
    assert harness.aws.routing(harness.function) == ("2", {})
    assert end.status is not None
    assert end.status.routing.percent == 0


async def test_refusal_of_a_first_release_deletes_the_alias(harness: Harness) -> None:
    del harness.state.aliases["live"]
    harness.aws.hook("smoke", lambda _: {"accept": False, "reason": "500"})
    end = await harness.release(artifact=harness.package("three"), **AFTER)
    assert end.kind == "ReleaseRolledBack"
    assert "live" not in harness.state.aliases


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
async def test_answer_that_is_not_a_clear_yes_is_a_refusal(
    harness: Harness, answer: Any, why: str
) -> None:
    harness.aws.hook("preflight", answer)
    end = await harness.release(artifact=harness.package("three"), **BEFORE)
    assert end.kind == "ReleaseRolledBack"
    assert why in end.text
    assert "update_alias" not in harness.aws.operations


async def test_throttled_hook_is_retried(harness: Harness) -> None:
    harness.aws.hook("preflight", accept)
    harness.aws.fail("invoke", "TooManyRequestsException", times=3)
    end = await harness.release(artifact=harness.package("three"), **BEFORE)
    assert end.kind == "Completed"
    assert len(harness.aws.of("invoke")) == 4


async def test_hook_that_stays_throttled_is_a_refusal(harness: Harness) -> None:
    harness.aws.hook("preflight", accept)
    harness.aws.fail("invoke", "TooManyRequestsException", times=None)
    end = await harness.release(artifact=harness.package("three"), **BEFORE)
    assert end.kind == "ReleaseRolledBack"
    assert "could not be invoked" in end.text


@pytest.mark.parametrize(
    ("code", "times"),
    [
        ("AccessDeniedException", 3),
        ("ExpiredTokenException", 20),
        ("NoCredentialsError", 20),
        ("CredentialRetrievalError", 20),
        ("Http407", 20),
        ("RequestTimeTooSkewed", 20),
        ("EndpointConnectionError", 20),
        ("ConnectTimeoutError", 20),
        ("ProxyConnectionError", 20),
        ("SSLError", 20),
        ("SnapStartNotReadyException", 12),
        ("ResourceNotReadyException", 12),
    ],
)
async def test_hook_that_was_refused_to_this_worker_is_invoked_again(
    harness: Harness, code: str, times: int
) -> None:
    harness.aws.hook("preflight", accept)
    harness.aws.fail("invoke", code, times=times)
    end = await harness.release(artifact=harness.package("three"), **BEFORE)
    assert end.kind == "Completed", end
    assert len(harness.aws.of("invoke")) == times + 1


@pytest.mark.parametrize(
    ("code", "most"),
    [
        ("AccessDeniedException", 7),
        ("ExpiredTokenException", 35),
        ("EndpointConnectionError", 35),
        ("SnapStartNotReadyException", 35),
    ],
)
async def test_hook_that_stays_refused_rolls_back(harness: Harness, code: str, most: int) -> None:
    harness.aws.hook("preflight", accept)
    harness.aws.fail("invoke", code, "no", times=None)
    end = await harness.release(artifact=harness.package("three"), **BEFORE)
    assert end.kind == "ReleaseRolledBack"
    assert "it could not be invoked: invoke: no" in end.text
    assert most - 2 <= len(harness.aws.of("invoke")) <= most


async def test_hook_whose_response_is_lost_is_not_invoked_twice(harness: Harness) -> None:
    harness.aws.hook("preflight", accept)
    harness.aws.lose("invoke")
    hooks = {"hooks": {"before_traffic": "preflight", "on_lost": "roll_back"}}
    end = await harness.release(artifact=harness.package("three"), **hooks)
    assert end.kind == "ReleaseRolledBack"
    assert "hook preflight (before_traffic) for version 3: its answer was lost" in end.text
    assert len(harness.aws.of("invoke")) == 1


@pytest.mark.parametrize("when", ["before_traffic", "after_traffic"])
async def test_release_whose_hook_s_answer_was_lost_is_held(harness: Harness, when: str) -> None:
    harness.aws.hook("smoke", accept)
    harness.aws.lose("invoke")
    handle = await harness.begin(
        artifact=harness.package("three"), hooks={when: "smoke"}, **ALL_AT_ONCE
    )
    status = await harness.wait_for_phase("awaiting_approval")
    assert f"The answer of hook smoke ({when}) for version 3 was lost" in status.note
    await harness.send("approve", note="it ran")
    assert (await harness.finish(handle)).kind == "Completed"
    assert len(harness.aws.of("invoke")) == 1
    assert harness.aws.routing(harness.function) == ("3", {})


async def test_alarm_goes_on_guarding_a_release_that_is_held(harness: Harness) -> None:
    harness.aws.hook("smoke", accept)
    harness.aws.alarms["errors"] = "OK"
    harness.aws.lose("invoke")
    handle = await harness.begin(
        artifact=harness.package("three"),
        hooks={"after_traffic": "smoke"},
        guards={"alarms": ["errors"]},
        **ALL_AT_ONCE,
    )
    await harness.wait_for_phase("awaiting_approval")
    harness.aws.alarms["errors"] = "ALARM"
    end = await harness.finish(handle)
    assert end.kind == "ReleaseRolledBack", end
    harness.assert_restored()


async def test_cancel_does_not_wait_for_a_hook(harness: Harness) -> None:
    harness.aws.hook("smoke", accept)
    hold = harness.aws.hold("invoke")
    handle = await harness.start(
        "Release", harness.request(artifact=harness.package("three"), **AFTER, **CANARY)
    )
    await harness.wait_for(hold.reached)
    await handle.cancel()
    end = await read_ending(handle)
    hold.release()
    assert end.kind == "Canceled"
    assert harness.aws.routing(harness.function) == ("2", {})


async def test_answer_of_a_megabyte_is_accepted(harness: Harness) -> None:
    harness.aws.hook(
        "preflight", lambda _: json.dumps({"accept": True, "log": "x" * 900_000}).encode()
    )
    end = await harness.release(artifact=harness.package("three"), **BEFORE)
    assert end.kind == "Completed"


async def test_answer_that_is_too_large_is_a_refusal(harness: Harness) -> None:
    harness.aws.hook(
        "preflight", lambda _: json.dumps({"accept": True, "log": "x" * 3_000_000}).encode()
    )
    end = await harness.release(artifact=harness.package("three"), **BEFORE)
    assert end.kind == "ReleaseRolledBack"


async def test_hook_is_not_invoked_where_nothing_is_released(harness: Harness) -> None:
    harness.aws.hook("preflight", crash)
    end = await harness.release(artifact=harness.package("two"), **BEFORE)
    assert (end.kind, harness.aws.of("invoke")) == ("Completed", [])

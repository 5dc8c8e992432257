"""Probes: requests to the candidate, whose answers may refuse it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType

from tests.harness import Ending, Harness, read_ending
from workflows.plan import ReleasePlan

SECRET = "hunter2-of-the-answer"
OK = {"payload": {"id": 1}, "expect": [{"path": "$.status", "equals": "ok"}]}


def probe_strategy(
    *requests: dict[str, Any], then: tuple[dict[str, Any], ...] = (), **keys: Any
) -> dict[str, Any]:
    return {"strategy": {"steps": [{"kind": "probe", "requests": requests or [OK], **keys}, *then]}}


def set_answers(harness: Harness, *given: Any) -> list[Any]:
    """Set what the function answers, in turn.

    Return the list that will hold the payloads.

    An answer is a value, or a function of the payload. The last one is repeated.
    """
    payloads: list[Any] = []
    waiting = list(given)

    def handler(payload: Any) -> Any:
        payloads.append(payload)
        answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return answer(payload) if callable(answer) else answer

    harness.aws.handlers[harness.function] = handler
    return payloads


def crash(_: object) -> None:
    raise RuntimeError(SECRET)


def assert_refused(end: Ending, harness: Harness, why: str) -> None:
    assert end.kind == "ReleaseRolledBack", end
    assert why in end.text
    harness.assert_restored()


async def wait_for_probes(harness: Harness, number: int) -> None:
    """Wait until so many probes were sent."""
    await harness.wait_until(lambda: len(harness.aws.of("invoke")) >= number)


# --- passing and failing ---


async def test_candidate_that_answers_as_expected_is_promoted(harness: Harness) -> None:
    payloads = set_answers(harness, {"status": "ok", "secret": SECRET})
    end = await harness.release(
        artifact=harness.package("three"), **probe_strategy(OK, {"payload": "two"}, count=5)
    )
    assert end.kind == "Completed"
    assert payloads == [{"id": 1}, "two", {"id": 1}, "two", {"id": 1}]
    assert {call["Qualifier"] for call in harness.aws.of("invoke")} == {"3"}
    assert end.status is not None
    assert (end.status.step, end.status.steps) == (1, 1)


async def test_candidate_is_probed_before_it_gets_any_traffic(harness: Harness) -> None:
    set_answers(harness, {"status": "ok"})
    then = ({"kind": "set_weight", "percent": 10}, {"kind": "bake", "duration": "1m"})
    assert (
        await harness.release(artifact=harness.package("three"), **probe_strategy(then=then))
    ).kind == "Completed"
    assert [name for name in harness.aws.operations if name in {"invoke", "update_alias"}] == [
        "invoke",
        "update_alias",
        "update_alias",
    ]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (
            {"status": SECRET},
            "a probe (2 of 3, second): $.status is not as expected: a text is there",
        ),
        ({"secret": SECRET}, "$.status is not as expected: nothing is there"),
        (crash, "version 3 failed a probe (2 of 3, second): it failed (Unhandled)"),
        (SECRET.encode(), "its answer is not JSON"),
    ],
)
async def test_wrong_answer_refuses_the_candidate_and_ends_the_probes(
    harness: Harness, answer: Any, why: str
) -> None:
    set_answers(harness, {"status": "ok"}, answer)
    end = await harness.release(
        artifact=harness.package("three"), **probe_strategy(OK, {**OK, "name": "second"}, OK)
    )
    assert_refused(end, harness, why)
    assert len(harness.aws.of("invoke")) == 2
    assert "update_alias" not in harness.aws.operations


async def test_failed_probe_under_traffic_takes_the_traffic_back(harness: Harness) -> None:
    set_answers(harness, crash)
    steps = [{"kind": "set_weight", "percent": 10}, {"kind": "probe", "requests": [OK]}]
    assert_refused(
        await harness.release(artifact=harness.package("three"), strategy={"steps": steps}),
        harness,
        "all traffic is on version 2",
    )
    assert [
        move["RoutingConfig"]["AdditionalVersionWeights"] for move in harness.aws.of("update_alias")
    ] == [{"3": 0.1}, {}]


async def test_answer_that_comes_too_late_is_a_failure(harness: Harness) -> None:
    set_answers(harness, {"status": "ok"})
    harness.aws.after("invoke", lambda _: asyncio.sleep(5))
    assert_refused(
        await harness.release(
            artifact=harness.package("three"), **probe_strategy(max_latency="50ms")
        ),
        harness,
        "no answer within 50 ms",
    )


async def test_probes_may_fail_up_to_max_failures(harness: Harness) -> None:
    set_answers(harness, crash, {"status": "ok"}, crash, {"status": "ok"})
    assert (
        await harness.release(
            artifact=harness.package("three"), **probe_strategy(count=5, max_failures=2)
        )
    ).kind == "Completed"
    assert len(harness.aws.of("invoke")) == 5
    set_answers(harness, crash, {"status": "ok"}, crash, {"status": "ok"})
    end = await harness.release(
        artifact=harness.package("four"), **probe_strategy(count=5, max_failures=1)
    )
    assert end.kind == "ReleaseRolledBack"
    assert "version 4 failed a probe (3 of 5): it failed (Unhandled); 2 failed, 1 may" in end.text
    assert len(harness.aws.of("invoke")) == 8


async def test_expected_value_may_be_null(harness: Harness) -> None:
    set_answers(harness, {"error": None})
    expecting = {
        "expect": [{"path": "$.error", "equals": None}, {"path": "$.warning", "exists": False}]
    }
    assert (
        await harness.release(artifact=harness.package("three"), **probe_strategy(expecting))
    ).kind == "Completed"
    set_answers(harness, {"error": SECRET})
    assert (
        await harness.release(artifact=harness.package("four"), **probe_strategy(expecting))
    ).kind == "ReleaseRolledBack"


async def test_probes_are_sent_at_the_requested_interval(harness: Harness) -> None:
    set_answers(harness, {"status": "ok"})
    handle = await harness.begin(
        artifact=harness.package("three"), **probe_strategy(count=3, every="5m")
    )
    await wait_for_probes(harness, 1)
    await harness.fast_forward(timedelta(minutes=4))
    assert len(harness.aws.of("invoke")) == 1
    await harness.fast_forward(timedelta(minutes=2))
    await wait_for_probes(harness, 2)
    assert (await harness.finish(handle)).kind == "Completed"
    assert len(harness.aws.of("invoke")) == 3


async def test_first_release_of_an_alias_is_not_probed(
    harness: Harness,
) -> None:
    del harness.state.aliases["live"]
    set_answers(harness, crash)
    assert (
        await harness.release(artifact=harness.package("three"), **probe_strategy())
    ).kind == "Completed"
    assert "invoke" not in harness.aws.operations


# --- retries ---


@pytest.mark.parametrize("code", ["TooManyRequestsException", "SnapStartNotReadyException"])
async def test_probe_that_aws_did_not_run_is_retried(harness: Harness, code: str) -> None:
    payloads = set_answers(harness, {"status": "ok"})
    harness.aws.fail("invoke", code, times=3)
    assert (
        await harness.release(artifact=harness.package("three"), **probe_strategy())
    ).kind == "Completed"
    assert (len(harness.aws.of("invoke")), len(payloads)) == (4, 1)


async def test_probe_that_aws_never_runs_is_a_failure(harness: Harness) -> None:
    set_answers(harness, {"status": "ok"})
    harness.aws.fail("invoke", "TooManyRequestsException", times=None)
    assert_refused(
        await harness.release(artifact=harness.package("three"), **probe_strategy()),
        harness,
        "it could not be invoked: invoke: ",
    )
    assert len(harness.aws.of("invoke")) == 5


async def test_probe_that_was_refused_to_this_worker_is_sent_again(harness: Harness) -> None:
    set_answers(harness, {"status": "ok"})
    harness.aws.fail("invoke", "ExpiredTokenException", times=6)
    end = await harness.release(artifact=harness.package("three"), **probe_strategy())
    assert end.kind == "Completed", end


LOST = ["ReadTimeoutError", "ServiceException"]


@pytest.mark.parametrize("code", [*LOST, "ValidationException"])
async def test_probe_without_a_response_is_a_failure_where_that_is_wanted(
    harness: Harness, code: str
) -> None:
    set_answers(harness, {"status": "ok"})
    harness.aws.fail("invoke", code)
    hooks = {} if code == "ValidationException" else {"hooks": {"on_lost": "roll_back"}}
    assert_refused(
        await harness.release(artifact=harness.package("three"), **probe_strategy(), **hooks),
        harness,
        "it could not be invoked: ",
    )
    assert len(harness.aws.of("invoke")) == 1


@pytest.mark.parametrize("code", LOST)
async def test_probe_whose_answer_is_lost_holds_the_release(harness: Harness, code: str) -> None:
    set_answers(harness, {"status": "ok"})
    harness.aws.fail("invoke", code, times=2)
    handle = await harness.begin(artifact=harness.package("three"), **probe_strategy(count=3))
    status = await harness.wait_for_phase("awaiting_approval")
    assert "The answer of version 3 to a probe (1 of 3) was lost: " in status.note
    assert len(harness.aws.of("invoke")) == 1
    await harness.send("approve", note="it ran")
    await harness.wait_until(lambda: len(harness.aws.of("invoke")) == 2)
    await harness.wait_for_note(r"to a probe \(2 of 3\) was lost: ")
    await harness.send("approve", note="so did this")
    assert (await harness.finish(handle)).kind == "Completed"
    assert len(harness.aws.of("invoke")) == 3


async def test_release_that_is_held_for_a_probe_can_be_aborted(harness: Harness) -> None:
    set_answers(harness, {"status": "ok"})
    harness.aws.fail("invoke", "ReadTimeoutError")
    handle = await harness.begin(artifact=harness.package("three"), **probe_strategy())
    await harness.wait_for_phase("awaiting_approval")
    await harness.send("abort", reason="look first")
    assert (await harness.finish(handle)).kind == "ReleaseRolledBack"
    assert len(harness.aws.of("invoke")) == 1
    harness.assert_restored()


# --- controls ---


async def begin_probes(harness: Harness, **keys: Any) -> Any:
    """Begin a release.

    Return it between the second and the third of its ten probes.
    """
    set_answers(harness, {"status": "ok"})
    handle = await harness.begin(
        artifact=harness.package("three"), **probe_strategy(count=10, every="1m"), **keys
    )
    await wait_for_probes(harness, 1)
    await harness.fast_forward(timedelta(minutes=1.5))
    await wait_for_probes(harness, 2)
    return handle


async def test_pause_holds_before_the_next_probe(harness: Harness) -> None:
    handle = await begin_probes(harness)
    assert (await harness.send("pause")).paused
    await harness.env.fast_forward(harness.rollout, 0.001)  # without a timer nothing is skipped
    await harness.assert_running(handle)
    assert len(harness.aws.of("invoke")) == 2
    await harness.send("resume")
    assert (await harness.finish(handle)).kind == "Completed"
    assert len(harness.aws.of("invoke")) == 10


async def test_pause_during_a_probe_holds_after_it(harness: Harness) -> None:
    set_answers(harness, {"status": "ok"})
    hold = harness.aws.hold("invoke", skip=1)
    handle = await harness.begin(artifact=harness.package("three"), **probe_strategy(count=2))
    await harness.wait_for(hold.reached)
    await harness.send("pause")
    hold.release()
    await harness.assert_running(handle)
    assert "update_alias" not in harness.aws.operations
    await harness.send("resume")
    assert (await harness.finish(handle)).kind == "Completed"


async def test_promotion_skips_the_remaining_probes(harness: Harness) -> None:
    handle = await begin_probes(harness)
    await harness.send("promote", reason="hotfix")
    assert (await harness.finish(handle)).kind == "Completed"
    assert len(harness.aws.of("invoke")) == 2


async def test_abort_between_two_probes_ends_them(harness: Harness) -> None:
    handle = await begin_probes(harness)
    assert (await harness.send("abort", reason="wrong build")).note == "Aborted by ana: wrong build"
    assert_refused(await read_ending(handle), harness, "aborted by ana: wrong build")
    assert len(harness.aws.of("invoke")) == 2


async def test_abort_does_not_wait_for_a_running_probe(harness: Harness) -> None:
    set_answers(harness, {"status": "ok"})
    hold = harness.aws.hold("invoke")
    handle = await harness.begin(
        artifact=harness.package("three"), **probe_strategy(count=5, max_failures=4)
    )
    await harness.wait_for(hold.reached)
    await harness.send("abort", reason="wrong build")
    assert_refused(await read_ending(handle), harness, "aborted by ana: wrong build")
    hold.release()
    assert len(harness.aws.of("invoke")) == 1
    assert "failed a probe" not in str(await harness.rollout.query("__temporal_workflow_metadata"))


async def test_alarm_during_the_probes_rolls_back(harness: Harness) -> None:
    harness.aws.alarms["errors"] = "OK"
    handle = await begin_probes(harness, guards={"alarms": ["errors"]})
    harness.aws.alarms["errors"] = "ALARM"
    assert_refused(await harness.finish(handle), harness, "alarm errors went off")
    assert len(harness.aws.of("invoke")) < 10


async def test_alarm_with_the_last_probe_stops_the_next_move(harness: Harness) -> None:
    harness.aws.alarms["errors"] = "OK"

    def last(_: object) -> dict[str, str]:
        harness.aws.alarms["errors"] = "ALARM"
        return {"status": "ok"}

    set_answers(harness, last)
    then = ({"kind": "set_weight", "percent": 10},)
    end = await harness.release(
        artifact=harness.package("three"),
        guards={"alarms": ["errors"]},
        **probe_strategy(then=then),
    )
    assert_refused(end, harness, "alarm errors went off")
    assert "update_alias" not in harness.aws.operations


# --- reports ---


async def test_status_during_the_probes_has_their_count_and_interval(harness: Harness) -> None:
    handle = await begin_probes(harness)
    status = await harness.status()
    assert (status.phase, status.note, status.step) == (
        "baking",
        "Probing version 3 10 times, every 1 min",
        0,
    )
    assert status.ends_at is not None
    await harness.send("abort")
    await read_ending(handle)


async def read_summaries(harness: Harness) -> list[str]:
    """The summaries of activities and timers, in order."""
    kinds = {EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, EventType.EVENT_TYPE_TIMER_STARTED}
    history = await harness.rollout.fetch_history()
    return [
        json.loads(each.user_metadata.summary.data)
        for each in history.events
        if each.event_type in kinds
    ]


async def test_timeline_has_each_probe(harness: Harness) -> None:
    set_answers(harness, {"status": "ok"})
    await harness.release(
        artifact=harness.package("three"), **probe_strategy({**OK, "name": "checkout"}, OK)
    )
    probes = [each for each in await read_summaries(harness) if "robe" in each]
    assert probes == [
        "Probe version 3: 1 of 2, checkout",
        "Until the next probe of version 3: 1 of 2 sent",
        "Probe version 3: 2 of 2",
    ]


async def test_plan_has_the_probes_and_their_duration(harness: Harness) -> None:
    harness.aws.alarms["errors"] = "OK"
    request = harness.request(
        artifact=harness.package("three"),
        guards={"alarms": ["errors"]},
        **probe_strategy(count=7, every="10s"),
    )
    plan = await harness.client.execute_workflow(
        "Plan",
        request,
        id=f"plan/{harness.function}",
        task_queue=harness.queue,
        result_type=ReleasePlan,
    )
    assert plan.refusals == ()
    assert "Probe the candidate 7 times, every 10 s" in plan.steps
    assert (plan.calls["probe_function"], plan.calls["describe_alarms"]) == (7, 1)
    assert plan.at_least == timedelta(minutes=1)
    assert "invoke" not in harness.aws.operations


async def read_history(harness: Harness) -> bytes:
    """The description and the events of the rollout, as bytes."""
    described = (await harness.rollout.describe()).raw_description.SerializeToString()
    events = [event.SerializeToString() for event in (await harness.rollout.fetch_history()).events]
    return b"".join([described, *events])


@pytest.mark.parametrize(
    "answer", [{"status": "ok", "token": SECRET}, {"status": SECRET}, SECRET.encode(), crash]
)
async def test_answer_of_a_probe_is_not_in_the_history(
    harness: Harness, answer: Callable[[Any], Any] | Any
) -> None:
    set_answers(harness, answer)
    request = {**OK, "payload": {"visible": "in-the-history"}}
    handle = await harness.start(
        "Release",
        harness.request(
            artifact=harness.package("three"), **probe_strategy(request, request, max_failures=1)
        ),
    )
    end = await read_ending(handle)
    kept = await read_history(harness) + b"".join(
        [event.SerializeToString() for event in (await handle.fetch_history()).events]
    )
    assert b"in-the-history" in kept  # a payload is
    assert SECRET.encode() not in kept
    assert SECRET not in str(end)


async def test_probe_is_skipped_where_nothing_is_released(harness: Harness) -> None:
    set_answers(harness, crash)
    end = await harness.release(artifact=harness.package("two"), **probe_strategy())
    assert (end.kind, "invoke" in harness.aws.operations) == ("Completed", False)


async def test_probe_takes_eleven_events(harness: Harness) -> None:
    set_answers(harness, {"status": "ok"})
    lengths: list[int] = []
    for package, count in (("three", 1), ("four", 100)):
        end = await harness.release(
            artifact=harness.package(package), **probe_strategy(count=count)
        )
        assert end.kind == "Completed"
        events = (await harness.rollout.fetch_history()).events
        lengths.append(
            sum(
                each.event_type
                != EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED
                for each in events
            )
        )
    assert (lengths[1] - lengths[0]) / 99 == pytest.approx(11, abs=0.2)

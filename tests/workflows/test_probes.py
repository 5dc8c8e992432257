"""Probes: requests to the candidate itself, whose answers may refuse it; bounded, steered as a bake is, and silent about what was answered."""

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


def probing(
    *requests: dict[str, Any], then: tuple[dict[str, Any], ...] = (), **keys: Any
) -> dict[str, Any]:
    return {"strategy": {"steps": [{"kind": "probe", "requests": requests or [OK], **keys}, *then]}}


def answers(harness: Harness, *given: Any) -> list[Any]:
    """What the function answers, in turn, the last one for ever: a value, or a function of the payload; the payloads come back."""
    asked: list[Any] = []
    waiting = list(given)

    def handler(payload: Any) -> Any:
        asked.append(payload)
        answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return answer(payload) if callable(answer) else answer

    harness.aws.handlers[harness.function] = handler
    return asked


def crash(_: object) -> None:
    raise RuntimeError(SECRET)


def refused(end: Ending, harness: Harness, why: str) -> None:
    assert end.kind == "ReleaseRolledBack", end
    assert why in end.text
    assert harness.aws.routing(harness.function) == ("2", {})
    assert harness.state.latest["CodeSha256"] == harness.state.versions["2"]["CodeSha256"]


async def sent(harness: Harness, number: int) -> None:
    """Wait until so many probes were sent."""
    await harness.wait_until(lambda: len(harness.aws.of("invoke")) >= number)


# --- passing and failing ---------------------------------------------------------------------------------------------------------


async def test_a_candidate_that_answers_as_expected_is_released(harness: Harness) -> None:
    asked = answers(harness, {"status": "ok", "secret": SECRET})
    end = await harness.release(
        artifact=harness.package("three"), **probing(OK, {"payload": "two"}, count=5)
    )
    assert end.kind == "Completed"
    assert asked == [{"id": 1}, "two", {"id": 1}, "two", {"id": 1}]
    assert {call["Qualifier"] for call in harness.aws.of("invoke")} == {"3"}
    assert end.status is not None
    assert (end.status.step, end.status.steps) == (1, 1)


async def test_a_candidate_is_probed_before_it_gets_any_traffic(harness: Harness) -> None:
    answers(harness, {"status": "ok"})
    then = ({"kind": "set_weight", "percent": 10}, {"kind": "bake", "duration": "1m"})
    assert (
        await harness.release(artifact=harness.package("three"), **probing(then=then))
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
            "version 3 failed a probe (2 of 3, second): $.status is not as expected: a text is there",
        ),
        ({"secret": SECRET}, "$.status is not as expected: nothing is there"),
        (crash, "version 3 failed a probe (2 of 3, second): it failed (Unhandled)"),
        (SECRET.encode(), "its answer is not JSON"),
    ],
)
async def test_one_wrong_answer_refuses_it_and_the_rest_is_not_sent(
    harness: Harness, answer: Any, why: str
) -> None:
    answers(harness, {"status": "ok"}, answer)
    end = await harness.release(
        artifact=harness.package("three"), **probing(OK, {**OK, "name": "second"}, OK)
    )
    refused(end, harness, why)
    assert len(harness.aws.of("invoke")) == 2
    assert "update_alias" not in harness.aws.operations


async def test_a_probe_under_traffic_takes_it_back(harness: Harness) -> None:
    answers(harness, crash)
    steps = [{"kind": "set_weight", "percent": 10}, {"kind": "probe", "requests": [OK]}]
    refused(
        await harness.release(artifact=harness.package("three"), strategy={"steps": steps}),
        harness,
        "all traffic is on version 2",
    )
    assert [
        move["RoutingConfig"]["AdditionalVersionWeights"] for move in harness.aws.of("update_alias")
    ] == [{"3": 0.1}, {}]


async def test_an_answer_that_comes_too_late_is_a_wrong_one(harness: Harness) -> None:
    answers(harness, {"status": "ok"})
    harness.aws.after("invoke", lambda _: asyncio.sleep(5))
    refused(
        await harness.release(artifact=harness.package("three"), **probing(max_latency="50ms")),
        harness,
        "no answer within 50 ms",
    )


async def test_as_many_may_fail_as_were_allowed_and_no_more(harness: Harness) -> None:
    answers(harness, crash, {"status": "ok"}, crash, {"status": "ok"})
    assert (
        await harness.release(artifact=harness.package("three"), **probing(count=5, max_failures=2))
    ).kind == "Completed"
    assert len(harness.aws.of("invoke")) == 5
    answers(harness, crash, {"status": "ok"}, crash, {"status": "ok"})
    end = await harness.release(
        artifact=harness.package("four"), **probing(count=5, max_failures=1)
    )
    assert end.kind == "ReleaseRolledBack"
    assert "version 4 failed a probe (3 of 5): it failed (Unhandled); 2 failed, 1 may" in end.text
    assert len(harness.aws.of("invoke")) == 8


async def test_what_is_expected_may_be_null_all_the_way(harness: Harness) -> None:
    answers(harness, {"error": None})
    expecting = {
        "expect": [{"path": "$.error", "equals": None}, {"path": "$.warning", "exists": False}]
    }
    assert (
        await harness.release(artifact=harness.package("three"), **probing(expecting))
    ).kind == "Completed"
    answers(harness, {"error": SECRET})
    assert (
        await harness.release(artifact=harness.package("four"), **probing(expecting))
    ).kind == "ReleaseRolledBack"


async def test_probes_are_as_far_apart_as_asked(harness: Harness) -> None:
    answers(harness, {"status": "ok"})
    handle = await harness.begin(artifact=harness.package("three"), **probing(count=3, every="5m"))
    await sent(harness, 1)
    await harness.fast_forward(timedelta(minutes=4))
    assert len(harness.aws.of("invoke")) == 1
    await harness.fast_forward(timedelta(minutes=2))
    await sent(harness, 2)
    assert (await harness.finish(handle)).kind == "Completed"
    assert len(harness.aws.of("invoke")) == 3


async def test_a_first_release_of_an_alias_is_not_probed_as_no_step_applies_to_it(
    harness: Harness,
) -> None:
    del harness.state.aliases["live"]
    answers(harness, crash)
    assert (
        await harness.release(artifact=harness.package("three"), **probing())
    ).kind == "Completed"
    assert "invoke" not in harness.aws.operations


# --- once, and again only where it did not run -----------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["TooManyRequestsException", "SnapStartNotReadyException"])
async def test_a_probe_that_aws_did_not_run_is_sent_again(harness: Harness, code: str) -> None:
    asked = answers(harness, {"status": "ok"})
    harness.aws.fail("invoke", code, times=3)
    assert (
        await harness.release(artifact=harness.package("three"), **probing())
    ).kind == "Completed"
    assert (len(harness.aws.of("invoke")), len(asked)) == (4, 1)


async def test_a_probe_that_aws_never_runs_is_a_failure(harness: Harness) -> None:
    answers(harness, {"status": "ok"})
    harness.aws.fail("invoke", "TooManyRequestsException", times=None)
    refused(
        await harness.release(artifact=harness.package("three"), **probing()),
        harness,
        "it could not be asked: invoke: ",
    )
    assert len(harness.aws.of("invoke")) == 5


@pytest.mark.parametrize("code", ["ReadTimeoutError", "ServiceException", "AccessDeniedException"])
async def test_a_probe_whose_answer_was_lost_is_a_failure_and_is_not_sent_twice(
    harness: Harness, code: str
) -> None:
    answers(harness, {"status": "ok"})
    harness.aws.fail("invoke", code)
    refused(
        await harness.release(artifact=harness.package("three"), **probing()),
        harness,
        "it could not be asked: ",
    )
    assert len(harness.aws.of("invoke")) == 1


# --- steering --------------------------------------------------------------------------------------------------------------------


async def amid(harness: Harness, **keys: Any) -> Any:
    """A release between its second probe and its third, of ten."""
    answers(harness, {"status": "ok"})
    handle = await harness.begin(
        artifact=harness.package("three"), **probing(count=10, every="1m"), **keys
    )
    await sent(harness, 1)
    await harness.fast_forward(timedelta(minutes=1.5))
    await sent(harness, 2)
    return handle


async def test_a_pause_holds_before_the_next_probe(harness: Harness) -> None:
    handle = await amid(harness)
    assert (await harness.send("pause")).paused
    await harness.env.fast_forward(harness.rollout, 0.001)  # without a timer nothing is skipped
    with pytest.raises(TimeoutError):
        await read_ending(handle, seconds=0.5)
    assert len(harness.aws.of("invoke")) == 2
    await harness.send("resume")
    assert (await harness.finish(handle)).kind == "Completed"
    assert len(harness.aws.of("invoke")) == 10


async def test_a_pause_while_a_probe_is_under_way_holds_after_it(harness: Harness) -> None:
    answers(harness, {"status": "ok"})
    hold = harness.aws.hold("invoke", skip=1)
    handle = await harness.begin(artifact=harness.package("three"), **probing(count=2))
    await harness.wait_for(hold.reached)
    await harness.send("pause")
    hold.release()
    with pytest.raises(TimeoutError):
        await read_ending(handle, seconds=0.5)
    assert "update_alias" not in harness.aws.operations
    await harness.send("resume")
    assert (await harness.finish(handle)).kind == "Completed"


async def test_a_promotion_skips_the_probes_that_are_left(harness: Harness) -> None:
    handle = await amid(harness)
    await harness.send("promote", reason="hotfix")
    assert (await harness.finish(handle)).kind == "Completed"
    assert len(harness.aws.of("invoke")) == 2


async def test_an_abort_between_two_probes_ends_the_probing(harness: Harness) -> None:
    handle = await amid(harness)
    assert (await harness.send("abort", reason="wrong build")).note == "Aborted by ana: wrong build"
    refused(await read_ending(handle), harness, "aborted by ana: wrong build")
    assert len(harness.aws.of("invoke")) == 2


async def test_an_abort_does_not_wait_for_the_probe_that_is_under_way(harness: Harness) -> None:
    answers(harness, {"status": "ok"})
    hold = harness.aws.hold("invoke")
    handle = await harness.begin(
        artifact=harness.package("three"), **probing(count=5, max_failures=4)
    )
    await harness.wait_for(hold.reached)
    await harness.send("abort", reason="wrong build")
    refused(await read_ending(handle), harness, "aborted by ana: wrong build")
    hold.release()
    assert len(harness.aws.of("invoke")) == 1
    assert "failed a probe" not in str(await harness.rollout.query("__temporal_workflow_metadata"))


async def test_an_alarm_during_the_probing_rolls_back(harness: Harness) -> None:
    harness.aws.alarms["errors"] = "OK"
    handle = await amid(harness, guards={"alarms": ["errors"]})
    harness.aws.alarms["errors"] = "ALARM"
    refused(await harness.finish(handle), harness, "alarm errors went off")
    assert len(harness.aws.of("invoke")) < 10


async def test_an_alarm_with_the_last_probe_is_seen_before_traffic_moves(harness: Harness) -> None:
    harness.aws.alarms["errors"] = "OK"

    def last(_: object) -> dict[str, str]:
        harness.aws.alarms["errors"] = "ALARM"
        return {"status": "ok"}

    answers(harness, last)
    then = ({"kind": "set_weight", "percent": 10},)
    end = await harness.release(
        artifact=harness.package("three"), guards={"alarms": ["errors"]}, **probing(then=then)
    )
    refused(end, harness, "alarm errors went off")
    assert "update_alias" not in harness.aws.operations


# --- what is seen ----------------------------------------------------------------------------------------------------------------


async def test_while_it_probes_a_release_says_so(harness: Harness) -> None:
    handle = await amid(harness)
    status = await harness.status()
    assert (status.phase, status.note, status.step) == (
        "baking",
        "Probing version 3 10 times, every 1 min",
        0,
    )
    assert status.ends_at is not None
    await harness.send("abort")
    await read_ending(handle)


async def summaries(harness: Harness) -> list[str]:
    """The timeline: what stands on activities and timers, in order."""
    kinds = {EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, EventType.EVENT_TYPE_TIMER_STARTED}
    history = await harness.rollout.fetch_history()
    return [
        json.loads(each.user_metadata.summary.data)
        for each in history.events
        if each.event_type in kinds
    ]


async def test_the_timeline_tells_each_probe(harness: Harness) -> None:
    answers(harness, {"status": "ok"})
    await harness.release(
        artifact=harness.package("three"), **probing({**OK, "name": "checkout"}, OK)
    )
    told = [each for each in await summaries(harness) if "robe" in each]
    assert told == [
        "Probe version 3: 1 of 2, checkout",
        "Until the next probe of version 3: 1 of 2 sent",
        "Probe version 3: 2 of 2",
    ]


async def test_the_plan_counts_the_probes_and_their_time(harness: Harness) -> None:
    harness.aws.alarms["errors"] = "OK"
    request = harness.request(
        artifact=harness.package("three"),
        guards={"alarms": ["errors"]},
        **probing(count=7, every="10s"),
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


async def history(harness: Harness) -> bytes:
    """Everything that Temporal keeps of a release: the events of its rollout, and what is beside them."""
    described = (await harness.rollout.describe()).raw_description.SerializeToString()
    events = [event.SerializeToString() for event in (await harness.rollout.fetch_history()).events]
    return b"".join([described, *events])


@pytest.mark.parametrize(
    "answer", [{"status": "ok", "token": SECRET}, {"status": SECRET}, SECRET.encode(), crash]
)
async def test_nothing_of_an_answer_is_in_the_history(
    harness: Harness, answer: Callable[[Any], Any] | Any
) -> None:
    answers(harness, answer)
    request = {**OK, "payload": {"visible": "in-the-history"}}
    handle = await harness.start(
        "Release",
        harness.request(
            artifact=harness.package("three"), **probing(request, request, max_failures=1)
        ),
    )
    end = await read_ending(handle)
    kept = await history(harness) + b"".join(
        [event.SerializeToString() for event in (await handle.fetch_history()).events]
    )
    assert b"in-the-history" in kept  # a payload is
    assert SECRET.encode() not in kept
    assert SECRET not in str(end)


async def test_a_probe_is_no_step_of_a_release_that_has_nothing_to_do(harness: Harness) -> None:
    answers(harness, crash)
    end = await harness.release(artifact=harness.package("two"), **probing())
    assert (end.kind, "invoke" in harness.aws.operations) == ("Completed", False)


async def test_a_probe_takes_eleven_events(harness: Harness) -> None:
    answers(harness, {"status": "ok"})
    lengths: list[int] = []
    for package, count in (("three", 1), ("four", 100)):
        end = await harness.release(artifact=harness.package(package), **probing(count=count))
        assert end.kind == "Completed"
        events = (await harness.rollout.fetch_history()).events
        lengths.append(
            sum(
                each.event_type
                != EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED
                for each in events
            )
        )
    assert (lengths[1] - lengths[0]) / 99 == pytest.approx(
        11, abs=0.2
    )  # a task more where two things happen at once

"""Probes: requests to the candidate itself, whose answers may refuse it; bounded, steered as a bake is, and silent about what was answered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType

from tests.workflows.scene import Ending, Scene, ending
from workflows.plan import ReleasePlan

SECRET = "hunter2-of-the-answer"
OK = {"payload": {"id": 1}, "expect": [{"path": "$.status", "equals": "ok"}]}


def probing(
    *requests: dict[str, Any], then: tuple[dict[str, Any], ...] = (), **keys: Any
) -> dict[str, Any]:
    return {"strategy": {"steps": [{"kind": "probe", "requests": requests or [OK], **keys}, *then]}}


def answers(scene: Scene, *given: Any) -> list[Any]:
    """What the function answers, in turn, the last one for ever: a value, or a function of the payload; the payloads come back."""
    asked: list[Any] = []
    waiting = list(given)

    def handler(payload: Any) -> Any:
        asked.append(payload)
        answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return answer(payload) if callable(answer) else answer

    scene.aws.handlers[scene.function] = handler
    return asked


def crash(_: object) -> None:
    raise RuntimeError(SECRET)


def refused(end: Ending, scene: Scene, why: str) -> None:
    assert end.kind == "ReleaseRolledBack", end
    assert why in end.text
    assert scene.aws.routing(scene.function) == ("2", {})
    assert scene.state.latest["CodeSha256"] == scene.state.versions["2"]["CodeSha256"]


async def sent(scene: Scene, number: int) -> None:
    """Wait until so many probes were sent."""
    async with scene.patience():
        while len(scene.aws.of("invoke")) < number:
            await scene.moment()


# --- passing and failing ---------------------------------------------------------------------------------------------------------


async def test_a_candidate_that_answers_as_expected_is_released(scene: Scene) -> None:
    asked = answers(scene, {"status": "ok", "secret": SECRET})
    end = await scene.release(
        artifact=scene.package("three"), **probing(OK, {"payload": "two"}, count=5)
    )
    assert end.kind == "Completed"
    assert asked == [{"id": 1}, "two", {"id": 1}, "two", {"id": 1}]
    assert {call["Qualifier"] for call in scene.aws.of("invoke")} == {"3"}
    assert end.status is not None
    assert (end.status.step, end.status.steps) == (1, 1)


async def test_a_candidate_is_probed_before_it_gets_any_traffic(scene: Scene) -> None:
    answers(scene, {"status": "ok"})
    then = ({"kind": "set_weight", "percent": 10}, {"kind": "bake", "duration": "1m"})
    assert (
        await scene.release(artifact=scene.package("three"), **probing(then=then))
    ).kind == "Completed"
    assert [name for name in scene.aws.operations if name in {"invoke", "update_alias"}] == [
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
    scene: Scene, answer: Any, why: str
) -> None:
    answers(scene, {"status": "ok"}, answer)
    end = await scene.release(
        artifact=scene.package("three"), **probing(OK, {**OK, "name": "second"}, OK)
    )
    refused(end, scene, why)
    assert len(scene.aws.of("invoke")) == 2
    assert "update_alias" not in scene.aws.operations


async def test_a_probe_under_traffic_takes_it_back(scene: Scene) -> None:
    answers(scene, crash)
    steps = [{"kind": "set_weight", "percent": 10}, {"kind": "probe", "requests": [OK]}]
    refused(
        await scene.release(artifact=scene.package("three"), strategy={"steps": steps}),
        scene,
        "all traffic is on version 2",
    )
    assert [
        move["RoutingConfig"]["AdditionalVersionWeights"] for move in scene.aws.of("update_alias")
    ] == [{"3": 0.1}, {}]


async def test_an_answer_that_comes_too_late_is_a_wrong_one(scene: Scene) -> None:
    answers(scene, {"status": "ok"})
    scene.aws.after("invoke", lambda _: asyncio.sleep(5))
    refused(
        await scene.release(artifact=scene.package("three"), **probing(max_latency="50ms")),
        scene,
        "no answer within 50 ms",
    )


async def test_as_many_may_fail_as_were_allowed_and_no_more(scene: Scene) -> None:
    answers(scene, crash, {"status": "ok"}, crash, {"status": "ok"})
    assert (
        await scene.release(artifact=scene.package("three"), **probing(count=5, max_failures=2))
    ).kind == "Completed"
    assert len(scene.aws.of("invoke")) == 5
    answers(scene, crash, {"status": "ok"}, crash, {"status": "ok"})
    end = await scene.release(artifact=scene.package("four"), **probing(count=5, max_failures=1))
    assert end.kind == "ReleaseRolledBack"
    assert "version 4 failed a probe (3 of 5): it failed (Unhandled); 2 failed, 1 may" in end.text
    assert len(scene.aws.of("invoke")) == 8


async def test_what_is_expected_may_be_null_all_the_way(scene: Scene) -> None:
    answers(scene, {"error": None})
    expecting = {
        "expect": [{"path": "$.error", "equals": None}, {"path": "$.warning", "exists": False}]
    }
    assert (
        await scene.release(artifact=scene.package("three"), **probing(expecting))
    ).kind == "Completed"
    answers(scene, {"error": SECRET})
    assert (
        await scene.release(artifact=scene.package("four"), **probing(expecting))
    ).kind == "ReleaseRolledBack"


async def test_probes_are_as_far_apart_as_asked(scene: Scene) -> None:
    answers(scene, {"status": "ok"})
    handle = await scene.begin(artifact=scene.package("three"), **probing(count=3, every="5m"))
    await sent(scene, 1)
    await scene.forward(timedelta(minutes=4))
    assert len(scene.aws.of("invoke")) == 1
    await scene.forward(timedelta(minutes=2))
    await sent(scene, 2)
    assert (await scene.finished(handle)).kind == "Completed"
    assert len(scene.aws.of("invoke")) == 3


async def test_a_first_release_of_an_alias_is_not_probed_as_no_step_applies_to_it(
    scene: Scene,
) -> None:
    del scene.state.aliases["live"]
    answers(scene, crash)
    assert (await scene.release(artifact=scene.package("three"), **probing())).kind == "Completed"
    assert "invoke" not in scene.aws.operations


# --- once, and again only where it did not run -----------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["TooManyRequestsException", "SnapStartNotReadyException"])
async def test_a_probe_that_aws_did_not_run_is_sent_again(scene: Scene, code: str) -> None:
    asked = answers(scene, {"status": "ok"})
    scene.aws.fail("invoke", code, times=3)
    assert (await scene.release(artifact=scene.package("three"), **probing())).kind == "Completed"
    assert (len(scene.aws.of("invoke")), len(asked)) == (4, 1)


async def test_a_probe_that_aws_never_runs_is_a_failure(scene: Scene) -> None:
    answers(scene, {"status": "ok"})
    scene.aws.fail("invoke", "TooManyRequestsException", times=None)
    refused(
        await scene.release(artifact=scene.package("three"), **probing()),
        scene,
        "it could not be asked: invoke: ",
    )
    assert len(scene.aws.of("invoke")) == 5


@pytest.mark.parametrize("code", ["ReadTimeoutError", "ServiceException", "AccessDeniedException"])
async def test_a_probe_whose_answer_was_lost_is_a_failure_and_is_not_sent_twice(
    scene: Scene, code: str
) -> None:
    answers(scene, {"status": "ok"})
    scene.aws.fail("invoke", code)
    refused(
        await scene.release(artifact=scene.package("three"), **probing()),
        scene,
        "it could not be asked: ",
    )
    assert len(scene.aws.of("invoke")) == 1


# --- steering --------------------------------------------------------------------------------------------------------------------


async def amid(scene: Scene, **keys: Any) -> Any:
    """A release between its second probe and its third, of ten."""
    answers(scene, {"status": "ok"})
    handle = await scene.begin(
        artifact=scene.package("three"), **probing(count=10, every="1m"), **keys
    )
    await sent(scene, 1)
    await scene.forward(timedelta(minutes=1.5))
    await sent(scene, 2)
    return handle


async def test_a_pause_holds_before_the_next_probe(scene: Scene) -> None:
    handle = await amid(scene)
    assert (await scene.say("pause")).paused
    await scene.env.fast_forward(scene.rollout, 0.001)  # without a timer nothing is skipped
    with pytest.raises(TimeoutError):
        await ending(handle, patience=0.5)
    assert len(scene.aws.of("invoke")) == 2
    await scene.say("resume")
    assert (await scene.finished(handle)).kind == "Completed"
    assert len(scene.aws.of("invoke")) == 10


async def test_a_pause_while_a_probe_is_under_way_holds_after_it(scene: Scene) -> None:
    answers(scene, {"status": "ok"})
    hold = scene.aws.hold("invoke", skip=1)
    handle = await scene.begin(artifact=scene.package("three"), **probing(count=2))
    async with scene.patience():
        await hold.reached.wait()
    await scene.say("pause")
    hold.release()
    with pytest.raises(TimeoutError):
        await ending(handle, patience=0.5)
    assert "update_alias" not in scene.aws.operations
    await scene.say("resume")
    assert (await scene.finished(handle)).kind == "Completed"


async def test_a_promotion_skips_the_probes_that_are_left(scene: Scene) -> None:
    handle = await amid(scene)
    await scene.say("promote", reason="hotfix")
    assert (await scene.finished(handle)).kind == "Completed"
    assert len(scene.aws.of("invoke")) == 2


async def test_an_abort_between_two_probes_ends_the_probing(scene: Scene) -> None:
    handle = await amid(scene)
    assert (await scene.say("abort", reason="wrong build")).note == "Aborted by ana: wrong build"
    refused(await ending(handle), scene, "aborted by ana: wrong build")
    assert len(scene.aws.of("invoke")) == 2


async def test_an_abort_does_not_wait_for_the_probe_that_is_under_way(scene: Scene) -> None:
    answers(scene, {"status": "ok"})
    hold = scene.aws.hold("invoke")
    handle = await scene.begin(artifact=scene.package("three"), **probing(count=5, max_failures=4))
    async with scene.patience():
        await hold.reached.wait()
    await scene.say("abort", reason="wrong build")
    refused(await ending(handle), scene, "aborted by ana: wrong build")
    hold.release()
    assert len(scene.aws.of("invoke")) == 1
    assert "failed a probe" not in str(await scene.rollout.query("__temporal_workflow_metadata"))


async def test_an_alarm_during_the_probing_rolls_back(scene: Scene) -> None:
    scene.aws.alarms["errors"] = "OK"
    handle = await amid(scene, guards={"alarms": ["errors"]})
    scene.aws.alarms["errors"] = "ALARM"
    refused(await scene.finished(handle), scene, "alarm errors went off")
    assert len(scene.aws.of("invoke")) < 10


async def test_an_alarm_with_the_last_probe_is_seen_before_traffic_moves(scene: Scene) -> None:
    scene.aws.alarms["errors"] = "OK"

    def last(_: object) -> dict[str, str]:
        scene.aws.alarms["errors"] = "ALARM"
        return {"status": "ok"}

    answers(scene, last)
    then = ({"kind": "set_weight", "percent": 10},)
    end = await scene.release(
        artifact=scene.package("three"), guards={"alarms": ["errors"]}, **probing(then=then)
    )
    refused(end, scene, "alarm errors went off")
    assert "update_alias" not in scene.aws.operations


# --- what is seen ----------------------------------------------------------------------------------------------------------------


async def test_while_it_probes_a_release_says_so(scene: Scene) -> None:
    handle = await amid(scene)
    status = await scene.status()
    assert (status.phase, status.note, status.step) == (
        "baking",
        "Probing version 3 10 times, every 1 min",
        0,
    )
    assert status.ends_at is not None
    await scene.say("abort")
    await ending(handle)


async def summaries(scene: Scene) -> list[str]:
    """The timeline: what stands on activities and timers, in order."""
    kinds = {EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, EventType.EVENT_TYPE_TIMER_STARTED}
    history = await scene.rollout.fetch_history()
    return [
        json.loads(each.user_metadata.summary.data)
        for each in history.events
        if each.event_type in kinds
    ]


async def test_the_timeline_tells_each_probe(scene: Scene) -> None:
    answers(scene, {"status": "ok"})
    await scene.release(artifact=scene.package("three"), **probing({**OK, "name": "checkout"}, OK))
    told = [each for each in await summaries(scene) if "robe" in each]
    assert told == [
        "Probe version 3: 1 of 2, checkout",
        "Until the next probe of version 3: 1 of 2 sent",
        "Probe version 3: 2 of 2",
    ]


async def test_the_plan_counts_the_probes_and_their_time(scene: Scene) -> None:
    scene.aws.alarms["errors"] = "OK"
    request = scene.request(
        artifact=scene.package("three"),
        guards={"alarms": ["errors"]},
        **probing(count=7, every="10s"),
    )
    plan = await scene.client.execute_workflow(
        "Plan",
        request,
        id=f"plan/{scene.function}",
        task_queue=scene.queue,
        result_type=ReleasePlan,
    )
    assert plan.refusals == ()
    assert "Probe the candidate 7 times, every 10 s" in plan.steps
    assert (plan.calls["probe_function"], plan.calls["describe_alarms"]) == (7, 1)
    assert plan.at_least == timedelta(minutes=1)
    assert "invoke" not in scene.aws.operations


async def history(scene: Scene) -> bytes:
    """Everything that Temporal keeps of a release: the events of its rollout, and what is beside them."""
    described = (await scene.rollout.describe()).raw_description.SerializeToString()
    events = [event.SerializeToString() for event in (await scene.rollout.fetch_history()).events]
    return b"".join([described, *events])


@pytest.mark.parametrize(
    "answer", [{"status": "ok", "token": SECRET}, {"status": SECRET}, SECRET.encode(), crash]
)
async def test_nothing_of_an_answer_is_in_the_history(
    scene: Scene, answer: Callable[[Any], Any] | Any
) -> None:
    answers(scene, answer)
    request = {**OK, "payload": {"visible": "in-the-history"}}
    handle = await scene.start(
        "Release",
        scene.request(artifact=scene.package("three"), **probing(request, request, max_failures=1)),
    )
    end = await ending(handle)
    kept = await history(scene) + b"".join(
        [event.SerializeToString() for event in (await handle.fetch_history()).events]
    )
    assert b"in-the-history" in kept  # a payload is
    assert SECRET.encode() not in kept
    assert SECRET not in str(end)


async def test_a_probe_is_no_step_of_a_release_that_has_nothing_to_do(scene: Scene) -> None:
    answers(scene, crash)
    end = await scene.release(artifact=scene.package("two"), **probing())
    assert (end.kind, "invoke" in scene.aws.operations) == ("Completed", False)


async def test_a_probe_takes_eleven_events(scene: Scene) -> None:
    answers(scene, {"status": "ok"})
    lengths: list[int] = []
    for package, count in (("three", 1), ("four", 100)):
        end = await scene.release(artifact=scene.package(package), **probing(count=count))
        assert end.kind == "Completed"
        events = (await scene.rollout.fetch_history()).events
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

"""A release that lives for weeks: it continues in new runs, and nobody notices.

``MAX_EVENTS`` is low here, so that seconds of events do for weeks of them.
"""

from __future__ import annotations

import contextlib
import json
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError

from tests.harness import ALL_AT_ONCE, Handle, Harness, read_ending
from tests.reset import reset_workflow
from tests.workflows.test_live_analysis import (
    BAD_ERROR_RATE,
    GUARDED,
    USUAL_ERROR_RATE,
    assert_promoted,
    bake_step,
    canary_with,
    set_traffic,
)
from workflows import continuation
from workflows.client.update import execute_update

MAX_EVENTS = 120


@pytest.fixture(autouse=True)
def short_histories(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(continuation, "MAX_EVENTS", MAX_EVENTS)


async def list_runs(harness: Harness) -> list[Any]:
    """The runs of the rollout, the first first."""
    query = f"WorkflowId = '{harness.rollout_id}'"
    runs = [run async for run in harness.client.list_workflows(query)]
    return sorted(runs, key=lambda run: run.start_time)


async def wait_for_run(harness: Harness, number: int, *, seconds: float = 60) -> None:
    """Pause and resume until the release is in this run, from 1; leave it running."""

    async def is_there() -> bool:
        await harness.send("pause", reason="again")
        await harness.send("resume")
        return len(await list_runs(harness)) >= number

    await harness.wait_until(is_there, seconds=seconds)


async def begin(harness: Harness, **keys: Any) -> Handle:
    """Begin a release with a bake of an hour, and let it continue in a second run."""
    handle = await harness.begin_until("baking", **(canary_with(bake_step(duration="1h")) | keys))
    await wait_for_run(harness, 2)
    return handle


async def test_long_bake_with_metrics_completes_over_many_runs(harness: Harness) -> None:
    set_traffic(harness, candidate=USUAL_ERROR_RATE)
    end = await harness.release(
        artifact=harness.package("three"), **GUARDED, **canary_with(bake_step(duration="2h"))
    )
    assert_promoted(end, harness)
    runs = await list_runs(harness)
    assert len(runs) >= 3
    assert [run.status for run in runs[:-1]] == [WorkflowExecutionStatus.CONTINUED_AS_NEW] * (
        len(runs) - 1
    )
    assert max([(await run_length(harness, run)) for run in runs]) < MAX_EVENTS + 60
    assert end.status is not None
    assert end.status.analysis is not None
    assert end.status.analysis.candidate.invocations == pytest.approx(2 * 60 * 600, rel=0.05)
    assert harness.aws.writes.count("update_alias") == 2
    phases = {await read_phase(harness, run) for run in runs[1:]}
    assert len(phases) == 1, "the time in the phase began anew with a run"


async def read_phase(harness: Harness, run: Any) -> tuple[str, str]:
    """The phase that a run went on in, and since when."""
    handle = harness.client.get_workflow_handle(run.id, run_id=run.run_id)
    started = (await handle.fetch_history()).events[0].workflow_execution_started_event_attributes
    carried = json.loads(started.input.payloads[0].data)["carried"]
    return carried["status"]["phase"], carried["phase_since"]


async def run_length(harness: Harness, run: Any) -> int:
    handle = harness.client.get_workflow_handle(run.id, run_id=run.run_id)
    return int((await handle.describe()).history_length)


async def test_worse_version_is_rolled_back_in_a_later_run(harness: Harness) -> None:
    set_traffic(harness, candidate=USUAL_ERROR_RATE)
    handle = await begin(harness, **GUARDED)
    set_traffic(harness, candidate=BAD_ERROR_RATE)
    end = await harness.finish(handle)
    assert end.kind == "ReleaseRolledBack", end
    assert "does worse than it may" in end.text
    harness.assert_restored()


async def test_abort_in_a_later_run_puts_everything_back(harness: Harness) -> None:
    handle = await begin(harness, configuration={"MemorySize": 512}, concurrency={"reserved": 50})
    status = await harness.send("abort", reason="wrong build")
    assert (status.candidate, status.stable) == ("3", "2")
    end = await read_ending(handle)
    assert end.kind == "ReleaseRolledBack", end
    assert "aborted by ana: wrong build" in end.text
    harness.assert_restored()
    assert harness.state.latest["MemorySize"] == 128
    assert harness.state.reserved is None


async def test_cancel_in_a_later_run_puts_everything_back(harness: Harness) -> None:
    handle = await begin(harness)
    await harness.cancel(handle)
    assert (await read_ending(handle)).kind == "Canceled"
    harness.assert_restored()


async def test_alarm_of_a_later_run_stops_the_release(harness: Harness) -> None:
    harness.aws.alarms["errors"] = "OK"
    handle = await begin(harness, guards={"alarms": ["errors"]})
    harness.aws.alarms["errors"] = "ALARM"
    end = await harness.finish(handle)
    assert end.kind == "ReleaseRolledBack", end
    assert "errors" in end.text


async def test_three_thousand_pauses_do_not_use_up_the_updates(harness: Harness) -> None:
    """A run takes 2,000 updates; here a tenth of it shows that the count begins again."""
    handle = await harness.begin_until("baking", **canary_with(bake_step(duration="1h")))
    for number in range(150):
        await harness.send("pause", reason=str(number))
        await harness.send("resume")
    assert len(await list_runs(harness)) > 5
    await harness.send("abort", reason="enough")
    assert (await read_ending(handle)).kind == "ReleaseRolledBack"
    harness.assert_restored()


async def test_status_goes_on_as_it_was(harness: Harness) -> None:
    await harness.begin_until("baking", **canary_with(bake_step(duration="1h")))
    before = await harness.status()
    await wait_for_run(harness, 2)
    await harness.send("pause", reason="lunch")
    after = await harness.status()
    unlike = {"note", "paused", "ends_at"}
    assert after.model_dump(exclude=unlike) == before.model_dump(exclude=unlike)
    assert (after.note, after.paused) == ("Paused by ana: lunch", True)
    described = await harness.rollout.describe()
    assert await described.memo_value("kind") == "Release"
    assert (await described.memo_value("journal"))["candidate"] == "3"


async def test_pause_outlives_a_run(harness: Harness) -> None:
    handle = await begin(harness)
    while len(await list_runs(harness)) < 4:
        await harness.send("pause", reason="lunch")
        await harness.send("resume")
    await harness.send("pause", reason="night")
    await harness.fast_forward(timedelta(hours=5))
    status = await harness.status()
    assert (status.paused, status.phase, status.note) == (True, "baking", "Paused by ana: night")
    await harness.send("resume")
    assert (await harness.finish(handle)).kind == "Completed"


async def test_approval_is_waited_for_over_runs(harness: Harness) -> None:
    approval = {"kind": "approval", "timeout": "1d"}
    handle = await harness.begin_until("awaiting_approval", **canary_with(approval))
    await wait_for_run(harness, 2)
    await harness.send("approve", note="fine")
    assert (await harness.finish(handle)).kind == "Completed"


@pytest.mark.parametrize("when", ["before_traffic", "after_traffic"])
async def test_lost_answer_of_a_hook_is_decided_in_a_later_run(harness: Harness, when: str) -> None:
    harness.aws.hook("smoke", lambda _: {"accept": True})
    harness.aws.alarms["errors"] = "OK"
    harness.aws.lose("invoke")
    guards, hooks = {"alarms": ["errors"]}, {when: "smoke"}
    handle = await harness.begin_until(
        "awaiting_approval", **ALL_AT_ONCE, guards=guards, hooks=hooks
    )
    await wait_for_run(harness, 3)
    asked = f"To go on as if it had accepted: releases approve {harness.function}:live; "
    assert asked in (await harness.status()).notes[-1]
    await harness.send("approve", note="it ran")
    assert (await harness.finish(handle)).kind == "Completed"
    assert len(harness.aws.of("invoke")) == 1
    assert harness.aws.routing(harness.function) == ("3", {})


async def test_lost_answer_to_a_probe_is_decided_in_a_later_run(harness: Harness) -> None:
    harness.aws.handlers[harness.function] = lambda _: {"status": "ok"}
    harness.aws.alarms["errors"] = "OK"
    harness.aws.lose("invoke")
    probe = {"kind": "probe", "requests": [{}], "count": 2}
    handle = await harness.begin_until(
        "awaiting_approval",
        strategy={"steps": [probe]},
        guards={"alarms": ["errors"]},
    )
    await wait_for_run(harness, 3)
    assert "version 3 to a probe (1 of 2) was lost" in (await harness.status()).notes[-1]
    assert len(harness.aws.of("invoke")) == 1
    await harness.send("approve", note="it ran")
    assert (await harness.finish(handle)).kind == "Completed"
    assert len(harness.aws.of("invoke")) == 2


async def test_release_held_for_a_hook_is_guarded_in_a_later_run(harness: Harness) -> None:
    harness.aws.hook("smoke", lambda _: {"accept": True})
    harness.aws.alarms["errors"] = "OK"
    harness.aws.lose("invoke")
    guards, hooks = {"alarms": ["errors"]}, {"after_traffic": "smoke"}
    handle = await harness.begin_until(
        "awaiting_approval", **ALL_AT_ONCE, guards=guards, hooks=hooks
    )
    await wait_for_run(harness, 2)
    harness.aws.alarms["errors"] = "ALARM"
    assert (await harness.finish(handle)).kind == "ReleaseRolledBack"
    assert len(harness.aws.of("invoke")) == 1
    harness.assert_restored()


async def test_approval_timeout_counts_from_its_beginning(harness: Harness) -> None:
    approval = {"kind": "approval", "timeout": "1h"}
    handle = await harness.begin_until("awaiting_approval", **canary_with(approval))
    await harness.fast_forward(timedelta(minutes=50))
    await wait_for_run(harness, 2)
    await harness.fast_forward(timedelta(minutes=11))
    end = await read_ending(handle)
    assert end.kind == "ReleaseRolledBack", end
    assert "nobody approved within 1 h" in end.text


async def test_ramp_continues_with_its_evidence(harness: Harness) -> None:
    set_traffic(harness, candidate=USUAL_ERROR_RATE, per_minute=400)
    end = await harness.release(artifact=harness.package("three"), strategy="Adaptive")
    assert_promoted(end, harness)
    runs = await list_runs(harness)
    assert len(runs) >= 2


async def test_undo_that_cannot_succeed_continues(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(continuation, "MAX_EVENTS", 70)
    handle = await harness.begin_until("baking", **canary_with(bake_step(duration="1h")))
    refusal = harness.aws.fail(
        "update_alias", "AccessDeniedException", "no lambda:UpdateAlias", times=None
    )
    await harness.send("abort", reason="wrong build")
    await harness.wait_for_note("Cannot put back yet")
    await harness.fast_forward(timedelta(hours=1))
    assert len(await list_runs(harness)) >= 2
    status = await harness.status()
    assert status.phase == "rolling_back"
    harness.aws.interventions.remove(refusal)
    end = await harness.finish(handle)
    assert end.kind == "ReleaseRolledBack", end
    assert "aborted by ana: wrong build" in end.text
    harness.assert_restored()


async def test_terminated_later_run_is_undone_by_its_release(harness: Harness) -> None:
    handle = await begin(harness, configuration={"MemorySize": 512})
    await harness.rollout.terminate("by hand")
    end = await harness.finish(handle)
    assert end.kind == "ReleaseRolledBack", end
    harness.assert_restored()


async def test_later_run_that_is_reset_is_undone(harness: Harness) -> None:
    handle = await begin(harness, configuration={"MemorySize": 512})
    await harness.send("pause", reason="look")  # its first workflow task is completed then
    await reset_workflow(harness.client, harness.rollout)
    end = await harness.finish(handle)
    assert end.kind == "ReleaseRolledBack", end
    assert "the run was reset" in end.text
    harness.assert_restored()


async def test_first_release_of_an_alias_is_promoted_in_a_later_run(harness: Harness) -> None:
    target = {"function": harness.function, "alias": "beta"}
    hooks = {"hooks": {"before_traffic": "preflight"}}
    asked: list[object] = []
    harness.aws.hook("preflight", lambda event: asked.append(event) or {"accept": True})
    handle = await harness.start(
        "Release",
        {
            "target": target,
            "artifact": harness.package("three"),
            "guards": {"after": "1h"},
            **hooks,
        },
        skipping=False,
    )
    rollout = harness.client.get_workflow_handle(harness.rollout_id.removesuffix("live") + "beta")

    async def is_promoted() -> bool:
        with contextlib.suppress(RPCError):
            return bool((await rollout.query("status"))["routing"]["percent"] == 100)
        return False

    await harness.wait_until(is_promoted)
    first = (await rollout.describe()).run_id
    while (await rollout.describe()).run_id == first:
        await execute_update(rollout, "pause", {"by": "ana"})
        await execute_update(rollout, "resume", {"by": "ana"})
    await execute_update(rollout, "promote", {"by": "ana"})
    end = await read_ending(handle)
    assert end.kind == "Completed", end
    assert harness.aws.routing(harness.function, "beta") == ("3", {})
    assert len(asked) == 1

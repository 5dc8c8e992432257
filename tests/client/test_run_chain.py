"""A release that continues in new runs: programs and people see one release."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.service import RPCError, RPCStatusCode

from tests.client.releases import make_request, start_waiting_release
from tests.client.watcher import Watcher, list_texts
from tests.harness import Handle, Harness, read_ending
from tests.workflows.test_live_analysis import (
    GUARDED,
    USUAL_ERROR_RATE,
    bake_step,
    canary_with,
    set_traffic,
)
from workflows import continuation, past_rollouts
from workflows.client import ReleaseClient, watch
from workflows.client.runs import RunOutcome
from workflows.domain.rules import Rules
from workflows.domain.status import Phase


@pytest.fixture(autouse=True)
def short_histories(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(continuation, "MAX_EVENTS", 100)


async def begin(releases: ReleaseClient, harness: Harness, **keys: Any) -> Handle:
    """Start a release with a bake of an hour; return when it bakes."""
    request = make_request(harness, **(canary_with(bake_step(duration="1h")) | keys))
    handle = await releases.start(request, task_queue=harness.queue)
    await harness.wait_for_phase("baking")
    return handle


async def continue_run(releases: ReleaseClient, harness: Harness) -> str:
    """Pause and resume until the release is in its next run; return the id of the one before."""
    before = (await harness.rollout.describe()).run_id
    async with asyncio.timeout(120):
        while (await harness.rollout.describe()).run_id == before:
            await releases.pause(harness.function, by="ana")
            await releases.resume(harness.function, by="ana")
    return before


async def expire(harness: Harness, run_id: str) -> None:
    """Delete a run, as Temporal does when the retention of its namespace is over."""
    await harness.client.workflow_service.delete_workflow_execution(
        DeleteWorkflowExecutionRequest(
            namespace=harness.client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=harness.rollout_id, run_id=run_id),
        )
    )
    run = harness.client.get_workflow_handle(harness.rollout_id, run_id=run_id)
    async with asyncio.timeout(60):
        while True:
            try:
                await run.describe()
            except RPCError as error:
                if error.status is RPCStatusCode.NOT_FOUND:
                    return
                raise
            await asyncio.sleep(0.05)


async def test_status_and_history_show_one_release(
    releases: ReleaseClient, harness: Harness
) -> None:
    handle = await begin(releases, harness)
    before = await releases.describe(handle.id)
    first = await continue_run(releases, harness)
    await continue_run(releases, harness)
    run = await releases.describe(handle.id)
    unlike = {"run_id", "status"}
    assert run.model_dump(exclude=unlike) == before.model_dump(exclude=unlike)
    assert run.run_id != first == before.run_id
    assert (await releases.status(handle.id)).phase == "baking"
    assert [one.run_id for one in await releases.history(harness.function)] == [run.run_id]
    running = [one for one in await releases.running() if one.id == harness.rollout_id]
    assert [one.started_at for one in running] == [before.started_at]
    await releases.abort(handle.id, by="ana", reason="wrong build")
    await read_ending(handle)
    [ended] = await releases.history(harness.function)
    assert ended.ending is not None
    assert ended.ending.outcome is RunOutcome.ROLLED_BACK
    assert ended.started_at == before.started_at


async def test_watch_goes_on_in_the_next_run_without_a_word(
    releases: ReleaseClient, harness: Harness
) -> None:
    handle = await begin(releases, harness)
    watcher = Watcher()
    watching = asyncio.create_task(watcher.watch(releases, handle.id))
    await watcher.wait_until(lambda update: update.status)
    await continue_run(releases, harness)
    await releases.promote(handle.id, by="ana", reason="fine")
    await watching
    texts = list_texts(watcher.updates)
    assert watcher.last.ending is not None
    assert watcher.last.ending.outcome is RunOutcome.SUCCEEDED
    assert texts.index("10% to version 3") < texts.index("pause by ana")
    assert texts.index("resume by ana") < texts.index("promote by ana: fine")
    assert texts[-1] == "All traffic to version 3: promoted by ana"
    assert texts.count(texts[0]) == 1
    assert not [text for text in texts if "reset" in text or text == "Rollout"]
    starts = [e.text for u in watcher.updates for e in u.entries if e.kind == "start"]
    pauses = texts.count("pause by ana")
    assert starts.count("Bake at 10% for 1 h") <= pauses + 1
    again = Watcher()
    await again.watch(releases, harness.function)
    assert list_texts(again.updates) == texts


async def test_watch_of_a_long_release_begins_with_its_last_runs(
    releases: ReleaseClient, harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_MOST_RUNS", 1)
    handle = await begin(releases, harness)
    await continue_run(releases, harness)
    await releases.promote(handle.id, by="ana")
    await read_ending(handle)
    watcher = Watcher()
    await watcher.watch(releases, handle.id)
    texts = list_texts(watcher.updates)
    assert "10% to version 3" not in texts
    assert texts[-1] == "All traffic to version 3: promoted by ana"


async def test_explanation_has_the_events_of_all_runs(
    releases: ReleaseClient, harness: Harness
) -> None:
    handle = await begin(releases, harness)
    first = await continue_run(releases, harness)
    await continue_run(releases, harness)
    await releases.abort(handle.id, by="ana", reason="wrong build")
    await read_ending(handle)
    explanation = await releases.explain(handle.id)
    texts = [line.text for line in explanation.lines]
    assert texts.index("10% to version 3") < texts.index("pause by ana")
    assert texts.index("resume by ana") < texts.index("abort by ana: wrong build")
    assert explanation.stopped_by == "person"
    assert await releases.explain(handle.id, run_id=first) == explanation


async def test_rules_judge_the_measurements_of_all_runs(
    releases: ReleaseClient, harness: Harness
) -> None:
    set_traffic(harness, candidate=USUAL_ERROR_RATE)
    end = await harness.release(
        artifact=harness.package("three"), **GUARDED, **canary_with(bake_step(duration="30m"))
    )
    assert end.status is not None
    assert end.status.analysis is not None
    rules = Rules.model_validate({"not_worse": [{"metric": "error_rate"}]})
    [rejudgement] = await releases.rejudge(harness.function, rules)
    assert rejudgement.assessed is not None
    explanation = await releases.explain(harness.function)
    measured = [line.assessed for line in explanation.lines if line.assessed]
    assert measured[-1].candidate == end.status.analysis.candidate


async def test_runs_of_one_release_do_not_hide_the_one_before(
    releases: ReleaseClient, harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past_rollouts, "MAX_RUNS", 3)
    await harness.release(artifact=harness.package("three"), strategy="AllAtOnce")
    bake = canary_with(bake_step(duration="1h"))
    name = await start_waiting_release(releases, harness, Phase.BAKING, package="four", **bake)
    for _ in range(3):
        await continue_run(releases, harness)
    await releases.abort(name, by="ana")
    await read_ending(releases.temporal.get_workflow_handle(name))
    end = await harness.roll_back()
    assert end.kind == "Completed", end
    assert harness.aws.routing(harness.function) == ("2", {})


async def test_release_whose_first_run_expired_is_explained_and_undone(
    releases: ReleaseClient, harness: Harness
) -> None:
    handle = await begin(releases, harness, configuration={"MemorySize": 512})
    await expire(harness, await continue_run(releases, harness))
    await releases.pause(handle.id, by="ana", reason="look")
    explanation = await releases.explain(handle.id)
    first, *_ = explanation.lines
    assert first.text.startswith("What came before has expired in Temporal")
    look = next(line for line in explanation.lines if line.text == "pause by ana: look")
    assert look.percent == 10
    [run] = await releases.history(harness.function)
    assert run.words.startswith(f"s3://artifacts/three.zip with MemorySize → {harness.function}")
    await harness.rollout.terminate("by hand")
    end = await harness.finish(handle)
    assert end.kind == "ReleaseRolledBack", end
    harness.assert_restored()
    assert harness.state.latest["MemorySize"] == 128
    watcher = Watcher()
    await watcher.watch(releases, handle.id)
    assert "pause by ana: look" in list_texts(watcher.updates)

"""``ReleaseClient``: start, plan and control releases."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.client.releases import (
    APPROVAL,
    HERE,
    NUMBERS,
    create_unserved_rollout,
    make_request,
    start_waiting_release,
)
from tests.client.watcher import watch_to_end
from tests.harness import Harness
from workflows.client import ReleaseClient
from workflows.client.errors import (
    NoWorker,
    Refused,
)
from workflows.control_requests import Choice
from workflows.domain.target import Target
from workflows.request import RollbackRequest


async def test_release_handle_returns_the_final_status(
    releases: ReleaseClient, harness: Harness
) -> None:
    handle = await releases.start(make_request(harness), task_queue=harness.queue)
    assert handle.id.startswith(f"release:{harness.function}:live:")
    assert (await handle.result()).phase == "succeeded"
    assert harness.aws.routing(harness.function) == ("3", {})


async def test_second_start_of_an_id_is_refused_while_the_first_runs(
    releases: ReleaseClient, harness: Harness
) -> None:
    name = f"ci-{next(NUMBERS)}"
    await releases.start(
        make_request(harness, strategy=APPROVAL), id=name, task_queue=harness.queue
    )
    with pytest.raises(Refused, match=f"{name} is running already"):
        await releases.start(make_request(harness), id=name, task_queue=harness.queue)


async def test_rollback_handle_returns_the_final_status(
    releases: ReleaseClient, harness: Harness
) -> None:
    rollback = RollbackRequest(target=Target(function=harness.function), version="1")
    handle = await releases.start_rollback(rollback, task_queue=harness.queue)
    assert (await handle.result()).candidate == "1"
    assert harness.aws.routing(harness.function) == ("1", {})


async def test_control_returns_the_status_after_it(
    releases: ReleaseClient, harness: Harness
) -> None:
    await start_waiting_release(releases, harness)
    assert (await releases.pause(harness.function, by="ana", reason="p99")).paused
    assert not (await releases.resume(harness.function, by="ana")).paused
    assert (
        await releases.approve(harness.function, by="ana", note="fine")
    ).note == "Approved by ana: fine"


async def test_promote_and_abort_return_before_they_are_done(
    releases: ReleaseClient, harness: Harness
) -> None:
    first = await start_waiting_release(releases, harness)
    assert (
        await releases.promote(harness.function, by="ana", reason="hotfix")
    ).note == "Promoted by ana: hotfix"
    assert (await watch_to_end(releases, first))[-1].ending is not None
    await start_waiting_release(releases, harness, package="four")
    assert (await releases.abort(harness.function, by="ana")).note == "Aborted by ana"
    described = await harness.rollout.describe()
    assert (
        described.raw_description.workflow_execution_info.priority.priority_key == 1
    )  # before the workflow tasks of all others


async def test_control_that_makes_no_sense_is_refused_by_the_release(
    releases: ReleaseClient, harness: Harness
) -> None:
    await start_waiting_release(releases, harness)
    with pytest.raises(Refused, match=r"^not paused$"):
        await releases.resume(harness.function, by="ana")


async def test_control_is_refused_where_no_release_is_running(
    releases: ReleaseClient, harness: Harness
) -> None:
    await (await releases.start(make_request(harness), task_queue=harness.queue)).result()
    with pytest.raises(Refused, match="is not being released now: the last time it succeeded"):
        await releases.pause(harness.function, by="ana")


@pytest.mark.usefixtures("short_timeouts")
async def test_control_without_a_worker_times_out_and_may_still_take_effect(
    releases: ReleaseClient,
) -> None:
    rollout_id = f"{HERE}:found-{next(NUMBERS)}:live"
    await create_unserved_rollout(releases, rollout_id)
    with pytest.raises(NoWorker, match="pause may still take effect"):
        await releases.pause(rollout_id, by="ana")


async def test_plan_lists_steps_and_calls_and_changes_nothing(
    releases: ReleaseClient, harness: Harness
) -> None:
    harness.aws.alarms = {"errors": "OK"}
    keys: dict[str, Any] = {
        "strategy": "Linear25PercentEvery10Minutes",
        "guards": {"alarms": ["errors"]},
        "configuration": {"MemorySize": 512},
    }
    plan = await releases.plan(make_request(harness, **keys), task_queue=harness.queue)
    assert (plan.refusals, plan.stable, plan.candidate, plan.rollout) == (
        (),
        "2",
        None,
        harness.rollout_id,
    )
    assert plan.steps == (
        "Put s3://artifacts/three.zip into $LATEST",
        "Configure $LATEST: MemorySize (128 → 512)",
        "Publish the candidate, a new version (nothing more happens if nothing changed)",
        "From here on watch errors: one in ALARM takes everything back",
        "25% to the candidate",
        "Bake for 10 min",
        "50% to the candidate",
        "Bake for 10 min",
        "75% to the candidate",
        "Bake for 10 min",
        "All traffic to the candidate",
    )
    assert plan.at_least.total_seconds() == 1800
    assert plan.calls["update_alias"] == 4
    assert [call for call in harness.aws.calls if call.writes] == []


async def test_plan_counts_the_writes_that_the_release_then_makes(
    releases: ReleaseClient, harness: Harness
) -> None:
    wanted = make_request(
        harness,
        strategy={"steps": [{"kind": "set_weight", "percent": 5}]},
        concurrency={"reserved": 20, "provisioned": 2},
    )
    plan = await releases.plan(wanted, task_queue=harness.queue)
    harness.aws.calls.clear()
    await (await releases.start(wanted, task_queue=harness.queue)).result()
    made = [call.operation for call in harness.aws.calls if call.writes]
    assert sorted(made) == sorted(
        name
        for name, count in plan.calls.items()
        for _ in range(count)
        if not name.startswith(("get_", "settle_"))
    )


async def test_plan_of_a_rejected_release_lists_the_reasons(
    releases: ReleaseClient, harness: Harness
) -> None:
    harness.aws.alarms = {"errors": "ALARM"}
    plan = await releases.plan(
        make_request(harness, guards={"alarms": ["errors", "typo"]}), task_queue=harness.queue
    )
    assert "errors is in ALARM already" in "; ".join(plan.refusals)
    assert "there is no alarm typo" in "; ".join(plan.refusals)
    assert plan.steps == ()


async def test_plan_of_the_live_version_has_nothing_to_do(
    releases: ReleaseClient, harness: Harness
) -> None:
    plan = await releases.plan(
        make_request(harness, artifact={"kind": "version", "version": "2"}),
        task_queue=harness.queue,
    )
    assert plan.steps == ("Nothing else: version 2 is live already",)


async def test_plan_is_possible_while_a_release_runs(
    releases: ReleaseClient, harness: Harness
) -> None:
    await start_waiting_release(releases, harness)
    assert (
        await releases.plan(make_request(harness), task_queue=harness.queue)
    ).target.name == harness.function


async def test_plan_of_input_that_the_worker_rejects_is_refused(
    releases: ReleaseClient, harness: Harness
) -> None:
    bad = make_request(harness).model_copy(update={"reason": "x" * 2000})
    with pytest.raises(Refused, match="invalid ReleaseRequest: reason"):
        await releases.plan(bad, task_queue=harness.queue)


@pytest.mark.usefixtures("short_timeouts")
async def test_plan_without_a_worker_names_the_queue_and_is_ended(
    releases: ReleaseClient, harness: Harness
) -> None:
    silent = r"no worker of task queue unserved has taken the plan .* RELEASES_TASK_QUEUE=unserved"
    with pytest.raises(NoWorker, match=silent):
        await releases.plan(make_request(harness), task_queue="unserved")
    query = "WorkflowType = 'Plan' AND TaskQueue = 'unserved' AND ExecutionStatus = 'Terminated'"

    async def is_listed() -> bool:
        return (await releases.temporal.count_workflows(query)).count == 1

    await harness.wait_until(is_listed)


async def test_plan_that_a_worker_does_not_finish_says_so(
    releases: ReleaseClient, harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workflows.client.plan.WORKER_TIMEOUT", timedelta(seconds=1))
    monkeypatch.setattr("workflows.client.plan._TIMEOUT", timedelta(seconds=2))
    harness.aws.hold("get_function")
    with pytest.raises(NoWorker, match=r"has finished the plan within 2 s.*releases doctor"):
        await releases.plan(make_request(harness), task_queue=harness.queue)


async def test_give_up_and_resolve_are_refused_where_nothing_waits_for_them(
    releases: ReleaseClient, harness: Harness
) -> None:
    await start_waiting_release(releases, harness)
    with pytest.raises(Refused, match="nothing to give up"):
        await releases.give_up(harness.function, by="ana", reason="the account is closed")
    with pytest.raises(Refused, match="nothing to resolve"):
        await releases.resolve(harness.function, Choice.OVERWRITE, by="ana")

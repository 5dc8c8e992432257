"""Records the histories that later versions must replay.

    python -m tests.workflows.record [NAME …]

Each scenario runs on a real Temporal server, in real time, over an AWS in memory. Its histories are
written to ``tests/histories/<scenario>.<workflow>.json``.
A history that exists is never overwritten: it stands for a release that is in flight somewhere.
A change of a workflow that is gated with ``workflow.patched`` adds a scenario, under a new name.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from temporalio.client import (
    Schedule,
    ScheduleActionExecutionStartWorkflow,
    ScheduleActionStartWorkflow,
    ScheduleSpec,
    WorkflowUpdateFailedError,
)
from temporalio.testing import WorkflowEnvironment

from tests.fake_lambda import FakeLambda
from tests.harness import TEMPORAL_CLI, Handle, Harness, create_harness, read_ending, run_worker
from tests.reset import reset_workflow
from workflows import continuation, search_attributes
from workflows.client.update import execute_update
from workflows.domain.status import ReleaseStatus
from workflows.temporal.plugin import LambdaReleases

HISTORIES: Final = Path(__file__).parents[1] / "histories"

SHORT: Final[dict[str, Any]] = {
    "strategy": {
        "steps": [{"kind": "set_weight", "percent": 10}, {"kind": "bake", "duration": "1s"}]
    }
}
LONG: Final = {
    "strategy": {
        "steps": [{"kind": "set_weight", "percent": 10}, {"kind": "bake", "duration": "1h"}]
    }
}
APPROVAL: Final = {
    "strategy": {
        "steps": [{"kind": "set_weight", "percent": 10}, {"kind": "approval", "timeout": "1h"}]
    }
}


def accept(_: object) -> dict[str, bool]:
    """A hook that accepts."""
    return {"accept": True}


def refuse(_: object) -> dict[str, Any]:
    """A hook that refuses."""
    return {"accept": False, "reason": "the smoke test failed"}


async def success(harness: Harness) -> Handle:
    """A release with code, configuration, concurrency, hooks and guards succeeds."""
    harness.aws.hook("preflight", accept)
    harness.aws.hook("smoke", accept)
    harness.aws.alarms["errors"] = "OK"
    return await harness.start(
        "Release",
        harness.request(
            artifact=harness.package("three"),
            configuration={"MemorySize": 512},
            concurrency={"reserved": 50, "provisioned": 5},
            hooks={"before_traffic": "preflight", "after_traffic": "smoke"},
            guards={"alarms": ["errors"]},
            requested_by="ci",
            reason="PR 12",
            **SHORT,
        ),
    )


async def alarm(harness: Harness) -> Handle:
    """An alarm goes off in the bake."""
    harness.aws.alarms["errors"] = "OK"
    handle = await harness.begin_until("baking", guards={"alarms": ["errors"]}, **LONG)
    harness.aws.alarms["errors"] = "ALARM"
    return handle


async def abort(harness: Harness) -> Handle:
    """A person pauses, resumes and aborts."""
    handle = await harness.begin_until("baking", **LONG)
    await harness.send("pause", reason="p99")
    await asyncio.sleep(1)
    await harness.send("resume")
    await harness.send("abort", reason="wrong build")
    return handle


async def listed_pause(harness: Harness) -> Handle:
    """A person pauses and resumes; the list shows it, and a hook after traffic at all traffic."""
    harness.aws.hook("smoke", accept)
    hooks = {"hooks": {"after_traffic": "smoke"}}
    handle = await harness.begin_until("baking", **hooks, **LONG)
    await harness.send("pause", reason="p99")
    await asyncio.sleep(1)
    await harness.send("resume")
    await harness.send("promote", reason="it is fine")
    return handle


async def listed_doses(harness: Harness) -> Handle:
    """The list shows the doses of a ramp, one of which a pause ends."""
    harness.aws.callers(harness.function, error_rates={"3": 0.005, "2": 0.005})
    ramp = {"adaptive": {"from": 20, "margin": 0.1}}
    handle = await harness.begin(artifact=harness.package("three"), strategy=ramp)

    async def has_traffic() -> bool:
        return (await harness.wait_for_phase("baking", "shifting")).routing.percent > 0

    await harness.wait_until(has_traffic, seconds=90)
    await harness.send("pause", reason="p99")
    await harness.wait_for_phase("baking", percent=0)
    await harness.send("resume")
    return handle


async def handed_controls(harness: Harness) -> Handle:
    """The release hands controls on to its rollout, one of which is refused, and is aborted."""
    handle = await harness.begin_until("baking", configuration={"MemorySize": 512}, **LONG)
    await execute_update(handle, "pause", {"by": "ana", "reason": "p99"})
    with contextlib.suppress(WorkflowUpdateFailedError):
        await execute_update(handle, "pause", {"by": "ana"})
    await execute_update(handle, "resume", {"by": "ana"})
    await execute_update(handle, "abort", {"by": "ana"})
    return handle


async def aborted_at_once(harness: Harness) -> Handle:
    """The release is aborted before it has a rollout."""
    hold = harness.aws.hold("get_function")
    handle = await harness.begin(configuration={"MemorySize": 512}, **LONG)
    await harness.wait_for(hold.reached)
    await execute_update(handle, "abort", {"by": "ana", "reason": "wrong build"})
    hold.release()
    return handle


async def cancel_with_status(harness: Harness) -> Handle:
    """The release is cancelled in its bake, and reads how its rollout has left the alias."""
    return await cancel(harness)


async def cancel(harness: Harness) -> Handle:
    """The release is cancelled in its bake."""
    handle = await harness.begin_until("baking", configuration={"MemorySize": 512}, **LONG)
    await handle.cancel()
    return handle


async def hook_refusal(harness: Harness) -> Handle:
    """The hook after traffic refuses."""
    harness.aws.hook("smoke", refuse)
    hooks = {"hooks": {"after_traffic": "smoke"}}
    return await harness.start(
        "Release",
        harness.request(
            artifact=harness.package("three"), concurrency={"reserved": 50}, **hooks, **SHORT
        ),
    )


async def approval(harness: Harness) -> Handle:
    """A person approves."""
    handle = await harness.begin_until("awaiting_approval", **APPROVAL)
    await harness.send("approve", note="looks good")
    return handle


async def promotion(harness: Harness) -> Handle:
    """A person promotes."""
    handle = await harness.begin_until("baking", **LONG)
    await harness.send("promote", reason="hotfix")
    return handle


PROBES: Final = {
    "kind": "probe",
    "requests": [
        {
            "name": "whole",
            "payload": {"id": 1},
            "expect": [{"path": "$.status", "equals": "ok"}, {"path": "$.error", "equals": None}],
        },
        {
            "expect": [
                {"path": "$['items'][-1].id", "exists": True},
                {"path": '$["größe"]', "exists": False},
            ]
        },
    ],
    "count": 3,
    "max_latency": "5s",
}


def whole(_: object) -> dict[str, Any]:
    """A function that works."""
    return {"status": "ok", "error": None, "items": [{"id": 1}]}


def broken(_: object) -> None:
    """A function that fails."""
    raise RuntimeError("broken")


async def probe(harness: Harness) -> Handle:
    """The candidate is probed before it gets traffic.

    One of three requests fails, which is allowed; AWS throttles another.
    """
    answers = iter([broken, whole, whole])

    def in_turn(payload: object) -> object:
        return next(answers)(payload)

    harness.aws.handlers[harness.function] = in_turn
    harness.aws.fail("invoke", "TooManyRequestsException", skip=1)
    steps = {"steps": [{**PROBES, "max_failures": 1}, *SHORT["strategy"]["steps"]]}
    return await harness.start(
        "Release", harness.request(artifact=harness.package("three"), strategy=steps)
    )


async def hook_denied(harness: Harness) -> Handle:
    """A hook may not be invoked yet, because the permission is seconds old."""
    harness.aws.hook("smoke", lambda _: {"accept": True})
    harness.aws.fail("invoke", "AccessDeniedException", "no lambda:InvokeFunction", times=2)
    hooks = {"hooks": {"after_traffic": "smoke"}}
    return await harness.start(
        "Release", harness.request(artifact=harness.package("three"), **hooks, **SHORT)
    )


async def probe_refusal(harness: Harness) -> Handle:
    """The candidate fails a probe under traffic."""
    harness.aws.handlers[harness.function] = broken
    steps = {"steps": [{"kind": "set_weight", "percent": 10}, PROBES]}
    return await harness.start(
        "Release", harness.request(artifact=harness.package("three"), strategy=steps)
    )


async def first(harness: Harness) -> Handle:
    """The first release of an alias."""
    target = {"target": {"function": harness.function, "alias": "beta"}}
    return await harness.start("Release", {**target, "artifact": harness.package("three")})


async def nothing(harness: Harness) -> Handle:
    """Nothing to do."""
    return await harness.start("Release", harness.request(artifact=harness.package("two"), **SHORT))


async def rejection(harness: Harness) -> Handle:
    """Preflight refuses."""
    return await harness.start(
        "Release", harness.request(artifact={"kind": "version", "version": "99"})
    )


async def other_account(harness: Harness) -> Handle:
    """The function is named by the ARN that a namesake in another account has."""
    function = f"arn:aws:lambda:eu-central-1:999999999999:function:{harness.function}"
    return await harness.start(
        "Release", {"target": {"function": function}, "artifact": {"kind": "latest"}}
    )


async def triggers(harness: Harness) -> Handle:
    """An event source mapping on the bare function is noted."""
    source = "arn:aws:sqs:eu-central-1:123456789012:orders"
    harness.aws.apply(
        "create_event_source_mapping", FunctionName=harness.function, EventSourceArn=source
    )
    return await harness.start(
        "Release", harness.request(artifact=harness.package("three"), **SHORT)
    )


async def foreign(harness: Harness) -> Handle:
    """Another writer moves the alias in the bake."""
    handle = await harness.begin_until("baking", **SHORT)
    harness.move_alias("1")
    return handle


async def foreign_upload(harness: Harness) -> Handle:
    """Another writer uploads code before the release's own upload has settled."""
    harness.aws.after(
        "update_function_code", lambda _: harness.aws.overwrite(harness.function, "theirs")
    )
    return await harness.start(
        "Release", harness.request(artifact=harness.package("three"), **SHORT)
    )


async def foreign_code(harness: Harness) -> Handle:
    """AWS refuses to publish, since ``$LATEST`` holds other code."""
    message = "CodeSHA256 (one) is different from current CodeSHA256 in $LATEST (other)."
    harness.aws.fail("publish_version", "InvalidParameterValueException", message)
    return await harness.start(
        "Release", harness.request(artifact=harness.package("three"), **SHORT)
    )


async def refused_upload(harness: Harness) -> Handle:
    """AWS refuses the package: ``$LATEST`` is left as it is."""
    harness.aws.lists_buckets = False
    artifact = {"kind": "s3", "bucket": "artifacts", "key": "typo.zip"}
    return await harness.start("Release", harness.request(artifact=artifact, **SHORT))


async def foreign_setting(harness: Harness) -> Handle:
    """Another writer changes a setting after the upload: our code is put back."""

    def change(_: object) -> None:
        settings = {"FunctionName": harness.function, "Timeout": 77}
        harness.aws.apply("update_function_configuration", **settings)
        harness.aws.settle(harness.function)

    harness.aws.before("update_function_configuration", change)
    request = harness.request(
        artifact=harness.package("three"), configuration={"MemorySize": 512}, **SHORT
    )
    return await harness.start("Release", request)


async def refused_first(harness: Harness) -> Handle:
    """The first release of an alias is refused by a hook: ``$LATEST`` is put back."""
    del harness.state.aliases["live"]
    harness.aws.hook("smoke", refuse)
    request = harness.request(
        artifact=harness.package("three"),
        configuration={"MemorySize": 512},
        hooks={"after_traffic": "smoke"},
    )
    return await harness.start("Release", request)


async def configuration_first(harness: Harness) -> Handle:
    """A new runtime is written before the code."""
    request = harness.request(
        artifact=harness.package("three"), configuration={"Runtime": "python3.14"}, **SHORT
    )
    return await harness.start("Release", request)


async def image(harness: Harness) -> Handle:
    """An image is named by its tag, and written by its digest."""
    harness.aws.create(harness.function, "one", "two", image=True)
    uri = f"123456789012.dkr.ecr.{harness.aws.region}.amazonaws.com/shop:7"
    request = harness.request(artifact={"kind": "image", "uri": uri}, **SHORT)
    return await harness.start("Release", request)


async def nothing_again(harness: Harness) -> Handle:
    """What is live is uploaded again, after another version was published."""
    harness.aws.overwrite(harness.function, "three")
    harness.aws.publish(harness.function)
    return await harness.start("Release", harness.request(artifact=harness.package("two"), **SHORT))


async def second_alias(harness: Harness) -> Handle:
    """A release waits for one of another alias that uses ``$LATEST``."""
    target = {"function": harness.function, "alias": "beta"}
    version = {"FunctionName": harness.function, "FunctionVersion": "2"}
    harness.aws.apply("create_alias", Name="beta", **version)
    hold = harness.aws.hold("update_function_code")
    one = harness.request(artifact=harness.package("three"), **SHORT)
    first_handle = await harness.start("Release", one)
    await harness.wait_for(hold.reached)
    handle = await harness.start(
        "Release", {"target": target, "artifact": harness.package("four"), **SHORT}
    )
    await asyncio.sleep(2)
    hold.release()
    await read_ending(first_handle)
    return handle


async def skipped_schedule(harness: Harness) -> Handle:
    """A schedule starts a release of an alias that is being released by hand."""
    await harness.begin_until("awaiting_approval", **APPROVAL)
    request = harness.request(artifact=harness.package("four"), **SHORT)
    action = ScheduleActionStartWorkflow(
        "Release", request, id=harness.function, task_queue=harness.queue
    )
    once = Schedule(action=action, spec=ScheduleSpec())
    schedule = await harness.client.create_schedule(
        harness.function, once, trigger_immediately=True
    )
    while not (started := (await schedule.describe()).info.recent_actions):
        await asyncio.sleep(0.1)
    execution = started[0].action
    if not isinstance(execution, ScheduleActionExecutionStartWorkflow):
        raise TypeError(f"another action: {execution}")
    handle: Handle = harness.client.get_workflow_handle(
        execution.workflow_id, result_type=ReleaseStatus
    )
    await read_ending(handle)
    await schedule.delete()
    await harness.send("abort")
    return handle


async def large_package(harness: Harness) -> Handle:
    """A package that is too large to be sent back comes from S3, where a release had it."""
    harness.aws.upload("three.zip", "three", version="v1")
    artifact = {"kind": "s3", "bucket": "artifacts", "key": "three.zip", "object_version": "v1"}
    first = await harness.start("Release", harness.request(artifact=artifact, **SHORT))
    await read_ending(first)
    harness.state.versions["3"]["CodeSize"] = 60_000_000
    harness.aws.hook("smoke", refuse)
    hooks = {"hooks": {"after_traffic": "smoke"}}
    return await harness.start(
        "Release", harness.request(artifact=harness.package("four"), **hooks, **SHORT)
    )


async def rollback(harness: Harness) -> Handle:
    """An alias is moved to an earlier version."""
    return await harness.start("Rollback", harness.request(version="1", requested_by="ana"))


async def release_all(harness: Harness, *packages: str) -> None:
    """Release these packages, one after the other, to their ends."""
    for package in packages:
        request = harness.request(artifact=harness.package(package), strategy="AllAtOnce")
        await read_ending(await harness.start("Release", request))


async def rollback_unnamed(harness: Harness) -> Handle:
    """An alias goes back to the version that was live before, and ``$LATEST`` follows."""
    await release_all(harness, "three", "four")
    return await harness.start("Rollback", harness.request(requested_by="ana", reason="500s"))


async def rollback_weights(harness: Harness) -> Handle:
    """An alias with weights goes back to its main version."""
    await release_all(harness, "three")
    harness.move_alias("2", {"3": 0.1})
    return await harness.start("Rollback", harness.request(requested_by="ana"))


async def shipped_again(harness: Harness) -> Handle:
    """A package is rejected before it is written: it was rolled back."""
    await release_all(harness, "three")
    await read_ending(await harness.start("Rollback", harness.request(requested_by="ana")))
    return await harness.start("Release", harness.request(artifact=harness.package("three")))


async def shipped_again_unknown(harness: Harness) -> Handle:
    """A package turns out to be what was rolled back once it is published."""
    await release_all(harness, "three")
    await read_ending(await harness.start("Rollback", harness.request(requested_by="ana")))
    harness.aws.fail("update_function_code", "AccessDeniedException")
    return await harness.start("Release", harness.request(artifact=harness.package("three")))


async def terminated(harness: Harness) -> Handle:
    """The rollout is terminated, and rolled back by the release."""
    handle = await harness.begin_until("baking", **LONG)
    await harness.rollout.terminate("an accident")
    return handle


async def terminated_with_concurrency(harness: Harness) -> Handle:
    """The rollout is terminated.

    The release waits for its late writes, then restores the rest.
    """
    concurrency = {"concurrency": {"reserved": 50}}
    handle = await harness.begin_until("baking", **concurrency, **LONG)
    await harness.rollout.terminate("an accident")
    return handle


WATCHED: Final[dict[str, Any]] = {"strategy": "AllAtOnce", "guards": {"after": "1h"}}


async def begin_watch(harness: Harness) -> Handle:
    """Begin a release, and wait until it has all traffic and is watched."""
    handle = await harness.begin_until("baking", **WATCHED)
    await harness.wait_for_note("watched for")
    return handle


async def kept(harness: Harness) -> Handle:
    """The rollout is terminated in its watch after promotion, and its version stays live."""
    handle = await begin_watch(harness)
    await harness.rollout.terminate("an accident")
    return handle


async def watch_ended(harness: Harness) -> Handle:
    """A newer release ends the watch of an older one, whose stable version was deleted."""
    await begin_watch(harness)
    harness.aws.apply("delete_function", FunctionName=harness.function, Qualifier="2")
    await harness.wait_for_note("was deleted", seconds=120)
    return await harness.start(
        "Release", harness.request(artifact=harness.package("four"), **SHORT)
    )


async def watch_not_ended(harness: Harness) -> Handle:
    """A newer release is rejected, since the older one bakes."""
    await harness.begin_until("baking", **LONG)
    return await harness.start(
        "Release", harness.request(artifact=harness.package("four"), **SHORT)
    )


async def undo_continued(harness: Harness) -> Handle:
    """The undo of a terminated rollout does not succeed, and goes on in a second run."""
    handle = await harness.begin_until("baking", **LONG)
    refusal = harness.aws.fail(
        "update_alias", "AccessDeniedException", "no lambda:UpdateAlias", times=None
    )
    await harness.rollout.terminate("an accident")
    first = (await handle.describe()).run_id
    latest = harness.client.get_workflow_handle(handle.id, result_type=ReleaseStatus)

    async def has_continued() -> bool:
        return (await latest.describe()).run_id != first

    await harness.wait_until(has_continued, seconds=200)
    harness.aws.interventions.remove(refusal)
    return latest


async def judged(harness: Harness) -> Handle:
    """A candidate is rolled back for its error rate."""
    harness.aws.callers(harness.function, error_rates={"3": 0.05, "2": 0.005})
    guards = {
        "guards": {
            "metrics": {"not_worse": [{}], "limits": [{"metric": "duration_p99", "max": 800}]}
        }
    }
    return await harness.start(
        "Release", harness.request(artifact=harness.package("three"), **guards, **LONG)
    )


async def adaptive(harness: Harness) -> Handle:
    """An adaptive ramp: a dose, the wait for its metrics, and all traffic."""
    harness.aws.callers(harness.function, error_rates={"3": 0.005, "2": 0.005})
    ramp = {"strategy": {"adaptive": {"from": 20, "margin": 0.1}}}
    return await harness.start(
        "Release", harness.request(artifact=harness.package("three"), **ramp)
    )


async def unmeasurable(harness: Harness) -> Handle:
    """CloudWatch answers with partial data: a person approves, twice."""
    harness.aws.metrics_status = "PartialData"
    metrics = {"guards": {"metrics": {"not_worse": [{}]}}}
    short = {"duration": "1s", "max_duration": "2s"}
    steps = [
        {"kind": "set_weight", "percent": 10},
        {"kind": "bake", **short},
        {"kind": "analysis", "not_worse": [{}], **short},
    ]
    handle = await harness.begin_until("awaiting_approval", strategy={"steps": steps}, **metrics)
    await harness.send("approve")
    await harness.wait_for_phase("baking")
    await harness.wait_for_phase("awaiting_approval")
    await harness.send("approve")
    return handle


async def metrics_denied(harness: Harness) -> Handle:
    """CloudWatch denies stable's metrics for half a minute: nothing is written."""
    harness.aws.fail("get_metric_data", "AccessDeniedException", "no", times=None)
    metrics = {"guards": {"metrics": {"not_worse": [{}]}}}
    return await harness.start(
        "Release", harness.request(artifact=harness.package("three"), **metrics, **SHORT)
    )


async def two_analyses(harness: Harness) -> Handle:
    """Two analyses of equal length.

    The first is paused and resumed. Nothing is measured.
    """
    analysis = {"kind": "analysis", "duration": "3s", "max_duration": "3s", "on_no_data": "pass"}
    steps = [
        {"kind": "set_weight", "percent": 10},
        {**analysis, "not_worse": [{"margin": 0.01}]},
        {**analysis, "not_worse": [{"margin": 0.1}]},
    ]
    handle = await harness.begin_until("baking", strategy={"steps": steps})
    await harness.send("pause", reason="lunch")
    await harness.send("resume")
    return handle


async def hotfix(harness: Harness) -> Handle:
    """A hotfix is promoted during an alarm, and watched for a second."""
    harness.aws.alarms = {"errors": "ALARM", "latency": "OK"}
    guards = {"guards": {"alarms": ["errors", "latency"], "after": "1s"}}
    request = harness.request(
        artifact=harness.package("three"),
        hotfix=True,
        reason="INC-7",
        strategy="AllAtOnce",
        **guards,
    )
    return await harness.start("Release", request)


async def alarm_blink(harness: Harness) -> Handle:
    """An alarm is away for one look, and another goes off after that."""
    harness.aws.alarms["errors"] = harness.aws.alarms["latency"] = "OK"
    handle = await harness.begin_until("baking", guards={"alarms": ["errors", "latency"]}, **LONG)
    del harness.aws.alarms["latency"]
    await harness.wait_for_note("was not found")
    harness.aws.alarms["latency"] = "OK"
    await asyncio.sleep(32)
    harness.aws.alarms["errors"] = "ALARM"
    return handle


async def alarm_hold(harness: Harness) -> Handle:
    """A release is held until an alarm has data."""
    harness.aws.alarms["errors"] = "INSUFFICIENT_DATA"
    guards = {"alarms": ["errors"], "on_no_data": "hold"}
    handle = await harness.begin(artifact=harness.package("three"), guards=guards, **SHORT)

    async def is_held() -> bool:
        return (await harness.status()).paused

    await harness.wait_for_phase("baking")
    await harness.wait_until(is_held)
    harness.aws.alarms["errors"] = "OK"
    return handle


async def given_up(harness: Harness) -> Handle:
    """The undo is denied until a person gives it up."""
    harness.aws.fail(
        "update_alias", "AccessDeniedException", "no lambda:UpdateAlias", skip=1, times=None
    )
    handle = await harness.begin_until("baking", **LONG)
    await harness.send("abort")
    await harness.wait_for_note("Cannot put back yet", seconds=120)
    await harness.send("give_up", reason="the account is closed")
    return handle


async def edited_description(harness: Harness) -> Handle:
    """Terraform edits the alias' description before the promotion and before the undo."""
    harness.aws.hook("smoke", refuse)

    def edit(_: object) -> None:
        alias = {"FunctionName": harness.function, "Name": "live"}
        harness.aws.apply("update_alias", **alias, Description="by terraform")

    harness.aws.before("update_alias", edit, skip=1)
    harness.aws.before("update_alias", edit, skip=3)
    return await harness.start(
        "Release",
        harness.request(
            artifact=harness.package("three"), hooks={"after_traffic": "smoke"}, **SHORT
        ),
    )


async def adopted(harness: Harness) -> Handle:
    """Another writer moves the alias, and a person adopts that as stable."""
    handle = await harness.begin_until(
        "awaiting_approval", guards={"on_foreign": "ask"}, **APPROVAL
    )
    harness.move_alias("1")
    await harness.send("approve")
    await harness.wait_for_note("Resolve within 1 h", seconds=120)
    await harness.send("resolve", choice="adopt")
    return handle


async def foreign_reserved(harness: Harness) -> Handle:
    """Another writer reserves concurrency; it stays when the release is aborted."""
    handle = await harness.begin_until("baking", concurrency={"reserved": 50}, **LONG)
    harness.aws.apply(
        "put_function_concurrency", FunctionName=harness.function, ReservedConcurrentExecutions=80
    )
    await harness.send("abort")
    return handle


async def denied_move(harness: Harness) -> Handle:
    """The promotion is denied for a while."""
    harness.aws.fail("update_alias", "AccessDeniedException", "not now", skip=1, times=7)
    return await harness.start(
        "Release", harness.request(artifact=harness.package("three"), **SHORT)
    )


async def lost_hook(harness: Harness) -> Handle:
    """The answer of a hook, which could not be reached first, is lost; a person goes on."""
    harness.aws.hook("smoke", accept)
    harness.aws.fail("invoke", "EndpointConnectionError", times=2)
    harness.aws.lose("invoke")
    handle = await harness.begin_until(
        "awaiting_approval", hooks={"after_traffic": "smoke"}, **SHORT
    )
    await harness.send("approve", note="it ran")
    return handle


async def lost_probe(harness: Harness) -> Handle:
    """The answer to a probe is lost, and a person goes on; then another one's is."""
    harness.aws.handlers[harness.function] = lambda _: {"status": "ok"}
    harness.aws.fail("invoke", "ReadTimeoutError", times=2)
    probe = {"kind": "probe", "requests": [{}], "count": 3}
    strategy = {"strategy": {"steps": [probe]}}
    handle = await harness.begin_until("awaiting_approval", **strategy)
    await harness.send("approve", note="it ran")
    await harness.wait_until(lambda: len(harness.aws.of("invoke")) == 2)
    await harness.wait_for_phase("awaiting_approval")
    await harness.send("approve", note="so did this")
    return handle


async def sleeping_hook(harness: Harness) -> Handle:
    """A hook takes a minute to wake up."""
    harness.aws.hook("smoke", accept)
    harness.aws.fail("invoke", "SnapStartNotReadyException", times=6)
    hooks = {"hooks": {"after_traffic": "smoke"}}
    return await harness.start(
        "Release", harness.request(artifact=harness.package("three"), **hooks, **SHORT)
    )


async def continued(harness: Harness) -> Handle:
    """A release goes on in a second and a third run, paused between them, until it is promoted."""
    harness.aws.alarms["errors"] = "OK"
    harness.aws.callers(harness.function, per_minute=6000)
    handle = await harness.begin_until(
        "baking", guards={"alarms": ["errors"], "metrics": {"not_worse": [{}]}}, **LONG
    )
    first = await harness.rollout.describe()
    for number in range(2):
        run_id = first.run_id
        while (await harness.rollout.describe()).run_id == run_id:
            await harness.send("pause", reason=f"look {number}")
            await harness.send("resume")
        first = await harness.rollout.describe()
    await harness.send("promote", reason="good enough")
    return handle


async def continued_cancel(harness: Harness) -> Handle:
    """A release is cancelled when its rollout is in its second run."""
    handle = await harness.begin_until("baking", configuration={"MemorySize": 512}, **LONG)
    run_id = (await harness.rollout.describe()).run_id
    while (await harness.rollout.describe()).run_id == run_id:
        await harness.send("pause", reason="look")
        await harness.send("resume")
    await handle.cancel()
    return handle


async def reset_rollout(harness: Harness) -> Handle:
    """The rollout is reset to its beginning while it has a tenth of the traffic."""
    handle = await harness.begin_until("awaiting_approval", **APPROVAL)
    await reset_workflow(harness.client, harness.rollout)
    return handle


MONTHS: Final = {
    "strategy": {
        "steps": [{"kind": "set_weight", "percent": 10}, {"kind": "bake", "duration": "P10M"}]
    }
}


async def months(harness: Harness) -> Handle:
    """A release whose duration has months, as versions before this one accepted it."""
    handle = await harness.begin_until("baking", **MONTHS)
    await harness.send("promote", reason="good enough")
    return handle


async def refused_months(harness: Harness) -> Handle:
    """A release whose duration has months is refused."""
    return await harness.start(
        "Release", harness.request(artifact={"kind": "latest"}, **MONTHS), skipping=False
    )


_WITHOUT_ROLLOUT: Final = {
    "aborted_at_once",
    "other_account",
    "skipped_schedule",
    "refused_months",
}


async def woken(harness: Harness) -> Handle:
    """A rollback to a version that is Inactive; what is provisioned goes with it."""
    _provision(harness, "2")
    harness.state.versions["1"]["State"] = "Inactive"
    return await harness.start("Rollback", harness.request(version="1", requested_by="ana"))


async def moved_concurrency(harness: Harness) -> Handle:
    """A release moves what is provisioned, and the rest of it at the end."""
    harness.state.reserved = 6
    _provision(harness, "2")
    return await harness.start(
        "Release", harness.request(artifact=harness.package("three"), **SHORT)
    )


async def slow_settling(harness: Harness) -> Handle:
    """Another tool's update, the upload and the new version take more than a minute each."""
    harness.aws.polls = 40
    harness.state.latest["LastUpdateStatus"], harness.state.polls = "InProgress", 40
    return await harness.start(
        "Release", harness.request(artifact=harness.package("three"), strategy="AllAtOnce")
    )


def _provision(harness: Harness, version: str) -> None:
    config = harness.aws.apply(
        "put_provisioned_concurrency_config",
        FunctionName=harness.function,
        Qualifier=version,
        ProvisionedConcurrentExecutions=4,
    )
    harness.state.provisioned[version] = {**config, "Status": "READY"}


SCENARIOS: Final[dict[str, Callable[[Harness], Awaitable[Handle]]]] = {
    scenario.__name__: scenario
    for scenario in (
        success,
        alarm,
        abort,
        listed_pause,
        listed_doses,
        cancel,
        cancel_with_status,
        handed_controls,
        aborted_at_once,
        hook_refusal,
        approval,
        promotion,
        probe,
        probe_refusal,
        hook_denied,
        lost_hook,
        lost_probe,
        sleeping_hook,
        first,
        nothing,
        rejection,
        other_account,
        triggers,
        foreign,
        foreign_upload,
        foreign_code,
        refused_upload,
        foreign_setting,
        refused_first,
        large_package,
        configuration_first,
        image,
        nothing_again,
        second_alias,
        skipped_schedule,
        rollback,
        rollback_unnamed,
        rollback_weights,
        shipped_again,
        shipped_again_unknown,
        terminated,
        terminated_with_concurrency,
        kept,
        watch_ended,
        watch_not_ended,
        undo_continued,
        judged,
        adaptive,
        unmeasurable,
        metrics_denied,
        two_analyses,
        hotfix,
        alarm_blink,
        alarm_hold,
        given_up,
        edited_description,
        adopted,
        foreign_reserved,
        denied_move,
        reset_rollout,
        continued,
        continued_cancel,
        woken,
        moved_concurrency,
        slow_settling,
        months,
        refused_months,
    )
}


SHORT_HISTORIES: Final = {
    "continued": 100,
    "continued_cancel": 100,
    "undo_continued": 45,
    "watch_ended": 2_000,
}
"""Scenarios whose rollout has several runs: the events after which a run continues in a new one."""


async def main(names: list[str]) -> None:
    """Run the scenarios that have no history yet, and write their histories."""
    missing = [name for name in names or SCENARIOS if not [*HISTORIES.glob(f"{name}.*.json")]]
    if not missing:
        return
    async with await WorkflowEnvironment.start_local(
        plugins=[LambdaReleases()],
        dev_server_existing_path=TEMPORAL_CLI,
        search_attributes=search_attributes.KEYS,
    ) as env:
        for name in missing:
            continuation.MAX_EVENTS = SHORT_HISTORIES.get(name, continuation.MAX_EVENTS)
            async with run_worker(env) as accounts:
                harness = create_harness(env, accounts, FakeLambda())
                handle = await SCENARIOS[name](harness)
                end = await read_ending(handle, seconds=300)  # CloudWatch's minutes are real ones
                await _write(name, "holder", handle)
                if name in SHORT_HISTORIES:
                    await _write_runs(name, harness)
                    continue
                if name in _WITHOUT_ROLLOUT:
                    continue
                alias = "beta" if name in {"first", "second_alias"} else "live"
                await _write(
                    name,
                    "rollout",
                    harness.client.get_workflow_handle(
                        harness.rollout_id.removesuffix("live") + alias
                    ),
                )
                sys.stdout.write(f"{name}: {end.kind}, {end.text}\n")


async def _write_runs(name: str, harness: Harness) -> None:
    """Write the history of each run of the rollout."""
    query = f"WorkflowId = '{harness.rollout_id}'"
    listed = [run async for run in harness.client.list_workflows(query)]
    for number, run in enumerate(sorted(listed, key=lambda run: run.start_time), 1):
        handle = harness.client.get_workflow_handle(run.id, run_id=run.run_id)
        await _write(name, f"rollout_{number}", handle)


async def _write(name: str, workflow: str, handle: Handle) -> None:
    history = await handle.fetch_history()
    (HISTORIES / f"{name}.{workflow}.json").write_text(history.to_json())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))

"""Rare moments in which a release could leave something astray: late writes, lost records, long names, alarms before the first move."""

from __future__ import annotations

from typing import Any

import pytest
from temporalio.api.common.v1 import Payload, WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import WorkflowExecutionStatus

from activities.errors import AwsError
from tests.fakes.rules import Hold
from tests.workflows.scene import ALL_AT_ONCE, CANARY, Scene, ending

APPROVED: dict[str, Any] = {"strategy": {"steps": [{"kind": "approval"}]}}
GUARDED: dict[str, Any] = {"guards": {"alarms": ["errors"]}}


async def reached(scene: Scene, hold: Hold) -> None:
    async with scene.patience():
        await hold.reached.wait()


def refusing(scene: Scene) -> dict[str, Any]:
    """A hook after the last move that refuses, so that everything has to be put back."""
    scene.aws.hook("smoke", lambda _: {"accept": False, "reason": "500"})
    return {"hooks": {"after_traffic": "smoke"}}


def back(scene: Scene) -> None:
    assert scene.aws.routing(scene.function) == ("2", {})
    assert scene.state.latest["CodeSha256"] == scene.state.versions["2"]["CodeSha256"]


# --- late writes -----------------------------------------------------------------------------------------------------------------


async def test_a_move_that_a_terminated_rollout_still_had_on_its_way_is_refused(
    scene: Scene,
) -> None:
    hold = scene.aws.hold("update_alias")
    handle = await scene.start(
        "Release", scene.request(artifact=scene.package("three"), **ALL_AT_ONCE)
    )
    await reached(scene, hold)
    await scene.rollout.terminate("oops")
    end = await ending(handle)
    assert end.kind == "ReleaseRolledBack", end
    hold.release()
    for _ in range(10):
        await scene.moment()
    back(scene)


async def test_a_move_that_takes_effect_while_a_terminated_rollout_is_mended_is_put_back(
    scene: Scene,
) -> None:
    hold = scene.aws.hold("update_alias")

    async def lands(_: object) -> None:
        hold.release()
        for _ in range(10):
            await scene.moment()

    scene.aws.after("get_alias", lands, skip=1)
    handle = await scene.start(
        "Release", scene.request(artifact=scene.package("three"), **ALL_AT_ONCE)
    )
    await reached(scene, hold)
    await scene.rollout.terminate("oops")
    end = await ending(handle)
    assert end.kind == "ReleaseRolledBack", end
    back(scene)


async def test_an_alias_that_a_terminated_rollout_was_still_creating_is_taken_away(
    scene: Scene,
) -> None:
    del scene.state.aliases["live"]
    hold = scene.aws.hold("create_alias")

    async def lands(_: object) -> None:
        hold.release()
        for _ in range(10):
            await scene.moment()

    scene.aws.before("get_alias", lands, skip=2)  # the second look after the wait
    handle = await scene.start("Release", scene.request(artifact=scene.package("three")))
    await reached(scene, hold)
    await scene.rollout.terminate("oops")
    assert (await ending(handle)).kind == "ReleaseRolledBack"
    assert "live" not in scene.state.aliases


@pytest.mark.parametrize("operation", ["put_function_concurrency", "update_function_code"])
async def test_what_a_terminated_rollout_still_had_on_its_way_is_put_back_too(
    scene: Scene, operation: str
) -> None:
    hold = scene.aws.hold(operation)
    keys: dict[str, Any] = {"artifact": scene.package("three"), "concurrency": {"reserved": 50}}
    handle = await scene.begin(**keys, **CANARY)
    await reached(scene, hold)
    await scene.rollout.terminate("oops")
    async with scene.patience():
        while not [
            event
            async for event in handle.fetch_history_events()
            if event.HasField("timer_started_event_attributes")
        ]:
            await scene.moment()
    hold.release()
    for _ in range(10):
        await scene.moment()
    end = await scene.finished(handle)
    assert end.kind == "ReleaseRolledBack", end
    assert scene.state.reserved is None
    back(scene)


async def test_a_refusal_of_the_first_move_is_no_failure_of_the_undo(scene: Scene) -> None:
    scene.aws.fail("update_alias", "AccessDeniedException", "no lambda:UpdateAlias", times=None)
    end = await scene.release(artifact=scene.package("three"), **CANARY)
    assert end.kind == "ReleaseRolledBack", end
    back(scene)


async def test_a_move_that_takes_effect_after_its_answer_was_given_up_is_refused(
    scene: Scene,
) -> None:
    late: list[dict[str, Any]] = []
    scene.aws.before("update_alias", lambda call: late.append(dict(call.parameters)))
    scene.aws.fail("update_alias", "ReadTimeoutError")
    hold = scene.aws.hold("get_alias", skip=1)  # the look before the second attempt
    handle = await scene.begin(artifact=scene.package("three"), **CANARY)
    await reached(scene, hold)
    await scene.say("abort")
    hold.release()
    assert (await scene.finished(handle)).kind == "ReleaseRolledBack"
    with pytest.raises(AwsError, match="PreconditionFailedException"):
        scene.aws.somebody("update_alias", **late[0])
    back(scene)


async def test_an_abort_while_aws_is_down_does_not_wait_for_the_write_that_is_tried_again(
    scene: Scene,
) -> None:
    scene.aws.fail("update_function_code", "ServiceException", times=5)
    handle = await scene.begin(artifact=scene.package("three"), **CANARY)
    async with scene.patience():
        while not scene.aws.of("update_function_code"):
            await scene.moment()
    await scene.say("abort")
    end = await scene.finished(handle)
    assert end.kind == "ReleaseRolledBack", end
    back(scene)


# --- lost records ----------------------------------------------------------------------------------------------------------------


async def test_deleting_the_rollout_ends_the_release_and_does_not_leave_it_waiting(
    scene: Scene,
) -> None:
    handle = await scene.begin(artifact=scene.package("three"), **CANARY)
    await scene.reaches("baking")
    await scene.client.workflow_service.delete_workflow_execution(
        DeleteWorkflowExecutionRequest(
            namespace=scene.client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=scene.lock),
        )
    )
    end = await ending(handle)
    assert end.kind == "RollbackFailed", end
    assert scene.lock in end.text


async def test_a_cancel_while_a_terminated_rollout_is_mended_ends_as_canceled(scene: Scene) -> None:
    hold = scene.aws.hold("update_alias", skip=1)
    handle = await scene.begin(artifact=scene.package("three"), **CANARY)
    await scene.reaches("baking")
    await scene.rollout.terminate("oops")
    await reached(scene, hold)
    await handle.cancel()
    hold.release()
    end = await ending(handle)
    assert end.kind == "Canceled", end
    back(scene)


# --- long names ------------------------------------------------------------------------------------------------------------------


async def test_names_of_any_length_fit_into_the_timeline(scene: Scene) -> None:
    alarms = [f"{number:03}-" + "ü" * 200 for number in range(100)]
    scene.aws.alarms |= dict.fromkeys(alarms, "OK")
    key = "ä" * 500 + ".zip"
    scene.aws.upload(key, "three")
    handle = await scene.start(
        "Release",
        scene.request(
            artifact={"kind": "s3", "bucket": "artifacts", "key": key},
            guards={"alarms": alarms},
            requested_by="ü" * 200,
            **CANARY,
        ),
    )
    end = await ending(handle)
    assert end.kind == "Completed", end


# --- alarms before the first move ------------------------------------------------------------------------------------------------


async def test_an_alarm_while_the_first_step_waits_for_approval_stops_the_release(
    scene: Scene,
) -> None:
    scene.aws.alarms["errors"] = "OK"
    handle = await scene.begin(artifact=scene.package("three"), **APPROVED, **GUARDED)
    await scene.reaches("awaiting_approval")
    scene.aws.alarms["errors"] = "ALARM"
    end = await scene.finished(handle)
    assert end.kind == "ReleaseRolledBack", end
    assert "alarm errors went off" in end.text
    assert "update_alias" not in scene.aws.writes


async def test_an_alarm_just_before_the_approval_still_counts(scene: Scene) -> None:
    scene.aws.alarms["errors"] = "OK"
    handle = await scene.begin(artifact=scene.package("three"), **APPROVED, **GUARDED)
    await scene.reaches("awaiting_approval")
    scene.aws.alarms["errors"] = "ALARM"
    await scene.say("approve")
    end = await scene.finished(handle)
    assert end.kind == "ReleaseRolledBack", end
    assert "update_alias" not in scene.aws.writes


@pytest.mark.parametrize("alias", ["live", "beta"])
async def test_an_alarm_that_went_off_during_the_preparation_stops_a_move_of_all_traffic(
    scene: Scene, alias: str
) -> None:
    scene.aws.alarms["errors"] = "OK"
    scene.aws.after("publish_version", lambda _: scene.aws.alarms.update(errors="ALARM"))
    target = {"function": scene.function, "alias": alias}
    request = {"target": target, "artifact": scene.package("three"), **ALL_AT_ONCE, **GUARDED}
    end = await ending(await scene.start("Release", request))
    assert end.kind == "ReleaseRolledBack", end
    assert not {"update_alias", "create_alias"} & set(scene.aws.writes)


async def test_an_alarm_during_a_pause_before_the_first_move_stops_the_release(
    scene: Scene,
) -> None:
    scene.aws.alarms["errors"] = "OK"
    hold = scene.aws.hold("publish_version")
    handle = await scene.begin(artifact=scene.package("three"), **CANARY, **GUARDED)
    await reached(scene, hold)
    await scene.say("pause")
    hold.release()
    scene.aws.alarms["errors"] = "ALARM"
    end = await scene.finished(handle)
    assert end.kind == "ReleaseRolledBack", end
    assert "update_alias" not in scene.aws.writes


# --- what is put back ------------------------------------------------------------------------------------------------------------


async def test_provisioned_concurrency_is_lowered_before_the_reservation(scene: Scene) -> None:
    name = {"FunctionName": scene.function}
    scene.aws.somebody("put_function_concurrency", **name, ReservedConcurrentExecutions=20)
    scene.aws.somebody(
        "put_provisioned_concurrency_config",
        **name,
        Qualifier="1",
        ProvisionedConcurrentExecutions=10,
    )
    end = await scene.release(
        artifact={"kind": "version", "version": "1"},
        concurrency={"reserved": 50, "provisioned": 40},
        **refusing(scene),
        **CANARY,
    )
    assert end.kind == "ReleaseRolledBack"
    assert "could not be put back" not in end.text
    assert scene.state.reserved == 20
    assert scene.state.provisioned["1"]["RequestedProvisionedConcurrentExecutions"] == 10


async def test_a_function_keeps_its_description(scene: Scene) -> None:
    scene.state.latest["Description"] = "the checkout"
    assert (await scene.release(artifact=scene.package("three"), **ALL_AT_ONCE)).kind == "Completed"
    end = await scene.release(
        configuration={"Timeout": 9, "Description": "new"}, **refusing(scene), **ALL_AT_ONCE
    )
    assert end.kind == "ReleaseRolledBack"
    assert scene.state.latest["Timeout"] == 3
    assert scene.state.latest["Description"] == "the checkout"


async def test_a_rollback_that_fails_tells_of_the_weights_that_it_put_back(scene: Scene) -> None:
    routing = {"AdditionalVersionWeights": {"2": 0.25}}
    scene.aws.somebody(
        "update_alias",
        FunctionName=scene.function,
        Name="live",
        FunctionVersion="1",
        RoutingConfig=routing,
    )
    end = await scene.roll_back(version="2", **refusing(scene))
    assert end.kind == "ReleaseRolledBack"
    assert scene.aws.routing(scene.function) == ("1", {"2": 0.25})
    assert "all traffic is on version 1" not in end.text
    assert "version 1 with 0.25 of the traffic to version 2" in end.text


@pytest.mark.parametrize(
    "write", ["put_function_concurrency", "put_provisioned_concurrency_config", "publish_version"]
)
async def test_a_cancel_where_there_is_nothing_to_do_puts_concurrency_back(
    scene: Scene, write: str
) -> None:
    hold = scene.aws.hold(write)
    handle = await scene.start(
        "Release",
        scene.request(
            artifact=scene.package("two"), concurrency={"reserved": 50, "provisioned": 5}
        ),
    )
    await reached(scene, hold)
    await handle.cancel()
    for _ in range(5):
        await scene.moment()
    hold.release()
    assert (await ending(handle)).kind == "Canceled"
    back(scene)
    assert (scene.state.reserved, scene.state.provisioned) == (None, {})
    told = await scene.rollout.query("__temporal_workflow_metadata")
    assert "Nothing to do" not in str(told)


# --- foreign changes -------------------------------------------------------------------------------------------------------------


async def test_a_foreign_move_after_a_step_of_all_traffic_is_found(scene: Scene) -> None:
    steps = [{"kind": "set_weight", "percent": 100}, {"kind": "bake", "duration": "5m"}]
    handle = await scene.begin(artifact=scene.package("three"), strategy={"steps": steps})
    await scene.reaches("baking")
    scene.aws.somebody(
        "update_alias", FunctionName=scene.function, Name="live", FunctionVersion="1"
    )
    end = await scene.finished(handle)
    assert end.kind == "RollbackFailed", end
    assert "version 1" in end.text
    assert scene.aws.routing(scene.function) == ("1", {})


@pytest.mark.parametrize("part", ["code", "configuration"])
async def test_what_somebody_else_did_to_latest_in_the_bake_stays(scene: Scene, part: str) -> None:
    handle = await scene.begin(
        artifact=scene.package("three"), configuration={"Timeout": 9}, **CANARY
    )
    await scene.reaches("baking")
    if part == "code":
        scene.aws.overwrite(scene.function, "theirs")
    else:
        scene.state.latest.update(Timeout=77, RevisionId="theirs")
    theirs = dict(scene.state.latest)
    await scene.say("abort")
    end = await scene.finished(handle)
    assert end.kind == "ReleaseRolledBack"
    assert "changed" in end.text
    assert scene.aws.routing(scene.function) == ("2", {})
    assert (scene.state.latest["CodeSha256"], scene.state.latest["Timeout"]) == (
        theirs["CodeSha256"],
        theirs["Timeout"],
    )


# --- inputs and answers that nobody expects --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "encoding", ["binary/plain", "json/protobuf", "binary/protobuf", "json/unheard-of"]
)
@pytest.mark.parametrize("workflow", ["Release", "Rollback", "Rollout"])
async def test_an_input_in_another_encoding_is_refused(
    scene: Scene, workflow: str, encoding: str
) -> None:
    payload = Payload(
        metadata={"encoding": encoding.encode(), "messageType": b"temporal.api.common.v1.Payload"},
        data=b"{}",
    )
    handle = await scene.start_raw(workflow, payload)
    end = await ending(handle, patience=5)
    assert end.kind == "ReleaseRejected", end
    assert (await handle.describe()).status is WorkflowExecutionStatus.FAILED


async def test_a_read_that_fails_for_good_in_whatever_way_rejects(scene: Scene) -> None:
    scene.aws.fail(
        "get_function", "ResponseTooLarge", "the answer is larger than 8000000 bytes", times=None
    )
    end = await scene.release(artifact=scene.package("three"))
    assert end.kind == "ReleaseRejected", end


async def test_a_function_without_an_arn_rejects(scene: Scene) -> None:
    scene.state.latest["FunctionArn"] = "arn:of:nothing"
    end = await scene.release(artifact=scene.package("three"))
    assert end.kind == "ReleaseRejected", end

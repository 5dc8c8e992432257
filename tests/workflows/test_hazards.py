"""Rare moments in which a release could leave something astray: late writes, lost records, long names, alarms before the first move."""

from __future__ import annotations

from typing import Any

import pytest
from temporalio.api.common.v1 import Payload, WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import WorkflowExecutionStatus

from activities.errors import AwsError
from tests.fakes.rules import Hold
from tests.harness import ALL_AT_ONCE, CANARY, Harness, read_ending

APPROVED: dict[str, Any] = {"strategy": {"steps": [{"kind": "approval"}]}}
GUARDED: dict[str, Any] = {"guards": {"alarms": ["errors"]}}


async def reached(harness: Harness, hold: Hold) -> None:
    await harness.wait_for(hold.reached)


def refusing(harness: Harness) -> dict[str, Any]:
    """A hook after the last move that refuses, so that everything has to be put back."""
    harness.aws.hook("smoke", lambda _: {"accept": False, "reason": "500"})
    return {"hooks": {"after_traffic": "smoke"}}


def back(harness: Harness) -> None:
    assert harness.aws.routing(harness.function) == ("2", {})
    assert harness.state.latest["CodeSha256"] == harness.state.versions["2"]["CodeSha256"]


# --- late writes -----------------------------------------------------------------------------------------------------------------


async def test_a_move_that_a_terminated_rollout_still_had_on_its_way_is_refused(
    harness: Harness,
) -> None:
    hold = harness.aws.hold("update_alias")
    handle = await harness.start(
        "Release", harness.request(artifact=harness.package("three"), **ALL_AT_ONCE)
    )
    await reached(harness, hold)
    await harness.rollout.terminate("oops")
    end = await read_ending(handle)
    assert end.kind == "ReleaseRolledBack", end
    hold.release()
    await harness.wait_briefly()
    back(harness)


async def test_a_move_that_takes_effect_while_a_terminated_rollout_is_mended_is_put_back(
    harness: Harness,
) -> None:
    hold = harness.aws.hold("update_alias")

    async def lands(_: object) -> None:
        hold.release()
        await harness.wait_briefly()

    harness.aws.after("get_alias", lands, skip=1)
    handle = await harness.start(
        "Release", harness.request(artifact=harness.package("three"), **ALL_AT_ONCE)
    )
    await reached(harness, hold)
    await harness.rollout.terminate("oops")
    end = await read_ending(handle)
    assert end.kind == "ReleaseRolledBack", end
    back(harness)


async def test_an_alias_that_a_terminated_rollout_was_still_creating_is_taken_away(
    harness: Harness,
) -> None:
    del harness.state.aliases["live"]
    hold = harness.aws.hold("create_alias")

    async def lands(_: object) -> None:
        hold.release()
        await harness.wait_briefly()

    harness.aws.before("get_alias", lands, skip=2)  # the second look after the wait
    handle = await harness.start("Release", harness.request(artifact=harness.package("three")))
    await reached(harness, hold)
    await harness.rollout.terminate("oops")
    assert (await read_ending(handle)).kind == "ReleaseRolledBack"
    assert "live" not in harness.state.aliases


@pytest.mark.parametrize("operation", ["put_function_concurrency", "update_function_code"])
async def test_what_a_terminated_rollout_still_had_on_its_way_is_put_back_too(
    harness: Harness, operation: str
) -> None:
    hold = harness.aws.hold(operation)
    keys: dict[str, Any] = {"artifact": harness.package("three"), "concurrency": {"reserved": 50}}
    handle = await harness.begin(**keys, **CANARY)
    await reached(harness, hold)
    await harness.rollout.terminate("oops")

    async def has_timer() -> bool:
        events = (await handle.fetch_history()).events
        return any(event.HasField("timer_started_event_attributes") for event in events)

    await harness.wait_until(has_timer)
    hold.release()
    await harness.wait_briefly()
    end = await harness.finish(handle)
    assert end.kind == "ReleaseRolledBack", end
    assert harness.state.reserved is None
    back(harness)


async def test_a_refusal_of_the_first_move_is_no_failure_of_the_undo(harness: Harness) -> None:
    harness.aws.fail("update_alias", "AccessDeniedException", "no lambda:UpdateAlias", times=None)
    end = await harness.release(artifact=harness.package("three"), **CANARY)
    assert end.kind == "ReleaseRolledBack", end
    back(harness)


async def test_a_move_that_takes_effect_after_its_answer_was_given_up_is_refused(
    harness: Harness,
) -> None:
    late: list[dict[str, Any]] = []
    harness.aws.before("update_alias", lambda call: late.append(dict(call.parameters)))
    harness.aws.fail("update_alias", "ReadTimeoutError")
    hold = harness.aws.hold("get_alias", skip=1)  # the look before the second attempt
    handle = await harness.begin(artifact=harness.package("three"), **CANARY)
    await reached(harness, hold)
    await harness.send("abort")
    hold.release()
    assert (await harness.finish(handle)).kind == "ReleaseRolledBack"
    with pytest.raises(AwsError, match="PreconditionFailedException"):
        harness.aws.somebody("update_alias", **late[0])
    back(harness)


async def test_an_abort_while_aws_is_down_does_not_wait_for_the_write_that_is_tried_again(
    harness: Harness,
) -> None:
    harness.aws.fail("update_function_code", "ServiceException", times=5)
    handle = await harness.begin(artifact=harness.package("three"), **CANARY)
    await harness.wait_until(lambda: bool(harness.aws.of("update_function_code")))
    await harness.send("abort")
    end = await harness.finish(handle)
    assert end.kind == "ReleaseRolledBack", end
    back(harness)


# --- lost records ----------------------------------------------------------------------------------------------------------------


async def test_deleting_the_rollout_ends_the_release_and_does_not_leave_it_waiting(
    harness: Harness,
) -> None:
    handle = await harness.begin(artifact=harness.package("three"), **CANARY)
    await harness.wait_for_phase("baking")
    await harness.client.workflow_service.delete_workflow_execution(
        DeleteWorkflowExecutionRequest(
            namespace=harness.client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=harness.rollout_id),
        )
    )
    end = await read_ending(handle)
    assert end.kind == "RollbackFailed", end
    assert harness.rollout_id in end.text


async def test_a_cancel_while_a_terminated_rollout_is_mended_ends_as_canceled(
    harness: Harness,
) -> None:
    hold = harness.aws.hold("update_alias", skip=1)
    handle = await harness.begin(artifact=harness.package("three"), **CANARY)
    await harness.wait_for_phase("baking")
    await harness.rollout.terminate("oops")
    await reached(harness, hold)
    await handle.cancel()
    hold.release()
    end = await read_ending(handle)
    assert end.kind == "Canceled", end
    back(harness)


# --- long names ------------------------------------------------------------------------------------------------------------------


async def test_names_of_any_length_fit_into_the_timeline(harness: Harness) -> None:
    alarms = [f"{number:03}-" + "ü" * 200 for number in range(100)]
    harness.aws.alarms |= dict.fromkeys(alarms, "OK")
    key = "ä" * 500 + ".zip"
    harness.aws.upload(key, "three")
    handle = await harness.start(
        "Release",
        harness.request(
            artifact={"kind": "s3", "bucket": "artifacts", "key": key},
            guards={"alarms": alarms},
            requested_by="ü" * 200,
            **CANARY,
        ),
    )
    end = await read_ending(handle)
    assert end.kind == "Completed", end


# --- alarms before the first move ------------------------------------------------------------------------------------------------


async def test_an_alarm_while_the_first_step_waits_for_approval_stops_the_release(
    harness: Harness,
) -> None:
    harness.aws.alarms["errors"] = "OK"
    handle = await harness.begin(artifact=harness.package("three"), **APPROVED, **GUARDED)
    await harness.wait_for_phase("awaiting_approval")
    harness.aws.alarms["errors"] = "ALARM"
    end = await harness.finish(handle)
    assert end.kind == "ReleaseRolledBack", end
    assert "alarm errors went off" in end.text
    assert "update_alias" not in harness.aws.writes


async def test_an_alarm_just_before_the_approval_still_counts(harness: Harness) -> None:
    harness.aws.alarms["errors"] = "OK"
    handle = await harness.begin(artifact=harness.package("three"), **APPROVED, **GUARDED)
    await harness.wait_for_phase("awaiting_approval")
    harness.aws.alarms["errors"] = "ALARM"
    await harness.send("approve")
    end = await harness.finish(handle)
    assert end.kind == "ReleaseRolledBack", end
    assert "update_alias" not in harness.aws.writes


@pytest.mark.parametrize("alias", ["live", "beta"])
async def test_an_alarm_that_went_off_during_the_preparation_stops_a_move_of_all_traffic(
    harness: Harness, alias: str
) -> None:
    harness.aws.alarms["errors"] = "OK"
    harness.aws.after("publish_version", lambda _: harness.aws.alarms.update(errors="ALARM"))
    target = {"function": harness.function, "alias": alias}
    request = {"target": target, "artifact": harness.package("three"), **ALL_AT_ONCE, **GUARDED}
    end = await read_ending(await harness.start("Release", request))
    assert end.kind == "ReleaseRolledBack", end
    assert not {"update_alias", "create_alias"} & set(harness.aws.writes)


async def test_an_alarm_during_a_pause_before_the_first_move_stops_the_release(
    harness: Harness,
) -> None:
    harness.aws.alarms["errors"] = "OK"
    hold = harness.aws.hold("publish_version")
    handle = await harness.begin(artifact=harness.package("three"), **CANARY, **GUARDED)
    await reached(harness, hold)
    await harness.send("pause")
    hold.release()
    harness.aws.alarms["errors"] = "ALARM"
    end = await harness.finish(handle)
    assert end.kind == "ReleaseRolledBack", end
    assert "update_alias" not in harness.aws.writes


# --- what is put back ------------------------------------------------------------------------------------------------------------


async def test_provisioned_concurrency_is_lowered_before_the_reservation(harness: Harness) -> None:
    name = {"FunctionName": harness.function}
    harness.aws.somebody("put_function_concurrency", **name, ReservedConcurrentExecutions=20)
    harness.aws.somebody(
        "put_provisioned_concurrency_config",
        **name,
        Qualifier="1",
        ProvisionedConcurrentExecutions=10,
    )
    end = await harness.release(
        artifact={"kind": "version", "version": "1"},
        concurrency={"reserved": 50, "provisioned": 40},
        **refusing(harness),
        **CANARY,
    )
    assert end.kind == "ReleaseRolledBack"
    assert "could not be put back" not in end.text
    assert harness.state.reserved == 20
    assert harness.state.provisioned["1"]["RequestedProvisionedConcurrentExecutions"] == 10


async def test_a_function_keeps_its_description(harness: Harness) -> None:
    harness.state.latest["Description"] = "the checkout"
    assert (
        await harness.release(artifact=harness.package("three"), **ALL_AT_ONCE)
    ).kind == "Completed"
    end = await harness.release(
        configuration={"Timeout": 9, "Description": "new"}, **refusing(harness), **ALL_AT_ONCE
    )
    assert end.kind == "ReleaseRolledBack"
    assert harness.state.latest["Timeout"] == 3
    assert harness.state.latest["Description"] == "the checkout"


async def test_a_rollback_that_fails_tells_of_the_weights_that_it_put_back(
    harness: Harness,
) -> None:
    routing = {"AdditionalVersionWeights": {"2": 0.25}}
    harness.aws.somebody(
        "update_alias",
        FunctionName=harness.function,
        Name="live",
        FunctionVersion="1",
        RoutingConfig=routing,
    )
    end = await harness.roll_back(version="2", **refusing(harness))
    assert end.kind == "ReleaseRolledBack"
    assert harness.aws.routing(harness.function) == ("1", {"2": 0.25})
    assert "all traffic is on version 1" not in end.text
    assert "version 1 with 0.25 of the traffic to version 2" in end.text


@pytest.mark.parametrize(
    "write", ["put_function_concurrency", "put_provisioned_concurrency_config", "publish_version"]
)
async def test_a_cancel_where_there_is_nothing_to_do_puts_concurrency_back(
    harness: Harness, write: str
) -> None:
    hold = harness.aws.hold(write)
    handle = await harness.start(
        "Release",
        harness.request(
            artifact=harness.package("two"), concurrency={"reserved": 50, "provisioned": 5}
        ),
    )
    await reached(harness, hold)
    await handle.cancel()
    await harness.wait_briefly()
    hold.release()
    assert (await read_ending(handle)).kind == "Canceled"
    back(harness)
    assert (harness.state.reserved, harness.state.provisioned) == (None, {})
    told = await harness.rollout.query("__temporal_workflow_metadata")
    assert "Nothing to do" not in str(told)


# --- foreign changes -------------------------------------------------------------------------------------------------------------


async def test_a_foreign_move_after_a_step_of_all_traffic_is_found(harness: Harness) -> None:
    steps = [{"kind": "set_weight", "percent": 100}, {"kind": "bake", "duration": "5m"}]
    handle = await harness.begin(artifact=harness.package("three"), strategy={"steps": steps})
    await harness.wait_for_phase("baking")
    harness.aws.somebody(
        "update_alias", FunctionName=harness.function, Name="live", FunctionVersion="1"
    )
    end = await harness.finish(handle)
    assert end.kind == "RollbackFailed", end
    assert "version 1" in end.text
    assert harness.aws.routing(harness.function) == ("1", {})


@pytest.mark.parametrize("part", ["code", "configuration"])
async def test_what_somebody_else_did_to_latest_in_the_bake_stays(
    harness: Harness, part: str
) -> None:
    handle = await harness.begin(
        artifact=harness.package("three"), configuration={"Timeout": 9}, **CANARY
    )
    await harness.wait_for_phase("baking")
    if part == "code":
        harness.aws.overwrite(harness.function, "theirs")
    else:
        harness.state.latest.update(Timeout=77, RevisionId="theirs")
    theirs = dict(harness.state.latest)
    await harness.send("abort")
    end = await harness.finish(handle)
    assert end.kind == "ReleaseRolledBack"
    assert "changed" in end.text
    assert harness.aws.routing(harness.function) == ("2", {})
    assert (harness.state.latest["CodeSha256"], harness.state.latest["Timeout"]) == (
        theirs["CodeSha256"],
        theirs["Timeout"],
    )


# --- inputs and answers that nobody expects --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "encoding", ["binary/plain", "json/protobuf", "binary/protobuf", "json/unheard-of"]
)
@pytest.mark.parametrize("workflow", ["Release", "Rollback", "Rollout"])
async def test_an_input_in_another_encoding_is_refused(
    harness: Harness, workflow: str, encoding: str
) -> None:
    payload = Payload(
        metadata={"encoding": encoding.encode(), "messageType": b"temporal.api.common.v1.Payload"},
        data=b"{}",
    )
    handle = await harness.start_raw(workflow, payload)
    end = await read_ending(handle, seconds=5)
    assert end.kind == "ReleaseRejected", end
    assert (await handle.describe()).status is WorkflowExecutionStatus.FAILED


async def test_a_read_that_fails_for_good_in_whatever_way_rejects(harness: Harness) -> None:
    harness.aws.fail(
        "get_function", "ResponseTooLarge", "the answer is larger than 8000000 bytes", times=None
    )
    end = await harness.release(artifact=harness.package("three"))
    assert end.kind == "ReleaseRejected", end


async def test_a_function_without_an_arn_rejects(harness: Harness) -> None:
    harness.state.latest["FunctionArn"] = "arn:of:nothing"
    end = await harness.release(artifact=harness.package("three"))
    assert end.kind == "ReleaseRejected", end

"""A release by Temporal's HTTP API: curl starts, reads and steers it, by either id."""

from __future__ import annotations

import base64
import itertools
import json
from typing import Any

import pytest
from temporalio.client import WorkflowHandle

from tests.doors.curl import Curl
from tests.harness import CANARY, Harness

pytestmark = pytest.mark.timeout(240)
_numbers = itertools.count(1)
BY_ANA = {"by": "ana", "reason": "p99 is up"}


@pytest.fixture
def curl(http_port: int) -> Curl:
    return Curl(f"http://127.0.0.1:{http_port}/api/v1/namespaces/default/workflows")


async def begin(curl: Curl, harness: Harness, **keys: Any) -> str:
    """Start a release by curl; return its id."""
    release_id = f"http-{next(_numbers)}"
    artifact = harness.package("three")
    request = harness.request(artifact=artifact, **({"requested_by": "ci"} | CANARY | keys))
    await curl.start(release_id, queue=harness.queue, request=request)
    return release_id


async def wait_for_phase(curl: Curl, id: str, phase: str) -> dict[str, Any]:
    status: dict[str, Any] = {}

    async def is_reached() -> bool:
        status.update(await curl.query(id))
        return status.get("phase") == phase

    await Harness.wait_until(is_reached, seconds=60)
    return status


def decode(attribute: dict[str, Any]) -> object:
    """The value of a search attribute: the HTTP API has it as base64 of JSON."""
    return json.loads(base64.b64decode(attribute["data"]))


def read_failure(event: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The type of the failure that ended a workflow, and the status in it."""
    assert event["eventType"] == "EVENT_TYPE_WORKFLOW_EXECUTION_FAILED", event
    failure = event["workflowExecutionFailedEventAttributes"]["failure"]["applicationFailureInfo"]
    return failure["type"], failure["details"][0]


async def steer(curl: Curl, id: str) -> None:
    """Pause, resume and abort a release that bakes, each with its answer and its refusal."""
    for _ in range(2):  # what is sent again is answered again
        paused = await curl.update(id, "pause", BY_ANA, update_id="once")
        [status] = paused["success"]
        assert (status["paused"], status["note"]) == (True, "Paused by ana: p99 is up")
    refused = (await curl.update(id, "pause", BY_ANA))["failure"]
    assert refused["message"] == "paused already"
    assert refused["applicationFailureInfo"]["type"] == "Refused"
    assert (await curl.query(id))["paused"] is True
    [status] = (await curl.update(id, "resume"))["success"]
    assert (status["paused"], status["note"]) == (False, "Resumed by unknown")
    [status] = (await curl.update(id, "abort", {"by": "ana", "reason": "wrong build"}))["success"]
    assert status["note"] == "Aborted by ana: wrong build"


async def test_release_is_steered_by_the_id_of_its_rollout(curl: Curl, harness: Harness) -> None:
    release_id = await begin(curl, harness)
    status = await wait_for_phase(curl, harness.rollout_id, "baking")
    assert status["routing"] == {"stable": "2", "canary": "3", "percent": 10}
    found = await curl.get(harness.rollout_id)
    attributes = found.body["workflowExecutionInfo"]["searchAttributes"]["indexedFields"]
    assert decode(attributes["ReleasePhase"]) == "baking"
    assert decode(attributes["TrafficPercent"]) == 10
    await steer(curl, harness.rollout_id)
    kind, status = read_failure(await curl.wait_for_end(release_id))
    assert (kind, status["phase"]) == ("ReleaseRolledBack", "rolled_back")
    harness.assert_restored()


async def test_release_is_steered_by_the_id_it_was_started_by(curl: Curl, harness: Harness) -> None:
    release_id = await begin(curl, harness)
    status = await wait_for_phase(curl, release_id, "baking")
    assert status["rollout"] == harness.rollout_id
    assert status["routing"] == {"stable": "2", "canary": "3", "percent": 10}
    await steer(curl, release_id)
    kind, status = read_failure(await curl.wait_for_end(release_id))
    assert (kind, status["rollout"]) == ("ReleaseRolledBack", harness.rollout_id)
    harness.assert_restored()


@pytest.mark.parametrize(
    ("keys", "field"),
    [({"strategie": "AllAtOnce"}, "strategie"), ({"hooks": {"before": "x"}}, "hooks.before")],
)
async def test_rejection_has_a_status_with_problems(
    curl: Curl, harness: Harness, keys: dict[str, Any], field: str
) -> None:
    release_id = await begin(curl, harness, **keys)
    kind, status = read_failure(await curl.wait_for_end(release_id))
    assert (kind, status["phase"]) == ("ReleaseRejected", "rejected")
    assert [each["field"] for each in status["problems"]] == [field]
    late = await curl.send_update(release_id, "abort")
    assert (late.code, late.body["message"]) == (404, "workflow execution already completed")
    assert await curl.query(release_id) == status


async def test_cancellation_carries_the_last_status(curl: Curl, harness: Harness) -> None:
    release_id = await begin(curl, harness)
    await wait_for_phase(curl, harness.rollout_id, "baking")
    assert (await curl.post(f"{release_id}/cancel", {})).code == 200
    event = await curl.wait_for_end(release_id)
    assert event["eventType"] == "EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED"
    [status, *_] = event["workflowExecutionCanceledEventAttributes"]["details"]
    assert (status["phase"], status["routing"]["stable"]) == ("rolled_back", "2")
    harness.assert_restored()


async def test_update_without_an_id_is_refused_by_temporal(curl: Curl, harness: Harness) -> None:
    release_id = await begin(curl, harness)
    await wait_for_phase(curl, harness.rollout_id, "baking")
    answer = await curl.post(f"{harness.rollout_id}/update/pause", {"request": {"input": {}}})
    assert (answer.code, answer.body["message"]) == (400, "Update meta is not set on request.")
    handle: WorkflowHandle[Any, Any] = harness.client.get_workflow_handle(release_id)
    await harness.send("abort")
    await harness.finish(handle)

"""Releases that began under an id with slashes hold their alias to their end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.worker import Worker

from tests.harness import ALL_AT_ONCE, Handle, Harness, read_ending, starts_in
from workflows import search_attributes
from workflows.client import ReleaseClient
from workflows.domain.alias_history import RunKind
from workflows.domain.status import ReleaseStatus
from workflows.past_rollouts import KIND_MEMO
from workflows.request import ReleaseRequest
from workflows.rollout import Rollout
from workflows.rollout_request import RolloutRequest

APPROVAL: dict[str, Any] = {
    "strategy": {
        "steps": [{"kind": "set_weight", "percent": 10}, {"kind": "approval", "timeout": "1h"}]
    }
}


@workflow.defn(sandboxed=False)
class ReleaseOfBefore:
    """A release as versions of before started it: its rollout has an id with slashes."""

    @workflow.run
    async def run(self, rollout_id: str, queue: str, request: ReleaseRequest) -> ReleaseStatus:
        return await workflow.execute_child_workflow(
            Rollout.run,
            RolloutRequest(request),
            id=rollout_id,
            task_queue=queue,
            memo={KIND_MEMO: RunKind.RELEASE},
            search_attributes=TypedSearchAttributes(
                [
                    SearchAttributePair(search_attributes.FUNCTION, request.target.name),
                    SearchAttributePair(search_attributes.ALIAS, request.target.alias),
                ]
            ),
        )


def slashed_id(harness: Harness) -> str:
    return harness.rollout_id.replace(":", "/", 3)


@asynccontextmanager
async def release_of_before(harness: Harness, phase: str, **keys: Any) -> AsyncIterator[Handle]:
    """A release that began under an id with slashes, in this phase."""
    queue = f"before-{harness.function}"
    place = harness.rollout_id.split(":")
    arn = f"arn:aws:lambda:{place[2]}:{place[1]}:function:{harness.function}"
    request = {"target": {"function": arn}, "artifact": harness.package("three"), **keys}
    async with Worker(harness.client, task_queue=queue, workflows=[ReleaseOfBefore]):
        async with starts_in(harness.env, skipping=False):
            handle: Handle = await harness.client.start_workflow(
                "ReleaseOfBefore",
                args=[slashed_id(harness), harness.queue, request],
                id=f"before/{harness.function}",
                task_queue=queue,
                result_type=ReleaseStatus,
            )
        rollout = harness.client.get_workflow_handle(slashed_id(harness))

        async def has_phase() -> bool:
            try:
                status: ReleaseStatus = await rollout.query("status", result_type=ReleaseStatus)
            except Exception:  # noqa: BLE001 - the rollout has not started yet
                return False
            return status.phase == phase and (phase != "baking" or "watched for" in status.note)

        await harness.wait_until(has_phase, seconds=120)
        yield handle


async def approve(harness: Harness) -> None:
    rollout = harness.client.get_workflow_handle(slashed_id(harness))
    await rollout.execute_update("approve", {"by": "ana"})


async def test_release_of_before_holds_its_alias_to_its_end(harness: Harness) -> None:
    async with release_of_before(harness, "awaiting_approval", **APPROVAL) as older:
        for newer in (
            await harness.release(artifact=harness.package("four"), **ALL_AT_ONCE),
            await harness.roll_back(version="1", reason="wrong prices"),
        ):
            assert newer.kind == "ReleaseRejected", newer
            assert f"is being released already: {slashed_id(harness)}" in newer.text
        await approve(harness)
        assert (await read_ending(older)).kind == "Completed"
    assert harness.aws.routing(harness.function) == ("3", {})
    newer = await harness.release(artifact=harness.package("four"), **ALL_AT_ONCE)
    assert newer.kind == "Completed", newer
    assert harness.aws.routing(harness.function) == ("4", {})


async def test_newer_release_ends_the_watch_of_one_of_before(harness: Harness) -> None:
    keys = {**ALL_AT_ONCE, "guards": {"after": "14d"}}
    async with release_of_before(harness, "baking", **keys) as older:
        newer = await harness.release(artifact=harness.package("four"), **ALL_AT_ONCE)
        assert newer.kind == "Completed", newer
        assert (await read_ending(older)).kind == "Completed"
    assert harness.aws.routing(harness.function) == ("4", {})


async def test_history_of_an_alias_holds_what_ran_before(harness: Harness) -> None:
    releases = ReleaseClient(harness.client)
    async with release_of_before(harness, "awaiting_approval", **APPROVAL) as older:
        assert (await releases.status(f"{harness.function}:live")).phase == "awaiting_approval"
        place = harness.rollout_id.split(":")
        arn = f"arn:aws:lambda:{place[2]}:{place[1]}:function:{harness.function}"
        assert (await releases.status(arn)).phase == "awaiting_approval"
        await approve(harness)
        await read_ending(older)
    end = await harness.roll_back(requested_by="ana", reason="wrong prices")
    assert end.kind == "Completed", end
    assert harness.aws.routing(harness.function) == ("2", {})

    async def are_listed() -> bool:
        runs = await releases.history(harness.function)
        return {run.id for run in runs if not run.is_running} == {
            harness.rollout_id,
            slashed_id(harness),
        }

    await harness.wait_until(are_listed)
    again = await harness.release(artifact={"kind": "version", "version": "3"}, **ALL_AT_ONCE)
    assert again.kind == "ReleaseRejected", again
    assert "rolled back" in again.text


async def test_rollout_under_an_id_with_slashes_is_rejected(harness: Harness) -> None:
    handle = await harness.start(
        "Rollout", harness.request(artifact=harness.package("three")), id=slashed_id(harness)
    )
    end = await read_ending(handle)
    assert end.kind == "ReleaseRejected", end
    assert f"a Rollout runs under the id of its alias, {harness.rollout_id}" in end.text

"""Releases that no worker has taken: found, named, ended."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shlex

import pytest
from google.protobuf.duration_pb2 import Duration
from temporalio.api.workflowservice.v1 import (
    RegisterNamespaceRequest,
)
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError

from tests.client.queues import NUMBERS, make_current, pin, serve_queue
from tests.client.releases import APPROVAL, make_request, start_waiting_release
from tests.harness import TEMPORAL_CLI, Handle, Harness, read_ending
from workflows import search_attributes
from workflows.client import ReleaseClient
from workflows.client.errors import Ambiguous, NoSuchRelease, NoWorker, Refused
from workflows.client.runs import RunOutcome
from workflows.client.schedule_times import ScheduleTimes
from workflows.domain.status import Phase, ReleaseStatus
from workflows.request import ReleaseRequest, RollbackRequest
from workflows.temporal.plugin import LambdaReleases


@pytest.fixture
def queue() -> str:
    """A task queue that nobody polls."""
    return f"unserved-{next(NUMBERS)}"


async def start_unserved(
    releases: ReleaseClient, request: ReleaseRequest | RollbackRequest, queue: str
) -> Handle:
    """Start a release on a queue that nobody polls; return once visibility lists it."""
    if isinstance(request, RollbackRequest):
        handle = await releases.start_rollback(request, task_queue=queue)
    else:
        handle = await releases.start(request, task_queue=queue)
    async with asyncio.timeout(60):
        while handle.id not in {run.id for run in await releases.pending(request.target)}:
            await asyncio.sleep(0.05)
    return handle


async def wait_for_phase(releases: ReleaseClient, id: str, phase: Phase) -> ReleaseStatus:
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(NoSuchRelease):
                if (status := await releases.status(id)).phase == phase:
                    return status
            await asyncio.sleep(0.05)


async def abort_when_served(releases: ReleaseClient, harness: Harness) -> None:
    async with asyncio.timeout(120):
        while True:
            try:
                await releases.abort(harness.function, by="bo")
            except NoWorker:  # recorded as a cancel all the same
                continue
            except Refused as refusal:
                assert re.search("too late|any more", str(refusal))  # noqa: PT017 - the one before was heard
            return


async def test_release_without_a_worker_is_found_by_its_function(
    releases: ReleaseClient, harness: Harness, queue: str
) -> None:
    handle = await start_unserved(releases, make_request(harness), queue)
    status = await releases.status(harness.function)
    assert (status.phase, status.note) == (
        Phase.WAITING_FOR_WORKER,
        f"waiting for a worker on task queue {queue}",
    )
    assert any(f"RELEASES_TASK_QUEUE={queue} python worker.py" in note for note in status.notes)
    found = (await handle.describe()).typed_search_attributes
    assert {key: found.get(key) for key in search_attributes.KEYS[:4]} == {
        search_attributes.FUNCTION: harness.function,
        search_attributes.ALIAS: "live",
        search_attributes.REQUESTED_BY: "ana",
        search_attributes.PHASE: "waiting_for_worker",
    }
    [listed] = [run for run in await releases.running() if run.id == handle.id]
    assert (listed.requested_by, listed.status.target.function) == ("ana", harness.function)
    await handle.terminate()


async def test_start_without_a_worker_says_so_and_one_with_does_not(
    releases: ReleaseClient, harness: Harness, queue: str
) -> None:
    request = make_request(harness)
    waiting = await releases.start(request, task_queue=queue)
    served = await releases.start(request, task_queue=harness.queue)
    assert f"no worker polls task queue {queue}" in (await releases.check_start(waiting))[0]
    assert await releases.check_start(served) == ()
    await waiting.terminate()
    await served.result()


@pytest.mark.parametrize("by_id", [True, False])
async def test_aborted_release_does_not_go_out_when_a_worker_comes(
    releases: ReleaseClient, harness: Harness, queue: str, *, by_id: bool
) -> None:
    handle = await start_unserved(releases, make_request(harness), queue)
    answer = await releases.abort(handle.id if by_id else harness.function, by="bo", reason="oops")
    assert answer.note == "aborted by bo before a worker took it: oops"
    async with serve_queue(releases, harness.aws, queue):
        again = await releases.start(make_request(harness, "four"), task_queue=queue)
        assert (await again.result()).candidate == "3"
    assert (await handle.describe()).status is WorkflowExecutionStatus.TERMINATED
    assert "4" not in harness.state.versions
    assert (await releases.status(handle.id)).phase is Phase.REJECTED


async def test_aborted_rollback_does_not_go_out_when_a_worker_comes(
    releases: ReleaseClient, harness: Harness, queue: str
) -> None:
    request = RollbackRequest.model_validate({"target": {"function": harness.function}})
    await start_unserved(releases, request, queue)
    assert (await releases.abort(harness.function, by="bo")).phase is Phase.REJECTED
    async with serve_queue(releases, harness.aws, queue):
        await harness.wait_briefly()
    assert harness.aws.routing(harness.function) == ("2", {})


async def test_release_without_a_worker_is_not_the_one_before_it(
    releases: ReleaseClient, harness: Harness, queue: str
) -> None:
    first = await releases.start(make_request(harness), task_queue=harness.queue)
    assert (await first.result()).phase is Phase.SUCCEEDED
    await start_unserved(releases, make_request(harness, "four"), queue)
    assert (await releases.status(harness.function)).phase is Phase.WAITING_FOR_WORKER
    await releases.abort(harness.function, by="bo")
    await harness.wait_until(lambda: _has_none_pending(releases, harness))
    assert (await releases.status(harness.function)).phase is Phase.SUCCEEDED


async def _has_none_pending(releases: ReleaseClient, harness: Harness) -> bool:
    return not await releases.pending(harness.function)


async def test_running_release_is_the_one_that_a_name_means(
    releases: ReleaseClient, harness: Harness, queue: str
) -> None:
    await start_waiting_release(releases, harness)
    other = await start_unserved(releases, make_request(harness, "four"), queue)
    assert (await releases.status(harness.function)).phase is Phase.AWAITING_APPROVAL
    assert [run.id for run in await releases.pending(harness.function)] == [other.id]
    assert (await releases.abort(harness.function, by="bo")).candidate == "3"
    assert (await releases.status(other.id)).phase is Phase.WAITING_FOR_WORKER
    await other.terminate()


async def test_several_releases_without_a_worker_are_named_by_their_ids(
    releases: ReleaseClient, harness: Harness, queue: str
) -> None:
    handles = [await start_unserved(releases, make_request(harness), queue) for _ in range(2)]
    with pytest.raises(Ambiguous, match="have not begun yet") as problem:
        await releases.abort(harness.function, by="bo")
    for handle in handles:
        assert handle.id in str(problem.value)
        assert (await releases.abort(handle.id, by="bo")).phase is Phase.REJECTED


async def test_release_without_a_worker_takes_no_other_control(
    releases: ReleaseClient, harness: Harness, queue: str
) -> None:
    handle = await start_unserved(releases, make_request(harness), queue)
    with pytest.raises(Refused, match=rf"has not begun: .* {queue}.*releases abort {handle.id}"):
        await releases.promote(harness.function, by="bo")
    await handle.terminate()


@pytest.mark.usefixtures("short_timeouts")
async def test_watch_of_a_release_without_a_worker_names_its_queue(
    releases: ReleaseClient, harness: Harness, queue: str
) -> None:
    handle = await start_unserved(releases, make_request(harness), queue)
    async with asyncio.timeout(60):
        async for update in releases.watch(harness.function):
            if update.status and not (update.worker_answers or update.ending):
                assert update.status.note == f"waiting for a worker on task queue {queue}"
                await releases.abort(handle.id, by="bo")
    assert update.ending
    assert update.ending.outcome is RunOutcome.REJECTED


async def test_release_goes_on_as_soon_as_a_worker_comes(
    releases: ReleaseClient, harness: Harness, queue: str
) -> None:
    handle = await start_unserved(releases, make_request(harness), queue)
    async with serve_queue(releases, harness.aws, queue):
        assert (await handle.result()).candidate == "3"
    found = (await handle.describe()).typed_search_attributes
    assert found.get(search_attributes.PHASE) == Phase.SUCCEEDED


async def test_release_whose_function_is_looked_up_is_cancelled(
    releases: ReleaseClient, harness: Harness, queue: str
) -> None:
    held = harness.aws.hold("get_function")
    async with serve_queue(releases, harness.aws, queue):
        handle = await releases.start(make_request(harness), task_queue=queue)
        await harness.wait_for(held.reached)
        await wait_for_phase(releases, handle.id, Phase.PREPARING)
        found = (await handle.describe()).typed_search_attributes
        assert found.get(search_attributes.PHASE) is None
        answer = await releases.abort(handle.id, by="bo")
        assert answer.note.startswith("sent as a cancel: ")
        held.release()
        assert (await read_ending(handle)).kind == "Canceled"
    harness.assert_restored()


async def test_release_of_another_account_is_not_ended_by_an_abort(
    releases: ReleaseClient, harness: Harness, queue: str
) -> None:
    there = f"arn:aws:lambda:us-east-1:999999999999:function:{harness.function}"
    here = f"arn:aws:lambda:us-east-1:111111111111:function:{harness.function}"
    request = make_request(harness, target={"function": there})
    handle = await start_unserved(releases, request, queue)
    with pytest.raises(NoSuchRelease, match="nothing is known of any release"):
        await releases.abort(here, by="bo")
    assert (await releases.abort(there, by="bo")).phase is Phase.REJECTED
    assert (await handle.describe()).status is WorkflowExecutionStatus.TERMINATED


async def test_namespace_without_search_attributes_starts_a_release(
    releases: ReleaseClient, harness: Harness, queue: str
) -> None:
    namespace = f"bare-{next(NUMBERS)}"
    await releases.temporal.workflow_service.register_namespace(
        RegisterNamespaceRequest(
            namespace=namespace,
            workflow_execution_retention_period=Duration(seconds=86_400),
        )
    )
    address = releases.temporal.service_client.config.target_host
    bare = ReleaseClient(
        await Client.connect(address, namespace=namespace, plugins=[LambdaReleases()])
    )
    async with asyncio.timeout(60):
        while True:  # a namespace reaches every part of Temporal within seconds
            try:
                handle = await start_unserved(bare, make_request(harness), queue)
            except (RPCError, Refused, NoSuchRelease):
                await asyncio.sleep(0.5)
            else:
                break
    assert any("lacks the search attributes" in note for note in await bare.check_start(handle))
    assert (await bare.status(harness.function)).phase is Phase.WAITING_FOR_WORKER
    assert (await bare.abort(harness.function, by="bo")).phase is Phase.REJECTED


async def test_scheduled_release_without_a_worker_is_found(
    releases: ReleaseClient, harness: Harness, queue: str
) -> None:
    schedule_id = f"nightly-{harness.function}"
    times = ScheduleTimes(cron=("0 3 * * *",))
    await releases.schedules.create(schedule_id, make_request(harness), times, task_queue=queue)
    await releases.schedules.trigger(schedule_id)

    async def is_listed() -> bool:
        return bool(await releases.pending(harness.function))

    await harness.wait_until(is_listed)
    assert (await releases.status(harness.function)).phase is Phase.WAITING_FOR_WORKER
    [schedule] = [one for one in await releases.schedules.list() if one.id == schedule_id]
    assert schedule.last == "waiting for a worker"
    await releases.abort(harness.function, by="bo")
    await releases.schedules.delete(schedule_id)


async def test_release_without_a_current_version_names_the_command(
    releases: ReleaseClient, harness: Harness, queue: str
) -> None:
    name = f"releases-{queue}"
    async with serve_queue(releases, harness.aws, queue, deployment_config=pin(name, "b1")):
        handle = await start_unserved(releases, make_request(harness), queue)
        [problem, _] = await releases.check_start(handle)
        assert problem.endswith(
            f"set-current-version --namespace default --deployment-name {name} --build-id b1"
        )
        assert problem in (await releases.status(harness.function)).notes
        await releases.abort(harness.function, by="bo")


@pytest.mark.usefixtures("short_timeouts")
async def test_status_names_the_build_that_a_release_is_pinned_to(
    releases: ReleaseClient, harness: Harness, queue: str
) -> None:
    name = f"releases-{queue}"
    async with serve_queue(releases, harness.aws, queue, deployment_config=pin(name, "b1")):
        await make_current(releases.temporal, name, "b1")
        handle = await releases.start(make_request(harness, strategy=APPROVAL), task_queue=queue)
        await wait_for_phase(releases, handle.id, Phase.AWAITING_APPROVAL)
    with pytest.raises(NoWorker, match=f"pinned to build b1 of deployment {name}") as problem:
        await releases.status(harness.function)
    command = str(problem.value).rpartition("current one: temporal ")[2]
    async with serve_queue(releases, harness.aws, queue, deployment_config=pin(name, "b2")):
        await make_current(releases.temporal, name, "b2")
        address = releases.temporal.service_client.config.target_host
        arguments = (*shlex.split(command), "--address", address)
        process = await asyncio.create_subprocess_exec(TEMPORAL_CLI, *arguments)
        assert await process.wait() == 0
        await abort_when_served(releases, harness)
        assert (await read_ending(handle)).kind == "ReleaseRolledBack"

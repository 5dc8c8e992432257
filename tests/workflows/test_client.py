"""What programs do with releases: find them by what people call them, start, watch and steer them, and read what became of them."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHandle
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities import list_operations
from tests.fake_lambda import FakeLambda
from tests.harness import Harness
from workflows import search_attributes
from workflows.client import ReleaseClient, client, watch
from workflows.client.errors import (
    Ambiguous,
    BadRequest,
    NoSuchRelease,
    NoWorker,
    Refused,
    Unreachable,
)
from workflows.client.lookup import find_workflow, parse_target
from workflows.client.runs import RunOutcome
from workflows.client.watch import Watch, WatchUpdate
from workflows.domain.status import Phase
from workflows.domain.target import Target
from workflows.request import ReleaseRequest, RollbackRequest
from workflows.temporal.plugin import LambdaReleases

APPROVAL = {"steps": [{"kind": "set_weight", "percent": 10}, {"kind": "approval"}]}
HERE, THERE = "lambda/111111111111/eu-central-1", "lambda/222222222222/us-east-1"

_names = itertools.count(1)


@pytest.fixture
async def releases(temporal: WorkflowEnvironment) -> ReleaseClient:
    """A client as programs have it: nothing skips time for it."""
    address = temporal.client.service_client.config.target_host
    return ReleaseClient(await Client.connect(address, plugins=[LambdaReleases()]))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits for workers that there are not, for a moment only."""
    monkeypatch.setattr(client, "_UPDATE_TIMEOUT", client.timedelta(seconds=1))
    monkeypatch.setattr(client, "_QUERY_TIMEOUT", client.timedelta(seconds=1))
    monkeypatch.setattr(client, "_PLAN_TIMEOUT", client.timedelta(seconds=1))
    monkeypatch.setattr(watch, "_RESPONSE_SECONDS", 1.0)
    monkeypatch.setattr(watch, "_POLL_SECONDS", 0.5)


def request(harness: Harness, package: str = "three", **keys: Any) -> ReleaseRequest:
    keys = {
        "artifact": harness.package(package),
        "strategy": "AllAtOnce",
        "requested_by": "ana",
        **keys,
    }
    return ReleaseRequest.model_validate({"target": {"function": harness.function}, **keys})


async def begun(
    releases: ReleaseClient, harness: Harness, phase: Phase = Phase.AWAITING_APPROVAL, **keys: Any
) -> str:
    """Start a release that waits for approval; its id."""
    handle = await releases.start(
        request(harness, **{"strategy": APPROVAL, **keys}), task_queue=harness.queue
    )
    async with asyncio.timeout(10):
        while True:
            with contextlib.suppress(NoSuchRelease):
                if (await releases.status(handle.id)).phase == phase:
                    return handle.id
            await asyncio.sleep(0.02)


async def nobody(
    releases: ReleaseClient, lock: str, *, over: bool = False
) -> WorkflowHandle[Any, Any]:
    """A rollout that no worker has taken up, or that was terminated."""
    function, alias = lock.rsplit("/", 1)[-1].split(":")
    found = [
        SearchAttributePair(search_attributes.FUNCTION, function),
        SearchAttributePair(search_attributes.ALIAS, alias),
    ]
    handle: WorkflowHandle[Any, Any] = await releases.temporal.start_workflow(
        "Rollout",
        {"target": {"function": function}, "artifact": {"kind": "latest"}},
        id=lock,
        task_queue="nobody",
        search_attributes=TypedSearchAttributes(found),
    )
    if over:
        await handle.terminate()
    async with asyncio.timeout(10):
        state = "ExecutionStatus != 'Running'" if over else "ExecutionStatus = 'Running'"
        while True:
            if [
                run
                async for run in releases.temporal.list_workflows(
                    f"WorkflowId = '{lock}' AND {state}"
                )
            ]:
                return handle
            await asyncio.sleep(0.05)


class Seen:
    """What is seen by a watch that goes on meanwhile."""

    def __init__(self) -> None:
        self.sights: list[WatchUpdate] = []
        self._another = asyncio.Event()

    @property
    def last(self) -> WatchUpdate:
        return self.sights[-1]

    async def watch(self, releases: ReleaseClient, target: str) -> None:
        async for sight in releases.watch(target):
            self.sights.append(sight)
            self._another.set()

    async def until(
        self, seen: Callable[[WatchUpdate], object], *, patience: float = 30
    ) -> WatchUpdate:
        async with asyncio.timeout(patience):
            while not (self.sights and seen(self.last)):
                self._another.clear()
                await self._another.wait()
        return self.last


async def watched(
    releases: ReleaseClient, target: str, *, patience: float = 60
) -> list[WatchUpdate]:
    async with asyncio.timeout(patience):
        return [sight async for sight in releases.watch(target)]


def told(sights: list[WatchUpdate]) -> list[str]:
    """The story, without the beginnings."""
    return [moment.text for sight in sights for moment in sight.entries if moment.kind != "start"]


# --- names ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "function", "alias"),
    [
        ("checkout", "checkout", "live"),
        ("checkout:beta", "checkout", "beta"),
        ("123456789012:function:checkout", "123456789012:function:checkout", "live"),
        (
            "arn:aws:lambda:eu-west-1:123456789012:function:checkout",
            "arn:aws:lambda:eu-west-1:123456789012:function:checkout",
            "live",
        ),
        (
            "arn:aws:lambda:eu-west-1:123456789012:function:checkout:beta",
            "arn:aws:lambda:eu-west-1:123456789012:function:checkout",
            "beta",
        ),
    ],
)
def test_a_target_is_a_name_or_an_arn_with_or_without_an_alias(
    text: str, function: str, alias: str
) -> None:
    assert parse_target(text) == Target(function=function, alias=alias)


@pytest.mark.parametrize(
    "text",
    ["", "check out", "checkout:", "checkout:7", "arn:aws:s3:::checkout", "checkout:live:more"],
)
def test_what_is_no_target_is_a_bad_request(text: str) -> None:
    with pytest.raises(BadRequest):
        parse_target(text)


async def test_a_function_is_found_wherever_it_was_released(releases: ReleaseClient) -> None:
    name = f"found-{next(_names)}"
    await nobody(releases, f"{HERE}/{name}:live", over=True)
    assert (await find_workflow(releases.temporal, name)).id == f"{HERE}/{name}:live"


async def test_a_release_under_way_is_found_before_one_that_is_over_elsewhere(
    releases: ReleaseClient,
) -> None:
    name = f"found-{next(_names)}"
    await nobody(releases, f"{HERE}/{name}:live", over=True)
    await nobody(releases, f"{THERE}/{name}:live")
    assert (await find_workflow(releases.temporal, name)).id == f"{THERE}/{name}:live"


@pytest.mark.parametrize("over", [False, True])
async def test_a_function_released_in_two_places_is_ambiguous_and_both_are_named(
    releases: ReleaseClient, over: bool
) -> None:
    name = f"found-{next(_names)}"
    for _ in range(3):
        for place in (HERE, THERE):
            if over:
                await nobody(releases, f"{place}/{name}:live", over=True)
    for place in (HERE, THERE):
        await nobody(releases, f"{place}/{name}:live", over=over)
    with pytest.raises(Ambiguous) as problem:
        await find_workflow(releases.temporal, name)
    assert f"{HERE}/{name}:live" in str(problem.value)
    assert f"{THERE}/{name}:live" in str(problem.value)


@pytest.mark.parametrize(
    "named",
    [
        "arn:aws:lambda:us-east-1:222222222222:function:{}",
        "222222222222:function:{}",
        THERE + "/{}:live",
    ],
)
async def test_an_arn_or_an_id_says_which_of_two_places_is_meant(
    releases: ReleaseClient, named: str
) -> None:
    name = f"found-{next(_names)}"
    await nobody(releases, f"{HERE}/{name}:live")
    await nobody(releases, f"{THERE}/{name}:live")
    assert (await find_workflow(releases.temporal, named.format(name))).id == f"{THERE}/{name}:live"


@pytest.mark.parametrize(
    "named",
    [
        "never-released",
        "arn:aws:lambda:us-east-1:222222222222:function:never",
        f"{HERE}/never:live",
        "no.such",
    ],
)
async def test_what_was_never_released_is_not_found(releases: ReleaseClient, named: str) -> None:
    with pytest.raises(NoSuchRelease):
        await releases.status(named)


# --- starting ------------------------------------------------------------------------------------------------------------------


async def test_a_release_is_started_and_its_handle_gives_the_final_status(
    releases: ReleaseClient, harness: Harness
) -> None:
    handle = await releases.start(request(harness), task_queue=harness.queue)
    assert handle.id.startswith(f"release/{harness.function}:live/")
    assert (await handle.result()).phase == "succeeded"
    assert harness.aws.routing(harness.function) == ("3", {})


async def test_a_second_start_of_the_same_id_is_refused_while_the_first_runs(
    releases: ReleaseClient, harness: Harness
) -> None:
    name = f"ci-{next(_names)}"
    await releases.start(request(harness, strategy=APPROVAL), id=name, task_queue=harness.queue)
    with pytest.raises(Refused, match=f"{name} is running already"):
        await releases.start(request(harness), id=name, task_queue=harness.queue)


async def test_a_rollback_is_started_as_a_release_is(
    releases: ReleaseClient, harness: Harness
) -> None:
    rollback = RollbackRequest(target=Target(function=harness.function), version="1")
    handle = await releases.start_rollback(rollback, task_queue=harness.queue)
    assert (await handle.result()).candidate == "1"
    assert harness.aws.routing(harness.function) == ("1", {})


async def test_temporal_that_is_not_there_is_said_in_a_sentence_within_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    async with asyncio.timeout(6):
        with pytest.raises(
            Unreachable,
            match=r"^cannot connect to Temporal at 127\.0\.0\.1:1 \(TEMPORAL_ADDRESS\): Connection refused$",
        ):
            await ReleaseClient.connect()


async def test_a_server_that_accepts_and_says_nothing_is_given_up_after_five_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("TEMPORAL_ADDRESS", "{}:{}".format(*silent.getsockname()))
        async with asyncio.timeout(8):
            with pytest.raises(Unreachable, match="Temporal does not answer"):
                await ReleaseClient.connect()


async def test_a_namespace_that_temporal_does_not_know_is_said_so(
    temporal: WorkflowEnvironment, harness: Harness
) -> None:
    address = temporal.client.service_client.config.target_host
    elsewhere = ReleaseClient(
        await Client.connect(address, namespace="elsewhere", plugins=[LambdaReleases()])
    )
    for attempt in (
        elsewhere.running(),
        elsewhere.status("checkout"),
        elsewhere.start(request(harness)),
        elsewhere.schedules.list(),
    ):
        with pytest.raises(Unreachable, match="TEMPORAL_NAMESPACE"):
            await attempt


# --- how it stands -------------------------------------------------------------------------------------------------------------


async def test_the_status_is_the_one_that_the_rollout_gives(
    releases: ReleaseClient, harness: Harness
) -> None:
    name = await begun(releases, harness)
    for target in (harness.function, name, harness.rollout_id):
        status = await releases.status(target)
        assert (status.phase, status.routing.percent, status.candidate) == (
            "awaiting_approval",
            10,
            "3",
        )


async def test_the_status_of_a_release_that_is_over_needs_no_worker(
    releases: ReleaseClient, temporal: WorkflowEnvironment, aws: FakeLambda
) -> None:
    queue, function = f"over-{next(_names)}", f"over-{next(_names)}"
    harness = Harness(temporal, temporal.client, aws, queue, function)
    aws.create(function, "one", "two")
    async with Worker(releases.temporal, task_queue=queue, activities=list_operations(aws)):
        await (await releases.start(request(harness), task_queue=queue)).result()
    status = await releases.status(function)
    assert (status.phase, status.candidate, status.note) == (
        "succeeded",
        "3",
        "All traffic is on version 3",
    )


async def test_the_status_of_a_release_that_was_refused_before_it_began_says_why(
    releases: ReleaseClient, harness: Harness
) -> None:
    await begun(releases, harness)
    second = await releases.start(request(harness), task_queue=harness.queue)
    assert [
        sight.ending.outcome for sight in await watched(releases, second.id) if sight.ending
    ] == [RunOutcome.REJECTED]
    status = await releases.status(second.id)
    assert status.phase == "rejected"
    assert "is being released already" in status.note


@pytest.mark.usefixtures("impatient")
async def test_without_a_worker_the_status_is_not_guessed_and_what_is_listed_is_at_hand(
    releases: ReleaseClient,
) -> None:
    lock = f"{HERE}/found-{next(_names)}:live"
    await nobody(releases, lock)
    with pytest.raises(NoWorker):
        await releases.status(lock)
    run = await releases.describe(lock)
    assert (run.is_running, run.status.phase, run.location) == (
        True,
        "preparing",
        "111111111111/eu-central-1",
    )


async def test_releases_under_way_are_listed(releases: ReleaseClient, harness: Harness) -> None:
    await begun(releases, harness)
    [run] = [run for run in await releases.running() if run.id == harness.rollout_id]
    assert (str(run.status.target), run.requested_by, run.status.phase) == (
        f"{harness.function}:live",
        "ana",
        "awaiting_approval",
    )


async def test_the_history_of_an_alias_tells_each_release_with_its_ending(
    releases: ReleaseClient, harness: Harness
) -> None:
    await (await releases.start(request(harness, "three"), task_queue=harness.queue)).result()
    aborted = await begun(releases, harness, package="four", requested_by="ben")
    await releases.abort(aborted, by="ben", reason="wrong build")
    await watched(releases, aborted)
    last, first = await releases.history(harness.function)
    assert (first.requested_by, first.ending and first.ending.outcome, first.status.candidate) == (
        "ana",
        RunOutcome.SUCCEEDED,
        "3",
    )
    assert (last.requested_by, last.ending and last.ending.outcome, last.status.candidate) == (
        "ben",
        RunOutcome.ROLLED_BACK,
        "4",
    )
    assert last.ending is not None
    assert "aborted by ben: wrong build" in last.ending.note
    assert last.words == f"s3://artifacts/four.zip → {harness.function}:live (10%, approval, 100%)"
    assert len(await releases.history(harness.function, limit=1)) == 1


# --- steering ------------------------------------------------------------------------------------------------------------------


async def test_each_control_answers_how_the_release_stands_then(
    releases: ReleaseClient, harness: Harness
) -> None:
    await begun(releases, harness)
    assert (await releases.pause(harness.function, by="ana", reason="p99")).paused
    assert not (await releases.resume(harness.function, by="ana")).paused
    assert (
        await releases.approve(harness.function, by="ana", note="fine")
    ).note == "Approved by ana: fine"


async def test_promote_and_abort_answer_before_they_are_done(
    releases: ReleaseClient, harness: Harness
) -> None:
    first = await begun(releases, harness)
    assert (
        await releases.promote(harness.function, by="ana", reason="hotfix")
    ).note == "Promoted by ana: hotfix"
    assert (await watched(releases, first))[-1].ending is not None
    await begun(releases, harness, package="four")
    assert (await releases.abort(harness.function, by="ana")).note == "Aborted by ana"
    described = await harness.rollout.describe()
    assert (
        described.raw_description.workflow_execution_info.priority.priority_key == 1
    )  # before the workflow tasks of all others


async def test_nonsense_is_refused_in_the_words_of_the_release(
    releases: ReleaseClient, harness: Harness
) -> None:
    await begun(releases, harness)
    with pytest.raises(Refused, match=r"^not paused$"):
        await releases.resume(harness.function, by="ana")


async def test_a_control_is_refused_where_nothing_is_under_way(
    releases: ReleaseClient, harness: Harness
) -> None:
    await (await releases.start(request(harness), task_queue=harness.queue)).result()
    with pytest.raises(Refused, match="is not being released now: the last time it succeeded"):
        await releases.pause(harness.function, by="ana")


@pytest.mark.usefixtures("impatient")
async def test_a_control_that_nobody_takes_up_is_given_up_and_says_that_it_may_still_count(
    releases: ReleaseClient,
) -> None:
    lock = f"{HERE}/found-{next(_names)}:live"
    await nobody(releases, lock)
    with pytest.raises(NoWorker, match="pause may still take effect"):
        await releases.pause(lock, by="ana")


# --- watching ------------------------------------------------------------------------------------------------------------------


async def test_a_watch_tells_what_happened_before_it_and_then_everything_to_the_end(
    releases: ReleaseClient, harness: Harness
) -> None:
    name = await begun(releases, harness)
    watching_it = asyncio.create_task(watched(releases, harness.function))
    await asyncio.sleep(0.5)
    await releases.approve(name, by="ana", note="fine")
    sights = await watching_it
    story = told(sights)
    assert story[0] == f"s3://artifacts/three.zip → {harness.function}:live (10%, approval, 100%)"
    assert (
        story.index("Publish a version")
        < story.index("10% to version 3")
        < story.index("approve by ana: fine")
    )
    assert story[-1] == "All traffic to version 3"
    assert story.count(story[0]) == 1
    assert [sight.ending.outcome for sight in sights if sight.ending] == [RunOutcome.SUCCEEDED]
    assert sights[-1].status is not None
    assert sights[-1].status.phase == "succeeded"


async def test_watching_adds_nothing_to_the_history(
    releases: ReleaseClient, harness: Harness
) -> None:
    name = await begun(releases, harness)
    before = (await harness.rollout.describe()).history_length
    watchers = [asyncio.create_task(watched(releases, name)) for _ in range(3)]
    await asyncio.sleep(1)
    assert (await harness.rollout.describe()).history_length == before
    await releases.promote(name, by="ana")
    await asyncio.gather(*watchers)


async def test_what_is_tried_again_is_shown_with_its_attempt_and_its_failure(
    releases: ReleaseClient, harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_POLL_SECONDS", 0.2)
    rule = harness.aws.fail("publish_version", "ServiceException", "try later", times=None)
    handle = await releases.start(request(harness), task_queue=harness.queue)
    retries = []
    async for sight in releases.watch(handle.id):
        retries += sight.retries
        if sight.retries:
            rule.stop()
    assert retries[0].what == "Publish a version"
    assert retries[0].attempt > 1
    assert "try later" in retries[0].failure


@pytest.mark.usefixtures("impatient")
async def test_a_watch_outlives_the_worker_and_goes_on_with_the_next(
    releases: ReleaseClient, temporal: WorkflowEnvironment, aws: FakeLambda
) -> None:
    queue, function = f"mortal-{next(_names)}", f"mortal-{next(_names)}"
    harness = Harness(temporal, temporal.client, aws, queue, function)
    aws.create(function, "one", "two")
    seen = Seen()
    async with Worker(releases.temporal, task_queue=queue, activities=list_operations(aws)):
        name = await begun(releases, harness)
        task = asyncio.create_task(seen.watch(releases, name))
        await seen.until(lambda sight: sight.status and sight.worker_answers)
    last = await seen.until(lambda sight: not sight.worker_answers)
    assert last.status is not None
    assert last.status.phase == "awaiting_approval"
    again = await Client.connect(
        temporal.client.service_client.config.target_host, plugins=[LambdaReleases()]
    )
    async with Worker(again, task_queue=queue, activities=list_operations(aws)):
        await seen.until(lambda sight: sight.worker_answers)
        await releases.approve(name, by="ana")
        last = await seen.until(lambda sight: sight.ending)
        await task
    assert last.ending is not None
    assert last.ending.outcome is RunOutcome.SUCCEEDED


@pytest.fixture
async def server(tmp_path: Path, unused_port: int) -> AsyncIterator[Any]:
    """A Temporal of the test's own, that can be stopped and started again."""

    @contextlib.asynccontextmanager
    async def running() -> AsyncIterator[WorkflowEnvironment]:
        env = await WorkflowEnvironment.start_local(
            ip="127.0.0.1",
            port=unused_port,
            plugins=[LambdaReleases()],
            dev_server_existing_path=str(Path(sys.executable).parent / "temporal"),
            dev_server_database_filename=str(tmp_path / "temporal.db"),
            search_attributes=[
                search_attributes.FUNCTION,
                search_attributes.ALIAS,
                search_attributes.REQUESTED_BY,
                search_attributes.PHASE,
                search_attributes.VERSION,
                search_attributes.TRAFFIC_PERCENT,
            ],
        )
        yield env
        await env.shutdown()

    return running


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.mark.usefixtures("impatient")
async def test_a_watch_outlives_a_restart_of_temporal(server: Any) -> None:
    lock = f"{HERE}/mortal-{next(_names)}:live"
    seen = Seen()
    async with server() as env:
        releases = ReleaseClient(
            await Client.connect(
                env.client.service_client.config.target_host, plugins=[LambdaReleases()]
            )
        )
        await nobody(releases, lock)
        task = asyncio.create_task(seen.watch(releases, lock))
        await seen.until(lambda sight: sight.connected and not sight.worker_answers)
    await seen.until(lambda sight: not sight.connected)
    async with server() as env:
        await seen.until(lambda sight: sight.connected)
        await env.client.get_workflow_handle(lock).terminate(reason="enough")
        last = await seen.until(lambda sight: sight.ending)
        await task
    assert last.ending is not None
    assert last.ending.note == "terminated: enough"
    assert len(told(seen.sights)) == len(set(told(seen.sights)))


class Broken:
    """A workflow's handle whose connection breaks after the second event, once."""

    id = f"{HERE}/broken:live"

    def __init__(self) -> None:
        self.times = 0

    async def fetch_history_events(self, *, wait_new_event: bool) -> AsyncIterator[HistoryEvent]:
        assert wait_new_event
        self.times += 1
        for number in (1, 2):
            yield HistoryEvent(
                event_id=number,
                workflow_execution_cancel_requested_event_attributes={"cause": str(number)},
            )
        if self.times == 1:
            raise RPCError("the connection broke", RPCStatusCode.UNAVAILABLE, b"")
        kind = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED
        yield HistoryEvent(
            event_id=3, event_type=kind, workflow_execution_terminated_event_attributes={}
        )

    async def describe(self) -> None:
        raise RPCError("the connection broke", RPCStatusCode.UNAVAILABLE, b"")


async def test_after_a_broken_connection_every_event_is_told_once(releases: ReleaseClient) -> None:
    broken: Any = Broken()
    sights = [sight async for sight in Watch(releases.temporal, broken).read_updates()]
    assert told(sights) == ["cancel: 1", "cancel: 2"]
    assert [sight.connected for sight in sights] == [False, True]
    assert broken.times == 2


async def test_a_rollout_that_is_killed_ends_as_the_release_that_mends_it(
    releases: ReleaseClient, harness: Harness
) -> None:
    name = await begun(releases, harness)
    task = asyncio.create_task(watched(releases, name))
    await harness.rollout.terminate(reason="by mistake")
    ending = (await task)[-1].ending
    assert ending is not None
    assert ending.outcome is RunOutcome.ROLLED_BACK
    assert "the rollout was terminated" in ending.note
    assert (await releases.status(harness.function)).phase == "rolled_back"
    assert [run.ending for run in await releases.history(harness.function)] == [ending]
    assert harness.aws.routing(harness.function) == ("2", {})


async def test_a_cancelled_release_ends_rolled_back(
    releases: ReleaseClient, harness: Harness
) -> None:
    name = await begun(releases, harness)
    await releases.temporal.get_workflow_handle(name).cancel()
    sights = await watched(releases, name)
    assert any(text.startswith("cancel") for text in told(sights))
    assert sights[-1].ending is not None
    assert sights[-1].ending.outcome is RunOutcome.ROLLED_BACK


async def test_an_alias_that_somebody_else_moved_ends_not_rolled_back(
    releases: ReleaseClient, harness: Harness
) -> None:
    name = await begun(releases, harness)
    harness.aws.apply(
        "update_alias",
        FunctionName=harness.function,
        Name="live",
        FunctionVersion="1",
        RoutingConfig={},
    )
    await releases.abort(name, by="ana")
    ending = (await watched(releases, name))[-1].ending
    assert ending is not None
    assert ending.outcome is RunOutcome.NOT_ROLLED_BACK


# --- planning ------------------------------------------------------------------------------------------------------------------


async def test_a_plan_tells_the_steps_and_the_calls_and_changes_nothing(
    releases: ReleaseClient, harness: Harness
) -> None:
    harness.aws.alarms = {"errors": "OK"}
    keys: dict[str, Any] = {
        "strategy": "Linear25PercentEvery10Minutes",
        "guards": {"alarms": ["errors"]},
        "configuration": {"MemorySize": 512},
    }
    plan = await releases.plan(request(harness, **keys), task_queue=harness.queue)
    assert (plan.refusals, plan.stable, plan.candidate, plan.rollout) == (
        (),
        "2",
        None,
        harness.rollout_id,
    )
    assert plan.steps == (
        "Put s3://artifacts/three.zip into $LATEST",
        "Configure $LATEST: MemorySize",
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


async def test_a_plan_counts_the_calls_to_alias_and_version_that_the_release_then_makes(
    releases: ReleaseClient, harness: Harness
) -> None:
    wanted = request(
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


async def test_a_plan_that_would_be_rejected_lists_why(
    releases: ReleaseClient, harness: Harness
) -> None:
    harness.aws.alarms = {"errors": "ALARM"}
    plan = await releases.plan(
        request(harness, guards={"alarms": ["errors", "typo"]}), task_queue=harness.queue
    )
    assert "errors is in ALARM already" in "; ".join(plan.refusals)
    assert "there is no alarm typo" in "; ".join(plan.refusals)
    assert plan.steps == ()


async def test_a_plan_of_what_is_live_already_is_to_do_nothing(
    releases: ReleaseClient, harness: Harness
) -> None:
    plan = await releases.plan(
        request(harness, artifact={"kind": "version", "version": "2"}), task_queue=harness.queue
    )
    assert plan.steps == ("Nothing else: version 2 is live already",)


async def test_a_plan_may_be_made_while_a_release_runs(
    releases: ReleaseClient, harness: Harness
) -> None:
    await begun(releases, harness)
    assert (
        await releases.plan(request(harness), task_queue=harness.queue)
    ).target.name == harness.function


async def test_bad_input_that_only_the_worker_notices_is_refused(
    releases: ReleaseClient, harness: Harness
) -> None:
    bad = request(harness).model_copy(update={"reason": "x" * 2000})
    with pytest.raises(Refused, match="invalid ReleaseRequest: reason"):
        await releases.plan(bad, task_queue=harness.queue)


@pytest.mark.usefixtures("impatient")
async def test_a_plan_that_nobody_makes_is_given_up(
    releases: ReleaseClient, harness: Harness
) -> None:
    with pytest.raises(NoWorker, match="no worker on nobody"):
        await releases.plan(request(harness), task_queue="nobody")

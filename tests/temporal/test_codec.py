"""Encryption: Temporal holds nothing in plain text but what it has to search and route by."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload
from temporalio.client import Client
from temporalio.converter import DataConverter, PayloadCodec
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer, Worker

from activities import list_operations
from tests.fake_lambda import FakeLambda
from tests.harness import CANARY, Harness, read_ending
from workflows import continuation
from workflows.client import ReleaseClient
from workflows.client.errors import Refused
from workflows.client.runs import RunOutcome
from workflows.client.schedule_times import ScheduleTimes
from workflows.client.stats import read_stats
from workflows.domain.rules import Rules
from workflows.request import ReleaseRequest
from workflows.search_attributes import REQUESTED_BY
from workflows.temporal.codec import AesCodec
from workflows.temporal.codec_check import find_unreadable
from workflows.temporal.codec_keys import ENCODING, CodecKey, UnreadablePayload
from workflows.temporal.codec_settings import PlainCodec
from workflows.temporal.plugin import LambdaReleases

OLD: Final = CodecKey("old", b"o" * 32)
NEW: Final = CodecKey("new", b"n" * 32)

SECRET: Final = "zebra"
"""In all that people and programs say to a release."""

SAYINGS: Final = (
    SECRET,
    "all traffic",
    "Rolled back",
    "Publish a version",
    "Update code",
    "Bake at",
    "FunctionName",
    '"phase"',
    "does not exist",
    "Traceback",
)
"""Words of requests, statuses, summaries, failures and responses of AWS."""

WRITTEN: Final[dict[str, Any]] = {
    "requested_by": f"ana-{SECRET}",
    "reason": f"PR {SECRET}",
    "configuration": {"Environment": {"Variables": {"TOKEN": f"{SECRET}-1"}}},
}

OF_THE_SDK: Final = (
    ".details.patch-data.payloads",  # the name of a patch
    ".details.data.payloads",  # number and times of a local activity, without its result
)
"""Markers that the SDK's core writes without a codec."""

_queues = (f"sealed-{number}" for number in itertools.count(1))


def connect(
    temporal: WorkflowEnvironment,
    *keys: CodecKey,
    is_private: bool = False,
    codec: PayloadCodec | None = None,
) -> Client:
    """A client with these keys, on the connection of all tests; without keys one without codec."""
    config: Any = temporal.client.config()
    codec = AesCodec(keys) if keys else codec
    config["data_converter"] = dataclasses.replace(DataConverter.default, payload_codec=codec)
    return Client(**{**config, "plugins": [LambdaReleases(is_private=is_private)]})


@asynccontextmanager
async def serve(client: Client, temporal: WorkflowEnvironment) -> AsyncIterator[Harness]:
    """A worker with the keys of the client, on a queue of its own."""
    aws, queue = FakeLambda(), next(_queues)
    function = f"{queue}-checkout"
    aws.create(function, "one", "two")
    harness = Harness(temporal, client, aws, queue, function)
    async with Worker(client, task_queue=queue, activities=list_operations(aws)):
        yield harness


def walk(message: Message, path: str = "") -> Iterator[tuple[str, Any]]:
    """All payloads and texts of a message, with their paths; payloads are not entered."""
    for field, value in message.ListFields():
        for where, each in walk_values(value, f"{path}.{field.name}"):
            if isinstance(each, Payload | str):
                yield where, each
            elif isinstance(each, Message):
                yield from walk(each, where)


def walk_values(value: Any, path: str) -> list[tuple[str, Any]]:
    """The values of a field: its own, those of a list, or those of a map."""
    if hasattr(value, "items"):
        return [(f"{path}.{key}", each) for key, each in value.items()]
    is_list = isinstance(value, Sequence) and not isinstance(value, str | bytes)
    return [(path, each) for each in value] if is_list else [(path, value)]


def find_plain(message: Message) -> list[str]:
    """What stands in plain text in a message of Temporal's, and should not."""
    found: list[str] = []
    for path, value in walk(message):
        is_of_server = "search_attributes" in path or path.endswith(OF_THE_SDK)
        if isinstance(value, str):
            found += [f"{path}: {value}" for word in SAYINGS if word in value]
        elif value.metadata["encoding"] != ENCODING and not is_of_server:
            found.append(f"{path}: {value.data[:100]!r}")
    if SECRET.encode() in message.SerializeToString():
        found.append(f"{SECRET} is somewhere in it")
    return found


async def read_all(harness: Harness) -> list[Message]:
    """All that Temporal holds about the workflows of a queue: events, lists and descriptions."""
    messages: list[Message] = []
    async for listed in harness.client.list_workflows(f"TaskQueue = '{harness.queue}'"):
        handle = harness.client.get_workflow_handle(listed.id, run_id=listed.run_id)
        messages += [listed.raw_info, (await handle.describe()).raw_description]
        messages += [event async for event in handle.fetch_history_events()]
    return messages


async def succeed(harness: Harness) -> None:
    harness.aws.hook("check", lambda _: {"accept": True, "reason": SECRET})
    end = await harness.release(
        artifact=harness.package(SECRET), hooks={"before_traffic": "check"}, **CANARY, **WRITTEN
    )
    assert end.kind == "Completed", end
    assert end.status is not None
    assert (end.status.phase, end.status.candidate) == ("succeeded", "3")


async def be_refused(harness: Harness) -> None:
    harness.aws.hook("check", lambda _: {"accept": False, "reason": SECRET})
    end = await harness.release(
        artifact=harness.package("three"), hooks={"before_traffic": "check"}, **CANARY, **WRITTEN
    )
    assert end.kind == "ReleaseRolledBack", end
    assert SECRET in end.text
    harness.assert_restored()


async def be_rejected(harness: Harness) -> None:
    artifact = {"kind": "s3", "bucket": "artifacts", "key": f"{SECRET}.zip"}
    end = await harness.release(artifact=artifact, **CANARY, **WRITTEN)
    assert end.kind == "ReleaseRejected", end
    assert "does not exist" in end.text or SECRET in end.text


async def be_malformed(harness: Harness) -> None:
    end = await harness.release(artifact=harness.package("three"), **{SECRET: 1}, **WRITTEN)
    assert end.kind == "ReleaseRejected", end
    assert SECRET in end.text


async def be_aborted(harness: Harness) -> None:
    handle = await harness.begin_until("baking", **CANARY, **WRITTEN)
    await harness.send("pause", reason=SECRET)
    await harness.send("abort", by=f"bo-{SECRET}", reason=SECRET)
    end = await harness.finish(handle)
    assert end.kind == "ReleaseRolledBack", end
    assert SECRET in end.text
    harness.assert_restored()


async def be_cancelled(harness: Harness) -> None:
    handle = await harness.begin_until("baking", **CANARY, **WRITTEN)
    await handle.cancel(reason=SECRET)
    end = await read_ending(handle)
    assert end.kind == "Canceled"
    assert end.status is not None
    assert end.status.phase == "rolled_back"
    harness.assert_restored()


async def be_terminated(harness: Harness) -> None:
    """The journal, in the memo of the rollout, is what puts the alias back."""
    handle = await harness.begin_until("baking", **CANARY, **WRITTEN)
    await harness.rollout.terminate(reason=SECRET)
    assert (await harness.finish(handle)).kind == "ReleaseRolledBack"
    harness.assert_restored()


async def meet_somebody_else(harness: Harness) -> None:
    handle = await harness.begin_until("baking", **CANARY, **WRITTEN)
    harness.move_alias("1")
    end = await harness.finish(handle)
    assert end.kind == "RollbackFailed", end
    assert "somebody else moved" in end.text


async def be_continued(harness: Harness) -> None:
    """What a run hands to the next one is in its input and its memo."""
    query = f"WorkflowId = '{harness.rollout_id}'"

    async def has_next_run() -> bool:
        await harness.send("pause", reason=SECRET)
        await harness.send("resume")
        return (await harness.client.count_workflows(query)).count > 1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(continuation, "MAX_EVENTS", 80)
        handle = await harness.begin_until("baking", **CANARY, **WRITTEN)
        await harness.wait_until(has_next_run)
        assert (await harness.finish(handle)).kind == "Completed"


async def roll_back(harness: Harness) -> None:
    end = await harness.roll_back(version="1", requested_by=f"ana-{SECRET}", reason=SECRET)
    assert end.kind == "Completed", end
    assert harness.aws.routing(harness.function) == ("1", {})


async def fail_once(harness: Harness) -> None:
    """A fault that passes, and a bug with a stack trace: both are failures of activities."""
    harness.aws.fail("publish_version", "ServiceException")
    end = await harness.release(artifact=harness.package("three"), **CANARY, **WRITTEN)
    assert end.kind == "Completed", end


STORIES: Final = [
    succeed,
    be_refused,
    be_rejected,
    be_malformed,
    be_aborted,
    be_cancelled,
    be_terminated,
    be_continued,
    meet_somebody_else,
    roll_back,
    fail_once,
]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: str(story.__name__))
async def test_temporal_holds_nothing_of_a_release_in_plain_text(
    temporal: WorkflowEnvironment, story: Any
) -> None:
    async with serve(connect(temporal, NEW, is_private=True), temporal) as harness:
        await story(harness)
        messages = await read_all(harness)
    assert len(messages) > 6
    assert {line for message in messages for line in find_plain(message)} == set()


async def test_plain_text_is_found_where_there_is_no_codec(temporal: WorkflowEnvironment) -> None:
    async with serve(connect(temporal), temporal) as harness:
        await be_refused(harness)
        found = [line for message in await read_all(harness) for line in find_plain(message)]
    for place in ("input", "memo", "summary", "failure", "result"):
        assert any(place in line for line in found), place


async def test_every_reader_reads_what_is_encrypted(temporal: WorkflowEnvironment) -> None:
    async with serve(connect(temporal, NEW, is_private=True), temporal) as harness:
        await be_refused(harness)
        releases = ReleaseClient(harness.client)
        status = await releases.status(harness.function)
        [run] = await releases.history(harness.function)
        explanation = await releases.explain(harness.function)
        updates = [update async for update in releases.watch(harness.function)]
        request = ReleaseRequest.model_validate(
            {"target": {"function": harness.function}, "artifact": {"kind": "latest"}, **WRITTEN}
        )
        plan = await releases.plan(request, task_queue=harness.queue)
        assert await releases.rejudge(harness.function, Rules()) == []
    assert status.phase == "rolled_back"
    assert SECRET in status.note
    assert (run.requested_by, run.reason) == (WRITTEN["requested_by"], WRITTEN["reason"])
    assert run.ending is not None
    assert run.ending.outcome is RunOutcome.ROLLED_BACK
    assert SECRET in run.ending.note
    assert SECRET in repr(explanation)
    entries = [entry.text for update in updates for entry in update.entries]
    assert "Publish a version" in entries
    assert plan.steps


async def test_stats_are_read_from_encrypted_histories(temporal: WorkflowEnvironment) -> None:
    async with serve(connect(temporal, NEW), temporal) as harness:
        await be_aborted(harness)
        yesterday = datetime.now(UTC) - timedelta(days=1)
        [*_, stats] = await read_stats(harness.client, since=yesterday, target=harness.function)
    assert (stats.deployments, stats.failed) == (1, 1)


async def test_schedule_is_encrypted_and_listed(temporal: WorkflowEnvironment) -> None:
    async with serve(connect(temporal, NEW, is_private=True), temporal) as harness:
        releases = ReleaseClient(harness.client)
        request = ReleaseRequest.model_validate(
            {
                "target": {"function": harness.function},
                "artifact": harness.package(SECRET),
                **CANARY,
                **WRITTEN,
            }
        )
        schedule_id = f"nightly-{harness.function}"
        times = ScheduleTimes(cron=("30 2 * * *",))
        await releases.schedules.create(schedule_id, request, times, task_queue=harness.queue)
        try:
            handle = harness.client.get_schedule_handle(schedule_id)
            described = (await handle.describe()).raw_description
            [shown] = [each for each in await releases.schedules.list() if each.id == schedule_id]
            await releases.schedules.pause(schedule_id, reason=SECRET)
            paused = (await handle.describe()).raw_description
        finally:
            await releases.schedules.delete(schedule_id)
    assert [line for each in (described, paused) for line in find_plain(each)] == []
    assert SECRET in shown.what


async def test_requester_stays_searchable_unless_it_is_private(
    temporal: WorkflowEnvironment,
) -> None:
    async with serve(connect(temporal, NEW), temporal) as harness:
        await succeed(harness)
        found = {line for message in await read_all(harness) for line in find_plain(message)}
    assert found == {f"{SECRET} is somewhere in it"}
    runs = [run async for run in temporal.client.list_workflows(f"TaskQueue = '{harness.queue}'")]
    assert {run.typed_search_attributes.get(REQUESTED_BY) for run in runs} == {
        WRITTEN["requested_by"]
    }


async def test_plain_start_is_served_and_answered_encrypted(temporal: WorkflowEnvironment) -> None:
    plain = connect(temporal)
    async with serve(connect(temporal, NEW), temporal) as harness:
        sender = dataclasses.replace(harness, client=plain)
        handle = await sender.start(
            "Release", harness.request(artifact={"kind": "version", "version": "1"}, **CANARY)
        )
        with pytest.raises(UnreadablePayload, match="encrypted with key 'new', which this process"):
            await handle.result()
        assert harness.aws.routing(harness.function) == ("1", {})
        with pytest.raises(UnreadablePayload, match="add it to RELEASES_CODEC_KEYS"):
            await ReleaseClient(plain).history(harness.function)


async def test_client_without_a_key_sends_no_plain_text_by_oversight(
    temporal: WorkflowEnvironment,
) -> None:
    plain = connect(temporal)
    async with serve(connect(temporal, NEW), temporal) as harness:
        request = ReleaseRequest.model_validate(
            {
                "target": {"function": harness.function},
                "artifact": {"kind": "version", "version": "1"},
                "strategy": "AllAtOnce",
            }
        )
        first = await ReleaseClient(plain).start(request, task_queue=harness.queue)
        with pytest.raises(UnreadablePayload, match="with key 'new'"):
            await first.result()
        releases, reason = ReleaseClient(plain), "encrypted with key 'new', and this one would be"
        with pytest.raises(Refused, match=reason):
            await releases.start(request, task_queue=harness.queue)
        with pytest.raises(Refused, match="or RELEASES_CODEC=none if that is meant"):
            await releases.plan(request, task_queue=harness.queue)
        times = ScheduleTimes(cron=("30 2 * * *",))
        with pytest.raises(Refused, match=reason):
            await releases.schedules.create("unmade", request, times, task_queue=harness.queue)
        meant = connect(temporal, codec=PlainCodec())
        second = await ReleaseClient(meant).start(request, task_queue=harness.queue)
        with pytest.raises(UnreadablePayload, match="with key 'new'"):
            await second.result()


async def test_worker_without_the_key_fails_its_task_and_not_the_release(
    temporal: WorkflowEnvironment,
) -> None:
    async with serve(connect(temporal, OLD), temporal) as keyless:
        harness = dataclasses.replace(keyless, client=connect(temporal, NEW))
        request = harness.request(artifact={"kind": "version", "version": "1"}, **CANARY)
        handle = await harness.start("Release", request, skipping=False)

        async def has_failed_task() -> bool:
            events = [event async for event in handle.fetch_history_events()]
            return any(event.HasField("workflow_task_failed_event_attributes") for event in events)

        await harness.wait_until(has_failed_task)
        await harness.assert_running(handle)
        await handle.terminate()
    assert harness.aws.calls == []


async def test_worker_learns_at_its_start_that_it_lacks_a_key(
    temporal: WorkflowEnvironment,
) -> None:
    client = connect(temporal, NEW)
    async with serve(client, temporal) as harness:
        handle = await harness.begin_until("baking", **CANARY)
        problem = await find_unreadable(connect(temporal, OLD), harness.queue)
        assert problem is not None
        assert re.search(r"lambda:\S+ is encrypted with key 'new', which", problem)
        assert await find_unreadable(connect(temporal), harness.queue) == problem
        assert await find_unreadable(connect(temporal), "another queue") is None
        assert await find_unreadable(client, harness.queue) is None
        await harness.finish(handle)


class Mirror(PayloadCodec):
    """A codec of a user's own, which refuses what it has not encoded."""

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [
            Payload(metadata={"encoding": b"mirror"}, data=each.SerializeToString()[::-1])
            for each in payloads
        ]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        if any(each.metadata["encoding"] != b"mirror" for each in payloads):
            raise ValueError("not mine")
        return [Payload.FromString(each.data[::-1]) for each in payloads]


async def test_worker_learns_at_its_start_that_it_lacks_a_codec(
    temporal: WorkflowEnvironment,
) -> None:
    client = connect(temporal, codec=Mirror())
    async with serve(client, temporal) as harness:
        handle = await harness.begin_until("baking", **CANARY)
        problem = await find_unreadable(connect(temporal), harness.queue) or ""
        assert problem.endswith(
            "is encoded as 'mirror', for which this process has no codec (RELEASES_CODEC)"
        )
        assert "as 'mirror', for which" in (
            await find_unreadable(connect(temporal, NEW), harness.queue) or ""
        )
        assert await find_unreadable(client, harness.queue) is None
        await harness.finish(handle)
    async with serve(connect(temporal, NEW), temporal) as harness:
        handle = await harness.begin_until("baking", **CANARY)
        problem = await find_unreadable(client, harness.queue) or ""
        assert problem.endswith("is not decoded by the codec of this process: it raises ValueError")
        await harness.finish(handle)


async def test_fleet_in_the_middle_of_a_rotation_reads_both_keys(
    temporal: WorkflowEnvironment,
) -> None:
    """Some processes encrypt with the new key already, some still with the old one."""
    async with serve(connect(temporal, OLD, NEW), temporal) as harness:
        sender = dataclasses.replace(harness, client=connect(temporal, NEW, OLD))
        handle = await sender.begin(artifact=harness.package("three"), **CANARY, requested_by="ana")
        await sender.wait_for_phase("baking")
        await sender.send("pause", reason=SECRET)
        assert (await sender.send("resume")).phase == "baking"
        assert (await sender.finish(handle)).kind == "Completed"
        payloads = [value for message in await read_all(harness) for _, value in walk(message)]
    keys = {
        each.metadata.get("encryption-key-id") for each in payloads if isinstance(each, Payload)
    }
    assert {b"old", b"new"} <= keys


async def test_encrypted_history_is_replayed(temporal: WorkflowEnvironment) -> None:
    client = connect(temporal, NEW)
    async with serve(client, temporal) as harness:
        await be_aborted(harness)
        history = await harness.rollout.fetch_history()
    replayer = Replayer(
        workflows=[], plugins=[LambdaReleases()], data_converter=client.data_converter
    )
    await replayer.replay_workflow(history)

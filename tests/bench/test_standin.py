"""The benchmark's stand-in refuses what AWS refuses, and the benchmark refuses a contender that did not do its job."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import ClientError
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import ActivityTaskStartedEventAttributes, HistoryEvent
from temporalio.client import WorkflowHistory

from tests.bench.history import counted
from tests.bench.pipeline import CALLS, NotDone, carry_out, check, routed
from tests.bench.report import percentile
from tests.bench.standin import Lambda, serve


class Standin:
    """One in this process, with a client."""

    def __init__(self, aws: Lambda, client: Any) -> None:
        self.aws = aws
        self.client = client

    async def call(self, operation: str, **asked: Any) -> Any:
        return await getattr(self.client, operation)(**asked)


@pytest.fixture
async def standin() -> AsyncIterator[Standin]:
    aws = Lambda()
    server = await serve(aws)
    client = get_session().create_client(
        "lambda",
        endpoint_url=aws.url,
        region_name="us-east-1",
        aws_access_key_id="bench",
        aws_secret_access_key="bench",
        config=AioConfig(retries={"total_max_attempts": 1}),
    )
    async with client as opened:
        aws.make("f", 1)
        yield Standin(aws, opened)
    server.close()


def refused(code: str) -> Any:
    return pytest.raises(ClientError, match=code)


async def test_the_pipeline_releases_a_function_and_the_calls_are_counted(standin: Standin) -> None:
    assert await carry_out("f-0", standin.call) == "2"
    total = check("a script", standin.aws.told("f"))
    assert {name: count for name, count in total.items() if name != "get_function"} == {
        "get_alias": 1,
        "get_provisioned_concurrency_config": 1,
        "update_function_code": 1,
        "publish_version": 1,
        "update_alias": 2,
    }
    assert total["get_function"] in CALLS["get_function"]


async def test_code_settles_later_and_nothing_is_published_until_then(standin: Standin) -> None:
    await standin.call(
        "update_function_code", FunctionName="f-0", S3Bucket="artifacts", S3Key="2.zip"
    )
    with refused("ResourceConflictException"):
        await standin.call("publish_version", FunctionName="f-0")
    before = (await standin.call("get_function", FunctionName="f-0"))["Configuration"]
    assert before["LastUpdateStatus"] == "InProgress"
    await asyncio.sleep(0.55)
    after = (await standin.call("get_function", FunctionName="f-0"))["Configuration"]
    assert after["LastUpdateStatus"] == "Successful"
    assert after["RevisionId"] != before["RevisionId"]


async def test_a_write_on_an_old_revision_is_refused(standin: Standin) -> None:
    alias = await standin.call("get_alias", FunctionName="f-0", Name="live")
    await standin.call("update_alias", **routed("f-0", "1", {}, alias["RevisionId"]))
    with refused("PreconditionFailedException"):
        await standin.call("update_alias", **routed("f-0", "1", {}, alias["RevisionId"]))


async def test_an_alias_cannot_route_to_a_version_that_is_not_there(standin: Standin) -> None:
    alias = await standin.call("get_alias", FunctionName="f-0", Name="live")
    with refused("ResourceNotFoundException"):
        await standin.call("update_alias", **routed("f-0", "1", {"2": 0.1}, alias["RevisionId"]))


async def test_a_contender_that_left_the_alias_where_it_was_has_not_taken_part(
    standin: Standin,
) -> None:
    with pytest.raises(NotDone, match="left f-0"):
        check("nobody", standin.aws.told("f"))


async def test_a_contender_that_wrote_once_too_often_has_not_taken_part(standin: Standin) -> None:
    await carry_out("f-0", standin.call)
    standin.aws.functions["f-0"].calls["update_alias"] += 1
    with pytest.raises(NotDone, match="other calls"):
        check("a script", standin.aws.told("f"))


async def test_what_the_stand_in_tells_is_json(standin: Standin) -> None:
    assert json.loads(json.dumps(standin.aws.told("f")))["f-0"]["live"] == "1"


def test_every_attempt_of_an_activity_is_an_action() -> None:
    started = HistoryEvent(
        event_type=EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED,
        activity_task_started_event_attributes=ActivityTaskStartedEventAttributes(attempt=3),
    )
    timer = HistoryEvent(event_type=EventType.EVENT_TYPE_TIMER_STARTED)
    found = counted(WorkflowHistory("w", [started, timer, timer]))
    assert (found.events, found.actions) == (3, {"activity attempts": 3, "timers": 2})


def test_the_99th_percentile_of_few_values_is_the_greatest() -> None:
    assert percentile([3.0, 1.0, 2.0], 99) == 3.0
    assert percentile([3.0, 1.0, 2.0], 50) == 2.0

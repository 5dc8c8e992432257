"""The benchmark's stand-in, and the check that a contender did its job."""

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

from tests.bench.history import count_usage
from tests.bench.pipeline import (
    CALLS,
    ContenderError,
    build_update_alias,
    check_released,
    run_pipeline,
)
from tests.bench.report import percentile
from tests.bench.standin import StandIn, serve


class Served:
    """A stand-in in this process, with a client."""

    def __init__(self, aws: StandIn, client: Any) -> None:
        self.aws = aws
        self.client = client

    async def call(self, operation: str, **parameters: Any) -> Any:
        return await getattr(self.client, operation)(**parameters)


@pytest.fixture
async def standin() -> AsyncIterator[Served]:
    aws = StandIn()
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
        aws.make("f", [b"1"], count=1)
        yield Served(aws, opened)
    server.close()


def refused(code: str) -> Any:
    return pytest.raises(ClientError, match=code)


async def test_pipeline_releases_a_function_by_calls_that_are_counted(standin: Served) -> None:
    assert await run_pipeline("f-0", standin.call) == "2"
    total = check_released("a script", standin.aws.report("f"))
    assert {name: count for name, count in total.items() if name != "get_function"} == {
        "get_alias": 1,
        "get_provisioned_concurrency_config": 1,
        "update_function_code": 1,
        "publish_version": 1,
        "update_alias": 2,
    }
    assert total["get_function"] in CALLS["get_function"]


async def test_code_is_not_published_before_it_settles(standin: Served) -> None:
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


async def test_write_on_an_old_revision_is_refused(standin: Served) -> None:
    alias = await standin.call("get_alias", FunctionName="f-0", Name="live")
    update = build_update_alias("f-0", "1", {}, alias["RevisionId"])
    await standin.call("update_alias", **update)
    with refused("PreconditionFailedException"):
        await standin.call("update_alias", **update)


async def test_alias_cannot_route_to_a_missing_version(standin: Served) -> None:
    alias = await standin.call("get_alias", FunctionName="f-0", Name="live")
    update = build_update_alias("f-0", "1", {"2": 0.1}, alias["RevisionId"])
    with refused("ResourceNotFoundException"):
        await standin.call("update_alias", **update)


async def test_contender_that_left_the_alias_unchanged_is_refused(
    standin: Served,
) -> None:
    with pytest.raises(ContenderError, match="left f-0"):
        check_released("nobody", standin.aws.report("f"))


async def test_contender_that_wrote_once_too_often_is_refused(standin: Served) -> None:
    await run_pipeline("f-0", standin.call)
    standin.aws.usage["f-0"].calls["update_alias"] += 1
    with pytest.raises(ContenderError, match="other calls"):
        check_released("a script", standin.aws.report("f"))


async def test_report_is_json(standin: Served) -> None:
    assert json.loads(json.dumps(standin.aws.report("f")))["f-0"]["live"] == "1"


def test_history_counts_every_attempt_of_an_activity_as_an_action() -> None:
    started = HistoryEvent(
        event_type=EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED,
        activity_task_started_event_attributes=ActivityTaskStartedEventAttributes(attempt=3),
    )
    timer = HistoryEvent(event_type=EventType.EVENT_TYPE_TIMER_STARTED)
    found = count_usage(WorkflowHistory("w", [started, timer, timer]))
    assert (found.events, found.actions) == (3, {"activity attempts": 3, "timers": 2})


def test_percentile_99_of_few_values_is_the_greatest() -> None:
    assert percentile([3.0, 1.0, 2.0], 99) == 3.0
    assert percentile([3.0, 1.0, 2.0], 50) == 2.0

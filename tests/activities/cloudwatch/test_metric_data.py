"""GetMetricData over real HTTP: every response, and every fault, is a poll."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.aws import Connection
from activities.cloudwatch.metrics import (
    Metrics,
    MetricsRequest,
    MetricsResponse,
    WatchMetricsRequest,
)
from activities.limits.rate import Limits
from tests.activities.adapter import TOO_LATE
from tests.activities.stub import (
    BROKEN,
    NOT_JSON,
    Answer,
    DropAfter,
    DropBefore,
    Fault,
    Stub,
    Truncated,
)
from tests.fake_lambda.http import HttpRequest, HttpResponse

NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
REQUEST = MetricsRequest(
    function_name="checkout", name="live", versions=["3"], since=NOON, settle=60
)


def error(status: int, code: str) -> Answer:
    """An error as CloudWatch writes it."""
    return Answer(
        status,
        body=json.dumps(
            {"__type": f"com.amazonaws.monitoring.v2010_08_01#{code}", "message": f"{code}: no"}
        ).encode(),
    )


class CloudWatch:
    """One point for each query, in the first minute; ``spoil`` is done to each answer."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.status = "Complete"
        self.pages = 1
        self.body: bytes | None = None

    async def __call__(self, request: HttpRequest) -> HttpResponse:
        assert request.operation == "GetMetricData"
        query = json.loads(request.body)
        self.requests.append(query)
        if self.body is not None:
            return HttpResponse(200, self.body)
        page = int(query.get("NextToken", "0"))
        at = query["StartTime"] + 60 * page
        results = [
            {
                "Id": each["Id"],
                "Label": "x",
                "Timestamps": [at],
                "Values": [7.0 + page],
                "StatusCode": self.status,
            }
            for each in query["MetricDataQueries"]
        ]
        token = {"NextToken": str(page + 1)} if page + 1 < self.pages else {}
        return HttpResponse(
            200, json.dumps({"MetricDataResults": results, "Messages": [], **token}).encode()
        )


@pytest.fixture
def cloudwatch(aws: Connection, stub: Stub) -> CloudWatch:
    del aws  # which has put its own Lambda there
    stub.handler = CloudWatch()
    return stub.handler


async def poll(aws: Connection) -> MetricsResponse:
    return await Metrics(aws, lambda: NOON + timedelta(minutes=10)).get_metrics(REQUEST)


async def test_data_of_cloudwatch_is_the_response(aws: Connection, cloudwatch: CloudWatch) -> None:
    answer = await poll(aws)
    assert (answer.status, answer.minutes) == ("Complete", [NOON])
    assert (answer.versions["3"].invocations, answer.versions["3"].p99) == ([7], [7])
    [query] = cloudwatch.requests
    assert (query["StartTime"], query["EndTime"]) == (NOON.timestamp(), NOON.timestamp() + 9 * 60)


async def test_pages_are_followed(aws: Connection, cloudwatch: CloudWatch) -> None:
    cloudwatch.pages = 3
    answer = await poll(aws)
    assert answer.versions["3"].invocations == [7, 8, 9]
    assert len(cloudwatch.requests) == 3


@pytest.mark.parametrize("status", ["PartialData", "Forbidden", "InternalError"])
async def test_incomplete_status_is_the_response(
    aws: Connection, cloudwatch: CloudWatch, status: str
) -> None:
    cloudwatch.status = status
    answer = await poll(aws)
    assert (answer.status, answer.minutes, answer.versions) == (status, [], {})


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (error(400, "ThrottlingException"), "Throttled"),
        (error(400, "Throttling"), "Throttled"),
        (Answer(429), "Throttled"),
        (error(400, "AccessDeniedException"), "Denied"),
        (error(403, "AccessDenied"), "Denied"),
        (error(403, "ExpiredToken"), "Denied"),
        (error(400, "ValidationError"), "Invalid"),
        (error(500, "InternalServiceError"), "Unavailable"),
        (error(418, "NeverHeardOf"), "Unknown"),
        (BROKEN, "Unavailable"),
        (Answer(503), "Unavailable"),
        (NOT_JSON, "Unavailable"),
        (Truncated(), "Unavailable"),
        (DropBefore(), "Unavailable"),
        (DropAfter(), "Unavailable"),
    ],
    ids=str,
)
async def test_failed_call_is_a_response(
    aws: Connection, stub: Stub, cloudwatch: CloudWatch, fault: Fault, status: str
) -> None:
    stub.meets(fault)
    answer = await poll(aws)
    assert (answer.status, answer.minutes, answer.digest) == (status, [], status)
    assert answer.reason
    aws._limits = Limits()  # after a throttle nothing is sent for a second
    assert (await poll(aws)).status == "Complete", "and that is over once CloudWatch answers again"
    assert cloudwatch.requests


async def test_timeout_is_a_response(hasty: Connection, stub: Stub, cloudwatch: CloudWatch) -> None:
    stub.meets(TOO_LATE)
    assert (await poll(hasty)).status == "Unavailable"
    assert len(cloudwatch.requests) == 1


def series(**members: Any) -> dict[str, Any]:
    return {
        "Id": "v0_invocations",
        "Timestamps": [NOON.timestamp()],
        "Values": [1.0],
        "StatusCode": "Complete",
    } | members


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'{"MetricDataResults": null}',
        b'{"MetricDataResults": []}',
        b'{"MetricDataResults": {}}',
        b'{"MetricDataResults": [7]}',
        *(
            json.dumps({"MetricDataResults": [series(**members)]}).encode()
            for members in (
                {"Values": ["a"]},
                {"Values": [None]},
                {"Values": [10**400]},
                {"Values": [True]},
                {"Timestamps": ["noon"]},
                {"Timestamps": [10**30]},
                {"Id": None},
                {"Timestamps": [None]},
                {"StatusCode": None},
                {"StatusCode": 7},
                {"StatusCode": "x" * 100_000},
                {"Values": [float("nan")]},
                {"Values": [1e308, 2]},
            )
        ),
    ],
    ids=lambda body: body[:100].decode(),
)
async def test_malformed_response_is_no_measurement(
    aws: Connection, cloudwatch: CloudWatch, body: bytes
) -> None:
    cloudwatch.body = body
    answer = await poll(aws)
    assert answer.status in {"Unavailable", "InternalError"}
    assert (answer.minutes, answer.versions) == ([], {})
    assert len(answer.model_dump_json()) < 1_000


async def test_watch_reports_a_fault_and_its_end(
    aws: Connection, stub: Stub, cloudwatch: CloudWatch
) -> None:
    watching = Metrics(aws, lambda: NOON + timedelta(minutes=10))
    request = WatchMetricsRequest(**REQUEST.model_dump(), every=5)
    first = await watching.watch_metrics(request)
    stub.meets(error(400, "ThrottlingException"))
    second = await watching.watch_metrics(request.model_copy(update={"known": first.digest}))
    third = await watching.watch_metrics(request.model_copy(update={"known": second.digest}))
    assert [first.status, second.status, third.status] == ["Complete", "Throttled", "Complete"]
    assert len(cloudwatch.requests) == 2

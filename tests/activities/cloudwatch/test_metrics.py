"""Metrics: queries, the responses they make, and a watch that ends with news."""

from __future__ import annotations

import asyncio
import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator
from pydantic import ValidationError
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.testing import ActivityEnvironment

import activities.cloudwatch.metric_data
from activities.cloudwatch.alarms import WATCH
from activities.cloudwatch.metric_data import MAX_PAGES
from activities.cloudwatch.metrics import (
    Metrics,
    MetricsRequest,
    MetricsResponse,
    WatchMetricsRequest,
)
from activities.errors import AwsError
from activities.operation import READ, get_operation_policy
from tests.activities.scripted_aws import Answer, ScriptedAws
from tests.activities.virtual_time import virtual_time

NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
MEASURED = ("invocations", "errors", "throttles", "timed", "slow", "p50", "p90", "p99")
GET_METRIC_DATA = ServiceModel(
    Loader().load_service_model("cloudwatch", "service-2")
).operation_model("GetMetricData")


def minute(number: int) -> datetime:
    return NOON + timedelta(minutes=number)


LATER = minute(10)


def result(
    name: str, points: dict[int, Any] | None = None, status: str = "Complete"
) -> dict[str, Any]:
    points = points or {}
    return {
        "Id": name,
        "Label": name,
        "StatusCode": status,
        "Timestamps": [minute(at) for at in points],
        "Values": [*points.values()],
    }


def answer_of(**series: dict[int, Any]) -> dict[str, Any]:
    """An answer about versions 3 and 2; what is not named has no points."""
    names = [f"v{place}_{name}" for place in (0, 1) for name in MEASURED]
    return {
        "MetricDataResults": [result(name, series.pop(name, None)) for name in names]
        + [result(*other) for other in series.items()]
    }


def request_for(**members: Any) -> MetricsRequest:
    return MetricsRequest(
        **{
            "function_name": "checkout",
            "name": "live",
            "versions": ["3", "2"],
            "since": NOON,
            "settle": 90.0,
            "slow_above": 300.0,
        }
        | members
    )


def watched(known: str | None = None, **members: Any) -> WatchMetricsRequest:
    return WatchMetricsRequest(**request_for(**members).model_dump(), every=20.0, known=known)


def metrics(answer: Answer | list[Answer], at: datetime = LATER) -> Metrics:
    return Metrics(ScriptedAws(get_metric_data=answer), lambda: at)


async def poll(
    answer: Answer | list[Answer], at: datetime = LATER, **members: Any
) -> MetricsResponse:
    return await metrics(answer, at).get_metrics(request_for(**members))


async def parameters(**members: Any) -> dict[str, Any]:
    port = ScriptedAws(get_metric_data=answer_of())
    await Metrics(port, lambda: minute(10)).get_metrics(request_for(**members))
    report = ParamValidator().validate(port.last("get_metric_data"), GET_METRIC_DATA.input_shape)
    assert not report.has_errors(), report.generate_report()
    return port.last("get_metric_data")


# --- queries --------------------------------------------------------------------------------


def lambdas(name: str, version: str, metric: str, stat: str) -> dict[str, Any]:
    dimensions = {
        "FunctionName": "checkout",
        "Resource": "checkout:live",
        "ExecutedVersion": version,
    }
    listed = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    return {
        "Id": name,
        "MetricStat": {
            "Metric": {"Namespace": "AWS/Lambda", "MetricName": metric, "Dimensions": listed},
            "Period": 60,
            "Stat": stat,
        },
    }


async def test_poll_queries_both_versions_behind_the_alias() -> None:
    sent = await parameters()
    kinds = {
        "invocations": ("Invocations", "Sum"),
        "errors": ("Errors", "Sum"),
        "throttles": ("Throttles", "Sum"),
        "timed": ("Duration", "SampleCount"),
        "slow": ("Duration", "TC(300:)"),
        "p50": ("Duration", "p50"),
        "p90": ("Duration", "p90"),
        "p99": ("Duration", "p99"),
    }
    assert sent == {
        "MetricDataQueries": [
            lambdas(f"v{place}_{name}", version, *kinds[name])
            for place, version in enumerate("32")
            for name in MEASURED
        ],
        "StartTime": minute(0),
        "EndTime": minute(8),
        "ScanBy": "TimestampAscending",
    }


async def test_poll_is_one_call() -> None:
    port = ScriptedAws(get_metric_data=answer_of())
    await Metrics(port, lambda: minute(10)).get_metrics(
        request_for(others=[{"Id": "cpu", "Namespace": "N", "MetricName": "M", "Stat": "Average"}])
    )
    assert port.times("get_metric_data") == 1


@pytest.mark.parametrize(
    "form",
    [
        "checkout",
        "123456789012:function:checkout",
        "arn:aws:lambda:eu-west-1:123456789012:function:checkout",
        "checkout:live",
    ],
)
async def test_function_is_queried_by_its_bare_name(form: str) -> None:
    assert await parameters(function_name=form) == await parameters()


async def test_slow_invocations_are_counted_only_with_a_threshold() -> None:
    sent = await parameters(slow_above=None, versions=["3"])
    assert [query["Id"] for query in sent["MetricDataQueries"]] == [
        f"v0_{name}" for name in MEASURED if name != "slow"
    ]


@pytest.mark.parametrize(
    ("threshold", "stat"),
    [
        (300, "TC(300:)"),
        (0.25, "TC(0.25:)"),
        (900_000, "TC(900000:)"),
        (1234.5678, "TC(1234.568:)"),
    ],
)
async def test_threshold_is_written_as_cloudwatch_reads_it(threshold: float, stat: str) -> None:
    sent = await parameters(slow_above=threshold)
    assert [
        query["MetricStat"]["Stat"]
        for query in sent["MetricDataQueries"]
        if query["Id"].endswith("slow")
    ] == [stat, stat]


@pytest.mark.parametrize(
    ("seconds", "settle", "end"),
    [
        (0, 0.0, 10),
        (59, 0.0, 10),
        (0, 1.0, 9),
        (59, 60.0, 9),
        (0, 60.0, 9),
        (29, 90.0, 8),
        (30, 90.0, 9),
    ],
)
async def test_minutes_are_queried_once_they_have_settled(
    seconds: int, settle: float, end: int
) -> None:
    port = ScriptedAws(get_metric_data=answer_of())
    await Metrics(port, lambda: minute(10) + timedelta(seconds=seconds)).get_metrics(
        request_for(settle=settle)
    )
    assert port.last("get_metric_data")["EndTime"] == minute(end)


async def test_first_minute_is_a_whole_one() -> None:
    berlin = timezone(timedelta(hours=1))
    assert (await parameters(since=datetime(2026, 11, 25, 13, 2, 59, 999_999, tzinfo=berlin)))[
        "StartTime"
    ] == minute(2)


async def test_newest_three_hours_of_a_long_time_are_queried() -> None:
    assert (await parameters(since=NOON - timedelta(days=1)))["StartTime"] == minute(8) - timedelta(
        minutes=180
    )


async def test_nothing_is_queried_before_a_minute_has_settled() -> None:
    port = ScriptedAws(get_metric_data=answer_of())
    answer = await Metrics(port, lambda: minute(1)).get_metrics(request_for())
    assert port.requests == []
    assert (answer.status, answer.minutes, {*answer.versions}) == ("Complete", [], {"3", "2"})


async def test_clock_in_an_activity_is_temporals() -> None:
    environment = ActivityEnvironment()
    port = ScriptedAws(get_metric_data=answer_of())
    began = environment.info.started_time
    answer = await environment.run(
        Metrics(port).get_metrics, request_for(since=datetime(2000, 1, 1, tzinfo=UTC))
    )
    assert answer.at == began
    assert (await Metrics(port).get_metrics(request_for())).at > NOON - timedelta(days=365)


# --- the caller's own metrics ----------------------------------------------------------------

CPU = {
    "Id": "cpu",
    "Namespace": "Shop",
    "MetricName": "Cpu",
    "Dimensions": {"Pool": "a"},
    "Stat": "Average",
}
BASKETS = {"Namespace": "Shop", "MetricName": "Baskets", "Stat": "Sum"}
ORDERS = {"Namespace": "Shop", "MetricName": "Orders", "Stat": "Sum"}


async def test_custom_metric_is_queried_in_the_same_call() -> None:
    sent = await parameters(others=[CPU])
    metric = {
        "Namespace": "Shop",
        "MetricName": "Cpu",
        "Dimensions": [{"Name": "Pool", "Value": "a"}],
    }
    assert sent["MetricDataQueries"][16:] == [
        {"Id": "o0", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Average"}}
    ]


async def test_expressions_may_use_the_same_names_and_ours() -> None:
    ratio = {
        "Id": "ratio",
        "Expression": "IF(e > 1e2, e / v0_errors, 0) + FILL(e, 'e')",
        "Metrics": {"e": ORDERS, "v0_errors": BASKETS},
    }
    double = {"Id": "double", "Expression": "e*2", "Metrics": {"e": BASKETS}}
    sent = (await parameters(others=[ratio, double]))["MetricDataQueries"][16:]
    assert [
        (
            query["Id"],
            query.get("Expression") or query["MetricStat"]["Metric"]["MetricName"],
            query.get("ReturnData", True),
        )
        for query in sent
    ] == [
        ("o0", "IF(o0m0 > 1e2, o0m0 / o0m1, 0) + FILL(o0m0, 'e')", True),
        ("o0m0", "Orders", False),
        ("o0m1", "Baskets", False),
        ("o1", "o1m0*2", True),
        ("o1m0", "Baskets", False),
    ]


async def test_largest_request_is_within_cloudwatchs_limits() -> None:
    inner = {f"m{number}": ORDERS for number in range(10)}
    others = [
        {"Id": f"x{number}", "Expression": "+".join(inner), "Metrics": inner}
        for number in range(20)
    ]
    sent = await parameters(others=others)
    assert len(sent["MetricDataQueries"]) == 16 + 20 * 11 <= 500
    assert len({query["Id"] for query in sent["MetricDataQueries"]}) == 236


@pytest.mark.parametrize(
    ("other", "problem"),
    [
        ({"Id": "a"}, "Namespace, MetricName and Stat are needed"),
        (
            {"Id": "a", "Namespace": "N", "MetricName": "M"},
            "Namespace, MetricName and Stat are needed",
        ),
        ({**CPU, "Metrics": {"e": ORDERS}}, "Namespace, MetricName and Stat are needed"),
        ({**CPU, "Expression": "e", "Metrics": {"e": ORDERS}}, "belong into its Metrics"),
        (
            {"Id": "a", "Expression": "e / i", "Metrics": {"e": ORDERS}},
            "names i, which Metrics has not",
        ),
        (
            {"Id": "a", "Expression": "e / 2", "Metrics": {"e": ORDERS, "i": ORDERS}},
            "does not name i, which Metrics has",
        ),
        ({"Id": "a", "Expression": "1 + 1"}, "names no metric"),
        (
            {"Id": "a", "Expression": "SUM(METRICS()) + e", "Metrics": {"e": ORDERS}},
            "METRICS may answer several series",
        ),
        (
            {"Id": "a", "Expression": "SEARCH('{AWS/Lambda} Errors', 'Sum')"},
            "SEARCH may answer several series",
        ),
        ({"Id": "a", "Expression": "SELECT SUM(x) FROM y"}, "SELECT may answer several series"),
        ({"Id": "a", "Expression": "+".join("e" * 512), "Metrics": {"e": ORDERS}}, "too long"),
        ({**CPU, "Id": "Upper"}, "pattern"),
        ({**CPU, "Id": "x" * 32}, "pattern"),
        ({**CPU, "Stat": "p99th"}, "pattern"),
    ],
)
def test_custom_metric_that_is_invalid_is_refused(other: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        request_for(others=[other])


def test_name_stands_for_one_metric() -> None:
    with pytest.raises(ValidationError, match="Others has cpu twice"):
        request_for(others=[CPU, CPU])


@pytest.mark.parametrize(
    "stat",
    [
        "Sum",
        "p99",
        "p99.9",
        "p100",
        "tm90",
        "TC(300:)",
        "PR(:300)",
        "TM(10%:90%)",
        "TS(80%:)",
        "TC(0.5:1)",
        "IQM",
    ],
)
def test_statistics_of_cloudwatch_are_accepted(stat: str) -> None:
    assert request_for(others=[{**CPU, "Stat": stat}]).others[0].stat == stat


@pytest.mark.parametrize(
    "members",
    [
        {"versions": []},
        {"versions": ["1", "2", "3"]},
        {"versions": ["2", "2"]},
        {"versions": ["live"]},
        {"name": "7"},
        {"settle": -1.0},
        {"settle": math.inf},
        {"settle": "90"},
        {"slow_above": 0.0},
        {"slow_above": math.nan},
        {"since": datetime(2026, 11, 25)},  # noqa: DTZ001
        {"since": "0001-01-01T00:00:00+14:00"},
        {"others": [CPU] * 21},
    ],
)
def test_invalid_request_is_refused(members: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="validation error"):
        request_for(**members)


@pytest.mark.parametrize("every", [4.9, 301.0, math.nan, "20"])
def test_watch_polls_every_five_seconds_to_five_minutes(
    every: Any,
) -> None:
    with pytest.raises(ValidationError, match="validation error for WatchMetricsRequest"):
        WatchMetricsRequest(**request_for().model_dump(), every=every)


# --- responses ------------------------------------------------------------------------------


async def test_series_are_by_minute_with_none_for_missing_numbers() -> None:
    answer = await poll(
        answer_of(
            v0_invocations={0: 10.0, 2: 30.0},
            v0_errors={2: 0.0},
            v0_p99={0: 123.456789},
            v1_invocations={1: 1234567.0},
        )
    )
    assert answer.status == "Complete"
    assert answer.minutes == [minute(0), minute(1), minute(2)]
    assert answer.versions["3"].invocations == [10, None, 30]
    assert answer.versions["3"].errors == [None, None, 0]
    assert answer.versions["3"].throttles is None
    assert answer.versions["3"].p99 == [123.457, None, None]
    assert answer.versions["2"].invocations == [None, 1234567, None]


async def test_custom_metric_is_reported_by_name_negative_or_not() -> None:
    answer = await poll(answer_of(v0_errors={0: 1.0}, o0={0: -1.5}), others=[CPU])
    assert answer.others == {"cpu": [-1.5]}


async def test_response_is_aligned_whatever_the_order() -> None:
    answer = await poll(answer_of(v0_invocations={2: 3.0, 0: 1.0, 1: 2.0}))
    assert answer.versions["3"].invocations == [1, 2, 3]


async def test_response_keeps_whole_numbers_through_a_history() -> None:
    answer = await poll(answer_of(v0_invocations={0: 10.0, 1: 10.5}, o0={1: 1e300}), others=[CPU])
    written = answer.model_dump_json(by_alias=True)
    assert '"Invocations":[10,10.5]' in written
    assert MetricsResponse.model_validate_json(written) == answer


async def test_response_of_eight_minutes_is_two_kilobytes_at_most() -> None:
    names = [f"v{place}_{name}" for place in (0, 1) for name in MEASURED]
    series = {
        name: {at: 123.4567891 + at if name[3] == "p" else 100_000.0 + at for at in range(8)}
        for name in names
    }
    written = (await poll(answer_of(**series))).model_dump_json(by_alias=True)
    assert 1_000 < len(written) <= 2_000


async def test_largest_response_is_well_below_what_a_history_holds() -> None:
    start, at = NOON - timedelta(minutes=180), NOON
    names = [
        *(f"v{place}_{name}" for place in (0, 1) for name in MEASURED),
        *(f"o{place}" for place in range(20)),
    ]
    times = [start + timedelta(minutes=number) for number in range(180)]
    results = [
        {
            "Id": name,
            "StatusCode": "Complete",
            "Timestamps": times,
            "Values": [0.123456789 + place for place in range(180)],
        }
        for name in names
    ]
    others = [{**CPU, "Id": f"x{number}"} for number in range(20)]
    answer = await poll({"MetricDataResults": results}, at, since=start, settle=0.0, others=others)
    assert len(answer.minutes) == 180
    assert len(answer.model_dump_json(by_alias=True)) < 70_000
    assert len(answer.digest) <= 2_000


@pytest.mark.parametrize(
    "nonsense", [math.nan, math.inf, -math.inf, -1.0, True, "7", None, [], 10**400]
)
async def test_number_that_is_no_count_is_missing(nonsense: Any) -> None:
    answer = await poll(answer_of(v0_invocations={0: 5.0, 1: nonsense}))
    assert answer.versions["3"].invocations in ([5], [5, None])


@pytest.mark.parametrize("status", ["PartialData", "InternalError", "Forbidden"])
async def test_response_with_a_missing_part_is_dropped_whole(status: str) -> None:
    answer = answer_of(v0_invocations={0: 5.0})
    answer["MetricDataResults"][9]["StatusCode"] = status
    found = await poll(answer)
    assert (found.status, found.minutes, found.versions, found.others, found.digest) == (
        status,
        [],
        {},
        {},
        status,
    )
    assert found.reason == f"v1_errors is {status}"


async def test_first_status_that_is_not_complete_is_reported() -> None:
    answer = answer_of()
    answer["MetricDataResults"][3]["StatusCode"] = "Forbidden"
    answer["MetricDataResults"][5]["StatusCode"] = "PartialData"
    answer["MetricDataResults"].reverse()
    assert (await poll(answer)).status == "Forbidden"


def broken(**members: Any) -> dict[str, Any]:
    answer = answer_of(v0_invocations={0: 5.0})
    answer["MetricDataResults"][0] |= members
    return answer


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"MetricDataResults": None},
        {"MetricDataResults": {}},
        {"MetricDataResults": []},
        {"MetricDataResults": [None]},
        {"MetricDataResults": [{}]},
        broken(StatusCode="SomethingNew"),
        broken(StatusCode=None),
        broken(StatusCode=["Complete"]),
        broken(Id="v0_others"),
        broken(Id=["v0"]),
        broken(Timestamps=[]),
        broken(Values=[1.0, 2.0]),
        broken(Values=7),
        broken(Timestamps=["12:00"]),
        broken(Timestamps=[None]),
        broken(Timestamps=[datetime(2026, 11, 25, 12)]),  # noqa: DTZ001
        broken(Timestamps=[minute(0), minute(0)], Values=[1.0, 2.0]),
    ],
)
async def test_unreadable_response_is_cloudwatchs_own_error(
    answer: dict[str, Any],
) -> None:
    found = await poll(answer)
    assert (found.status, found.minutes) == ("InternalError", [])
    assert found.reason


async def test_points_that_were_not_queried_are_left_out() -> None:
    answer = await poll(answer_of(v0_invocations={-1: 1.0, 0: 2.0, 7: 3.0, 8: 4.0, 9: 5.0}))
    assert answer.minutes == [minute(0), minute(7)]


# --- pages -----------------------------------------------------------------------------------


async def test_pages_make_one_response() -> None:
    first = answer_of(v0_invocations={0: 1.0}) | {"NextToken": "more"}
    first["MetricDataResults"][0]["StatusCode"] = "PartialData"
    port = ScriptedAws(
        get_metric_data=[first, {"MetricDataResults": [result("v0_invocations", {1: 2.0})]}]
    )
    answer = await Metrics(port, lambda: minute(10)).get_metrics(request_for())
    assert (answer.status, answer.versions["3"].invocations) == ("Complete", [1, 2])
    once, again = (sent for _, sent in port.requests)
    assert again == once | {"NextToken": "more"}


async def test_pages_without_end_are_partial_data() -> None:
    port = ScriptedAws(get_metric_data=answer_of() | {"NextToken": "more"})
    answer = await Metrics(port, lambda: minute(10)).get_metrics(request_for())
    assert (answer.status, port.times("get_metric_data")) == ("PartialData", MAX_PAGES)


# --- failing ---------------------------------------------------------------------------------

FAILURES = [
    (
        AwsError("get_metric_data", "AccessDenied", "no cloudwatch:GetMetricData", status=403),
        "Denied",
    ),
    (AwsError("get_metric_data", "Throttling", "Rate exceeded", status=400), "Throttled"),
    (AwsError("get_metric_data", "InternalServiceFault", "no", status=500), "Unavailable"),
    (AwsError("get_metric_data", "ValidationError", "bad expression", status=400), "Invalid"),
    (AwsError("get_metric_data", "NeverHeardOf", "?", status=400), "Unknown"),
]


@pytest.mark.parametrize(("error", "fault"), FAILURES)
async def test_failed_call_is_a_response(error: AwsError, fault: str) -> None:
    answer = await poll(error)
    assert (answer.status, answer.minutes, answer.digest) == (fault, [], fault)
    assert error.message in (answer.reason or "")
    assert MetricsResponse.model_validate_json(answer.model_dump_json(by_alias=True)) == answer


async def test_failure_on_a_later_page_is_the_whole_responses() -> None:
    assert (await poll([answer_of() | {"NextToken": "more"}, FAILURES[0][0]])).status == "Denied"


@virtual_time
async def test_timeout_is_a_response_within_an_attempt() -> None:
    class Silent(ScriptedAws):
        async def call(self, *_: Any) -> dict[str, Any]:
            await asyncio.sleep(3600)
            raise AssertionError

    answer = await Metrics(Silent(), lambda: minute(10)).get_metrics(request_for())
    assert answer.status == "Unavailable"


def test_response_comes_before_the_attempt_times_out() -> None:
    assert get_operation_policy(Metrics.get_metrics) is READ
    assert get_operation_policy(Metrics.watch_metrics) is WATCH
    assert (
        READ.start_to_close.total_seconds() - 1
        > activities.cloudwatch.metric_data.FETCH_TIMEOUT_SECONDS
        < WATCH.start_to_close.total_seconds() - 1
    )


# --- watching --------------------------------------------------------------------------------


async def quiet(
    answer: Answer, known: str | None, at: datetime = LATER, **members: Any
) -> ApplicationError:
    with pytest.raises(ApplicationError, match="NotReady") as caught:
        await metrics(answer, at).watch_metrics(watched(known, **members))
    return caught.value


async def news(
    answer: Answer, known: str | None, at: datetime = LATER, **members: Any
) -> MetricsResponse:
    return await metrics(answer, at).watch_metrics(watched(known, **members))


async def test_watch_without_a_known_digest_returns_at_once() -> None:
    assert (await news(answer_of(), None)).status == "Complete"
    assert (await news(FAILURES[0][0], None)).status == "Denied"


async def test_watch_without_news_fails_benignly_until_its_next_poll() -> None:
    answer = answer_of(v0_invocations={0: 5.0})
    failure = await quiet(answer, (await poll(answer)).digest)
    assert (failure.type, failure.non_retryable, failure.category) == (
        "NotReady",
        False,
        ApplicationErrorCategory.BENIGN,
    )
    assert failure.next_retry_delay == timedelta(seconds=20)


FIRST = answer_of(v0_invocations={0: 5.0, 1: 5.0}, v1_errors={1: 0.0})


@pytest.mark.parametrize(
    "later",
    [
        answer_of(v0_invocations={0: 5.0, 1: 5.0, 2: 5.0}, v1_errors={1: 0.0}),
        answer_of(v0_invocations={0: 5.0, 1: 6.0}, v1_errors={1: 0.0}),
        answer_of(v0_invocations={0: 5.0, 1: 5.0}, v1_errors={0: 0.0, 1: 0.0}),
        answer_of(v0_invocations={-5: 5.0, 0: 5.0, 1: 5.0}, v1_errors={1: 0.0}),
    ],
    ids=["a minute", "a late number", "a late series", "an earlier minute"],
)
async def test_new_minute_ends_a_watch(later: Answer) -> None:
    known = (await poll(FIRST)).digest
    found = await news(later, known, since=minute(-10))
    assert found.digest != known


async def test_shorter_request_is_no_news() -> None:
    known = (await poll(FIRST)).digest
    await quiet(FIRST, known, since=minute(1))
    await quiet(FIRST, known, since=minute(5))


async def test_later_poll_of_the_same_minutes_is_no_news() -> None:
    known = (await poll(FIRST)).digest
    await quiet(FIRST, known, at=minute(11))


async def test_other_version_is_news() -> None:
    known = (await poll(FIRST)).digest
    assert (await news(FIRST, known, versions=["4", "2"])).status == "Complete"


@pytest.mark.parametrize(("error", "fault"), FAILURES)
async def test_fault_is_news_once_and_so_is_its_end(error: AwsError, fault: str) -> None:
    known = (await poll(FIRST)).digest
    found = await news(error, known)
    assert found.status == fault
    assert (await quiet(error, found.digest)).type == "NotReady"
    assert (await news(FIRST, found.digest)).digest == known
    assert (await news(answer_of(), found.digest)).status == "Complete"


async def test_foreign_digest_counts_as_none() -> None:
    for known in ("", "x", "Complete 1:zzzzzz", "Complete 29926800:abc"):
        assert (await news(FIRST, known)).status == "Complete"

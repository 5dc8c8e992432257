"""Late, partial and missing data of CloudWatch: each request counts once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from workflows.domain.evidence import Contrast, Proportion
from workflows.domain.measurement import Measure, Measurements, MetricsPoll, MinuteMetrics

NINE = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
SETTLE = timedelta(seconds=30)


def at(minutes: float) -> datetime:
    return NINE + timedelta(minutes=minutes)


def point(invocations: float, errors: float) -> MinuteMetrics:
    return MinuteMetrics(invocations=invocations, errors=errors)


def poll(
    when: float,
    candidate: dict[int, MinuteMetrics],
    stable: dict[int, MinuteMetrics],
    status: str = "Complete",
) -> MetricsPoll:
    def named(points: dict[int, MinuteMetrics]) -> dict[datetime, MinuteMetrics]:
        return {at(minute): one for minute, one in points.items()}

    return MetricsPoll(at=at(when), status=status, candidate=named(candidate), stable=named(stable))


def after(*polls: MetricsPoll, measures: tuple[Measure, ...] = ("error_rate",)) -> Measurements:
    measurements = Measurements(measures)
    for one in polls:
        measurements = measurements.with_poll(one, settle=SETTLE)
    return measurements


def errors(measurements: Measurements) -> list[tuple[float, ...]]:
    return [
        (one.candidate.hits, one.candidate.total, one.stable.hits, one.stable.total)
        for one in measurements.contrasts.get("error_rate", ())
    ]


@pytest.mark.parametrize(
    ("given_point", "measure", "share"),
    [
        (MinuteMetrics(invocations=50, errors=2), "error_rate", Proportion(2, 50)),
        (MinuteMetrics(invocations=50), "error_rate", None),
        (MinuteMetrics(errors=2), "error_rate", None),
        (MinuteMetrics(), "error_rate", None),
        (MinuteMetrics(invocations=0, errors=0), "error_rate", Proportion(0, 0)),
        (MinuteMetrics(invocations=50, throttles=10), "throttle_rate", Proportion(10, 60)),
        (MinuteMetrics(invocations=0, throttles=10), "throttle_rate", Proportion(10, 10)),
        (MinuteMetrics(throttles=10), "throttle_rate", None),
        (MinuteMetrics(timed=50, slow=2.5), "slow_rate", Proportion(2.5, 50)),
        (MinuteMetrics(timed=50, slow=50.2), "slow_rate", Proportion(50, 50)),  # TC is interpolated
        (MinuteMetrics(invocations=50, slow=2), "slow_rate", None),
    ],
)
def test_rate_is_known_when_all_its_parts_are(
    given_point: MinuteMetrics, measure: Measure, share: Proportion | None
) -> None:
    assert given_point.proportion(measure) == share


def test_versions_are_contrasted_minute_by_minute() -> None:
    measurements = after(
        poll(3, {0: point(10, 1), 1: point(20, 0)}, {0: point(90, 2), 1: point(80, 3)})
    )
    assert errors(measurements) == [(1, 10, 2, 90), (0, 20, 3, 80)]
    assert measurements.invocations == 30


def test_minute_is_taken_when_it_has_settled() -> None:
    both = {0: point(10, 1)}, {0: point(90, 2)}
    assert errors(after(poll(1.4, *both))) == []
    assert errors(after(poll(1.5, *both))) == [(1, 10, 2, 90)]


def test_late_data_is_counted_separately_and_once() -> None:
    first = poll(2, {0: point(10, 1)}, {0: point(90, 2)})
    late = poll(3, {0: point(13, 2)}, {0: point(95, 2)})
    assert errors(after(first, first, late, late)) == [(1, 10, 2, 90), (1, 3, 0, 5)]


def test_minute_of_one_version_waits_for_the_other() -> None:
    only = poll(2, {0: point(10, 1)}, {})
    assert errors(after(only)) == []
    assert errors(after(only, poll(3, {0: point(10, 1)}, {0: point(90, 2)}))) == [(1, 10, 2, 90)]


def test_late_data_of_one_version_waits_for_the_others() -> None:
    first = poll(2, {0: point(10, 1)}, {0: point(90, 2)})
    half = poll(3, {0: point(12, 2)}, {0: point(90, 2)})
    assert errors(after(first, half)) == [(1, 10, 2, 90)]
    assert errors(after(first, half, poll(4, {0: point(12, 2)}, {0: point(91, 2)}))) == [
        (1, 10, 2, 90),
        (1, 2, 0, 1),
    ]


def test_missing_number_is_not_zero() -> None:
    without_errors = poll(2, {0: MinuteMetrics(invocations=10)}, {0: point(90, 2)})
    assert errors(after(without_errors)) == []
    assert errors(after(without_errors, poll(3, {0: point(10, 4)}, {0: point(90, 2)}))) == [
        (4, 10, 2, 90)
    ]


@pytest.mark.parametrize("status", ["PartialData", "InternalError", "Forbidden", "Throttled"])
def test_incomplete_response_is_not_taken(status: str) -> None:
    good = poll(2, {0: point(10, 1)}, {0: point(90, 2)})
    measurements = after(good, poll(3, {0: point(500, 500)}, {0: point(900, 90)}, status))
    assert (errors(measurements), measurements.status, measurements.at) == (
        [(1, 10, 2, 90)],
        status,
        at(3),
    )
    assert after(good, poll(3, {}, {}, status), poll(4, {}, {})).status == "Complete"


def test_measures_do_not_wait_for_each_other() -> None:
    measurements = after(
        poll(
            2,
            {0: MinuteMetrics(invocations=10, errors=1)},
            {0: MinuteMetrics(invocations=90, errors=0, timed=90, slow=1)},
        ),
        poll(
            3,
            {0: MinuteMetrics(invocations=10, errors=1, timed=10, slow=2)},
            {0: MinuteMetrics(invocations=90, errors=0, timed=90, slow=1)},
        ),
        measures=("error_rate", "slow_rate"),
    )
    assert measurements.contrasts == {
        "error_rate": (Contrast(Proportion(1, 10), Proportion(0, 90)),),
        "slow_rate": (Contrast(Proportion(2, 10), Proportion(1, 90)),),
    }


counts = st.integers(0, 30)


@given(st.lists(st.tuples(counts, counts, counts, counts), min_size=1, max_size=8))
def test_request_counts_once_in_whatever_order_data_arrives(
    pieces: list[tuple[int, int, int, int]],
) -> None:
    totals, polls = [0, 0, 0, 0], []
    for number, (ok, bad, fine, worse) in enumerate(pieces):
        totals = [
            totals[0] + ok + bad,
            totals[1] + bad,
            totals[2] + fine + worse,
            totals[3] + worse,
        ]
        polls.append(poll(2 + number, {0: point(*totals[:2])}, {0: point(*totals[2:])}))
    last = poll(
        99, {0: point(totals[0] + 1, totals[1])}, {0: point(totals[2] + 1, totals[3])}
    )  # so that nothing has to wait
    contrasts = errors(after(*polls, last))
    assert [sum(one[index] for one in contrasts) for index in range(4)] == [
        totals[1],
        totals[0] + 1,
        totals[3],
        totals[2] + 1,
    ]


@pytest.mark.parametrize(
    "wrong",
    [{"invocations": -1}, {"invokations": 3}, {"quantiles": {"p99": -5}}, {"errors": "many"}],
)
def test_invalid_measurement_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="validation error for MinuteMetrics"):
        MinuteMetrics.model_validate(wrong)

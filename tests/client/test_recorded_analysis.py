"""The analysis of recorded metrics, response by response."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from activities.cloudwatch.metrics import MetricsRequest, MetricsResponse, Series
from workflows.client.facts import MetricsRead
from workflows.client.recorded_analysis import RecordedAnalysis
from workflows.domain.assessment import Verdict
from workflows.domain.rules import Rules

START = datetime(2026, 11, 25, tzinfo=UTC)
NOT_WORSE = Rules.model_validate({"not_worse": [{"margin": 0.01}]})
SLOW = Rules.model_validate({"not_worse": [{"metric": "slow_rate", "margin": 0.05}]})
CUSTOM = Rules.model_validate(
    {"limits": [{"metric": {"namespace": "Shop", "name": "Refused"}, "max": 3}]}
)


def make_read(
    number: int,
    *,
    versions: tuple[str, ...] = ("2", "1"),
    errors: int = 0,
    status: str = "Complete",
) -> MetricsRead:
    """The response two minutes after a minute with a thousand invocations of each version."""
    minute = START + number * timedelta(minutes=1)
    at = minute + timedelta(minutes=2)
    request = MetricsRequest(
        function_name="checkout", name="live", versions=list(versions), since=START, settle=0.0
    )
    series = {
        version: Series(invocations=[1000], errors=[errors if version == "2" else 0])
        for version in versions
    }
    response = MetricsResponse(
        at=at, status=status, minutes=[minute], versions=series, digest=str(number)
    )
    return MetricsRead(at, "Measure", request, response)


def test_baseline_is_no_result() -> None:
    analysis = RecordedAnalysis(NOT_WORSE, [NOT_WORSE])
    assert analysis.add(make_read(0, versions=("1",))) is None
    assert analysis.latest is None


def test_candidate_as_good_as_stable_passes_and_a_worse_one_fails() -> None:
    verdicts = {}
    for errors in (0, 200):
        analysis = RecordedAnalysis(NOT_WORSE, [NOT_WORSE])
        for number in range(20):
            analysis.add(make_read(number, errors=errors))
        assert analysis.latest is not None
        verdicts[errors] = analysis.latest.verdict
    assert verdicts == {0: Verdict.PASSED, 200: Verdict.FAILED}


def test_response_that_changes_nothing_is_no_result() -> None:
    analysis = RecordedAnalysis(NOT_WORSE, [NOT_WORSE])
    assert analysis.add(make_read(0)) is not None
    assert analysis.add(make_read(0)) is None


def test_failed_response_is_a_result() -> None:
    analysis = RecordedAnalysis(NOT_WORSE, [NOT_WORSE])
    analysis.add(make_read(0))
    assert analysis.add(make_read(0, status="Denied")) is not None


def test_rules_that_nothing_was_recorded_for_are_missing() -> None:
    for rules, missing in ((NOT_WORSE, ()), (CUSTOM, ("Sum of Shop Refused at most 3",))):
        analysis = RecordedAnalysis(rules, [NOT_WORSE])
        analysis.add(make_read(0))
        assert analysis.missing == missing
    assert RecordedAnalysis(SLOW, [NOT_WORSE]).missing == (str(SLOW.not_worse[0]),)
    assert RecordedAnalysis(CUSTOM, [CUSTOM]).missing == ()

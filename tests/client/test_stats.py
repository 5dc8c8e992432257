"""DORA's four keys, from the histories."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.client.releases import make_target
from tests.harness import CANARY, Harness
from workflows.client import ReleaseClient
from workflows.client.errors import BadRequest
from workflows.client.runs import RunEnding, RunOutcome
from workflows.client.stats import (
    DurationSummary,
    PastRelease,
    mark_restored,
    read_stats,
    summarize_period,
)
from workflows.domain.status import Phase, ReleaseStatus
from workflows.domain.target import Target

MONDAY = datetime(2026, 11, 23, 9, tzinfo=UTC)
WEEK = timedelta(days=7)


def past(
    hour: float,
    outcome: RunOutcome = RunOutcome.SUCCEEDED,
    *,
    to: tuple[str, str] = ("1", "2"),
    is_rollback: bool = False,
    moves: tuple[float, ...] = (0.25, 0.5),
) -> PastRelease:
    """A release that begins ``hour`` hours after Monday's nine, and moves its alias later.

    ``to``: from which version to which.
    """
    at = MONDAY + timedelta(hours=hour)
    target = Target(function="checkout")
    status = ReleaseStatus(
        phase=Phase.SUCCEEDED, note="", target=target, stable=to[0], candidate=to[1]
    )
    return PastRelease(
        place="lambda:1:eu:checkout:live",
        target=str(target),
        requested_at=at,
        ending=RunEnding(outcome=outcome, note="", status=status),
        is_rollback=is_rollback,
        moves=tuple(at + timedelta(hours=move) for move in moves),
    )


def test_stats_of_nothing_have_no_rates() -> None:
    found = summarize_period([], None, since=MONDAY, until=MONDAY + WEEK)
    assert (found.deployments, found.per_day, found.change_failure_rate) == (0, 0, None)
    assert (found.lead_time.median, found.time_to_restore.p90) == (None, None)


def test_stats_count_deployments_failures_and_times() -> None:
    releases = [
        past(0),
        past(24, RunOutcome.ROLLED_BACK, moves=(0.25, 1.25)),
        past(48, RunOutcome.NOT_ROLLED_BACK),
        past(72, RunOutcome.REJECTED, moves=()),
        past(96, RunOutcome.ROLLED_BACK, moves=()),  # a hook stopped it before any traffic
    ]
    found = summarize_period(releases, "checkout:live", since=MONDAY, until=MONDAY + WEEK)
    assert (found.deployments, found.failed, found.rejected, found.rollbacks) == (3, 2, 1, 0)
    assert found.change_failure_rate == pytest.approx(2 / 3)
    assert found.per_day == pytest.approx(1 / 7)
    assert found.lead_time.median == timedelta(minutes=30)
    assert found.time_to_restore.median == timedelta(hours=1)


def test_deployment_that_is_rolled_back_later_has_failed() -> None:
    releases = mark_restored(
        [past(5, to=("2", "1"), is_rollback=True, moves=(0.5,)), past(0), past(1, to=("2", "3"))]
    )
    found = summarize_period(releases, None, since=MONDAY, until=MONDAY + WEEK)
    assert (found.deployments, found.failed, found.rollbacks) == (2, 1, 1)
    assert found.time_to_restore.median == timedelta(hours=5.25)


def test_rollback_that_failed_restores_nothing() -> None:
    undo = past(5, RunOutcome.NOT_ROLLED_BACK, to=("2", "1"), is_rollback=True)
    found = summarize_period(mark_restored([past(0), undo]), None, since=MONDAY, until=MONDAY)
    assert (found.deployments, found.failed) == (1, 0)


def test_summary_of_durations_is_median_and_ninetieth_percentile() -> None:
    minutes = [timedelta(minutes=number) for number in range(1, 12)]
    assert DurationSummary.of(minutes) == DurationSummary(
        median=timedelta(minutes=6), p90=timedelta(minutes=10)
    )
    assert DurationSummary.of(minutes[:1]).p90 == timedelta(minutes=1)


async def test_stats_are_read_from_the_histories(harness: Harness, releases: ReleaseClient) -> None:
    await harness.release(artifact=harness.package("three"), strategy="AllAtOnce")
    await harness.release(artifact=harness.package("four"), **CANARY)
    await harness.release(artifact={"kind": "version", "version": "99"})
    await harness.wait_for_closed_runs(3)
    since = datetime.now(UTC) - timedelta(days=1)
    target = make_target(harness)
    [everything, one] = await read_stats(releases.temporal, since=since, target=target)
    assert (one.deployments, one.failed, one.rejected) == (2, 0, 1)
    assert one.lead_time.p90 is not None
    assert one.lead_time.p90 >= timedelta(minutes=4)
    assert everything.model_copy(update={"target": one.target}) == one
    await harness.roll_back()
    await harness.wait_for_closed_runs(4)
    [_, one] = await read_stats(releases.temporal, since=since, target=target)
    assert (one.deployments, one.failed, one.rollbacks) == (2, 1, 1)
    assert one.time_to_restore.median is not None
    later = datetime.now(UTC) + 52 * WEEK
    [nothing] = await read_stats(releases.temporal, since=later, target=target)
    assert (nothing.target, nothing.deployments) == (None, 0)


async def test_stats_of_no_name_are_refused(releases: ReleaseClient) -> None:
    with pytest.raises(BadRequest, match="target"):
        await read_stats(releases.temporal, since=MONDAY, target="no name!")

"""Lists of releases, rejudgements and schedules as tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from rich.text import Text

from workflows.cli.console import Listing
from workflows.cli.render import format_phase, render_ending
from workflows.cli.styles import (
    BUSY,
    CAUSES,
    DIM,
    SHORTEST_DURATION,
    VERDICTS,
    WARNING,
    format_time,
)
from workflows.client.rejudge import Rejudgement, ReleaseQuality
from workflows.client.runs import Run
from workflows.client.schedules import ScheduleStatus
from workflows.client.stats import DurationSummary, ReleaseStats
from workflows.client.stop_cause import StopCause
from workflows.domain.assessment import Verdict
from workflows.domain.formatting import format_duration, format_number

_QUALITIES: Final = {
    ReleaseQuality.GOOD: "it succeeded",
    ReleaseQuality.NEITHER: "stopped by an error, or killed",
}


def make_running_table(runs: Sequence[Run], *, now: datetime) -> Listing:
    """The running releases."""
    table = Listing("TARGET", "PHASE", "TRAFFIC", "VERSION", "BY", "SINCE", "WHERE", "ID")
    for run in runs:
        status = run.status
        table.add_row(
            str(status.target),
            format_phase(status),
            f"{status.routing.percent}%",
            status.candidate_name or "–",
            run.requested_by or "–",
            format_duration(max(now - run.started_at, SHORTEST_DURATION)),
            run.location or "–",
            run.release or run.id,
        )
    return table


def make_history_table(runs: Sequence[Run], *, now: datetime) -> Listing:
    """The last releases of an alias."""
    table = Listing("WHEN", "BY", "VERSION", "TOOK", "OUTCOME", "WHAT", "ID")
    for run in runs:
        if run.ending:
            outcome = render_ending(run.ending)
        else:
            state = f"▶ {format_phase(run.status)}" if run.is_running else run.state.lower()
            outcome = Text(state, style=BUSY)
        duration = max((run.closed_at or now) - run.started_at, SHORTEST_DURATION)
        table.add_row(
            format_time(run.started_at),
            run.requested_by or "–",
            run.candidate or "–",
            format_duration(duration),
            outcome,
            run.words or "–",
            run.release or run.id,
        )
    return table


def make_rejudgements_table(rejudgements: Sequence[Rejudgement]) -> Listing:
    """Past releases, as they ended and by other rules."""
    table = Listing("WHEN", "VERSION", "IT WAS", "THEY SAY", "CANDIDATE BY THEN", "ID")
    for one in rejudgements:
        status = (one.run.ending and one.run.ending.status) or one.run.status
        stopped = one.was is ReleaseQuality.BAD and one.cause
        quality = f"stopped by {CAUSES[one.cause]}" if stopped and one.cause else ""
        if one.cause is StopCause.ROLLBACK:
            quality = CAUSES[one.cause]
        measured = f"{format_number(one.requests)} requests, {one.errors} errors"
        table.add_row(
            format_time(one.run.started_at),
            status.candidate or "–",
            f"{one.was}: {quality or _QUALITIES.get(one.was, '')}",
            _render_verdict(one),
            measured if one.verdict else "–",
            one.run.release or one.run.id,
        )
    return table


def make_stats_table(stats: Sequence[ReleaseStats]) -> Listing:
    """The stats of all releases, and of each target."""
    headings = ("TARGET", "DEPLOYMENTS", "A DAY", "LEAD TIME", "FAILED", "TIME TO RESTORE")
    table = Listing(*headings, "REJECTED", "ROLLBACKS")
    for one in stats:
        rate = one.change_failure_rate
        table.add_row(
            one.target or "all",
            str(one.deployments),
            format_number(one.per_day),
            _format_summary(one.lead_time),
            f"{one.failed} ({rate:.0%})" if rate is not None else "–",
            _format_summary(one.time_to_restore),
            str(one.rejected),
            str(one.rollbacks),
        )
    return table


def make_schedules_table(schedules: Sequence[ScheduleStatus]) -> Listing:
    """The schedules of releases."""
    table = Listing("ID", "TARGET", "STATE", "NEXT", "LAST", "WHAT")
    for schedule in schedules:
        last = schedule.last_at and f"{format_time(schedule.last_at)} {schedule.last}"
        state = f"paused: {schedule.note}" if schedule.paused else schedule.note
        table.add_row(
            schedule.id,
            schedule.target or "–",
            Text(state or "–", style=WARNING if schedule.paused else ""),
            ", ".join(map(format_time, schedule.next_at[:2])) or "–",
            last or "–",
            schedule.what or "–",
        )
    return table


def _format_summary(summary: DurationSummary) -> str:
    """The median, and the ninetieth percentile where it differs."""
    if summary.median is None or summary.p90 is None:
        return "–"
    median, p90 = (
        format_duration(max(each, SHORTEST_DURATION)) for each in (summary.median, summary.p90)
    )
    return median if median == p90 else f"{median} (p90 {p90})"


def _render_verdict(one: Rejudgement) -> Text:
    if one.verdict is None:
        return Text("nothing was measured", style=DIM)
    is_decided = one.verdict in {Verdict.FAILED, Verdict.PASSED}
    verdict = one.verdict if is_decided else f"undecided ({one.verdict})"
    after = f" after {format_duration(one.after)}" if one.after is not None else ""
    missing = f"; not recorded: {', '.join(one.missing)}" if one.missing else ""
    return Text.assemble((verdict, VERDICTS.get(one.verdict, BUSY)), after, missing)

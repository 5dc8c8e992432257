"""Lists of releases, rejudgements and schedules as tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from rich.table import Table
from rich.text import Text

from workflows.cli.render import format_phase, render_ending
from workflows.cli.styles import BUSY, CAUSES, DIM, SHORTEST_DURATION, VERDICTS, WARNING
from workflows.client.rejudge import Rejudgement, ReleaseQuality
from workflows.client.runs import Run
from workflows.client.schedules import ScheduleStatus
from workflows.domain.assessment import Verdict
from workflows.domain.formatting import format_duration, format_number
from workflows.domain.markdown import draw_bar

_QUALITIES: Final = {
    ReleaseQuality.GOOD: "it succeeded",
    ReleaseQuality.NEITHER: "stopped by an error, or killed",
}


def make_running_table(runs: Sequence[Run], *, now: datetime) -> Table:
    """The running releases."""
    table = _make_table("TARGET", "WHERE", "PHASE", "TRAFFIC", "VERSION", "BY", "SINCE")
    for run in runs:
        status = run.status
        row = (
            str(status.target),
            run.location or "–",
            format_phase(status),
            f"{draw_bar(status.routing.percent)} {status.routing.percent}%",
            status.candidate or "–",
            run.requested_by,
            format_duration(max(now - run.started_at, SHORTEST_DURATION)),
        )
        table.add_row(*map(Text, row))
    return table


def make_history_table(runs: Sequence[Run], *, now: datetime) -> Table:
    """The last releases of an alias."""
    table = _make_table("WHEN", "BY", "WHAT", "VERSION", "OUTCOME", "TOOK")
    for run in runs:
        if run.ending:
            outcome = render_ending(run.ending)
        else:
            state = f"▶ {format_phase(run.status)}" if run.is_running else run.state.lower()
            outcome = Text(state, style=BUSY)
        duration = max((run.closed_at or now) - run.started_at, SHORTEST_DURATION)
        table.add_row(
            Text(_format_time(run.started_at)),
            Text(run.requested_by or "–"),
            Text(run.words),
            Text(run.candidate or "–"),
            outcome,
            Text(format_duration(duration)),
        )
    return table


def make_rejudgements_table(rejudgements: Sequence[Rejudgement]) -> Table:
    """Past releases, as they ended and by other rules."""
    table = _make_table("WHEN", "VERSION", "IT WAS", "THEY SAY", "CANDIDATE BY THEN")
    for one in rejudgements:
        status = (one.run.ending and one.run.ending.status) or one.run.status
        stopped = one.was is ReleaseQuality.BAD and one.cause
        quality = f"stopped by {CAUSES[one.cause]}" if stopped and one.cause else ""
        measured = f"{format_number(one.requests)} requests, {one.errors} errors"
        table.add_row(
            Text(_format_time(one.run.started_at)),
            Text(status.candidate or "–"),
            Text(f"{one.was}: {quality or _QUALITIES.get(one.was, '')}"),
            _render_verdict(one),
            Text(measured if one.verdict else "–"),
        )
    return table


def make_schedules_table(schedules: Sequence[ScheduleStatus]) -> Table:
    """The schedules of releases."""
    table = _make_table("ID", "TARGET", "WHAT", "NEXT (UTC)", "LAST", "STATE")
    for schedule in schedules:
        next_times = "\n".join(
            f"{time.astimezone(UTC):%a %Y-%m-%d %H:%M}" for time in schedule.next_at[:2]
        )
        last = "–"
        if schedule.last_at:
            last = f"{schedule.last_at.astimezone(UTC):%Y-%m-%d %H:%M} {schedule.last}"
        state = Text(
            f"paused: {schedule.note}" if schedule.paused else schedule.note,
            style=WARNING if schedule.paused else "",
        )
        row = (schedule.id, schedule.target or "–", schedule.what or "–", next_times or "–", last)
        table.add_row(*map(Text, row), state)
    return table


def _render_verdict(one: Rejudgement) -> Text:
    if one.verdict is None:
        return Text("nothing was measured", style=DIM)
    is_decided = one.verdict in {Verdict.FAILED, Verdict.PASSED}
    verdict = one.verdict if is_decided else f"undecided ({one.verdict})"
    after = f" after {format_duration(one.after)}" if one.after is not None else ""
    missing = f"; not recorded: {', '.join(one.missing)}" if one.missing else ""
    return Text.assemble((verdict, VERDICTS.get(one.verdict, BUSY)), after, missing)


def _format_time(at: datetime) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M}"


def _make_table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style=DIM)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table

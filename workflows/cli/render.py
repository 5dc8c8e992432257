"""Renders statuses, timeline entries and plans for a terminal.

Pure functions from values to what rich prints. Users' text is never taken for markup.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from zoneinfo import ZoneInfo

from rich.console import Group
from rich.text import Text

from workflows.cli.styles import (
    BAD,
    BUSY,
    DIM,
    ENTRIES,
    OUTCOMES,
    VERDICTS,
    WARNING,
    format_time,
    shorten_text,
)
from workflows.client.runs import Run, RunEnding
from workflows.client.schedule_outlook import ScheduleOutlook
from workflows.client.timeline import TimelineEntry
from workflows.client.watch import Retry, WatchUpdate
from workflows.domain.assessment import Verdict
from workflows.domain.formatting import format_duration
from workflows.domain.markdown import describe_confidence, describe_metrics
from workflows.domain.status import Phase, ReleaseStatus
from workflows.plan import ReleasePlan
from workflows.request import ReleaseRequest

_ALL: Final = 100
INDENT: Final = " " * 9
"""As wide as the time of a timeline entry."""


def render_origin(run: Run) -> Text:
    """Render who started a release, when and why, and its id."""
    by = f" by {run.requested_by}" if run.requested_by else ""
    reason = f": {shorten_text(run.reason)}" if run.reason else ""
    origin = f"  started{by} at {format_time(run.started_at)}{reason}  {run.release or run.id}"
    return Text(origin, style=DIM)


def render_measurements(status: ReleaseStatus) -> Text | None:
    """Render the current analysis in one line; None while nothing is measured."""
    analysis = status.analysis
    if analysis is None or not (
        analysis.candidate.invocations or analysis.verdict is not Verdict.PENDING
    ):
        return None
    versions = "; ".join(
        f"version {name}: {describe_metrics(metrics)}"
        for name, metrics in (
            (status.candidate, analysis.candidate),
            (status.stable, analysis.stable),
        )
    )
    return Text.assemble(
        f"{INDENT}{versions}; ",
        (analysis.verdict, VERDICTS.get(analysis.verdict, BUSY)),
        describe_confidence(analysis),
    )


def format_phase(status: ReleaseStatus) -> str:
    """Format the phase as lists show it: ``paused`` as long as the release is paused."""
    return status.listed_phase.replace("_", " ")


def render_entry(entry: TimelineEntry) -> Text:
    """Render one line of the timeline, at its local time; the first one names day and zone."""
    symbol, style = ENTRIES[entry.kind]
    at = entry.at.astimezone()
    day = f"  {at:%Y-%m-%d %Z}" if entry.kind == "request" else ""
    return Text.assemble((f"{at:%H:%M:%S} ", DIM), (symbol, style), f" {entry.text}", (day, DIM))


def render_retry(retry: Retry) -> Text:
    """Render what is retried, and why."""
    if retry.is_waiting:
        return Text.assemble(INDENT, ("…", BUSY), (f" {retry.summary} ({retry.attempt})", DIM))
    return Text.assemble(
        INDENT,
        ("↻", WARNING),
        f" {retry.summary}: attempt {retry.attempt}, after: {retry.failure}",
    )


def describe_outage(update: WatchUpdate) -> str:
    """Name what does not answer; empty if everything does."""
    if not update.connected:
        return "Temporal does not answer; retrying"
    if update.worker_answers:
        return ""
    if update.status and update.status.phase is Phase.WAITING_FOR_WORKER:
        return "; ".join((update.status.note, *update.status.notes))
    return "no worker answers: the release goes on when one is back"


def render_ending(ending: RunEnding) -> Text:
    """Render how a release ended."""
    symbol, style, prefix = OUTCOMES[ending.outcome]
    return Text.assemble((symbol, style), " ", (prefix, style), ending.note)


def render_plan(plan: ReleasePlan, request: ReleaseRequest) -> Group:
    """Render what a release would do, or why it would be rejected."""
    lines = [Text.assemble((str(plan.target), "bold"), f"  {request.summary}")]
    if plan.refusals:
        return Group(
            *lines,
            Text("  It would be rejected:", style=BAD),
            *(Text(f"  ✗ {refusal}") for refusal in plan.refusals),
        )
    if plan.account:
        lines.append(Text(f"  account {plan.account}, {plan.region}", style=DIM))
    lines.append(Text(f"  now: {plan.routing or 'there is no such alias yet'}", style=DIM))
    lines += [Text(f"  {number}. {step}") for number, step in enumerate(plan.steps, 1)]
    calls = ", ".join(
        f"{name} ×{count}" if count > 1 else name for name, count in plan.calls.items()
    )
    lines.append(Text(f"  calls: {calls or 'none'}", style=DIM))
    if plan.at_least:
        lines.append(Text(f"  takes {format_duration(plan.at_least)} at least", style=DIM))
    return Group(*lines, *render_notes(plan.notes))


def render_outlook(outlook: ScheduleOutlook) -> Iterator[Text]:
    """Render the next times of a schedule, in its zone, and what is odd about them."""
    zone = ZoneInfo(outlook.time_zone)
    times = [f"{at.astimezone(zone):%a %Y-%m-%d %H:%M %Z}" for at in outlook.next_at]
    if times:
        name = "" if times[0].endswith(zone.key) else f" ({zone.key})"
        yield Text(f"  first: {times[0]}{name}")
    if times[1:]:
        yield Text(f"  then: {', '.join(times[1:])}", style=DIM)
    yield from render_notes(outlook.warnings)


def render_notes(notes: tuple[str, ...]) -> Iterator[Text]:
    """Render what a person should know, one line each."""
    for note in notes:
        yield Text.assemble("  ", ("!", WARNING), f" {note}")

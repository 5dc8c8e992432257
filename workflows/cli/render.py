"""Renders statuses, timeline entries and plans for a terminal.

Pure functions from values to what rich prints. Users' text is never taken for markup.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from rich.console import Group, RenderableType
from rich.text import Text

from workflows.cli.styles import (
    BAD,
    BUSY,
    DIM,
    ENTRIES,
    OUTCOMES,
    PHASES,
    SHORTEST_DURATION,
    STEPS,
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
from workflows.domain.markdown import describe_confidence, describe_metrics, draw_bar
from workflows.domain.next_command import list_next_commands
from workflows.domain.status import AnalysisStatus, Phase, ReleaseStatus
from workflows.domain.step_list import ListedStep, StepMark, list_steps
from workflows.domain.strategy import Steps
from workflows.plan import ReleasePlan
from workflows.request import ReleaseRequest

_ALL: Final = 100
_INDENT: Final = " " * 9
"""As wide as the time of a timeline entry."""


def render_status(status: ReleaseStatus, strategy: Steps | None, *, now: datetime) -> Group:
    """Render one release: phase, note, traffic, steps, time left of the current wait."""
    hotfix = ("hotfix  ", "bold yellow") if status.hotfix else ""
    phase = (format_phase(status), PHASES.get(status.listed_phase, BUSY))
    head = Text.assemble((str(status.target), "bold"), "  ", hotfix, phase)
    lines: list[RenderableType] = [head, Text(f"  {status.note}")]
    if status.account:
        lines.append(Text(f"  account {status.account}, {status.region}", style=DIM))
    if status.candidate:
        percent = status.routing.percent
        traffic = f"  {draw_bar(percent)} {percent}% to version {status.candidate_name}"
        if status.stable and percent < _ALL:
            traffic += f", {_ALL - percent}% to version {status.stable}"
        lines.append(Text(traffic))
    if status.analysis:
        lines += _render_analysis(status.analysis, status)
    if strategy and strategy.steps and status.steps == len(strategy.steps):
        lines += _render_steps(status, strategy, now)
    elif status.steps:
        lines.append(Text(f"  step {status.step} of {status.steps} done"))
    lines += render_next_commands(status)
    lines += render_notes(status.notes)
    return Group(*lines)


def render_origin(run: Run) -> Text:
    """Render who started a release, when and why, and its id."""
    by = f" by {run.requested_by}" if run.requested_by else ""
    reason = f": {shorten_text(run.reason)}" if run.reason else ""
    origin = f"  started{by} at {format_time(run.started_at)}{reason}  {run.release or run.id}"
    return Text(origin, style=DIM)


def render_next_commands(status: ReleaseStatus, indent: str = "  ") -> Iterator[Text]:
    """Render what to type where a release waits for a person, one line each."""
    for one in list_next_commands(status):
        yield Text.assemble(f"{indent}{one.purpose}: ", (one.command, "bold"))


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
        f"{_INDENT}{versions}; ",
        (analysis.verdict, VERDICTS.get(analysis.verdict, BUSY)),
        describe_confidence(analysis),
    )


def format_phase(status: ReleaseStatus) -> str:
    """Format the phase as lists show it: ``paused`` as long as the release is paused."""
    return status.listed_phase.replace("_", " ")


def render_entry(entry: TimelineEntry) -> Text:
    """Render one line of the timeline, at its local time."""
    symbol, style = ENTRIES[entry.kind]
    time = f"{entry.at.astimezone():%H:%M:%S} "
    return Text.assemble((time, DIM), (symbol, style), f" {entry.text}")


def render_retry(retry: Retry) -> Text:
    """Render what is retried, and why."""
    if retry.is_waiting:
        return Text.assemble(_INDENT, ("…", BUSY), (f" {retry.summary} ({retry.attempt})", DIM))
    return Text.assemble(
        _INDENT,
        ("↻", WARNING),
        f" {retry.summary}: attempt {retry.attempt}, after: {retry.failure}",
    )


def render_update(update: WatchUpdate, *, now: datetime) -> Group:
    """Render the current state below the timeline, while a release is watched."""
    lines: list[RenderableType] = [Text()]
    if update.status:
        lines.append(render_status(update.status, update.strategy, now=now))
    lines += map(render_retry, update.retries)
    if outage := describe_outage(update):
        lines.append(Text(f"  {outage}", style=WARNING))
    return Group(*lines)


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
        yield Text(f"  first: {times[0]} ({zone.key})")
    if times[1:]:
        yield Text(f"  then: {', '.join(times[1:])}", style=DIM)
    yield from render_notes(outlook.warnings)


def render_notes(notes: tuple[str, ...]) -> Iterator[Text]:
    """Render what a person should know, one line each."""
    for note in notes:
        yield Text.assemble("  ", ("!", WARNING), f" {note}")


def _render_analysis(analysis: AnalysisStatus, status: ReleaseStatus) -> Iterator[Text]:
    verdict = (analysis.verdict, VERDICTS.get(analysis.verdict, BUSY))
    yield Text.assemble("  ", verdict, describe_confidence(analysis))
    yield Text(f"    version {status.candidate}: {describe_metrics(analysis.candidate)}")
    yield Text(f"    version {status.stable}: {describe_metrics(analysis.stable)}")
    yield Text(f"    {shorten_text(analysis.reason)}", style=DIM)


def _render_steps(status: ReleaseStatus, strategy: Steps, now: datetime) -> Iterator[Text]:
    for step in list_steps(status, strategy):
        yield _render_step(step, status, now)


def _render_step(step: ListedStep, status: ReleaseStatus, now: datetime) -> Text:
    symbol, style = STEPS[step.mark]
    is_current = step.mark is StepMark.CURRENT
    text = (f" {step.text}", "bold" if is_current else DIM if step.mark is StepMark.LATER else "")
    left = (_format_time_left(status, now), DIM) if is_current else ""
    return Text.assemble("  ", (symbol, style), text, left)


def _format_time_left(status: ReleaseStatus, now: datetime) -> str:
    if status.paused:
        return "  paused"
    if status.ends_at is None:
        return ""
    left = status.ends_at - now
    return f"  {format_duration(left)} left" if left >= SHORTEST_DURATION else "  any moment now"

"""The status of one release as text, in parts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from rich.console import Group
from rich.text import Text

from workflows.cli.render import format_phase, render_notes
from workflows.cli.styles import (
    BUSY,
    DIM,
    PHASES,
    SHORTEST_DURATION,
    STEPS,
    VERDICTS,
    shorten_text,
)
from workflows.domain.formatting import format_duration
from workflows.domain.markdown import describe_confidence, describe_metrics, draw_bar
from workflows.domain.next_command import list_next_commands
from workflows.domain.status import AnalysisStatus, ReleaseStatus
from workflows.domain.step_list import ListedStep, StepMark, list_steps
from workflows.domain.strategy import Steps

_ALL: Final = 100


@dataclass(frozen=True)
class StatusPage:
    """The parts of the page of a release, in lines of any length.

    ``head``: phase, note, traffic. ``analysis``: what is measured. ``steps``: a line for each;
    ``current`` is the index of the one under way. ``commands``: what to type. ``notes``: what a
    person should know.
    """

    head: tuple[Text, ...]
    analysis: tuple[Text, ...]
    steps: tuple[Text, ...]
    current: int
    commands: tuple[Text, ...]
    notes: tuple[Text, ...]

    @classmethod
    def of(cls, status: ReleaseStatus, strategy: Steps | None, *, now: datetime) -> StatusPage:
        """The page of a release; without a strategy, only the number of its steps is shown."""
        listed: tuple[ListedStep, ...] = ()
        if strategy and strategy.steps and status.steps == len(strategy.steps):
            listed = list_steps(status, strategy)
        steps = tuple(_render_step(step, status, now) for step in listed)
        if not listed and status.steps:
            steps = (Text(f"  step {status.step} of {status.steps} done"),)
        marked = {StepMark.CURRENT, StepMark.STOPPED}
        begun = [number for number, step in enumerate(listed) if step.mark in marked]
        analysis = status.analysis
        return cls(
            head=tuple(_render_head(status)),
            analysis=tuple(_render_analysis(analysis, status)) if analysis else (),
            steps=steps,
            current=begun[0] if begun else min(status.step or 0, max(len(steps) - 1, 0)),
            commands=tuple(render_next_commands(status)),
            notes=tuple(render_notes(status.notes)),
        )


def render_status(status: ReleaseStatus, strategy: Steps | None, *, now: datetime) -> Group:
    """Render one release: phase, note, traffic, steps, time left of the current wait."""
    page = StatusPage.of(status, strategy, now=now)
    return Group(*page.head, *page.analysis, *page.steps, *page.commands, *page.notes)


def render_next_commands(status: ReleaseStatus, indent: str = "  ") -> Iterator[Text]:
    """Render what to type where a release waits for a person, one line each."""
    for one in list_next_commands(status):
        yield Text.assemble(f"{indent}{one.purpose}: ", (one.command, "bold"))


def render_verdict(analysis: AnalysisStatus) -> Text:
    """Render a verdict, with the confidence in it."""
    verdict = (analysis.verdict, VERDICTS.get(analysis.verdict, BUSY))
    return Text.assemble("  ", verdict, describe_confidence(analysis))


def _render_head(status: ReleaseStatus) -> Iterator[Text]:
    hotfix = ("hotfix  ", "bold yellow") if status.hotfix else ""
    phase = (format_phase(status), PHASES.get(status.listed_phase, BUSY))
    yield Text.assemble((str(status.target), "bold"), "  ", hotfix, phase)
    yield Text(f"  {status.note}")
    if status.account:
        yield Text(f"  account {status.account}, {status.region}", style=DIM)
    if status.candidate:
        percent = status.routing.percent
        traffic = f"  {draw_bar(percent)} {percent}% to version {status.candidate_name}"
        if status.stable and percent < _ALL:
            traffic += f", {_ALL - percent}% to version {status.stable}"
        yield Text(traffic)


def _render_analysis(analysis: AnalysisStatus, status: ReleaseStatus) -> Iterator[Text]:
    yield render_verdict(analysis)
    yield Text(f"    version {status.candidate}: {describe_metrics(analysis.candidate)}")
    yield Text(f"    version {status.stable}: {describe_metrics(analysis.stable)}")
    yield Text(f"    {shorten_text(analysis.reason)}", style=DIM)


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

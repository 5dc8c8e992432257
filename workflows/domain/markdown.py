"""The story of a release as one page of Markdown, for the details page of the Temporal UI.

No tables and no check boxes: the UI draws neither well.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from workflows.domain.adaptive import Adaptive
from workflows.domain.formatting import format_confidence, format_duration, format_number
from workflows.domain.probe import Probe
from workflows.domain.status import AnalysisStatus, Phase, ReleaseStatus, VersionMetrics
from workflows.domain.strategy import Analysis, Approval, Bake, SetWeight, Step, Steps

_SIGNS = {
    Phase.PREPARING: "🔧",
    Phase.SHIFTING: "🔀",
    Phase.BAKING: "⏳",
    Phase.AWAITING_APPROVAL: "✋",
    Phase.PROMOTING: "🚀",
    Phase.SUCCEEDED: "✅",
    Phase.ROLLING_BACK: "↩️",
    Phase.ROLLED_BACK: "↩️",
    Phase.REJECTED: "⛔",
}
_BAR = 20
_LINES = 12


def draw_bar(percent: int) -> str:
    """A share of traffic as twenty characters: ``██░░░░░░░░░░░░░░░░░░``."""
    filled = round(percent * _BAR / 100)
    return "█" * filled + "░" * (_BAR - filled)


def render_page(
    status: ReleaseStatus, strategy: Steps, told: Sequence[tuple[datetime, str]], *, now: datetime
) -> str:
    """The page. ``told`` are the notes so far with their times; ``now`` is what "left" is counted from."""
    paused = " (paused)" if status.paused else ""
    lines = [
        f"## {_SIGNS[status.phase]} {status.target}: {status.phase.replace('_', ' ')}{paused}",
        "",
        f"> {status.note}",
        "",
    ]
    if status.candidate:
        percent = status.routing.percent
        lines += [
            f"`{draw_bar(percent)}` **{percent}%** to version {status.candidate}, the rest to version {status.stable or '–'}",
            "",
        ]
    if status.ends_at and not status.paused:
        lines += [
            f"Ends at {status.ends_at:%H:%M:%S} UTC, {format_duration(status.ends_at - now)} from {now:%H:%M:%S}.",
            "",
        ]
    if status.analysis:
        lines += [
            *analysis_lines(status.analysis, candidate=status.candidate, stable=status.stable),
            "",
        ]
    if strategy.steps:
        lines += [*_steps(status, strategy), ""]
    lines += [
        "### What happened",
        "",
        *[f"- {time:%H:%M:%S} {note}" for time, note in told[-_LINES:]],
    ]
    return "\n".join(lines)


def analysis_lines(told: AnalysisStatus, *, candidate: str | None, stable: str | None) -> list[str]:
    """What was measured of both versions, and what that comes to."""
    return [
        f"**{told.verdict}**{describe_confidence(told)}",
        "",
        f"- version {candidate}: {describe_metrics(told.candidate)}",
        f"- version {stable}: {describe_metrics(told.stable)}",
        f"- {told.reason}",
    ]


def describe_confidence(told: AnalysisStatus) -> str:
    """How sure a verdict is, where it compares: `` (99.2% sure that it is not worse, 0% that it is)``."""
    return (
        f" ({format_confidence(told.not_worse)} sure that it is not worse, {format_confidence(told.worse)} that it is)"
        if told.not_worse or told.worse
        else ""
    )


def describe_metrics(told: VersionMetrics) -> str:
    """``600 invocations, 5.00% errors, p99 100 ms``."""
    rate = "" if told.error_rate is None else f", {told.error_rate:.2%} errors"
    return f"{format_number(told.invocations)} invocations{rate}" + (
        "" if told.p99 is None else f", p99 {format_number(told.p99)} ms"
    )


def _steps(status: ReleaseStatus, strategy: Steps) -> list[str]:
    shown = [describe_step(step) for step in strategy.steps] + ["All traffic to the candidate"]
    done = len(shown) if status.phase is Phase.SUCCEEDED else status.step
    going = status.phase in {Phase.SHIFTING, Phase.BAKING, Phase.AWAITING_APPROVAL, Phase.PROMOTING}
    return [
        f"{index + 1}. {'✅' if index < done else '▶️' if index == done and going else '▫️'} {words}"
        for index, words in enumerate(shown)
    ]


def describe_step(step: Step, candidate: str = "the candidate") -> str:
    """A step of a strategy as a line of a list."""
    match step:
        case SetWeight(percent=percent):
            return f"{percent}% to {candidate}"
        case Bake(duration=duration):
            return f"Bake for {format_duration(duration)}" + (
                f", and until {step.min_invocations} invocations" if step.min_invocations else ""
            )
        case Analysis(duration=duration):
            return f"Analysis for {format_duration(duration)}: {step.summary}"
        case Adaptive():
            return f"Adaptive: {step}"
        case Approval(timeout=timeout):
            return "Wait for approval" + (
                f", at most {format_duration(timeout)}" if timeout else ""
            )
        case Probe():
            return f"Probe {candidate} {step.summary}"

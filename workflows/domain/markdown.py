"""A release as one page of Markdown, for the details page of the Temporal UI.

Without tables and check boxes: the UI renders neither well.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from workflows.domain.formatting import format_confidence, format_duration, format_number
from workflows.domain.next_command import list_next_commands
from workflows.domain.status import PAUSED, AnalysisStatus, Phase, ReleaseStatus, VersionMetrics
from workflows.domain.step_list import StepMark, list_steps
from workflows.domain.strategy import Steps

_SIGNS: Final = {
    Phase.WAITING_FOR_WORKER: "💤",
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
_PAUSED_SIGN: Final = "⏸️"
_STEP_SIGNS: Final = {
    StepMark.DONE: "✅",
    StepMark.CURRENT: "▶️",
    StepMark.SKIPPED: "⏭️",
    StepMark.STOPPED: "❌",
    StepMark.LATER: "▫️",
}
_BAR_WIDTH: Final = 20
MAX_NOTES: Final = 12


def render_page(
    status: ReleaseStatus,
    strategy: Steps,
    notes: Sequence[tuple[datetime, str]],
    *,
    now: datetime,
) -> str:
    """Render the page.

    ``notes`` are all notes so far, with their times; the last twelve are shown. The time left is
    counted from ``now``.
    """
    lines = [render_headline(status), ""]
    if status.account:
        lines += [f"Account {status.account}, {status.region}.", ""]
    if status.candidate:
        percent, rest = status.routing.percent, f"the rest to version {status.stable or '–'}"
        lines += [
            f"`{draw_bar(percent)}` **{percent}%** to version {status.candidate_name}, {rest}",
            "",
        ]
    if status.ends_at and not status.paused:
        left = format_duration(status.ends_at - now)
        lines += [f"Ends at {status.ends_at:%H:%M:%S} UTC, {left} from {now:%H:%M:%S}.", ""]
    if status.analysis:
        lines += [*_render_analysis(status, status.analysis), ""]
    if strategy.steps:
        lines += [*_render_steps(status, strategy), ""]
    if commands := list_next_commands(status):
        lines += ["### What to type", ""]
        lines += [*[f"- {one.purpose}: `{one.command}`" for one in commands], ""]
    if status.notes:
        lines += ["### Good to know", "", *[f"- {note}" for note in status.notes], ""]
    lines += [
        "### What happened",
        "",
        *[f"- {time:%H:%M:%S} {note}" for time, note in notes[-MAX_NOTES:]],
    ]
    return "\n".join(lines)


def render_headline(status: ReleaseStatus) -> str:
    """Render the phase and the note."""
    phase = status.listed_phase
    sign = _PAUSED_SIGN if phase == PAUSED else _SIGNS[status.phase]
    return f"## {sign} {status.target}: {phase.replace('_', ' ')}\n\n> {status.note}"


def draw_bar(percent: int) -> str:
    """Draw a share of traffic as twenty characters: ``██░░░░░░░░░░░░░░░░░░``."""
    filled = round(percent * _BAR_WIDTH / 100)
    return "█" * filled + "░" * (_BAR_WIDTH - filled)


def describe_confidence(analysis: AnalysisStatus) -> str:
    """Describe the confidence in a verdict, as an appendix to it.

    Empty without a comparison, else such as `` (99.2% sure that it is not worse, 0% that it is)``.
    """
    if not (analysis.not_worse or analysis.worse):
        return ""
    return (
        f" ({format_confidence(analysis.not_worse)} sure that it is not worse, "
        f"{format_confidence(analysis.worse)} that it is)"
    )


def describe_metrics(metrics: VersionMetrics) -> str:
    """``600 invocations, 5.00% errors, p99 100 ms``."""
    errors = "" if metrics.error_rate is None else f", {metrics.error_rate:.2%} errors"
    p99 = "" if metrics.p99 is None else f", p99 {format_number(metrics.p99)} ms"
    return f"{format_number(metrics.invocations)} invocations{errors}{p99}"


def _render_analysis(status: ReleaseStatus, analysis: AnalysisStatus) -> list[str]:
    return [
        f"**{analysis.verdict}**{describe_confidence(analysis)}",
        "",
        f"- version {status.candidate}: {describe_metrics(analysis.candidate)}",
        f"- version {status.stable}: {describe_metrics(analysis.stable)}",
        f"- {analysis.reason}",
    ]


def _render_steps(status: ReleaseStatus, strategy: Steps) -> list[str]:
    return [
        f"{number}. {_STEP_SIGNS[step.mark]} {step.text}"
        for number, step in enumerate(list_steps(status, strategy), 1)
    ]

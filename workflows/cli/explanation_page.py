"""Renders the explanation of a release for a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from workflows.cli.console import Listing
from workflows.cli.render import format_phase, render_ending
from workflows.cli.styles import BUSY, CAUSES, DIM, LINES, VERDICTS, format_time, shorten_text
from workflows.client.explanation import Explanation, ExplanationLine, LineKind
from workflows.client.runs import Run
from workflows.domain.markdown import describe_confidence, describe_metrics


def render_explanation(explanation: Explanation) -> Group:
    """Why a release ended as it did: its rules, what happened, and every analysis."""
    run = explanation.run
    hotfix = ("  hotfix", "bold yellow") if explanation.hotfix else ""
    by = f" by {run.requested_by}" if run.requested_by else ""
    reason = f": {shorten_text(explanation.reason)}" if explanation.reason else ""
    lines: list[RenderableType] = [
        Text.assemble((str(run.status.target), "bold"), hotfix, f"  {run.words}"),
        Text(f"  requested{by} at {format_time(run.started_at)}{reason}"),
        Text(f"  {run.release or run.id}, run {run.run_id}", style=DIM),
    ]
    judged_by = explanation.judged_by or ("nothing but errors and people",)
    lines += [Text(f"  judged by: {shorten_text(rules)}") for rules in judged_by]
    if explanation.lines:
        lines.append(_make_lines_table(explanation))
    if count := explanation.left_out:
        text = f"{count} lines are left out, measurements that changed nothing first"
        lines.append(Text(text, style=DIM))
    if explanation.ending:
        lines.append(render_ending(explanation.ending))
    else:
        lines.append(Text(f"It is still under way: {format_phase(run.status)}.", style=BUSY))
    if explanation.stopped_by:
        lines.append(Text(f"Stopped by: {CAUSES[explanation.stopped_by]}"))
    return Group(*lines)


def _make_lines_table(explanation: Explanation) -> Listing:
    has_days = len({line.at.astimezone().date() for line in explanation.lines}) > 1
    time_format = "%m-%d %H:%M:%S" if has_days else "%H:%M:%S"
    zone = explanation.lines[0].at.astimezone().tzname()
    table = Listing(f"TIME ({zone})", "TRAFFIC", "", "WHAT", is_log=True)
    for line in explanation.lines:
        table.add_row(
            Text(line.at.astimezone().strftime(time_format), style=DIM),
            Text(
                f"{line.percent}%".rjust(len("TRAFFIC")),
                style="bold" if line.kind is LineKind.MOVED else DIM,
            ),
            Text(*LINES[line.kind]),
            _render_line(line, explanation.run),
        )
    return table


def _render_line(line: ExplanationLine, run: Run) -> Text:
    found = line.assessed
    if found is None:
        return Text(shorten_text(line.text))
    style = VERDICTS.get(found.verdict, BUSY)
    confidence = describe_confidence(found)
    if line.kind is LineKind.VERDICT:
        return Text.assemble((shorten_text(line.text), style), confidence)
    status = (run.ending and run.ending.status) or run.status
    candidate = f"version {status.candidate}" if status.candidate else "the candidate"
    stable = f"version {status.stable}" if status.stable else "stable"
    versions = (
        f"{line.text}: {candidate}: {describe_metrics(found.candidate)}\n"
        f"{stable}: {describe_metrics(found.stable)}\n"
    )
    return Text.assemble(versions, (found.verdict, style), confidence)

"""How releases look on a terminal: pure functions from what is known to what rich prints. Users' text is never taken for markup."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from workflows.domain.judgement import Outcome as Judged
from workflows.domain.status import Assessed, Phase, ReleaseStatus
from workflows.domain.story import bar, measured_words, step_words, sure_words
from workflows.domain.strategy import Steps
from workflows.domain.words import spoken
from workflows.explaining import Explanation, Line, Rejudged
from workflows.plan import ReleasePlan
from workflows.recorded import Cause
from workflows.request import ReleaseRequest
from workflows.runs import Ending, Outcome, Run
from workflows.schedules import Scheduled
from workflows.telling import Moment
from workflows.watching import Retry, Sight

_GOOD, _BAD, _BUSY, _DIM = "green", "red", "cyan", "dim"
_SIGNS: Final = {"asked": ("●", "bold"), "begun": ("▶", _BUSY), "done": ("✓", _GOOD), "failed": ("✗", _BAD), "said": ("»", "yellow")}
_MOVING: Final = {Phase.SHIFTING, Phase.BAKING, Phase.AWAITING_APPROVAL, Phase.PROMOTING}
_COLOURS: Final = {
    Phase.SUCCEEDED: _GOOD, Phase.ROLLED_BACK: "yellow", Phase.ROLLING_BACK: _BAD, Phase.REJECTED: _BAD,
    Phase.AWAITING_APPROVAL: "yellow",
}  # fmt: skip
_OUTCOMES: Final = {
    Outcome.SUCCEEDED: ("✓", _GOOD, ""),
    Outcome.REJECTED: ("✗", _BAD, "rejected, nothing was touched: "),
    Outcome.ROLLED_BACK: ("↩", "yellow", "rolled back: "),
    Outcome.NOT_ROLLED_BACK: ("✗", "bold red", "NOT ROLLED BACK, look at the alias: "),
    Outcome.KILLED: ("✗", "bold red", "KILLED, look at the alias: "),
}
_VERDICTS: Final = {Judged.PASSED: _GOOD, Judged.FAILED: _BAD, Judged.UNMEASURABLE: "yellow", Judged.INCONCLUSIVE: "yellow"}
_NOT_LONG: Final = timedelta(seconds=1)


def status_page(status: ReleaseStatus, strategy: Steps | None, *, now: datetime) -> Group:
    """One release: phase, note, traffic, steps, and how long the current wait still takes."""
    hotfix = ("hotfix  ", "bold yellow") if status.hotfix else ""
    head = Text.assemble((str(status.target), "bold"), "  ", hotfix, (phase_words(status), _COLOURS.get(status.phase, _BUSY)))
    lines: list[RenderableType] = [head, Text(f"  {status.note}")]
    if status.candidate:
        percent = status.routing.percent
        traffic = f"  {bar(percent)} {percent}% to version {status.candidate}"
        lines.append(Text(traffic + (f", {100 - percent}% to version {status.stable}" if status.stable and percent < 100 else "")))  # noqa: PLR2004 - all
    if status.analysis:
        lines += _analysis(status.analysis, status)
    if strategy and strategy.steps and status.steps == len(strategy.steps):
        lines += _steps(status, strategy, now)
    elif status.steps:
        lines.append(Text(f"  step {status.step} of {status.steps} done"))
    return Group(*lines)


def _analysis(told: Assessed, status: ReleaseStatus) -> Iterator[Text]:
    yield Text.assemble("  ", (told.verdict, _VERDICTS.get(told.verdict, _BUSY)), sure_words(told))
    yield Text(f"    version {status.candidate}: {measured_words(told.candidate)}")
    yield Text(f"    version {status.stable}: {measured_words(told.stable)}")
    yield Text(f"    {told.reason}", style=_DIM)


def _steps(status: ReleaseStatus, strategy: Steps, now: datetime) -> Iterator[Text]:
    shown = [*map(step_words, strategy.steps), "All traffic to the candidate"]
    done = len(shown) if status.phase is Phase.SUCCEEDED else status.step
    for number, words in enumerate(shown):
        if number < done:
            yield Text.assemble("  ", ("✓", _GOOD), f" {words}")
        elif number == done and status.phase in _MOVING:
            yield Text.assemble("  ", ("▶", _BUSY), (f" {words}", "bold"), (_left(status, now), _DIM))
        else:
            yield Text(f"  · {words}", style=_DIM)


def _left(status: ReleaseStatus, now: datetime) -> str:
    if status.paused:
        return "  paused"
    if status.ends_at is None:
        return ""
    left = status.ends_at - now
    return f"  {spoken(left)} left" if left >= _NOT_LONG else "  any moment now"


def phase_words(status: ReleaseStatus) -> str:
    """The phase, and whether it is held."""
    return status.phase.replace("_", " ") + (" (paused)" if status.paused else "")


def moment_line(moment: Moment) -> Text:
    """One line of the story, at its local time."""
    sign, style = _SIGNS[moment.sign]
    return Text.assemble((f"{moment.at.astimezone():%H:%M:%S} ", _DIM), (sign, style), f" {moment.text}")


def retry_line(retry: Retry) -> Text:
    """What is being tried again, and why."""
    if retry.waits:
        return Text.assemble("         ", ("…", _BUSY), (f" {retry.what} ({retry.attempt})", _DIM))
    return Text.assemble("         ", ("↻", "yellow"), f" {retry.what}: attempt {retry.attempt}, after: {retry.failure}")


def sight_page(sight: Sight, *, now: datetime) -> Group:
    """What changes under the story while a release is watched."""
    lines: list[RenderableType] = [Text()]
    if sight.status:
        lines.append(status_page(sight.status, sight.strategy, now=now))
    lines += map(retry_line, sight.retries)
    if trouble := trouble_words(sight):
        lines.append(Text(f"  {trouble}", style="yellow"))
    return Group(*lines)


def trouble_words(sight: Sight) -> str:
    """Who does not answer, if somebody does not."""
    if not sight.connected:
        return "Temporal does not answer; trying again"
    return "" if sight.answering else "no worker answers: the release goes on when one is back"


def ending_line(ending: Ending) -> Text:
    """How it ended."""
    sign, style, words = _OUTCOMES[ending.outcome]
    return Text.assemble((sign, style), " ", (words, style), ending.note)


def running_table(runs: Sequence[Run], *, now: datetime) -> Table:
    """The releases that are under way."""
    table = _table("TARGET", "WHERE", "PHASE", "TRAFFIC", "VERSION", "BY", "SINCE")
    for run in runs:
        status = run.status
        since = spoken(max(now - run.started_at, _NOT_LONG))
        traffic = f"{bar(status.routing.percent)} {status.routing.percent}%"
        row = (str(status.target), run.where, phase_words(status), traffic, status.candidate or "–", run.requested_by, since)
        table.add_row(*map(Text, row))
    return table


def history_table(runs: Sequence[Run], *, now: datetime) -> Table:
    """What happened to an alias, release by release."""
    table = _table("WHEN", "BY", "WHAT", "VERSION", "OUTCOME", "TOOK")
    for run in runs:
        if run.ending:
            outcome = ending_line(run.ending)
        else:
            outcome = Text(f"▶ {phase_words(run.status)}" if run.running else run.state.lower(), style=_BUSY)
        took = spoken(max((run.closed_at or now) - run.started_at, _NOT_LONG))
        version = (run.ending and run.ending.status and run.ending.status.candidate) or run.status.candidate or "–"
        when = f"{run.started_at.astimezone():%Y-%m-%d %H:%M}"
        table.add_row(Text(when), Text(run.requested_by or "–"), Text(run.words), Text(version), outcome, Text(took))
    return table


def plan_page(plan: ReleasePlan, request: ReleaseRequest) -> Group:
    """What a release would do, or why it would not."""
    lines = [Text.assemble((str(plan.target), "bold"), f"  {request.words}")]
    if plan.refusals:
        return Group(*lines, Text("  It would be rejected:", style=_BAD), *(Text(f"  ✗ {refusal}") for refusal in plan.refusals))
    lines.append(Text(f"  now: {plan.routing or 'there is no such alias yet'}", style=_DIM))
    lines += [Text(f"  {number}. {words}") for number, words in enumerate(plan.steps, 1)]
    calls = ", ".join(f"{name} ×{count}" if count > 1 else name for name, count in plan.calls.items())
    lines.append(Text(f"  calls: {calls or 'none'}", style=_DIM))
    if plan.at_least:
        lines.append(Text(f"  takes {spoken(plan.at_least)} at least", style=_DIM))
    return Group(*lines)


def explanation_page(told: Explanation) -> Group:
    """Why a release ended as it did: what it was judged by, what happened, and what was known at each moment."""
    run = told.run
    lines: list[RenderableType] = [Text.assemble((str(run.status.target), "bold"), f"  {run.words}")]
    lines += [Text(f"  judged by: {rules}", style=_DIM) for rules in told.rules]
    shown = [_explained(line, run.status) for line in told.lines]
    if told.left_out:
        shown.insert(len(shown) // 2, Text(f"         … {told.left_out} lines are left out …", style=_DIM))
    lines += shown
    if told.ending:
        lines.append(ending_line(told.ending))
    else:
        lines.append(Text("It is still under way.", style=_BUSY))
    if told.stopped_by:
        lines.append(Text(f"Stopped by: {_CAUSES[told.stopped_by]}"))
    return Group(*lines)


_CAUSES: Final = {
    Cause.METRICS: "what CloudWatch measured",
    Cause.ALARM: "an alarm",
    Cause.HOOK: "a hook",
    Cause.PERSON: "a person",
    Cause.OTHER: "neither metrics, alarm, hook nor person: see above",
}


def _explained(line: Line, status: ReleaseStatus) -> Text:
    time = (f"{line.at.astimezone():%H:%M:%S} ", _DIM)
    told = line.assessed
    if told is None:
        return Text.assemble(time, line.text)
    if line.text.startswith("Verdict"):
        return Text.assemble(time, (line.text, _VERDICTS.get(told.verdict, _BUSY)), sure_words(told))
    versions = f"version {status.candidate or 'on trial'}: {measured_words(told.candidate)}; stable: {measured_words(told.stable)}"
    return Text.assemble(time, f"{line.text}: {versions}; ", (told.verdict, _VERDICTS.get(told.verdict, _BUSY)), sure_words(told))


def rejudged_table(rejudged: Sequence[Rejudged]) -> Table:
    """What other rules make of past releases."""
    table = _table("WHEN", "VERSION", "IT WAS", "THEY SAY", "AFTER", "CANDIDATE BY THEN", "NOTE")
    for one in rejudged:
        verdict = Text(one.verdict, style=_VERDICTS.get(one.verdict, _BUSY)) if one.verdict else Text("nothing was measured", style=_DIM)
        after = spoken(max(one.after, _NOT_LONG)) if one.after is not None else "–"
        known = measured_words(one.assessed.candidate) if one.assessed else "–"
        note = f"not recorded: {', '.join(one.missing)}" if one.missing else ""
        when = f"{one.run.started_at.astimezone():%Y-%m-%d %H:%M}"
        version = (one.run.ending and one.run.ending.status and one.run.ending.status.candidate) or one.run.status.candidate or "–"
        table.add_row(Text(when), Text(version), Text(one.was), verdict, Text(after), Text(known), Text(note))
    return table


def schedules_table(schedules: Sequence[Scheduled]) -> Table:
    """The schedules of releases."""
    table = _table("ID", "TARGET", "WHAT", "NEXT (UTC)", "LAST", "STATE")
    for schedule in schedules:
        coming = "\n".join(f"{time.astimezone(UTC):%a %Y-%m-%d %H:%M}" for time in schedule.next_at[:2])
        last = f"{schedule.last_at.astimezone(UTC):%Y-%m-%d %H:%M} {schedule.last}" if schedule.last_at else "–"
        state = Text(f"paused: {schedule.note}" if schedule.paused else schedule.note, style="yellow" if schedule.paused else "")
        row = (schedule.id, schedule.target or "–", schedule.what or "–", coming or "–", last)
        table.add_row(*map(Text, row), state)
    return table


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style=_DIM)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table

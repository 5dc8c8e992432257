"""How releases look on a terminal: pure functions from what is known to what rich prints. Users' text is never taken for markup."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from workflows.client.explain import Explanation, Kind, Line
from workflows.client.rejudge import Rejudged, Was
from workflows.client.runs import Run, RunEnding, RunOutcome
from workflows.client.schedules import Scheduled
from workflows.client.stop_cause import StopCause
from workflows.client.timeline import TimelineEntry
from workflows.client.watch import Retry, WatchUpdate
from workflows.domain.assessment import Verdict
from workflows.domain.formatting import format_duration, format_number
from workflows.domain.markdown import draw_bar, describe_metrics, describe_step, describe_confidence
from workflows.domain.status import AnalysisStatus, Phase, ReleaseStatus
from workflows.domain.strategy import Steps
from workflows.plan import ReleasePlan
from workflows.request import ReleaseRequest

_GOOD, _BAD, _BUSY, _DIM = "green", "red", "cyan", "dim"
_SIGNS: Final = {
    "asked": ("●", "bold"),
    "begun": ("▶", _BUSY),
    "measured": ("∙", _DIM),
    "done": ("✓", _GOOD),
    "failed": ("✗", _BAD),
    "said": ("»", "yellow"),
}
_MOVING: Final = {Phase.SHIFTING, Phase.BAKING, Phase.AWAITING_APPROVAL, Phase.PROMOTING}
_COLOURS: Final = {
    Phase.SUCCEEDED: _GOOD, Phase.ROLLED_BACK: "yellow", Phase.ROLLING_BACK: _BAD, Phase.REJECTED: _BAD,
    Phase.AWAITING_APPROVAL: "yellow",
}  # fmt: skip
_OUTCOMES: Final = {
    RunOutcome.SUCCEEDED: ("✓", _GOOD, ""),
    RunOutcome.REJECTED: ("✗", _BAD, "rejected, nothing was touched: "),
    RunOutcome.ROLLED_BACK: ("↩", "yellow", "rolled back: "),
    RunOutcome.NOT_ROLLED_BACK: ("✗", "bold red", "NOT ROLLED BACK, look at the alias: "),
    RunOutcome.KILLED: ("✗", "bold red", "KILLED, look at the alias: "),
}
_VERDICTS: Final = {
    Verdict.PASSED: _GOOD,
    Verdict.FAILED: _BAD,
    Verdict.UNMEASURABLE: "yellow",
    Verdict.INCONCLUSIVE: "yellow",
}
_NOT_LONG: Final = timedelta(seconds=1)


def status_page(status: ReleaseStatus, strategy: Steps | None, *, now: datetime) -> Group:
    """One release: phase, note, traffic, steps, and how long the current wait still takes."""
    hotfix = ("hotfix  ", "bold yellow") if status.hotfix else ""
    head = Text.assemble(
        (str(status.target), "bold"),
        "  ",
        hotfix,
        (phase_words(status), _COLOURS.get(status.phase, _BUSY)),
    )
    lines: list[RenderableType] = [head, Text(f"  {status.note}")]
    if status.candidate:
        percent = status.routing.percent
        traffic = f"  {draw_bar(percent)} {percent}% to version {status.candidate}"
        lines.append(
            Text(
                traffic
                + (
                    f", {100 - percent}% to version {status.stable}"
                    if status.stable and percent < 100  # noqa: PLR2004 - all
                    else ""
                )
            )
        )
    if status.analysis:
        lines += _analysis(status.analysis, status)
    if strategy and strategy.steps and status.steps == len(strategy.steps):
        lines += _steps(status, strategy, now)
    elif status.steps:
        lines.append(Text(f"  step {status.step} of {status.steps} done"))
    return Group(*lines)


def measured_line(status: ReleaseStatus) -> Text | None:
    """What is thought of the candidate, in one line; None where it is not judged, or nothing is known yet."""
    told = status.analysis
    if told is None or not (told.candidate.invocations or told.verdict is not Verdict.PENDING):
        return None
    versions = "; ".join(
        f"version {name}: {describe_metrics(one)}"
        for name, one in ((status.candidate, told.candidate), (status.stable, told.stable))
    )
    return Text.assemble(
        f"         {versions}; ",
        (told.verdict, _VERDICTS.get(told.verdict, _BUSY)),
        describe_confidence(told),
    )


def _analysis(told: AnalysisStatus, status: ReleaseStatus) -> Iterator[Text]:
    yield Text.assemble("  ", (told.verdict, _VERDICTS.get(told.verdict, _BUSY)), describe_confidence(told))
    yield Text(f"    version {status.candidate}: {describe_metrics(told.candidate)}")
    yield Text(f"    version {status.stable}: {describe_metrics(told.stable)}")
    yield Text(f"    {_cut(told.reason)}", style=_DIM)


def _steps(status: ReleaseStatus, strategy: Steps, now: datetime) -> Iterator[Text]:
    shown = [*map(describe_step, strategy.steps), "All traffic to the candidate"]
    done = len(shown) if status.phase is Phase.SUCCEEDED else status.step
    for number, words in enumerate(shown):
        if number < done:
            yield Text.assemble("  ", ("✓", _GOOD), f" {words}")
        elif number == done and status.phase in _MOVING:
            yield Text.assemble(
                "  ", ("▶", _BUSY), (f" {words}", "bold"), (_left(status, now), _DIM)
            )
        else:
            yield Text(f"  · {words}", style=_DIM)


def _left(status: ReleaseStatus, now: datetime) -> str:
    if status.paused:
        return "  paused"
    if status.ends_at is None:
        return ""
    left = status.ends_at - now
    return f"  {format_duration(left)} left" if left >= _NOT_LONG else "  any moment now"


def phase_words(status: ReleaseStatus) -> str:
    """The phase, and whether it is held."""
    return status.phase.replace("_", " ") + (" (paused)" if status.paused else "")


def moment_line(moment: TimelineEntry) -> Text:
    """One line of the story, at its local time."""
    sign, style = _SIGNS[moment.sign]
    return Text.assemble(
        (f"{moment.at.astimezone():%H:%M:%S} ", _DIM), (sign, style), f" {moment.text}"
    )


def retry_line(retry: Retry) -> Text:
    """What is being tried again, and why."""
    if retry.waits:
        return Text.assemble("         ", ("…", _BUSY), (f" {retry.what} ({retry.attempt})", _DIM))
    return Text.assemble(
        "         ",
        ("↻", "yellow"),
        f" {retry.what}: attempt {retry.attempt}, after: {retry.failure}",
    )


def sight_page(sight: WatchUpdate, *, now: datetime) -> Group:
    """What changes under the story while a release is watched."""
    lines: list[RenderableType] = [Text()]
    if sight.status:
        lines.append(status_page(sight.status, sight.strategy, now=now))
    lines += map(retry_line, sight.retries)
    if trouble := trouble_words(sight):
        lines.append(Text(f"  {trouble}", style="yellow"))
    return Group(*lines)


def trouble_words(sight: WatchUpdate) -> str:
    """Who does not answer, if somebody does not."""
    if not sight.connected:
        return "Temporal does not answer; trying again"
    return "" if sight.answering else "no worker answers: the release goes on when one is back"


def ending_line(ending: RunEnding) -> Text:
    """How it ended."""
    sign, style, words = _OUTCOMES[ending.outcome]
    return Text.assemble((sign, style), " ", (words, style), ending.note)


def running_table(runs: Sequence[Run], *, now: datetime) -> Table:
    """The releases that are under way."""
    table = _table("TARGET", "WHERE", "PHASE", "TRAFFIC", "VERSION", "BY", "SINCE")
    for run in runs:
        status = run.status
        since = format_duration(max(now - run.started_at, _NOT_LONG))
        traffic = f"{draw_bar(status.routing.percent)} {status.routing.percent}%"
        row = (
            str(status.target),
            run.where,
            phase_words(status),
            traffic,
            status.candidate or "–",
            run.requested_by,
            since,
        )
        table.add_row(*map(Text, row))
    return table


def history_table(runs: Sequence[Run], *, now: datetime) -> Table:
    """What happened to an alias, release by release."""
    table = _table("WHEN", "BY", "WHAT", "VERSION", "OUTCOME", "TOOK")
    for run in runs:
        if run.ending:
            outcome = ending_line(run.ending)
        else:
            outcome = Text(
                f"▶ {phase_words(run.status)}" if run.running else run.state.lower(), style=_BUSY
            )
        took = format_duration(max((run.closed_at or now) - run.started_at, _NOT_LONG))
        version = (
            (run.ending and run.ending.status and run.ending.status.candidate)
            or run.status.candidate
            or "–"
        )
        when = f"{run.started_at.astimezone():%Y-%m-%d %H:%M}"
        table.add_row(
            Text(when),
            Text(run.requested_by or "–"),
            Text(run.words),
            Text(version),
            outcome,
            Text(took),
        )
    return table


def plan_page(plan: ReleasePlan, request: ReleaseRequest) -> Group:
    """What a release would do, or why it would not."""
    lines = [Text.assemble((str(plan.target), "bold"), f"  {request.words}")]
    if plan.refusals:
        return Group(
            *lines,
            Text("  It would be rejected:", style=_BAD),
            *(Text(f"  ✗ {refusal}") for refusal in plan.refusals),
        )
    lines.append(Text(f"  now: {plan.routing or 'there is no such alias yet'}", style=_DIM))
    lines += [Text(f"  {number}. {words}") for number, words in enumerate(plan.steps, 1)]
    calls = ", ".join(
        f"{name} ×{count}" if count > 1 else name for name, count in plan.calls.items()
    )
    lines.append(Text(f"  calls: {calls or 'none'}", style=_DIM))
    if plan.at_least:
        lines.append(Text(f"  takes {format_duration(plan.at_least)} at least", style=_DIM))
    return Group(*lines)


def explanation_page(told: Explanation) -> Group:
    """Why a release ended as it did: what it was judged by, what happened, and what was known at each moment."""
    run = told.run
    hotfix = ("  hotfix", "bold yellow") if told.hotfix else ""
    asked = f" by {run.requested_by}" if run.requested_by else ""
    why = f": {_cut(told.reason)}" if told.reason else ""
    lines: list[RenderableType] = [
        Text.assemble((str(run.status.target), "bold"), hotfix, f"  {run.words}"),
        Text(f"  asked for{asked} at {run.started_at.astimezone():%Y-%m-%d %H:%M:%S}{why}"),
        Text(f"  run {run.run_id}", style=_DIM),
        *(
            Text(f"  judged by: {_cut(rules)}")
            for rules in told.judged_by or ["nothing but errors and people"]
        ),
        *([_explained(told)] if told.lines else []),
        *(
            [
                Text(
                    f"{told.left_out} lines are left out, measurements that changed nothing first",
                    style=_DIM,
                )
            ]
            if told.left_out
            else []
        ),
        ending_line(told.ending)
        if told.ending
        else Text(f"It is still under way: {phase_words(run.status)}.", style=_BUSY),
    ]
    if told.stopped_by:
        lines.append(Text(f"Stopped by: {_CAUSES[told.stopped_by]}"))
    return Group(*lines)


_CAUSES: Final = {
    StopCause.METRICS: "what CloudWatch measured",
    StopCause.ALARM: "an alarm",
    StopCause.HOOK: "a hook",
    StopCause.PROBE: "a probe",
    StopCause.PERSON: "a person",
    StopCause.OTHER: "no metrics, alarm, hook, probe or person: see above",
}
_KINDS: Final = {
    Kind.MOVED: ("→", "bold"), Kind.MEASURED: ("∙", _DIM), Kind.VERDICT: ("■", "bold"), Kind.ANSWERED: ("?", _BUSY), Kind.SAID: ("»", "yellow"),
    Kind.FAILED: ("✗", _BAD), Kind.BEGUN: ("▶", _BUSY), Kind.DONE: ("✓", _DIM),
}  # fmt: skip


def _explained(told: Explanation) -> Table:
    days = len({line.at.astimezone().date() for line in told.lines}) > 1
    table = Table(box=None, pad_edge=False, header_style=_DIM)
    for heading in ("TIME", "TRAFFIC", "", "WHAT"):
        table.add_column(
            heading,
            overflow="fold",
            no_wrap=heading in {"TIME", "TRAFFIC"},
            justify="right" if heading == "TRAFFIC" else "left",
        )
    for line in told.lines:
        time = (
            f"{line.at.astimezone():%m-%d %H:%M:%S}" if days else f"{line.at.astimezone():%H:%M:%S}"
        )
        style = "bold" if line.kind is Kind.MOVED else _DIM
        table.add_row(
            Text(time, style=_DIM),
            Text(f"{line.percent}%", style=style),
            Text(*_KINDS[line.kind]),
            _what(line, told.run),
        )
    return table


def _what(line: Line, run: Run) -> Text:
    found = line.assessed
    if found is None:
        return Text(_cut(line.text))
    verdict = (found.verdict, _VERDICTS.get(found.verdict, _BUSY))
    if line.kind is Kind.VERDICT:
        return Text.assemble(
            (_cut(line.text), _VERDICTS.get(found.verdict, _BUSY)), describe_confidence(found)
        )
    status = (run.ending and run.ending.status) or run.status
    candidate, stable = (
        f"version {name}" if name else words
        for name, words in ((status.candidate, "the candidate"), (status.stable, "stable"))
    )
    versions = f"{line.text}: {candidate}: {describe_metrics(found.candidate)}\n{stable}: {describe_metrics(found.stable)}\n"
    return Text.assemble(versions, verdict, describe_confidence(found))


def _cut(text: str) -> str:
    """As much of a text as people read."""
    return text if len(text) <= _MOST_TEXT else f"{text[:_MOST_TEXT]}…"


_MOST_TEXT: Final = 500


def rejudged_table(rejudged: Sequence[Rejudged]) -> Table:
    """What other rules make of past releases."""
    table = _table("WHEN", "VERSION", "IT WAS", "THEY SAY", "CANDIDATE BY THEN")
    for one in rejudged:
        if one.verdict is None:
            says = Text("nothing was measured", style=_DIM)
        else:
            words = (
                one.verdict
                if one.verdict in {Verdict.FAILED, Verdict.PASSED}
                else f"undecided ({one.verdict})"
            )
            after = f" after {format_duration(one.after)}" if one.after is not None else ""
            missing = f"; not recorded: {', '.join(one.missing)}" if one.missing else ""
            says = Text.assemble((words, _VERDICTS.get(one.verdict, _BUSY)), after, missing)
        status = (one.run.ending and one.run.ending.status) or one.run.status
        was = f"{one.was}: " + (
            f"stopped by {_CAUSES[one.cause]}"
            if one.was is Was.BAD and one.cause
            else _ENDED.get(one.was, "")
        )
        known = (
            f"{format_number(one.requests)} requests, {one.errors} errors" if one.verdict else "–"
        )
        when = f"{one.run.started_at.astimezone():%Y-%m-%d %H:%M}"
        table.add_row(Text(when), Text(status.candidate or "–"), Text(was), says, Text(known))
    return table


_ENDED: Final = {Was.GOOD: "it succeeded", Was.NEITHER: "stopped by an error, or killed"}


def schedules_table(schedules: Sequence[Scheduled]) -> Table:
    """The schedules of releases."""
    table = _table("ID", "TARGET", "WHAT", "NEXT (UTC)", "LAST", "STATE")
    for schedule in schedules:
        coming = "\n".join(
            f"{time.astimezone(UTC):%a %Y-%m-%d %H:%M}" for time in schedule.next_at[:2]
        )
        last = (
            f"{schedule.last_at.astimezone(UTC):%Y-%m-%d %H:%M} {schedule.last}"
            if schedule.last_at
            else "–"
        )
        state = Text(
            f"paused: {schedule.note}" if schedule.paused else schedule.note,
            style="yellow" if schedule.paused else "",
        )
        row = (schedule.id, schedule.target or "–", schedule.what or "–", coming or "–", last)
        table.add_row(*map(Text, row), state)
    return table


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style=_DIM)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table

"""What a watch shows below its log: as much of a release as fits, around its current step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import chain
from typing import Final

from rich.cells import cell_len
from rich.console import Group
from rich.text import Text

from workflows.cli.console import wrap_text
from workflows.cli.render import describe_outage, render_retry
from workflows.cli.status_page import StatusPage, render_verdict
from workflows.cli.styles import DIM, WARNING
from workflows.client.watch import WatchUpdate
from workflows.domain.formatting import format_number
from workflows.domain.status import AnalysisStatus, ReleaseStatus, VersionMetrics

_LOG_LINES: Final = 7
"""Lines of the terminal that are left to the log."""

_MIN_LINES: Final = 10
_MIN_STEPS: Final = 3
_MAX_REASON_LINES: Final = 2


def render_update(update: WatchUpdate, *, now: datetime, width: int, height: int) -> Group:
    """Render the current state for a terminal of this size, with room left for the log.

    Where it does not fit, the steps are shown around the current one, and notes are counted.
    """
    room = max(height - _LOG_LINES, _MIN_LINES)
    below = [*map(render_retry, update.retries)]
    if outage := describe_outage(update):
        below.append(Text(f"  {outage}", style=WARNING))
    lines = _wrap(below, width)
    if update.status:
        lines = [*_fit_status(update, update.status, now, width, room - 1 - len(lines)), *lines]
    shown = [Text(), *lines][:room]
    for line in shown:
        line.no_wrap, line.overflow = True, "ellipsis"
    return Group(*shown)


def _fit_status(
    update: WatchUpdate, status: ReleaseStatus, now: datetime, width: int, room: int
) -> Iterator[Text]:
    page = StatusPage.of(status, update.strategy, now=now)
    analysis = status.analysis
    fixed = [
        *_wrap(page.head, width),
        *(_render_analysis(analysis, status, width) if analysis else ()),
    ]
    commands, notes = _wrap(page.commands, width), _wrap(page.notes, width)
    steps = [_cut(step, width) for step in page.steps]
    current = _wrap(page.steps[page.current : page.current + 1], width)
    room -= len(fixed) + len(commands) + max(len(current) - 1, 0)
    if len(steps) + len(notes) > room and notes:
        count = f"{len(page.notes)} note{'s' if len(page.notes) > 1 else ''}"
        text = f"  {count}: releases status {status.target} shows what to know"
        notes = _wrap([Text(text, style=WARNING)], width)
    first, last = _select_window(len(steps), page.current, max(room - len(notes), _MIN_STEPS))
    before, after = first, len(steps) - last
    window = [
        *([Text(f"  … {before} before", style=DIM)] if before else []),
        *steps[first : page.current],
        *current,
        *steps[page.current + 1 : last],
        *([Text(f"  … {after} after", style=DIM)] if after else []),
    ]
    yield from chain(fixed, window, commands, notes)


def _select_window(count: int, current: int, most: int) -> tuple[int, int]:
    """Select the steps around the current one, with room for a line before and one after them."""
    if count <= most:
        return 0, count
    size = most - 2
    first = min(max(current - size // 2, 0), count - size)
    return first, first + size


def _render_analysis(analysis: AnalysisStatus, status: ReleaseStatus, width: int) -> Iterator[Text]:
    """Render what is measured, both versions side by side."""
    rows = [
        ("", f"version {status.candidate}", f"version {status.stable}"),
        *zip(
            ("invocations", "errors", "p99"),
            _list_metrics(analysis.candidate),
            _list_metrics(analysis.stable),
            strict=True,
        ),
    ]
    sizes = [max(cell_len(row[column]) for row in rows) for column in range(3)]
    yield render_verdict(analysis)
    for row in rows:
        cells = (cell.ljust(size) for cell, size in zip(row, sizes, strict=True))
        yield Text(f"    {'  '.join(cells)}".rstrip())
    reason = [*wrap_text(Text(f"    {analysis.reason}", style=DIM), width)]
    yield from reason[:_MAX_REASON_LINES]


def _list_metrics(metrics: VersionMetrics) -> tuple[str, str, str]:
    return (
        format_number(metrics.invocations),
        "–" if metrics.error_rate is None else f"{metrics.error_rate:.2%}",
        "–" if metrics.p99 is None else f"{format_number(metrics.p99)} ms",
    )


def _wrap(lines: Sequence[Text], width: int) -> list[Text]:
    return [piece for line in lines for piece in wrap_text(line, width)]


def _cut(line: Text, width: int) -> Text:
    """Cut a line at the end of the terminal."""
    line.truncate(width, overflow="ellipsis")
    return line

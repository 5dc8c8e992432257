"""Whether minutes tell something that was not known: a digest of them that is small, and that a later one can be compared with.

A digest holds a mark for each minute, so one over other minutes is comparable: what fell out at the beginning is no news, and what came late is.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from activities.cloudwatch.metric_data import COMPLETE

_MARK: Final = 6
"""Hexadecimal digits for each minute: one change of 17 million goes unnoticed, until the next one."""

_NONE: Final = "-" * _MARK
_FORM: Final = re.compile(
    rf"{COMPLETE} (?P<first>[0-9]{{1,12}}):(?P<marks>([0-9a-f]{{{_MARK}}}|{_NONE})+)"
)


def compute_digest(minutes: Sequence[datetime], columns: Mapping[str, Sequence[float | None]]) -> str:
    """For ascending minutes, and columns of numbers by name, each as long as ``minutes``."""
    if not minutes:
        return COMPLETE
    marks: dict[int, str] = {}
    for place, minute in enumerate(minutes):
        told = [
            (name, number)
            for name, numbers in columns.items()
            if (number := numbers[place]) is not None
        ]
        marks[_number(minute)] = hashlib.sha256(json.dumps(told).encode()).hexdigest()[:_MARK]
    first, last = min(marks), max(marks)
    return f"{COMPLETE} {first}:" + "".join(
        marks.get(number, _NONE) for number in range(first, last + 1)
    )


def said(known: str | None, now: str) -> bool:
    """Whether all that ``now`` stands for stood in ``known`` already. Anything but a digest of minutes, such as a fault, stands for itself alone."""
    if known is None or known == now:
        return known is not None
    before, after = _marks(known), _marks(now)
    return before is not None and after is not None and after.items() <= before.items()


def _number(minute: datetime) -> int:
    return int(minute.timestamp()) // 60


def _marks(text: str) -> dict[int, str] | None:
    if text == COMPLETE:
        return {}
    if not (found := _FORM.fullmatch(text)):
        return None
    marks = [
        found["marks"][place : place + _MARK] for place in range(0, len(found["marks"]), _MARK)
    ]
    return {int(found["first"]) + place: mark for place, mark in enumerate(marks) if mark != _NONE}

"""A digest of metrics: small, and comparable with a later one to detect new data.

A digest holds a short hash for each minute, so digests of different periods are comparable.
Minutes that dropped out at the beginning are not new data; late data is.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from activities.cloudwatch.metric_data import COMPLETE

_HASH_DIGITS: Final = 6
"""Hexadecimal digits for each minute: one change in 17 million is missed."""

_NO_DATA: Final = "-" * _HASH_DIGITS
_PATTERN: Final = re.compile(
    rf"{COMPLETE} (?P<first>[0-9]{{1,12}}):(?P<hashes>([0-9a-f]{{{_HASH_DIGITS}}}|{_NO_DATA})+)"
)


def compute_digest(
    minutes: Sequence[datetime], columns: Mapping[str, Sequence[float | None]]
) -> str:
    """The digest of columns by name, each as long as the ascending ``minutes``."""
    if not minutes:
        return COMPLETE
    hashes: dict[int, str] = {}
    for index, minute in enumerate(minutes):
        row = [
            (name, number)
            for name, numbers in columns.items()
            if (number := numbers[index]) is not None
        ]
        digest = hashlib.sha256(json.dumps(row).encode()).hexdigest()
        hashes[_number_minute(minute)] = digest[:_HASH_DIGITS]
    first, last = min(hashes), max(hashes)
    return f"{COMPLETE} {first}:" + "".join(
        hashes.get(number, _NO_DATA) for number in range(first, last + 1)
    )


def has_new_data(*, known: str | None, current: str) -> bool:
    """Whether ``current`` stands for anything that ``known`` does not contain.

    Any text but a digest of minutes, such as a fault, stands for itself alone.
    """
    if known is None or known == current:
        return known is None
    before, after = _parse_hashes(known), _parse_hashes(current)
    return before is None or after is None or not after.items() <= before.items()


def _number_minute(minute: datetime) -> int:
    return int(minute.timestamp()) // 60


def _parse_hashes(digest: str) -> dict[int, str] | None:
    """The hash of each minute by its number; None for any other text."""
    if digest == COMPLETE:
        return {}
    if not (match := _PATTERN.fullmatch(digest)):
        return None
    text, first = match["hashes"], int(match["first"])
    hashes = [text[at : at + _HASH_DIGITS] for at in range(0, len(text), _HASH_DIGITS)]
    return {first + index: each for index, each in enumerate(hashes) if each != _NO_DATA}

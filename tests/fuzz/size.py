"""How much is fuzzed: a few hundred inputs for every change, thousands with ``make fuzz``; the same ones again for the same seed."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from typing import TypeVar

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy

_T = TypeVar("_T")

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "480"))
"""Inputs in all, divided among the doors they come in by."""

ANSWERS = int(os.environ.get("FUZZ_ANSWERS", str(EXAMPLES // 4)))
"""AWS's answers that are mutated; half as many again meet a whole release."""

SEED = int(os.environ.get("FUZZ_SEED", "1"))
AT_ONCE = 24


_TRIVIAL = 8
"""The first examples of any strategy are its simplest, and left out."""


def share(percent: int, of: int = EXAMPLES) -> int:
    """A part of the examples, at least a handful."""
    return max(8, of * percent // 100)


def drawn(strategy: SearchStrategy[_T], count: int) -> list[_T]:
    """So many examples, the same for the same seed. Drawn beforehand, so that they can be sent side by side."""
    found: list[_T] = []

    @hypothesis.seed(SEED)
    @settings(max_examples=count + _TRIVIAL, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(strategy)
    def draw(example: _T) -> None:
        found.append(example)

    draw()
    return found[-count:]


def batches(items: Sequence[_T], size: int = AT_ONCE) -> Iterator[tuple[_T, ...]]:
    """So many at a time."""
    rest = iter(items)
    while batch := tuple(itertools.islice(rest, size)):
        yield batch

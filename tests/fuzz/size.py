"""How much is fuzzed, from which seed; each case can be repeated alone.

A few hundred inputs for every change, thousands with ``make fuzz``. A case is known by its kind and
its number, ``Release#137``. It depends on the seed only: not on how many are sent, nor on what came
before it.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants
from hypothesis.strategies import SearchStrategy

_T = TypeVar("_T")

INPUTS = int(os.environ.get("FUZZ_INPUTS") or "220")
"""The number of inputs, divided among the kinds of calls."""

ANSWERS = int(os.environ.get("FUZZ_ANSWERS") or "120")
"""The number of spoilt responses.

Most go to one operation, the rest to whole releases.
"""

SEED = int(os.environ.get("FUZZ_SEED") or "1")
ONLY = os.environ.get("FUZZ_ONLY", "")
"""Run this case only, such as ``Release#137``."""

_CHUNK = 60
_TRIVIAL = 8
"""The first examples of a strategy are its simplest, and are skipped."""


@dataclass(frozen=True)
class Case(Generic[_T]):
    """One case to run."""

    entry: str
    number: int
    value: _T

    @property
    def again(self) -> str:
        """The command that repeats this case only."""
        return f"make fuzz SEED={SEED} ONLY='{self.entry}#{self.number}'"

    def __str__(self) -> str:
        return f"{self.entry}#{self.number}: {str(self.value)[:600]}\n    again: {self.again}"


def count_share(percent: float, of: int = INPUTS) -> int:
    """A part of the examples, but not less than a few."""
    return max(8, round(of * percent / 100))


def draw_cases(strategy: SearchStrategy[_T], count: int, *, entry: str) -> list[Case[_T]]:
    """So many different examples, the same for the same seed.

    They are drawn beforehand, so that they can be sent concurrently.
    """
    if ONLY:
        wanted, _, number = ONLY.partition("#")
        if wanted != entry:
            return []
        chunk, index = divmod(int(number), _CHUNK)
        return [Case(entry, int(number), _chunk(strategy, entry, chunk)[index])]
    found: dict[str, Case[_T]] = {}
    for case in _cases(strategy, entry, at_most=count // _CHUNK * 4 + 8):
        found.setdefault(repr(case.value), case)
        if len(found) == count:
            break
    return list(found.values())


def draw_chunk(strategy: SearchStrategy[_T], entry: str) -> list[Case[_T]]:
    """One chunk of examples, independent of how many are requested."""
    return [Case(entry, number, value) for number, value in enumerate(_chunk(strategy, entry, 0))]


def _cases(strategy: SearchStrategy[_T], entry: str, *, at_most: int) -> Iterator[Case[_T]]:
    for chunk in range(at_most):
        for index, value in enumerate(_chunk(strategy, entry, chunk)):
            yield Case(entry, chunk * _CHUNK + index, value)


def _chunk(strategy: SearchStrategy[_T], entry: str, chunk: int) -> list[_T]:
    """So many examples, without the constants that Hypothesis collects from loaded modules.

    With them a case would depend on which modules are loaded.
    """
    found: list[_T] = []

    @hypothesis.seed(zlib.crc32(f"{SEED}/{entry}/{chunk}".encode()))
    @settings(
        max_examples=_CHUNK + _TRIVIAL,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def draw(example: _T) -> None:
        found.append(example)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(providers, "_get_local_constants", Constants)
        providers.CONSTANTS_CACHE.cache.clear()
        draw()
    providers.CONSTANTS_CACHE.cache.clear()
    return found[-_CHUNK:]

"""The known word that was probably meant by an unknown one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Final

_SEPARATORS: Final = re.compile(r"[\s_.-]+")
_CUTOFF: Final = 0.7
_SHORTEST_BEGINNING: Final = 4
_MAX_CHARACTERS: Final = 200
"""Longer ones are no words, and would take long to compare."""


def suggest(typed: object, known: Iterable[str]) -> str | None:
    """Return the known word that is most like ``typed``, in any case; None where none is like it.

    So is one that begins with it: ``memory`` is ``MemorySize``.
    """
    if not isinstance(typed, str) or len(typed) > _MAX_CHARACTERS:
        return None
    by_form = {_normalize(word): word for word in known}
    form = _normalize(typed)
    if found := difflib.get_close_matches(form, by_form, n=1, cutoff=_CUTOFF):
        return by_form[found[0]]
    if len(form) < _SHORTEST_BEGINNING:
        return None
    return next((word for other, word in by_form.items() if other.startswith(form)), None)


def ask_whether_meant(typed: object, known: Iterable[str]) -> str:
    """Return ``; did you mean MemorySize?``; empty where no known word is like it."""
    word = suggest(typed, known)
    return f"; did you mean {word}?" if word else ""


def _normalize(word: str) -> str:
    return _SEPARATORS.sub("", word).casefold()

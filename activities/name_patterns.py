"""Patterns of names, as an operator writes them: ``checkout-*,payments``.

``*`` stands for any characters, also for none. Nothing else is special. Upper and lower case
differ, as they do in AWS's names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_SEPARATOR: Final = ","


@dataclass(frozen=True)
class NamePatterns:
    """Some patterns; a name has to match one of them as a whole."""

    patterns: tuple[str, ...]

    @classmethod
    def parse(cls, text: str, *, allowed: str) -> NamePatterns:
        """Parse patterns that are separated by commas; blanks around them do not count.

        ``allowed`` is what a pattern has to be, as a regular expression. ``ValueError`` for another
        one, and for an empty one.
        """
        patterns = tuple(each.strip() for each in text.split(_SEPARATOR))
        for each in patterns:
            if not each:
                raise ValueError("a pattern is empty")
            if not re.fullmatch(allowed, each, re.ASCII):
                raise ValueError(f"{each[:100]!r} is not a pattern")
        return cls(patterns)

    def match(self, name: str) -> bool:
        """Whether a name matches one of the patterns."""
        return any(_to_expression(each).fullmatch(name) for each in self.patterns)

    def __str__(self) -> str:
        return _SEPARATOR.join(self.patterns)


def _to_expression(pattern: str) -> re.Pattern[str]:
    # Not fnmatch: to it, "[" and "?" are special as well, and on some systems case is not.
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)

"""Which parameters and secrets the dynamic references of a function may name.

A worker may read many secrets; a release of one function is to get only those of that function.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from activities.function_scope import find_function_name
from activities.name_patterns import NamePatterns

REFERENCES_SETTING: Final = "RELEASES_REFERENCES"

_FUNCTION_FIELD: Final = "{function}"

_PATTERN: Final = r"(?:[\w/+=.@*-]|\{function\})+"

_ARN: Final = re.compile(
    r"arn:[^:]+:(?:ssm:[^:]*:[^:]*:parameter|secretsmanager:[^:]*:[^:]*:secret:)"
)
_PARAMETER_VERSION: Final = re.compile(r":\d+$", re.ASCII)


@dataclass(frozen=True)
class ReferenceScope:
    """The names that references may have: patterns in which ``{function}`` is the function's name.

    A parameter is compared without its version, and one that is named by ARN by its name. A slash
    at the beginning counts neither in a pattern nor in a name: to AWS, ``/a`` and ``a`` have one
    ARN, and names of secrets mostly begin without one.
    """

    allowed: NamePatterns

    @classmethod
    def parse(cls, text: str) -> ReferenceScope:
        """Parse patterns that are separated by commas; ``ValueError`` for malformed ones."""
        return cls(NamePatterns.parse(text, allowed=_PATTERN))

    def holds(self, name: str, *, function: str) -> bool:
        """Whether a reference of ``function`` may have this name."""
        bare = find_function_name(function)
        patterns = tuple(
            each.replace(_FUNCTION_FIELD, bare or "").removeprefix("/")
            for each in self.allowed.patterns
            if bare or _FUNCTION_FIELD not in each
        )
        return NamePatterns(patterns).match(_to_bare_name(name))

    def __str__(self) -> str:
        return str(self.allowed)


OWN_REFERENCES: Final = ReferenceScope.parse("/{function}/*")
"""What a worker resolves by default: what is under the function's own name."""

ALL_REFERENCES: Final = ReferenceScope.parse("*")


def _to_bare_name(name: str) -> str:
    """Return the name of a parameter or secret: without ARN, version, and slash at the start."""
    return _PARAMETER_VERSION.sub("", _ARN.sub("", name, count=1)).removeprefix("/")

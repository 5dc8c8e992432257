"""Which functions a worker touches, whatever the spelling of their names.

A request names its function by name, partial ARN or ARN, each with or without a qualifier. What
could be read in two ways is refused: AWS would choose.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from activities.errors import AwsError
from activities.name_patterns import NamePatterns
from activities.operation import Aws
from activities.shapes import parse_function_name

FUNCTIONS_SETTING: Final = "RELEASES_FUNCTIONS"

FUNCTION_NOT_SERVED: Final = "FunctionNotServed"

_PATTERN: Final = r"[a-zA-Z0-9_*-]+"

_SPELLING: Final = re.compile(
    r"(?:(?:arn:[a-z-]+:lambda:[a-z0-9-]+:)?\d{12}:function:)?(?P<name>[\w.-]+)(?::[\w$.-]+)?",
    re.ASCII,
)

_ABOUT_NO_FUNCTION: Final = frozenset({"get_account_settings", "get_code_signing_config"})

_MAPPING_OPERATIONS: Final = frozenset(
    {"get_event_source_mapping", "update_event_source_mapping", "delete_event_source_mapping"}
)


def find_function_name(function: str) -> str | None:
    """Return the bare name of a function; None where AWS might read the text in another way.

    ``function:a`` is the function ``a``, or the alias ``a`` of a function that is named
    ``function``. The same goes for an account or a region before a name.
    """
    found = _SPELLING.fullmatch(function)
    return found["name"] if found and found["name"] == parse_function_name(function).name else None


@dataclass(frozen=True)
class FunctionScope:
    """The functions that a worker touches, by patterns of their bare names."""

    allowed: NamePatterns

    @classmethod
    def parse(cls, text: str) -> FunctionScope:
        """Parse patterns that are separated by commas; ``ValueError`` for malformed ones."""
        return cls(NamePatterns.parse(text, allowed=_PATTERN))

    async def check(self, aws: Aws, operation: str, parameters: Mapping[str, Any]) -> None:
        """Raise AwsError ``FunctionNotServed`` for a request to Lambda about any other function.

        An event source mapping is named by its UUID alone: its function is read first. A request
        about all functions of the account is refused, too.
        """
        if operation in _ABOUT_NO_FUNCTION:
            return
        named = [
            str(parameters[member])
            for member in ("FunctionName", "Resource")
            if parameters.get(member) is not None
        ]
        for each in named:
            self._refuse_other(operation, each)
        if operation in _MAPPING_OPERATIONS:
            mapping = {"UUID": parameters["UUID"]}
            found = await aws.call("lambda", "get_event_source_mapping", mapping)
            self._refuse_other(operation, str(found.get("FunctionArn", "")))
        elif not named:
            raise self._error(operation, "all functions of the account are not")

    def _refuse_other(self, operation: str, function: str) -> None:
        name = find_function_name(function)
        if name is None or not self.allowed.match(name):
            raise self._error(operation, f"{name or function[:200] or 'its function'} is not")

    def _error(self, operation: str, problem: str) -> AwsError:
        return AwsError(
            operation,
            FUNCTION_NOT_SERVED,
            f"{problem} among the functions that this worker touches"
            f" ({FUNCTIONS_SETTING}={self.allowed}); nothing was sent",
        )

"""Refuses functions of another region than the connection's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from activities.errors import AwsError

_REGION_OF_FUNCTION: Final = re.compile(
    r"arn:[\w-]+:lambda:([\w-]+):|([a-z]{2,}(?:-[a-z]+)+-\d):(?:\d{12}|function):"
)
_NAMING_MEMBERS: Final = ("FunctionName", "Resource")


def refuse_other_region(operation: str, parameters: Mapping[str, Any], *, region: str) -> None:
    """Raise ``WrongRegion`` for a request about a function that is not in ``region``."""
    for member in _NAMING_MEMBERS:
        match = _REGION_OF_FUNCTION.match(str(parameters.get(member)))
        if match and (named := match[1] or match[2]) != region:
            raise AwsError(
                operation,
                "WrongRegion",
                f"{member} is in {named}, this worker serves {region}; nothing was sent",
            )

"""The published versions of a function, searched for what ``$LATEST`` held.

AWS's responses hold environment values: they are compared here, and leave no activity.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from activities.operation import Aws
from activities.pagination import iterate_pages
from activities.readback import read_or_none


async def read_version(aws: Aws, function: str, version: str) -> Mapping[str, Any] | None:
    """Return AWS's response to GetFunction for a version; None where it does not exist."""
    parameters = {"FunctionName": function, "Qualifier": version}
    return await read_or_none(aws.call("lambda", "get_function", parameters))


async def find_version(
    aws: Aws, function: str, is_match: Callable[[Mapping[str, Any]], bool]
) -> str | None:
    """Return the newest published version whose configuration is a match, if any."""
    newest: str | None = None
    parameters = {"FunctionName": function}
    async for page in iterate_pages(aws, "list_versions_by_function", parameters):
        for configuration in page.get("Versions", []):
            number = configuration.get("Version", "")
            if number.isdecimal() and is_match(configuration):
                newest = max(newest or number, number, key=int)
    return newest


async def find_environment_version(
    aws: Aws, function: str, variables: Mapping[str, str]
) -> str | None:
    """Return the newest published version with exactly these environment variables, if any."""

    def has_variables(configuration: Mapping[str, Any]) -> bool:
        environment = configuration.get("Environment", {})
        return "Error" not in environment and environment.get("Variables", {}) == dict(variables)

    return await find_version(aws, function, has_variables)

"""The published versions of a function, searched for what ``$LATEST`` held.

AWS's responses hold environment values: they are compared here, and leave no activity.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from activities.function_content import PackageIdentity, get_package_identity
from activities.operation import Aws
from activities.pagination import iterate_pages
from activities.readback import read_or_none


class PublishedVersions:
    """The versions of one function; each is read once, and they are listed once."""

    def __init__(self, aws: Aws, function: str) -> None:
        """Read the versions of ``function``."""
        self._aws = aws
        self._function = function
        self._read: dict[str, Mapping[str, Any] | None] = {}
        self._listed: list[Mapping[str, Any]] | None = None

    async def read(self, version: str) -> Mapping[str, Any] | None:
        """Return AWS's response to GetFunction for a version; None where it does not exist."""
        if version not in self._read:
            parameters = {"FunctionName": self._function, "Qualifier": version}
            response = self._aws.call("lambda", "get_function", parameters)
            self._read[version] = await read_or_none(response)
        return self._read[version]

    async def find(self, is_match: Callable[[Mapping[str, Any]], bool]) -> str | None:
        """Return the newest version whose configuration is a match; None where there is none."""
        numbers = (str(each["Version"]) for each in await self._list() if is_match(each))
        return max(numbers, key=int, default=None)

    async def _list(self) -> list[Mapping[str, Any]]:
        """Return the configurations of all versions that have a number."""
        if self._listed is None:
            parameters = {"FunctionName": self._function}
            self._listed = [
                configuration
                async for page in iterate_pages(self._aws, "list_versions_by_function", parameters)
                for configuration in page.get("Versions", [])
                if configuration.get("Version", "").isdecimal()
            ]
        return self._listed

    async def find_environment(self, variables: Mapping[str, str]) -> str | None:
        """Return the newest version with exactly these environment variables, if any."""

        def has_variables(configuration: Mapping[str, Any]) -> bool:
            environment = configuration.get("Environment", {})
            return "Error" not in environment and environment.get("Variables", {}) == variables

        return await self.find(has_variables)

    async def find_package(self, identity: PackageIdentity) -> str | None:
        """Return the newest version with this package, if any."""
        return await self.find(
            lambda each: get_package_identity({"Configuration": each}) == identity
        )

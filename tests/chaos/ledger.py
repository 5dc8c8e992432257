"""The ledger: every request to AWS with its result, in the order in which Lambda carried it out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

Who = Literal["release", "foreign"]


@dataclass(frozen=True)
class Entry:
    """One delivery of one request. Times are seconds since the epoch.

    ``committed`` is when Lambda carried it out; None where it refused or never received it.
    ``answered`` is whether the response was delivered. ``result`` has the parts of AWS's response
    that matter.
    """

    operation: str
    function: str
    arrived: float
    by: Who = "release"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    committed: float | None = None
    status: int | None = None
    fault: str = ""
    answered: bool = False
    result: Mapping[str, Any] = field(default_factory=dict)

    @property
    def alias(self) -> str:
        """The alias that it changes or reads; empty where it is about the function."""
        return str(self.parameters.get("alias", ""))

    @property
    def routing(self) -> Routing | None:
        """The routing after this entry, if it changed the alias."""
        if self.operation not in {"update_alias", "create_alias"} or self.committed is None:
            return None
        return Routing(
            str(self.result["version"]), tuple(sorted(dict(self.result["weights"]).items()))
        )


@dataclass(frozen=True)
class Routing:
    """The versions and weights of an alias."""

    version: str
    weights: tuple[tuple[str, float], ...] = ()

    @classmethod
    def of(cls, alias: Mapping[str, Any]) -> Routing:
        """Read a routing from AWS's alias configuration."""
        weights = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
        return cls(
            alias["FunctionVersion"],
            tuple(sorted((version, weight) for version, weight in weights.items() if weight)),
        )

    def __str__(self) -> str:
        return self.version + "".join(
            f"+{100 * weight:g}% {version}" for version, weight in self.weights
        )


class Ledger:
    """Entries in the order in which they took effect."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.entries = list(entries)

    def add(self, entry: Entry) -> int:
        """Append an entry; return its number."""
        self.entries.append(entry)
        return len(self.entries) - 1

    def amend(self, number: int, **changes: Any) -> None:
        """Record that the response arrived."""
        self.entries[number] = replace(self.entries[number], **changes)

    def of(self, function: str) -> list[Entry]:
        """All entries of one function."""
        return [entry for entry in self.entries if entry.function == function]

    def save(self, path: Path) -> None:
        """One line of JSON for each entry."""
        path.write_text("".join(json.dumps(asdict(entry)) + "\n" for entry in self.entries))

"""The routing of an alias: one version, or two that share the traffic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

_ALL: Final = 100


class Routing(BaseModel):
    """The versions that an alias routes to, in AWS's terms.

    A version, and at most one other version with a weight from 0 to 1.
    """

    model_config = ConfigDict(frozen=True)

    version: str
    weights: Mapping[str, float] = Field(default_factory=dict[str, float])

    @classmethod
    def split(cls, *, stable: str | None, candidate: str, percent: int) -> Routing:
        """``percent`` of the traffic to the candidate, the rest to stable.

        100 is a promotion: no weight is left.
        """
        if percent == _ALL or stable is None or stable == candidate:
            return cls(version=candidate)
        return cls(version=stable, weights={candidate: percent / 100} if percent else {})

    def percent(self, version: str | None) -> int:
        """The share of the traffic that a version gets, in whole percent."""
        if version is None:
            return 0
        if version == self.version:
            return round(100 * (1 - sum(self.weights.values())))
        return round(100 * self.weights.get(version, 0))

    def is_limited_to(self, *versions: str | None) -> bool:
        """Whether all traffic goes to these versions."""
        return {self.version, *self.weights} <= set(versions)

    def __str__(self) -> str:
        others = "".join(
            f", {100 * weight:.4g}% to version {version}"
            for version, weight in self.weights.items()
        )
        return f"version {self.version}{others}"

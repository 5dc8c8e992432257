"""How an alias divides its traffic: all of it to one version, or a share of it to one other version."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field


class Routing(BaseModel):
    """Where an alias sends its callers, in AWS's own terms: a version, and at most one other version with a weight of 0 to 1."""

    model_config = ConfigDict(frozen=True)

    version: str
    weights: Mapping[str, float] = Field(default_factory=dict[str, float])

    @classmethod
    def split(cls, *, stable: str | None, candidate: str, percent: int) -> Routing:
        """``percent`` of the traffic to the candidate, the rest to stable. 100 is a promotion: no weight is left."""
        if percent == 100 or stable is None or stable == candidate:  # noqa: PLR2004 - all of it
            return cls(version=candidate)
        return cls(version=stable, weights={candidate: percent / 100} if percent else {})

    def percent(self, version: str | None) -> int:
        """Which share of the traffic a version gets, in whole percent."""
        if version is None:
            return 0
        if version == self.version:
            return round(100 * (1 - sum(self.weights.values())))
        return round(100 * self.weights.get(version, 0))

    def is_limited_to(self, *versions: str | None) -> bool:
        """Whether no traffic goes anywhere but to these versions."""
        return {self.version, *self.weights} <= set(versions)

    def __str__(self) -> str:
        others = ", ".join(
            f"{weight:.4g} of the traffic to version {version}"
            for version, weight in self.weights.items()
        )
        return f"version {self.version}" + (f" with {others}" if others else "")

"""What would have to be put back if a release failed now: written down before the first deed, and before each that it adds."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from workflows.domain.routing import Routing
from workflows.domain.target import Target

Part = Literal["code", "configuration"]


class Journal(BaseModel):
    """The state of things before a release, of the things that this release may change.

    ``before`` is None where the alias did not exist. ``provisioned`` holds, for each version whose provisioned concurrency this release
    may change, how much it had (None: none). ``latest`` are the parts of ``$LATEST`` that it may overwrite;
    ``description`` is what the function was described as, if that changes too. ``revision`` is ``$LATEST``'s from before, ``uploaded`` the
    code (base64 of its SHA-256) that the release put there, as soon as AWS has said so.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    target: Target
    before: Routing | None = None
    candidate: str | None = None
    shifting: bool = False
    reserving: bool = False
    reserved: int | None = None
    provisioned: dict[str, int | None] = Field(default_factory=dict[str, int | None])
    latest: tuple[Part, ...] = ()
    description: str | None = None
    revision: str | None = None
    uploaded: str | None = None

    @property
    def stable(self) -> str | None:
        """The version that was live before."""
        return self.before.version if self.before else None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to put back."""
        return not (self.shifting or self.reserving or self.provisioned or self.latest)

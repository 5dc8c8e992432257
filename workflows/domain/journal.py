"""The journal of a release: what a rollback would have to put back now.

It is recorded before the first change, and extended before each further one.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from workflows.domain.latest_content import LatestContent
from workflows.domain.routing import Routing
from workflows.domain.target import Target

LatestPart = Literal["code", "configuration"]
"""A part of ``$LATEST`` that a release may overwrite."""


class Journal(BaseModel):
    """The state before a release, of all that this release may change.

    - ``before``: the routing of the alias; None where the alias did not exist.
    - ``candidate``: the version that the release published, once there is one.
    - ``shifting``: the release may have changed the routing of the alias.
    - ``reserving``: the release may have changed the reserved concurrency, which was ``reserved``.
      ``reserved_written`` is what the release set.
    - ``provisioned``: for each version whose provisioned concurrency the release may change, what
      it was (None: none). ``provisioned_written`` is what the release set.
    - ``latest``: the parts of ``$LATEST`` that the release may overwrite. ``description`` is the
      function's description before, if that changes too.
    - ``revision``: the RevisionId of ``$LATEST`` before.
    - ``uploaded``: base64 of the SHA-256 of the code that the release uploaded, as soon as AWS has
      returned it.
    - ``found``: the content of ``$LATEST`` before. None in a journal of an earlier version of this
      program, whose undo copies the stable version.
    - ``source``: the members of UpdateFunctionCode that name what the release uploads.
    - ``written``: each setting that the release writes, as UpdateFunctionConfiguration takes it. Of
      the environment the names of its variables alone.
    - ``settled``: the RevisionId of ``$LATEST`` once the release's last change of it has settled.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    target: Target
    before: Routing | None = None
    candidate: str | None = None
    shifting: bool = False
    reserving: bool = False
    reserved: int | None = None
    reserved_written: int | None = None
    provisioned: dict[str, int | None] = Field(default_factory=dict[str, int | None])
    provisioned_written: dict[str, int | None] = Field(default_factory=dict[str, int | None])
    latest: tuple[LatestPart, ...] = ()
    description: str | None = None
    revision: str | None = None
    uploaded: str | None = None
    found: LatestContent | None = None
    source: dict[str, str] = Field(default_factory=dict[str, str])
    written: dict[str, JsonValue] = Field(default_factory=dict[str, JsonValue])
    settled: str | None = None

    @property
    def function(self) -> str:
        """The function, as AWS is called about it: by its ARN.

        By its name in a journal of an earlier version of this program.
        """
        return self.target.function

    @property
    def stable(self) -> str | None:
        """The version that was live before."""
        return self.before.version if self.before else None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to put back."""
        return not (self.shifting or self.reserving or self.provisioned or self.latest)

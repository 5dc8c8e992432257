"""The description of the versions that releases publish: AWS keeps it as long as the version.

It tells a version of ours apart after a lost answer, tells a rollback what was live before, and is
what is left where Temporal has lost the release.
"""

from __future__ import annotations

import re
from typing import Final

from pydantic import BaseModel, ConfigDict

VERSION_DESCRIPTION: Final = "{revision}lambda-releases {run}, live before: {stable}"

_OURS: Final = re.compile(r"(?:revision (.+), )?lambda-releases (\S+), live before: (?:(\d+)|none)")


class VersionOrigin(BaseModel):
    """Which run of a ``Rollout`` published a version, of what, and which version was live then.

    ``before`` is None for a first release, ``revision`` where the request named none.
    """

    model_config = ConfigDict(frozen=True)

    run: str
    revision: str | None = None
    before: str | None = None


def parse_description(description: str | None) -> VersionOrigin | None:
    """Read the description of a version; None for one that no release of ours has published."""
    found = _OURS.fullmatch(description or "")
    return VersionOrigin(run=found[2], revision=found[1], before=found[3]) if found else None

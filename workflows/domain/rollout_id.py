"""The workflow id of a ``Rollout``, as it is now and as it was before.

Temporal's HTTP API cannot reach an id with a slash. Releases that began before that was known run
under one to their end, and their runs stay in the history of the alias.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_ROLLOUT_ID: Final = re.compile(
    r"lambda([:/])(\d{12})\1([a-z0-9-]+)\1([a-zA-Z0-9-_]+):([a-zA-Z0-9-_]+)", re.ASCII
)


class RolloutId(NamedTuple):
    """The parts of a rollout id; ``str`` writes it: ``lambda:123456789012:eu-west-1:f:live``."""

    account: str
    region: str
    function: str
    alias: str

    @classmethod
    def parse(cls, text: str) -> RolloutId | None:
        """Parse an id in either spelling; None for the id of any other workflow."""
        found = _ROLLOUT_ID.fullmatch(text)
        return cls(*found.groups()[1:]) if found else None

    @property
    def slashed(self) -> str:
        """The id as it was before."""
        return f"lambda/{self.account}/{self.region}/{self.function}:{self.alias}"

    @property
    def spellings(self) -> tuple[str, str]:
        """The ids under which the releases of the alias ran: as it is now, and as it was."""
        return str(self), self.slashed

    def __str__(self) -> str:
        return f"lambda:{self.account}:{self.region}:{self.function}:{self.alias}"


def spell_rollout_id(text: str) -> tuple[str, ...]:
    """Return a rollout id in both spellings; the id of another workflow as it is."""
    found = RolloutId.parse(text)
    return found.spellings if found else (text,)

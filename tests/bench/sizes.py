"""How much of everything is measured: in full, or just enough to see that it still runs."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Final, Self


@dataclass(frozen=True)
class Sizes:
    """The numbers of a run."""

    counts: tuple[int, ...]
    """How many releases are begun at once."""
    repetitions: int
    aborts: int
    backlog: int
    watched: float
    """Seconds that a bake of a day is watched."""

    def but(self, *, counts: list[int] | None, repetitions: int | None) -> Self:
        """The same, where not asked otherwise."""
        asked: dict[str, Any] = {
            "counts": tuple(counts) if counts else None,
            "repetitions": repetitions,
        }
        return dataclasses.replace(
            self, **{name: value for name, value in asked.items() if value is not None}
        )


FULL: Final = Sizes(counts=(1, 10, 100, 400), repetitions=3, aborts=60, backlog=500, watched=25.0)
SMOKE: Final = Sizes(counts=(2,), repetitions=1, aborts=2, backlog=20, watched=2.0)

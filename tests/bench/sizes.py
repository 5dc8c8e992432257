"""How much is measured: in full, or just enough to check that it still runs."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Final, Self


@dataclass(frozen=True)
class Sizes:
    """The sizes of a run."""

    counts: tuple[int, ...]
    """How many releases are started at the same time."""
    repetitions: int
    aborts: int
    backlog: int
    watched: float
    """Seconds for which a bake of a day is observed."""

    def override(self, *, counts: list[int] | None, repetitions: int | None) -> Self:
        """Replace the sizes that are not None."""
        given: dict[str, Any] = {
            "counts": tuple(counts) if counts else None,
            "repetitions": repetitions,
        }
        return dataclasses.replace(
            self, **{name: value for name, value in given.items() if value is not None}
        )


FULL: Final = Sizes(counts=(1, 10, 100, 400), repetitions=3, aborts=60, backlog=500, watched=25.0)
SMOKE: Final = Sizes(counts=(2,), repetitions=1, aborts=2, backlog=20, watched=2.0)

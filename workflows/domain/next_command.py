"""What to type next, where a release waits for a person."""

from __future__ import annotations

from dataclasses import dataclass

from workflows.domain.status import PAUSED, Phase, ReleaseStatus


@dataclass(frozen=True)
class NextCommand:
    """A command, and what it is for."""

    purpose: str
    command: str


def list_next_commands(status: ReleaseStatus) -> tuple[NextCommand, ...]:
    """List the commands that a release waits for; none where it waits for nobody."""
    target, waits = status.target, status.phase is Phase.AWAITING_APPROVAL
    if status.listed_phase == PAUSED:
        first = NextCommand("to go on", f"releases resume {target}")
    elif waits and "releases approve" not in status.note:  # a lost hook's question has it
        first = NextCommand("to approve", f"releases approve {target}")
    else:
        return ()
    return (first, NextCommand("to put the alias back", f"releases abort {target}"))

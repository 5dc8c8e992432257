"""The history of an alias: which version was live before, and which were rolled back from.

The alias is the authority for what is live now. History only says what was live before that, and
what a person or a guard had against a version.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict

from workflows.domain.routing import Routing

MAX_ROLLED_BACK: Final = 10
"""Versions that an :class:`AliasHistory` names: those rolled back from last."""

_REASON_LENGTH: Final = 200


class RunKind(StrEnum):
    """Which workflow started a rollout."""

    RELEASE = "Release"
    ROLLBACK = "Rollback"


class PastRun(BaseModel):
    """A run of a rollout that made its candidate live, or that objections stopped.

    ``before`` is the alias' routing before it; None where it created the alias. ``workflow_id`` is
    that of the ``Release`` or ``Rollback``.
    """

    model_config = ConfigDict(frozen=True)

    kind: RunKind
    workflow_id: str
    by: str = ""
    reason: str = ""
    at: datetime
    before: Routing | None = None
    candidate: str
    made_live: bool


class RolledBackVersion(BaseModel):
    """A version that was rolled back from: by which workflow, by whom, when, and why."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: str
    kind: RunKind = RunKind.ROLLBACK
    workflow_id: str
    by: str = ""
    at: datetime
    reason: str = ""

    def __str__(self) -> str:
        by = f" by {self.by}" if self.by else ""
        reason = f": {self.reason[:_REASON_LENGTH]}" if self.reason else ""
        return (
            f"version {self.version} was rolled back from{by} on {self.at:%Y-%m-%d at %H:%M} UTC "
            f"({self.kind} {self.workflow_id}{reason})"
        )


class AliasHistory(BaseModel):
    """What the past runs say about an alias.

    ``previous`` is the version that was live before the current one, and was not rolled back from;
    None where the runs do not tell. ``rolled_back`` are the versions that were rolled back from and
    did not go live since, the latest first.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    previous: str | None = None
    rolled_back: tuple[RolledBackVersion, ...] = ()

    def find_rolled_back(self, version: str | None) -> RolledBackVersion | None:
        """Return how a version was rolled back from; None if it was not."""
        return next((each for each in self.rolled_back if each.version == version), None)


def describe_way_back(version: str, live: str | None, *, is_named: bool) -> str:
    """``version 7 (live before 8)``: where a rollback goes, and from where."""
    if live is None:
        return f"version {version}"
    if version == live:
        return f"version {version} (live, but for a share of the traffic)"
    return f"version {version} ({f'{live} is live' if is_named else f'live before {live}'})"


def read_history(runs: Iterable[PastRun], *, live: str) -> AliasHistory:
    """Read the runs of an alias, the oldest first; ``live`` is the version that is live now.

    A release puts its candidate on top of what was live. A rollback goes back down, and the version
    that it leaves is rolled back from; so is one that had a share of the traffic. A rollback *to*
    such a version revokes that.
    """
    walk = _Walk()
    for run in runs:
        walk.take(run)
    walk.move_to(live)
    return AliasHistory(
        previous=walk.find_previous(),
        rolled_back=tuple(reversed(walk.rolled_back.values()))[:MAX_ROLLED_BACK],
    )


class _Walk:
    """The versions that were live one after the other, without those that were gone back over."""

    def __init__(self) -> None:
        self.rolled_back: dict[str, RolledBackVersion] = {}
        self._live: list[str | None] = []
        """None stands for changes that no run knows of."""

    def take(self, run: PastRun) -> None:
        if run.before is not None:
            self.move_to(run.before.version)
        if not run.made_live:
            self._roll_back(run.candidate, run)
            return
        is_revoked = self.rolled_back.pop(run.candidate, None) is not None
        if run.kind is RunKind.RELEASE or run.before is None:
            self._live.append(run.candidate)
            return
        left = run.before.version
        goes_back = not is_revoked and (
            run.candidate in self._live[:-1] or is_older_version(run.candidate, left)
        )
        self._go_back(run.candidate)
        for version in (*run.before.weights, *([left] if goes_back else [])):
            if version != run.candidate:
                self._roll_back(version, run)

    def move_to(self, version: str) -> None:
        """Another writer may have moved the alias since the last run."""
        if not self._live:
            self._live = [version]
        elif version in self._live:
            self._cut(version)
        else:
            self._live += [None, version]

    def find_previous(self) -> str | None:
        """Return the version below the live one that was not rolled back from."""
        live = self._live[-1]
        for version in reversed(self._live[:-1]):
            if version is None:
                return None
            if version != live and version not in self.rolled_back:
                return version
        return None

    def _go_back(self, version: str) -> None:
        if version in self._live[:-1] and self._live[-1] != version:
            self._live.pop()
            self._cut(version)
        elif self._live[-1:] != [version]:
            self._live.append(version)

    def _cut(self, version: str) -> None:
        """Drop everything above the last place of a version that was live."""
        while self._live[-1] != version:
            self._live.pop()

    def _roll_back(self, version: str, run: PastRun) -> None:
        self.rolled_back.pop(version, None)
        self.rolled_back[version] = RolledBackVersion(
            version=version,
            kind=run.kind,
            workflow_id=run.workflow_id,
            by=run.by,
            at=run.at,
            reason=run.reason[:_REASON_LENGTH],
        )


def is_older_version(version: str, other: str) -> bool:
    """Whether AWS published a version before another: it numbers them in that order."""
    return version.isdecimal() and other.isdecimal() and int(version) < int(other)

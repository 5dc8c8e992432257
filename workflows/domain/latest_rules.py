"""What may be published with ``$LATEST``: what was requested, and what is live already.

A version is made from the whole of ``$LATEST``. Pure: facts and refusals are values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

_MAX_NAMES: Final = 20
_VARIABLE: Final = "Environment.Variables."


class LatestDifference(NamedTuple):
    """A setting in which ``$LATEST`` differs from the live version.

    ``name`` is a member of AWS's, or ``Environment.Variables.NAME``. Values are there where they
    are short and no secrets.
    """

    name: str
    live: str | None = None
    latest: str | None = None

    @property
    def setting(self) -> str:
        """The member of UpdateFunctionConfiguration that sets it."""
        return self.name.partition(".")[0]

    def __str__(self) -> str:
        if self.live is None and self.latest is None:
            name = self.name.removeprefix(_VARIABLE)
            return name if name == self.name else f"the variable {name}"
        return f"{self.name} ({self.live or 'none'} live, {self.latest or 'none'} in $LATEST)"


@dataclass(frozen=True)
class LatestIntent:
    """What a release does with ``$LATEST``.

    ``replaces_code``: it uploads code. ``ships_latest``: what ``$LATEST`` holds is the artifact.
    ``settings`` are the members of UpdateFunctionConfiguration that it writes. ``includes_latest``:
    a person accepts what differs.
    """

    replaces_code: bool
    ships_latest: bool
    settings: frozenset[str] = frozenset()
    includes_latest: bool = False


@dataclass(frozen=True)
class LatestFacts:
    """``$LATEST`` beside the live version ``live``; None: there is none.

    ``code`` and ``live_code`` are hashes with architectures. ``is_code_unpublished``: no version
    has this code; ``is_environment_unpublished``: nor its environment. ``unreadable``: why AWS does
    not show an environment. ``failure``: why the last update failed. ``user`` is another rollout
    that uses ``$LATEST``.
    """

    live: str | None
    code: str
    live_code: str | None = None
    differences: tuple[LatestDifference, ...] = ()
    is_code_unpublished: bool = False
    is_environment_unpublished: bool = False
    unreadable: str | None = None
    failure: str | None = None
    user: str | None = None


def find_latest_refusals(intent: LatestIntent, facts: LatestFacts) -> Iterator[str]:
    """Find every reason why ``$LATEST`` must not be published."""
    if facts.user is not None:
        yield (
            f"target.function: $LATEST is shared by all aliases, and another release uses it: "
            f"{facts.user}; wait until that has ended"
        )
    if facts.failure is not None and intent.ships_latest:
        yield (
            "artifact: the last update of $LATEST failed, so it is not what it says: "
            f"{facts.failure}"
        )
    if intent.ships_latest or intent.includes_latest or facts.live is None:
        return
    if not intent.replaces_code and facts.code != facts.live_code:
        yield (
            f"configuration: $LATEST holds other code ({facts.code}) than the live version "
            f"({facts.live_code}), which a release of configuration alone would ship: name the "
            'artifact, {"kind": "latest"} if that code is meant'
        )
    if unrequested := find_unrequested(intent, facts.differences):
        yield (
            f"include_latest: $LATEST differs from version {facts.live}, which is live, in "
            f"{describe_differences(unrequested)}; nobody requested that, and it would be shipped: "
            "name it in configuration, set it back in $LATEST, or set include_latest: true"
        )


def find_latest_notes(intent: LatestIntent, facts: LatestFacts) -> Iterator[str]:
    """Find what a person should know, and what does not stop the release."""
    if facts.live is None:
        return
    unrequested = find_unrequested(intent, facts.differences)
    if intent.replaces_code and facts.is_code_unpublished:
        yield (
            f"the code in $LATEST ({facts.code}) was never published as a version, and is replaced"
        )
    if "Environment" in intent.settings and facts.is_environment_unpublished:
        yield (
            "the environment in $LATEST is in no published version, and is replaced: a rollback "
            f"puts that of version {facts.live} there"
        )
    accepted = intent.ships_latest or intent.includes_latest
    if accepted and not intent.replaces_code and facts.code != facts.live_code:
        yield (
            f"ships the code in $LATEST ({facts.code}); version {facts.live} has {facts.live_code}"
        )
    if accepted and unrequested:
        yield (
            "ships what differs in $LATEST and was not requested: "
            f"{describe_differences(unrequested)}"
        )
    if facts.unreadable is not None:
        yield (
            "the environment of $LATEST could not be compared with the live version's: AWS cannot "
            f"show it ({facts.unreadable})"
        )


def find_unrequested(
    intent: LatestIntent, differences: Iterable[LatestDifference]
) -> list[LatestDifference]:
    """Return the differences that the release does not write itself."""
    return [each for each in differences if each.setting not in intent.settings]


def describe_differences(differences: Iterable[LatestDifference]) -> str:
    """Return differences as a list in words."""
    texts = [str(each) for each in differences]
    more = len(texts) - _MAX_NAMES
    return ", ".join([*texts[:_MAX_NAMES], *([f"{more} more"] if more > 0 else [])])

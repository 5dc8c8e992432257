"""The rules of reserved and provisioned concurrency: what AWS would refuse, and what fits.

Pure. Numbers are concurrent executions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from workflows.domain.preflight_facts import PreflightFacts, ReleaseIntent

UNRESERVED_MINIMUM: Final = 100
"""Concurrent executions that AWS keeps unreserved in an account.

An account whose limit is lower keeps all of it.
https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
"""


def find_concurrency_refusals(intent: ReleaseIntent, facts: PreflightFacts) -> Iterator[str]:
    """Find why AWS would refuse the requested concurrency."""
    yield from _check_reserved(intent, facts)
    if intent.provisioned:
        yield from _check_provisioned(intent.provisioned, intent, facts)
    obstacle = _find_obstacle(facts)
    if obstacle and _inherits(intent, facts) and not _is_urgent(intent):
        yield (
            f"concurrency.provisioned: the candidate would get the {facts.version_provisioned} of "
            f"the live version, and AWS does not allow that {obstacle}: say 0 to release without"
        )


def find_concurrency_notes(intent: ReleaseIntent, facts: PreflightFacts) -> Iterator[str]:
    """Say what the candidate gets though nobody requested it, and what it cannot get."""
    if intent.provisioned == 0 and facts.alias_provisioned:
        yield f"What is provisioned on {intent.alias} itself stays: it belongs to no version"
    if not _inherits(intent, facts):
        return
    present = facts.version_provisioned
    if obstacle := _find_obstacle(facts):
        yield (
            f"The {present} provisioned on the live version are not moved: AWS does not allow that "
            f"{obstacle}"
        )
        return
    warm = compute_inherited(intent, facts)
    if warm == present:
        yield f"The {present} provisioned on the live version are moved, before any traffic is"
    else:
        yield (
            f"Of the {present} provisioned on the live version the candidate gets {warm} before "
            "any traffic: there is no room for more beside it; it gets all of them at the end"
        )


def compute_inherited(intent: ReleaseIntent, facts: PreflightFacts) -> int | None:
    """Return what the candidate gets before any traffic because the live version has it.

    None where it gets nothing by that, neither before nor afterwards.
    """
    if not _inherits(intent, facts) or _find_obstacle(facts):
        return None
    room = _compute_room(intent, facts)
    present = facts.version_provisioned
    return present if room is None else max(0, min(present, room))


def _inherits(intent: ReleaseIntent, facts: PreflightFacts) -> bool:
    return intent.moves and intent.provisioned is None and facts.version_provisioned > 0


def _is_urgent(intent: ReleaseIntent) -> bool:
    """Whether cold is better than not at all: in a rollback and in a hotfix."""
    return intent.clears_weights or intent.hotfix


def _check_reserved(intent: ReleaseIntent, facts: PreflightFacts) -> Iterator[str]:
    wanted = intent.reserved
    if wanted is None:
        return
    minimum = _compute_minimum(facts)
    provisioned = facts.version_provisioned + facts.others_provisioned + facts.candidate_provisioned
    present = provisioned if facts.reserved is None else facts.reserved
    if facts.unreserved is not None and wanted > present:
        free = facts.unreserved + present
        free = free if facts.limit is None else min(free, facts.limit)
        left, most = free - wanted, max(0, free - minimum)
        if left < minimum:
            yield (
                f"concurrency.reserved: {wanted} would leave {left} unreserved in the "
                f"account; AWS keeps {minimum} (at most {most} can be given){_limit_of(facts)}"
            )
    if wanted < provisioned:
        yield (
            f"concurrency.reserved: {wanted} are less than the {provisioned} that are provisioned "
            "on versions of the function"
        )


def _check_provisioned(wanted: int, intent: ReleaseIntent, facts: PreflightFacts) -> Iterator[str]:
    if obstacle := _find_obstacle(facts):
        yield f"concurrency.provisioned: AWS does not allow it {obstacle}"
        return
    room = _compute_room(intent, facts)
    if room is None or wanted <= room:
        return
    staying = _compute_staying(intent, facts)
    stays = f", with {staying} of the live version that stay until the end," if staying else ""
    reserved = facts.reserved if intent.reserved is None else intent.reserved
    if reserved is not None:
        yield (
            f"concurrency.provisioned: {wanted}{stays} are more than the "
            f"{reserved} reserved for the function"
        )
    else:
        yield (
            f"concurrency.provisioned: {wanted}{stays} are more than the account can give: at most "
            f"{max(0, room)}, since {facts.unreserved} are unreserved and AWS keeps "
            f"{_compute_minimum(facts)}{_limit_of(facts)}"
        )


def _find_obstacle(facts: PreflightFacts) -> str | None:
    if facts.source.snap_start:
        return "together with SnapStart (ApplyOn PublishedVersions)"
    if facts.source.isolates_tenants:
        return "on a function with tenant isolation"
    return None


def _compute_staying(intent: ReleaseIntent, facts: PreflightFacts) -> int:
    """Return what is provisioned on other versions than the candidate while the release runs."""
    return facts.others_provisioned + (facts.version_provisioned if intent.moves else 0)


def _compute_room(intent: ReleaseIntent, facts: PreflightFacts) -> int | None:
    """Return the most that the candidate can have while the release runs; None: unknown.

    AWS does not say whether the account's unreserved concurrency counts what is provisioned without
    a reservation: what follows from its limit is the least that is certain.
    """
    reserved = facts.reserved if intent.reserved is None else intent.reserved
    staying = _compute_staying(intent, facts)
    if reserved is not None:
        return reserved - staying
    if facts.unreserved is None:
        return None
    own = facts.candidate_provisioned if intent.moves else facts.version_provisioned
    most = facts.unreserved + own
    return (most if facts.limit is None else min(most, facts.limit - staying)) - _compute_minimum(
        facts
    )


def _compute_minimum(facts: PreflightFacts) -> int:
    return UNRESERVED_MINIMUM if facts.limit is None else min(UNRESERVED_MINIMUM, facts.limit)


def _limit_of(facts: PreflightFacts) -> str:
    if facts.limit is None or facts.limit > UNRESERVED_MINIMUM:
        return ""
    return f": the account's limit is {facts.limit}, request a higher one from AWS"

"""Putting everything back: the alias first, with the very first call; then concurrency; then ``$LATEST``.

Used by ``Rollout`` for its own release, and by the workflow that started it when a ``Rollout`` was killed. Every call goes before
all others (priority 1) and is tried without end as long as AWS may still change its mind. All of it may be done twice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from temporalio.exceptions import ActivityError

from activities.errors import Fault
from workflows import steps
from workflows.call import FIRST, fault_of, sentence
from workflows.domain.journal import Journal
from workflows.domain.routing import Routing


class NotPutBack(Exception):
    """The alias is not where it was before the release, and we must not, or cannot, put it there."""


async def put_back(journal: Journal, *, revision: str | None, once_back: Callable[[], None]) -> list[str]:
    """Undo what the journal says a release may have done; what could not be undone comes back as sentences.

    ``revision`` is the alias' last known one; None where an answer was lost, or where somebody else's release is mended: then the alias
    is read first, and only put back from a state that this release can have made. Raises :class:`NotPutBack` and stops there.
    ``once_back`` is called as soon as the alias is where it was, before the rest.
    """
    if journal.shifting:
        await _put_back_alias(journal, revision)
    once_back()
    leftovers = [
        *[
            await _attempt(f"provisioned concurrency of version {version}", _provision(journal, version, None))
            for version in _given(journal)
        ],
        *([await _attempt("reserved concurrency", _reserve(journal))] if journal.reserving else []),
        *[
            await _attempt(f"provisioned concurrency of version {version}", _provision(journal, version, count))
            for version, count in journal.provisioned.items()
            if count is not None
        ],
        *([await _latest(journal)] if journal.latest else []),
    ]
    return [leftover for leftover in leftovers if leftover]


async def _put_back_alias(journal: Journal, revision: str | None) -> None:
    target, before = journal.target, journal.before
    try:
        if revision is None or before is None:
            alias = await steps.read_alias(target, priority=FIRST)
            if alias is None:
                if before is None:
                    return
                raise NotPutBack(f"{target} is gone: somebody deleted it")
            found, revision = steps.routing_of(alias), alias.revision_id
            if found == before:
                return
            if not found.between(journal.stable, journal.candidate):
                raise NotPutBack(f"somebody else moved {target}: found {found}; it was left like that")
        if before is None:
            await steps.delete_alias(target, priority=FIRST)
        else:
            await steps.route(target, before, revision=revision, summary=f"Put {target} back on {before}", priority=FIRST)
    except ActivityError as error:
        if fault_of(error) is Fault.STALE:
            raise NotPutBack(f"somebody else moved {target}: {sentence(error)}; it was left like that") from error
        raise NotPutBack(f"{target} could not be put back on {before or 'nothing'}: {sentence(error)}") from error


def _given(journal: Journal) -> list[str]:
    return [version for version, count in journal.provisioned.items() if count is None]


async def _provision(journal: Journal, version: str, count: int | None) -> None:
    await steps.provision(journal.target.name, version, count, priority=FIRST)


async def _reserve(journal: Journal) -> None:
    await steps.reserve(journal.target.name, journal.reserved, priority=FIRST)


async def _latest(journal: Journal) -> str | None:
    what = f"{' and '.join(journal.latest)} of $LATEST"
    if journal.stable is None:
        return f"{what} stay as released: there is no earlier version to put back"
    return await _attempt(what, steps.restore_latest(journal, journal.stable, priority=FIRST))


async def _attempt(what: str, work: Awaitable[None]) -> str | None:
    try:
        await work
    except ActivityError as error:
        return f"{what} could not be put back: {sentence(error)}"
    return None


def restored(before: Routing | None) -> str:
    """Where an alias is after it was put back, in words."""
    return f"all traffic is on version {before.version}" if before else "there is no alias, as before"

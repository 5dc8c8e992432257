"""Undoes a release: the alias with the very first call, then concurrency, then ``$LATEST``.

``Rollout`` undoes its own release; the workflow that started it does so where the ``Rollout`` was
terminated. Every call has priority 1 and is retried as long as AWS may still succeed. A second undo
does no harm.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from pydantic import ValidationError
from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.aliases import AliasConfiguration
from activities.errors import Fault
from activities.operation import WRITE
from workflows import actions
from workflows.call import HIGHEST_PRIORITY, CallOptions, fault_of, root_cause
from workflows.concurrency import put_provisioned, put_reserved
from workflows.domain.journal import Journal
from workflows.domain.routing import Routing

_MOST_READS: Final = 3
"""Reads of an alias: a late write of our own may arrive between a read and the next write."""

URGENT: Final = CallOptions(priority=HIGHEST_PRIORITY)

_FOUND_LENGTH: Final = 500
_INVALID: Final = "what AWS returned for it before is not a valid request"


class PutBackFailed(Exception):
    """The alias does not route as before the release, and must not or cannot be restored."""


async def put_back(
    journal: Journal,
    *,
    revision: str | None,
    on_alias_restored: Callable[[], None],
    before_rest: Callable[[], Awaitable[None]] | None = None,
) -> list[str]:
    """Undo what the journal holds; return, as sentences, what could not be undone.

    ``revision`` is the alias' last known one. It is None where an answer was lost, or where the
    release of a terminated rollout is undone: then the alias is read first, and restored only from
    a routing that this release can have written. Raises :class:`PutBackFailed`, with nothing more
    done.

    ``on_alias_restored`` is called once the alias is restored. ``before_rest`` is awaited after
    that, if there is more to undo. Provisioned concurrency is restored before the reservation,
    which AWS does not let fall below it.
    """
    if journal.shifting:
        await _put_back_alias(journal, revision)
    on_alias_restored()
    if before_rest is not None and (journal.provisioned or journal.reserving or journal.latest):
        await before_rest()
    additions_first = sorted(journal.provisioned.items(), key=lambda item: item[1] is not None)
    leftovers = [
        await _attempt(
            f"provisioned concurrency of version {version}",
            put_provisioned(journal.target.name, version, count, options=URGENT),
        )
        for version, count in additions_first
    ]
    if journal.reserving:
        write = put_reserved(journal.target.name, journal.reserved, options=URGENT)
        leftovers.append(await _attempt("reserved concurrency", write))
    if journal.latest:
        leftovers.append(await _put_back_latest(journal))
    return [leftover for leftover in leftovers if leftover]


async def _put_back_alias(journal: Journal, revision: str | None) -> None:
    target, before = journal.target, journal.before
    try:
        if before is None:
            await _delete_created(journal)
        elif revision is not None:
            await _restore_routing(journal, before, revision)
        else:
            await _read_and_restore(journal, before)
    except ValidationError as error:
        raise PutBackFailed(f"{target} could not be put back on {before}: {_INVALID}") from error
    except ActivityError as error:
        cause = root_cause(error)
        if fault_of(error) is Fault.STALE:
            raise _foreign_change(journal, cause) from error
        place = before or "nothing"
        raise PutBackFailed(f"{target} could not be put back on {place}: {cause}") from error


async def _restore_routing(journal: Journal, before: Routing, revision: str | None) -> None:
    await actions.update_alias(
        journal.target,
        before,
        revision=revision,
        summary=f"Put {journal.target} back on {before}",
        options=URGENT,
    )


async def _read_and_restore(journal: Journal, before: Routing) -> None:
    """Restore an alias whose revision is unknown: a write of ours may still be on its way.

    It is written even where it routes as before already. That gives it a new revision, so that AWS
    refuses a late write of ours; if the restoring write is refused there, no harm is done.
    """
    for reads_left in reversed(range(_MOST_READS)):
        alias = await _read_own_alias(journal)
        if alias is None:
            raise PutBackFailed(f"{journal.target} is gone: somebody deleted it")
        try:
            await _restore_routing(journal, before, alias.revision_id)
        except ActivityError as error:
            is_stale = fault_of(error) is Fault.STALE
            if is_stale and reads_left:
                continue
            if is_stale or actions.routing_of(alias) != before:
                raise
        return


async def _delete_created(journal: Journal) -> None:
    """Delete the alias that this release created, or may still be creating.

    A creation on its way has no revision that AWS could refuse it for, so it is waited for.
    """
    if await _read_own_alias(journal) is None:
        summary = f"Wait until nobody can be creating {journal.target} any more"
        await workflow.sleep(WRITE.start_to_close, summary=summary)
        if await _read_own_alias(journal) is None:
            return
    await actions.delete_alias(journal.target, options=URGENT)


async def _read_own_alias(journal: Journal) -> AliasConfiguration | None:
    """Read the alias. Raises unless it routes as this release found it, or can have set it."""
    alias = await actions.read_alias(journal.target, options=URGENT)
    if alias is not None:
        found = actions.routing_of(alias)
        if found != journal.before and not found.is_limited_to(journal.stable, journal.candidate):
            raise _foreign_change(journal, f"found {str(found)[:_FOUND_LENGTH]}")
    return alias


async def _put_back_latest(journal: Journal) -> str | None:
    what = f"{' and '.join(journal.latest)} of $LATEST"
    if journal.stable is None:
        return f"{what} stay as released: there is no earlier version to put back"
    write = actions.restore_latest(journal, journal.stable, options=URGENT)
    return await _attempt(what, write)


async def _attempt(what: str, write: Awaitable[None]) -> str | None:
    """Await a write; return a sentence if it failed permanently."""
    try:
        await write
    except ValidationError:
        return f"{what} could not be put back: {_INVALID}"
    except ActivityError as error:
        return f"{what} could not be put back: {root_cause(error)}"
    return None


def _foreign_change(journal: Journal, found: str) -> PutBackFailed:
    return PutBackFailed(f"somebody else moved {journal.target}: {found}; it was left like that")


def describe_restored(before: Routing | None) -> str:
    """Say where an alias is after it was restored."""
    if before is None:
        return "there is no alias, as before"
    if before.weights:
        return f"the alias is back on {before}"
    return f"all traffic is on version {before.version}"

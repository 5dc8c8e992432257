"""Putting everything back: the alias first, with the very first call; then concurrency; then ``$LATEST``.

Used by ``Rollout`` for its own release, and by the workflow that started it when a ``Rollout`` was killed. Every call goes before
all others (priority 1) and is tried without end as long as AWS may still change its mind. All of it may be done twice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from pydantic import ValidationError
from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.aliases import AliasConfiguration
from activities.errors import Fault
from activities.operation import WRITE
from workflows import actions
from workflows.call import HIGHEST_PRIORITY, fault_of, root_cause
from workflows.domain.journal import Journal
from workflows.domain.routing import Routing


class NotPutBack(Exception):
    """The alias is not where it was before the release, and we must not, or cannot, put it there."""


async def put_back(
    journal: Journal,
    *,
    revision: str | None,
    once_back: Callable[[], None],
    calm: Callable[[], Awaitable[None]] | None = None,
) -> list[str]:
    """Undo what the journal says a release may have done; what could not be undone comes back as sentences.

    ``revision`` is the alias' last known one; None where an answer was lost, or where somebody else's release is mended: then the alias
    is read first, and only put back from a state that this release can have made. Raises :class:`NotPutBack` and stops there.
    Provisioned concurrency goes back before the reservation, which AWS keeps from falling below it.
    ``once_back`` is called as soon as the alias is where it was, before the rest; ``calm`` is waited for between the two, if there is a rest:
    until nobody else can be writing any more.
    """
    if journal.shifting:
        await _put_back_alias(journal, revision)
    once_back()
    if calm is not None and (journal.provisioned or journal.reserving or journal.latest):
        await calm()
    leftovers = [
        *[
            await _attempt(
                f"provisioned concurrency of version {version}", _provision(journal, version, count)
            )
            for version, count in sorted(
                journal.provisioned.items(), key=lambda had: had[1] is not None
            )
        ],
        *([await _attempt("reserved concurrency", _reserve(journal))] if journal.reserving else []),
        *([await _latest(journal)] if journal.latest else []),
    ]
    return [leftover for leftover in leftovers if leftover]


async def _put_back_alias(journal: Journal, revision: str | None) -> None:
    target, before = journal.target, journal.before
    try:
        if before is None:
            await _take_away(journal)
        elif revision is not None:
            await _route(journal, before, revision)
        else:
            await _find_and_route(journal, before)
    except ValidationError as error:
        raise NotPutBack(f"{target} could not be put back on {before}: {_NONSENSE}") from error
    except ActivityError as error:
        if fault_of(error) is Fault.STALE:
            raise NotPutBack(
                f"somebody else moved {target}: {root_cause(error)}; it was left like that"
            ) from error
        raise NotPutBack(
            f"{target} could not be put back on {before or 'nothing'}: {root_cause(error)}"
        ) from error


async def _route(journal: Journal, before: Routing, revision: str | None) -> None:
    target = journal.target
    await actions.route(
        target,
        before,
        revision=revision,
        summary=f"Put {target} back on {before}",
        priority=HIGHEST_PRIORITY,
    )


_LATE = 3
"""How often an alias is looked at: a move of ours that was still under way may come between a look and the next write."""


async def _find_and_route(journal: Journal, before: Routing) -> None:
    """Put an alias back that may be anywhere between where it was and where a move of ours, perhaps still under way, takes it.

    It is written even if it is back already: that gives it a new revision, for which AWS refuses a move that comes late. There, a
    refusal of our own writing does no harm.
    """
    for left in reversed(range(_LATE)):
        alias = await _look(journal)
        if alias is None:
            raise NotPutBack(f"{journal.target} is gone: somebody deleted it")
        try:
            await _route(journal, before, alias.revision_id)
        except ActivityError as error:
            if fault_of(error) is Fault.STALE and left:
                continue
            if fault_of(error) is Fault.STALE or actions.routing_of(alias) != before:
                raise
        return


async def _take_away(journal: Journal) -> None:
    """Delete an alias that we created. One that is not there may still come: a creation under way has no revision to be refused for."""
    if await _look(journal) is None:
        await workflow.sleep(
            WRITE.start_to_close,
            summary=f"Wait until nobody can be creating {journal.target} any more",
        )
        if await _look(journal) is None:
            return
    await actions.delete_alias(journal.target, priority=HIGHEST_PRIORITY)


async def _look(journal: Journal) -> AliasConfiguration | None:
    """The alias as it is now, which can only be as this release found it or made it."""
    alias = await actions.read_alias(journal.target, priority=HIGHEST_PRIORITY)
    if alias is not None:
        found = actions.routing_of(alias)
        if found != journal.before and not found.is_limited_to(journal.stable, journal.candidate):
            raise NotPutBack(
                f"somebody else moved {journal.target}: found {str(found)[:500]}; it was left like that"
            )
    return alias


async def _provision(journal: Journal, version: str, count: int | None) -> None:
    await actions.provision(journal.target.name, version, count, priority=HIGHEST_PRIORITY)


async def _reserve(journal: Journal) -> None:
    await actions.reserve(journal.target.name, journal.reserved, priority=HIGHEST_PRIORITY)


async def _latest(journal: Journal) -> str | None:
    what = f"{' and '.join(journal.latest)} of $LATEST"
    if journal.stable is None:
        return f"{what} stay as released: there is no earlier version to put back"
    return await _attempt(
        what, actions.restore_latest(journal, journal.stable, priority=HIGHEST_PRIORITY)
    )


async def _attempt(what: str, work: Awaitable[None]) -> str | None:
    try:
        await work
    except ValidationError:
        return f"{what} could not be put back: {_NONSENSE}"
    except ActivityError as error:
        return f"{what} could not be put back: {root_cause(error)}"
    return None


_NONSENSE = "what AWS said it was before is nothing that can be asked of AWS"


def restored(before: Routing | None) -> str:
    """Where an alias is after it was put back, in words."""
    if before is None:
        return "there is no alias, as before"
    return (
        f"the alias is back on {before}"
        if before.weights
        else f"all traffic is on version {before.version}"
    )

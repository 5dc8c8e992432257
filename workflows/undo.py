"""Undoes a release: the alias with the very first call, then concurrency, then ``$LATEST``.

``Rollout`` undoes its own release; the workflow that started it does so where the ``Rollout`` was
terminated. Every call has priority 1, and is retried until it succeeds, AWS refuses it for good, or
a person gives up (:mod:`workflows.undo_retry`). A second undo does no harm.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError
from temporalio import workflow
from temporalio.exceptions import ActivityError

from workflows.alias_undo import INVALID, AliasUndo
from workflows.call import CallOptions, root_cause
from workflows.concurrency import put_provisioned, put_reserved, read_provisioned, read_reserved
from workflows.control_requests import Choice
from workflows.domain.journal import Journal
from workflows.domain.routing import Routing
from workflows.latest_undo import put_back_latest
from workflows.undo_retry import GivenUp, UndoRetry

_UNKNOWN: Final = -1
"""What was written is not in the journals of before."""


async def _leave(_: Routing | None) -> Choice:
    return Choice.LEAVE


@dataclass(frozen=True, slots=True)
class UndoEvents:
    """What an undo calls as it goes on.

    - ``on_alias_restored``: once the alias is restored, with where it is.
    - ``on_problem``: with the cause, as long as something cannot be put back yet.
    - ``given_up``: who has given up the undo, and why; None as long as nobody has.
    - ``choose``: what happens with foreign routing.
    - ``before_retry``: called before something is put back once more; what it raises ends the undo.
    - ``before_rest``: awaited once the alias is restored, if there is more to undo.
    - ``cause``: why everything is put back, for the timeline.
    """

    on_alias_restored: Callable[[Routing | None], None]
    on_problem: Callable[[str], None]
    given_up: Callable[[], str | None] = lambda: None
    choose: Callable[[Routing | None], Awaitable[Choice]] = _leave
    before_rest: Callable[[], Awaitable[None]] | None = None
    before_retry: Callable[[], None] = lambda: None
    cause: str = ""


async def put_back(
    journal: Journal, *, revision: str | None, written: Routing | None, events: UndoEvents
) -> list[str]:
    """Undo what the journal holds; return, as sentences, what could not be undone.

    ``revision`` and ``written`` are the last known ones of the alias, see
    :meth:`~workflows.alias_undo.AliasUndo.put_back`. Raises
    :class:`~workflows.alias_undo.PutBackFailed`, with nothing more done.

    Provisioned concurrency is restored before the reservation, which AWS does not let fall below
    it.
    """
    retry = UndoRetry(events.on_problem, events.given_up, events.before_retry)
    place = journal.before
    if journal.shifting:
        alias = AliasUndo(journal, retry=retry, choose=events.choose, cause=events.cause)
        place = await alias.put_back(revision, written)
    events.on_alias_restored(place)
    if events.before_rest is not None and (
        journal.provisioned or journal.reserving or journal.latest
    ):
        await events.before_rest()
    rest = _Rest(journal, retry, events.cause)
    additions_first = sorted(journal.provisioned.items(), key=lambda item: item[1] is not None)
    leftovers = [
        await rest.put_back_provisioned(version, count) for version, count in additions_first
    ]
    if journal.reserving:
        leftovers.append(await rest.put_back_reserved())
    if journal.latest:
        leftovers.append(await rest.put_back_latest())
    return [leftover for leftover in leftovers if leftover]


class _Rest:
    """Puts back what a release changed besides its alias; returns what could not be put back."""

    def __init__(self, journal: Journal, retry: UndoRetry, cause: str) -> None:
        self._journal = journal
        self._cause = cause
        self._retry = retry

    async def put_back_provisioned(self, version: str, before: int | None) -> str | None:
        """Put back the provisioned concurrency of a version, if its value is still ours."""
        function = self._journal.function
        return await self._put_back(
            f"provisioned concurrency of version {version}",
            read=lambda options: read_provisioned(function, version, options=options),
            write=lambda options: put_provisioned(function, version, before, options=options),
            own=(before, self._journal.provisioned_written.get(version, _UNKNOWN)),
        )

    async def put_back_reserved(self) -> str | None:
        """Put back the reserved concurrency, if its value is still ours."""
        function, before = self._journal.function, self._journal.reserved
        written = self._journal.reserved_written
        return await self._put_back(
            "reserved concurrency",
            read=lambda options: read_reserved(function, options=options),
            write=lambda options: put_reserved(function, before, options=options),
            own=(before, _UNKNOWN if written is None else written),
        )

    async def put_back_latest(self) -> str | None:
        """Put back the parts of ``$LATEST`` that the release changed."""
        journal = self._journal
        what = f"{' and '.join(journal.latest)} of $LATEST"
        if journal.stable is None and not (
            journal.found and workflow.patched("first-latest-put-back")
        ):
            return f"{what} stay as released: there is no earlier version to put back"
        return await self._attempt(
            what, lambda options: put_back_latest(journal, options, self._cause)
        )

    async def _put_back(
        self,
        what: str,
        *,
        read: Callable[[CallOptions], Awaitable[int | None]],
        write: Callable[[CallOptions], Awaitable[None]],
        own: tuple[int | None, int | None],
    ) -> str | None:
        async def restore(options: CallOptions) -> str | None:
            if _UNKNOWN not in own and workflow.patched("restore-own-concurrency"):
                found = await read(options)
                if found not in own:
                    return f"{what} stays at {found or 'none'}, which another writer has set"
            await write(options)
            return None

        return await self._attempt(what, restore)

    async def _attempt(
        self, what: str, write: Callable[[CallOptions], Awaitable[str | None]]
    ) -> str | None:
        """Carry out a write; return a sentence if it failed permanently, or its own."""
        try:
            return await self._retry.run(write)
        except ValidationError:
            return f"{what} could not be put back: {INVALID}"
        except GivenUp as error:
            return f"{what} could not be put back: {error}"
        except ActivityError as error:
            return f"{what} could not be put back: {root_cause(error)}"


def describe_restored(before: Routing | None) -> str:
    """Say where an alias is after it was restored."""
    if before is None:
        return "there is no alias, as before"
    if before.weights:
        return f"the alias is back on {before}"
    return f"all traffic is on version {before.version}"

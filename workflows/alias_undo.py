"""Undoes what a release did to its alias: the first calls of every undo.

The alias goes back from the routing that the release wrote, under the revision that it has. Where
another writer changed only its description or its policy, it goes back all the same. Foreign
routing is left, unless a person chooses otherwise.
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
from workflows.call import CallOptions, fault_of, root_cause
from workflows.control_requests import Choice
from workflows.domain.formatting import append_cause
from workflows.domain.journal import Journal
from workflows.domain.routing import Routing
from workflows.foreign_routing import AliasDeleted, ForeignChange, describe_foreign, is_own
from workflows.undo_retry import ALIAS_REFUSALS, GivenUp, UndoRetry

INVALID: Final = "what AWS returned for it before is not a valid request"

_MOST_READS: Final = 3
"""Reads of an alias: a late write of our own may arrive between a read and the next write."""

Chooser = Callable[[Routing | None], Awaitable[Choice]]
"""Asks a person what happens with foreign routing."""


class PutBackFailed(Exception):
    """The alias does not route as before the release, and must not or cannot be restored."""


class AliasUndo:
    """Puts one alias back."""

    def __init__(
        self, journal: Journal, *, retry: UndoRetry, choose: Chooser, cause: str = ""
    ) -> None:
        """Put back what ``journal`` holds of the alias; the timeline names the ``cause``."""
        self._journal = journal
        self._retry = retry
        self._choose = choose
        self._cause = cause

    async def put_back(self, revision: str | None, written: Routing | None) -> Routing | None:
        """Put the alias back from the routing that was ``written`` last; return where it is.

        ``revision`` is the alias' last known one. It is None where an answer was lost, or where the
        release of a terminated rollout is undone: then the alias is read first, and restored only
        from a routing that the release can have written. Raises :class:`PutBackFailed`.
        """
        target, before = self._journal.target, self._journal.before
        try:
            await self._put_back(before, revision, written)
        except ValidationError as error:
            raise PutBackFailed(f"{target} could not be put back on {before}: {INVALID}") from error
        except ForeignChange as error:
            return await self._resolve(error)
        except GivenUp as error:
            text = f"{target} could not be put back on {before or 'nothing'}: {error}"
            raise PutBackFailed(f"{text}. {self._describe_rest()}") from error
        except ActivityError as error:
            cause = root_cause(error)
            if fault_of(error) is Fault.STALE:
                text = describe_foreign(target, ForeignChange(cause), self._journal.stable)
                raise PutBackFailed(text) from error
            text = f"{target} could not be put back on {before or 'nothing'}: {cause}"
            raise PutBackFailed(f"{text}. {self._describe_rest()}") from error
        return before

    async def _put_back(
        self, before: Routing | None, revision: str | None, written: Routing | None
    ) -> None:
        if before is None:
            await self._delete_created()
            return
        if revision is None:
            await self._read_and_restore(before, None)
            return
        try:
            await self._restore(before, revision)
        except ActivityError as error:
            is_stale = fault_of(error) is Fault.STALE
            if written is None or not is_stale or not workflow.patched("same-routing-is-ours"):
                raise
            await self._read_and_restore(before, written)

    async def _restore(
        self, before: Routing, revision: str | None, *, is_needed: bool = True
    ) -> None:
        target = self._journal.target
        summary = append_cause(f"Put {target} back on {before}", self._cause)

        async def write(options: CallOptions) -> None:
            await actions.update_alias(
                target,
                before,
                revision=revision,
                summary=summary,
                options=options,
            )

        await self._retry.run(write, refusals=ALIAS_REFUSALS, is_needed=is_needed)

    async def _read_and_restore(self, before: Routing, written: Routing | None) -> None:
        """Restore an alias whose revision is unknown, from a routing that is the release's own.

        Where it is not known what was ``written`` last, a write of ours may still be on its way:
        then the alias is written even where it routes as before already. That gives it a new
        revision, so that AWS refuses a late write of ours; if the restoring write is refused there,
        no harm is done.
        """
        for reads_left in reversed(range(_MOST_READS)):
            alias = await self._read_own(written)
            if alias is None:
                raise AliasDeleted
            is_needed = written is not None or actions.routing_of(alias) != before
            try:
                await self._restore(before, alias.revision_id, is_needed=is_needed)
            except ActivityError as error:
                is_stale = fault_of(error) is Fault.STALE
                if is_stale and reads_left:
                    continue
                if is_stale or is_needed:
                    raise
            return

    async def _delete_created(self) -> None:
        """Delete the alias that this release created, or may still be creating.

        A creation on its way has no revision that AWS could refuse it for, so it is waited for.
        """
        target = self._journal.target
        if await self._read_own() is None:
            summary = f"Wait until nobody can be creating {target} any more"
            await workflow.sleep(WRITE.start_to_close, summary=summary)
            if await self._read_own() is None:
                return
        await self._retry.run(
            lambda options: actions.delete_alias(target, options=options), refusals=ALIAS_REFUSALS
        )

    async def _read(self) -> AliasConfiguration | None:
        target = self._journal.target
        return await self._retry.run(
            lambda options: actions.read_alias(target, options=options), refusals=ALIAS_REFUSALS
        )

    async def _read_own(self, written: Routing | None = None) -> AliasConfiguration | None:
        """Read the alias. Raises unless it routes as before, or as it was or can be ``written``."""
        alias = await self._read()
        if alias is not None:
            found = actions.routing_of(alias)
            is_ours = (
                found.is_limited_to(*self._own_versions)
                if written is None
                else is_own(found, written, *self._own_versions)
            )
            if found != self._journal.before and not is_ours:
                raise ForeignChange(f"found {found}", found)
        return alias

    async def _resolve(self, foreign: ForeignChange) -> Routing | None:
        """Do what a person chooses about foreign routing; return where the alias is then."""
        journal = self._journal
        choice = await self._choose(foreign.found)
        if choice is Choice.ADOPT:
            return foreign.found
        if choice is Choice.OVERWRITE and journal.before is not None:
            alias = await self._read()
            if alias is not None:
                await self._restore(journal.before, alias.revision_id)
                return journal.before
        raise PutBackFailed(describe_foreign(journal.target, foreign, journal.stable))

    @property
    def _own_versions(self) -> tuple[str | None, str | None]:
        return self._journal.stable, self._journal.candidate

    def _describe_rest(self) -> str:
        """Say what a person can do about an alias that could not be put back."""
        return (
            "See where it points: aws lambda get-alias --function-name "
            f"{self._journal.target.name} --name {self._journal.target.alias}; then move it to a "
            f"version that exists: releases rollback {self._journal.target} --to VERSION"
        )

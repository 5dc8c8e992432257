"""The release that holds an alias now: a rollback is refused beside it, and may end it first."""

from __future__ import annotations

from dataclasses import dataclass

from temporalio.client import Client

from workflows.client.errors import Ambiguous, NoSuchRelease, Refused, translate_errors
from workflows.client.release_search import find_release
from workflows.client.runs import Run
from workflows.client.unbegun_release import PendingRelease
from workflows.domain.alias_history import RunKind
from workflows.domain.journal import Journal
from workflows.domain.status import Phase, ReleaseStatus
from workflows.domain.target import Target
from workflows.past_rollouts import JOURNAL_MEMO, KIND_MEMO
from workflows.promotion import WATCH_MEMO
from workflows.run_chain import find_last_run


@dataclass(frozen=True)
class AliasHolder:
    """A release or rollback that has not ended.

    ``id`` is that of its ``Rollout``, or its own where that has not begun. ``status`` is as
    Temporal lists it. ``is_watched``: it has all traffic, and a newer one ends its watch.
    """

    id: str
    run_id: str
    kind: RunKind
    status: ReleaseStatus
    is_watched: bool = False


async def find_holder(client: Client, target: Target) -> AliasHolder | None:
    """Find the release of a target that has not ended; None where there is none.

    None also where several accounts have the function, and the target does not say which.
    """
    try:
        found = await find_release(client, target)
    except (Ambiguous, NoSuchRelease, Refused):  # Refused: search attributes are not registered
        return None
    if isinstance(found, PendingRelease):
        is_rollback = found.execution.workflow_type == RunKind.ROLLBACK
        kind = RunKind.ROLLBACK if is_rollback else RunKind.RELEASE
        return AliasHolder(found.id, found.execution.run_id, kind, found.status)
    if found.close_time is not None:
        return None
    kind = RunKind(await found.memo_value(KIND_MEMO, RunKind.RELEASE))
    status = Run.from_execution(found).status
    has_watch = await found.memo_value(WATCH_MEMO, None) is not None
    is_watched = has_watch and status.phase is Phase.BAKING
    return AliasHolder(found.id, found.run_id, kind, status, is_watched)


async def has_moved_traffic(client: Client, holder: AliasHolder) -> bool:
    """Whether a release had begun to change the alias, by its journal, after its end."""
    with translate_errors(f"{holder.id} has expired"):
        found = await find_last_run(client, holder.id, holder.run_id)
        journal = await found.memo_value(JOURNAL_MEMO, None, type_hint=Journal)
    return journal is not None and journal.shifting

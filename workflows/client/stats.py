"""How often is released, how fast, how often it fails: DORA's four, from the histories.

The four are those of https://dora.dev/guides/dora-metrics-four-keys/, as far as a release tool can
know them: it does not know when code was committed, nor of a failure that nobody acted on.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict
from temporalio.client import Client

from workflows.client.errors import NoSuchRelease
from workflows.client.facts import AliasMoved, ReleaseEnded, ReleaseRequested
from workflows.client.history import read_facts
from workflows.client.lookup import find_run, parse_target
from workflows.client.run_reader import RunReader
from workflows.client.runs import Run, RunEnding, RunOutcome
from workflows.domain.rollout_id import spell_rollout_id
from workflows.domain.target import Target
from workflows.request import RollbackRequest
from workflows.run_chain import runs_of

_MAX_CONCURRENT_READS: Final = 8
_DAY: Final = timedelta(days=1)
_SHORTEST_PERIOD: Final = 1 / 24
"""Days of a period, at least: an hour."""

_NINETIETH: Final = 8
"""The index of the ninetieth percentile among nine deciles."""


class DurationSummary(BaseModel):
    """The median and the ninetieth percentile of durations; None where there are none."""

    model_config = ConfigDict(frozen=True)

    median: timedelta | None = None
    p90: timedelta | None = None

    @classmethod
    def of(cls, durations: Sequence[timedelta]) -> DurationSummary:
        """Summarize durations; of a single one, both are that one."""
        seconds = sorted(duration.total_seconds() for duration in durations)
        if not seconds:
            return cls()
        deciles = (
            statistics.quantiles(seconds, n=10, method="inclusive")
            if len(seconds) > 1
            else seconds * (_NINETIETH + 1)
        )
        return cls(
            median=timedelta(seconds=statistics.median(seconds)),
            p90=timedelta(seconds=deciles[_NINETIETH]),
        )


class ReleaseStats(BaseModel):
    """The releases of one target, or of all (``target`` None), that ended in a period.

    - A *deployment* gave a candidate traffic. One that was rejected, or stopped before, is none,
      and neither is a rollback.
    - ``per_day``: deployments that took all traffic, by the days of the period.
    - ``lead_time``: of those, from the request to all traffic.
    - ``failed``: deployments that were rolled back, by themselves or by a ``Rollback`` later, or
      could not be put back; ``change_failure_rate`` is their part of all, None without any.
    - ``time_to_restore``: of those, from the first traffic to the alias being back.
    """

    model_config = ConfigDict(frozen=True)

    target: str | None
    since: datetime
    until: datetime
    deployments: int
    failed: int
    rejected: int
    rollbacks: int
    per_day: float
    lead_time: DurationSummary
    change_failure_rate: float | None
    time_to_restore: DurationSummary


@dataclass(frozen=True)
class PastRelease:
    """What counts of one release or rollback that has ended.

    ``moves`` is when the alias was moved; ``restored_at`` is when a later ``Rollback`` took it off
    the candidate.
    """

    place: str
    target: str
    requested_at: datetime
    ending: RunEnding
    is_rollback: bool = False
    moves: tuple[datetime, ...] = ()
    restored_at: datetime | None = None

    @property
    def is_deployment(self) -> bool:
        """Whether a candidate of it got traffic."""
        return bool(self.moves) and not self.is_rollback

    @property
    def has_succeeded(self) -> bool:
        """Whether its candidate took all traffic."""
        return self.is_deployment and self.ending.outcome is RunOutcome.SUCCEEDED

    @property
    def has_failed(self) -> bool:
        """Whether its candidate had to be taken back, however it had ended itself."""
        return self.is_deployment and (not self.has_succeeded or self.restored_at is not None)

    @property
    def restored_after(self) -> timedelta | None:
        """From the first traffic to the alias being back; None where it is not, or need not be."""
        is_back = self.has_failed and self.ending.outcome in {
            RunOutcome.SUCCEEDED,
            RunOutcome.ROLLED_BACK,
        }
        return (self.restored_at or self.moves[-1]) - self.moves[0] if is_back else None


async def read_stats(
    client: Client, *, since: datetime, target: str | Target | None = None
) -> list[ReleaseStats]:
    """Read the stats of all releases that have ended since then, and then those of each target.

    Only what the namespace still retains is counted. ``target`` is a name or an ARN: then they are
    of that alias only. Raises ``BadRequest`` for any other text.
    """
    until = datetime.now(UTC)
    named = parse_target(target) if isinstance(target, str) else target
    runs = await RunReader(client).list_runs(_make_query(since, named), limit=None)
    reads = asyncio.Semaphore(_MAX_CONCURRENT_READS)

    async def read(run: Run) -> PastRelease | None:
        async with reads:
            return await _read_release(client, run)

    found = await asyncio.gather(*map(read, runs))
    releases = mark_restored([one for one in found if one is not None])
    names = sorted({one.target for one in releases})
    groups = {name: [one for one in releases if one.target == name] for name in names}
    rows: list[tuple[str | None, list[PastRelease]]] = [(None, releases), *groups.items()]
    return [summarize_period(group, name, since=since, until=until) for name, group in rows]


def mark_restored(releases: Iterable[PastRelease]) -> list[PastRelease]:
    """Mark the deployments that a ``Rollback`` took back later; the oldest request comes first."""
    ordered = sorted(releases, key=lambda one: one.requested_at)
    live: dict[tuple[str, str | None], int] = {}
    for index, one in enumerate(ordered):
        status = one.ending.status
        if status is None or not one.moves or one.ending.outcome is not RunOutcome.SUCCEEDED:
            continue
        if not one.is_rollback:
            live[one.place, status.candidate] = index
        elif (left := live.pop((one.place, status.stable), None)) is not None:
            ordered[left] = replace(ordered[left], restored_at=one.moves[-1])
    return ordered


def summarize_period(
    releases: Sequence[PastRelease], target: str | None, *, since: datetime, until: datetime
) -> ReleaseStats:
    """Count the releases of a period."""
    deployments = [one for one in releases if one.is_deployment]
    promoted = [one for one in deployments if one.has_succeeded]
    failed = [one for one in deployments if one.has_failed]
    restored = [one.restored_after for one in failed if one.restored_after is not None]
    return ReleaseStats(
        target=target,
        since=since,
        until=until,
        deployments=len(deployments),
        failed=len(failed),
        rejected=sum(one.ending.outcome is RunOutcome.REJECTED for one in releases),
        rollbacks=sum(one.is_rollback and bool(one.moves) for one in releases),
        per_day=len(promoted) / max((until - since) / _DAY, _SHORTEST_PERIOD),
        lead_time=DurationSummary.of([one.moves[-1] - one.requested_at for one in promoted]),
        change_failure_rate=len(failed) / len(deployments) if deployments else None,
        time_to_restore=DurationSummary.of(restored),
    )


def _make_query(since: datetime, target: Target | None) -> str:
    # No upper bound: Temporal's clock may be ahead of this machine's.
    query = f"WorkflowType = 'Rollout' AND CloseTime >= '{since.isoformat()}'"
    if target is None:
        return query
    if target.function.startswith("arn:"):
        return f"{query} AND {runs_of(target.rollout_id)}"
    return f"{query} AND LambdaFunction = '{target.name}' AND LambdaAlias = '{target.alias}'"


async def _read_release(client: Client, run: Run) -> PastRelease | None:
    """Read what counts of a release; None where its history has expired meanwhile."""
    requested: ReleaseRequested | None = None
    ending: RunEnding | None = None
    moves: list[datetime] = []
    try:
        async for fact in read_facts(client, await find_run(client, run.id, run.run_id)):
            match fact:
                case ReleaseRequested():
                    requested = fact
                case AliasMoved():
                    moves.append(fact.at)
                case ReleaseEnded():
                    ending = fact.ending
                case _:
                    pass
    except NoSuchRelease:
        return None
    if requested is None or ending is None:
        return None
    return PastRelease(
        place=spell_rollout_id(run.id)[0],
        target=str(run.status.target),
        requested_at=requested.at,
        ending=ending,
        is_rollback=isinstance(requested.request, RollbackRequest),
        moves=tuple(moves),
    )

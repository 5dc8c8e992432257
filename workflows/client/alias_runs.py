"""The history of an alias: its releases and rollbacks, and the attempts that were rejected."""

from __future__ import annotations

from temporalio.client import Client

from workflows.client.errors import NoSuchRelease
from workflows.client.lookup import find_rollout, find_workflow, parse_name
from workflows.client.rejected_release import list_rejected
from workflows.client.run_reader import RunReader
from workflows.client.runs import Run
from workflows.domain.rollout_id import RolloutId
from workflows.domain.target import Place, Target
from workflows.run_chain import runs_of


async def list_alias_runs(client: Client, target: str | Target, *, limit: int) -> list[Run]:
    """List the last releases and rollbacks of an alias, newest first, with endings.

    One that was rejected before it had a rollout is among them. Raises as
    :func:`~workflows.client.lookup.find_workflow` does where there is none at all.
    """
    runs: list[Run] = []
    alias = parse_name(target)
    try:
        rollout = await find_rollout(client, await find_workflow(client, target))
    except NoSuchRelease:
        if alias is None:
            raise
    else:
        runs = await RunReader(client).list_details(runs_of(rollout.id), limit=limit)
        alias = _read_alias(rollout.id) or alias
    rejected = await list_rejected(client, alias, limit=limit) if alias else []
    if not (runs or rejected):
        raise NoSuchRelease(
            f"nothing is known of any release of {target} in namespace {client.namespace}"
        )
    return sorted([*runs, *rejected], key=lambda run: run.started_at, reverse=True)[:limit]


def _read_alias(rollout_id: str) -> Target | None:
    """Return the target of a rollout, with account and region; None under any other id."""
    found = RolloutId.parse(rollout_id)
    if found is None:
        return None
    place = Place(account=found.account, region=found.region, function=found.function)
    return Target(function=place.arn, alias=found.alias)

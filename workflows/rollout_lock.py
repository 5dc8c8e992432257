"""The lock of an alias: the workflow id under which its one ``Rollout`` runs.

The ids of before had slashes, which Temporal's HTTP API cannot reach. A release that began under
one keeps it to its end, and holds the alias against a release under the id of now.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, ClassVar, Final, NamedTuple

from pydantic import BaseModel, ConfigDict, StringConstraints
from temporalio import activity, workflow
from temporalio.common import RetryPolicy

from workflows.domain.rollout_id import RolloutId
from workflows.domain.target import Place
from workflows.run_chain import find_running

_RETRY: Final = RetryPolicy(maximum_interval=timedelta(seconds=30))
_TIMEOUT: Final = timedelta(seconds=10)


class RolloutLock(NamedTuple):
    """The id for a rollout of an alias, and the one of before that is still running, if any."""

    id: str
    held: str | None = None


class SlashedRolloutRequest(BaseModel):
    """Which rollout, by its workflow id with slashes."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    failure_type: ClassVar[str] = "Invalid"

    rollout_id: Annotated[str, StringConstraints(min_length=1)]


@activity.defn(name="is_slashed_rollout_running")
async def is_slashed_rollout_running(request: SlashedRolloutRequest) -> bool:
    """Return whether a rollout of before runs under its id with slashes."""
    return await find_running(activity.client(), request.rollout_id) is not None


async def find_lock(place: Place, alias: str) -> RolloutLock:
    """Return the lock of an alias, in a workflow.

    The look at Temporal is a local activity: it costs one event, and no action.
    """
    rollout_id = RolloutId(place.account, place.region, place.function, alias)
    if not workflow.patched("rollout-ids-without-slash"):
        return RolloutLock(rollout_id.slashed)
    is_held = await workflow.execute_local_activity(
        is_slashed_rollout_running,
        SlashedRolloutRequest(rollout_id=rollout_id.slashed),
        start_to_close_timeout=_TIMEOUT,
        retry_policy=_RETRY,
        summary="Find out whether a release of before holds the alias",
    )
    return RolloutLock(str(rollout_id), rollout_id.slashed if is_held else None)

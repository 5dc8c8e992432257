"""Which release of an alias runs, for a plan: a release itself learns of it by the lock."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, ClassVar, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from temporalio import activity, workflow
from temporalio.common import RetryPolicy

from workflows import search_attributes
from workflows.domain.preflight_facts import RunningRelease
from workflows.domain.rollout_id import spell_rollout_id
from workflows.domain.status import Phase
from workflows.promotion import WATCH_MEMO
from workflows.run_chain import find_running

_RETRY: Final = RetryPolicy(maximum_interval=timedelta(seconds=10))
_TIMEOUT: Final = timedelta(seconds=10)


class RunningReleaseRequest(BaseModel):
    """Which alias, by the ids that its ``Rollout`` may have."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    failure_type: ClassVar[str] = "Invalid"

    rollout_ids: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1)], ...], Field(min_length=1)
    ]


@activity.defn(name="find_running_release")
async def find_running_release_activity(request: RunningReleaseRequest) -> RunningRelease | None:
    """Return the ``Rollout`` of an alias that runs at the moment; None where there is none."""
    for rollout_id in request.rollout_ids:
        if found := await find_running(activity.client(), rollout_id):
            phase = found.typed_search_attributes.get(search_attributes.PHASE)
            has_watch = await found.memo_value(WATCH_MEMO, None) is not None
            return RunningRelease(found.id, is_watched=has_watch and phase == Phase.BAKING)
    return None


async def find_running_release(rollout_id: str) -> RunningRelease | None:
    """Call :func:`find_running_release_activity` from a workflow."""
    return await workflow.execute_activity(
        find_running_release_activity,
        RunningReleaseRequest(rollout_ids=spell_rollout_id(rollout_id)),
        start_to_close_timeout=_TIMEOUT,
        retry_policy=_RETRY,
        summary="Find out whether a release of the alias runs",
    )

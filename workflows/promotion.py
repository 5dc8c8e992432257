"""Whether a rollout that was killed had made its candidate live, with nothing left to refuse it.

Such a release is not undone: the version has all traffic, and nobody objected. What was left was
the watch after promotion (``guards.after``), or nothing.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from pydantic import BaseModel, ConfigDict
from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError

from workflows import actions, search_attributes
from workflows.call import HIGHEST_PRIORITY, CallOptions
from workflows.domain.assessment import Verdict
from workflows.domain.journal import Journal
from workflows.domain.routing import Routing
from workflows.domain.status import PAUSED, Phase
from workflows.past_rollouts import VERDICT_MEMO, JournalRequest, find_killed_run
from workflows.request import ReleaseRequest, RollbackRequest

WATCH_MEMO: Final = "watch"
"""The memo in which a ``Rollout`` records that its watch after promotion has begun.

Its value is a :class:`PromotedWatch`."""

_READ: Final = CallOptions(HIGHEST_PRIORITY, RetryPolicy(maximum_attempts=10))
_TIMEOUT: Final = timedelta(seconds=30)


class PromotedWatch(BaseModel):
    """The watch after promotion: the names of the alarms that count in it.

    A memo that is an empty list Temporal would delete.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    alarms: tuple[str, ...]


class LastState(BaseModel):
    """How far a killed rollout was.

    - ``phase``: the last one that it reported, or ``paused``.
    - ``watch``: its watch after promotion; None before that.
    - ``is_refused``: the last verdict was against its candidate.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    phase: str | None
    watch: PromotedWatch | None
    is_refused: bool


@activity.defn(name="read_last_state")
async def read_last_state_activity(request: JournalRequest) -> LastState:
    """Return how far a rollout was in its last run. Raises ``NotFound`` where it was deleted."""
    found = await find_killed_run(request)
    verdict: dict[str, Any] = await found.memo_value(VERDICT_MEMO, {})
    return LastState(
        phase=found.typed_search_attributes.get(search_attributes.PHASE),
        watch=await found.memo_value(WATCH_MEMO, None, type_hint=PromotedWatch),
        is_refused=verdict.get("verdict") == Verdict.FAILED,
    )


async def is_promoted(
    workflow_id: str,
    run_id: str,
    journal: Journal,
    request: ReleaseRequest | RollbackRequest,
) -> bool:
    """Whether a killed rollout's candidate is live, and neither a hook nor an alarm speaks up.

    What cannot be read counts as speaking against it. A release that was cancelled is not live.
    """
    if not journal.shifting or journal.candidate is None:
        return False
    if workflow.cancellation_reason() is not None or not workflow.patched("promoted-is-kept"):
        return False
    try:
        state = await _read_last_state(workflow_id, run_id)
        is_kept = (
            not state.is_refused
            and _is_past_refusal(state, request)
            and await _has_all_traffic(journal)
            and not await _find_alarm_problem(state, request)
        )
    except ActivityError:
        return False
    return is_kept and workflow.cancellation_reason() is None


async def _has_all_traffic(journal: Journal) -> bool:
    alias = await actions.read_alias(journal.target, options=_READ)
    live = Routing(version=journal.candidate or "")
    return alias is not None and actions.routing_of(alias) == live


async def _find_alarm_problem(
    state: LastState, request: ReleaseRequest | RollbackRequest
) -> str | None:
    names = state.watch.alarms if state.watch else request.guards.alarm_names
    if not names:
        return None
    return actions.find_alarm_problem(await actions.read_alarms(names, options=_READ), names)


def _is_past_refusal(state: LastState, request: ReleaseRequest | RollbackRequest) -> bool:
    """Whether nothing but a watch was left that could refuse the candidate."""
    if state.watch is not None:
        return state.phase in {Phase.BAKING, PAUSED}
    return state.phase == Phase.PROMOTING and request.hooks.after_traffic is None


async def _read_last_state(workflow_id: str, run_id: str) -> LastState:
    return await workflow.execute_activity(
        read_last_state_activity,
        JournalRequest(workflow_id=workflow_id, run_id=run_id),
        start_to_close_timeout=_TIMEOUT,
        retry_policy=RetryPolicy(maximum_interval=timedelta(seconds=30)),
        priority=HIGHEST_PRIORITY,
        summary="Read how far the killed rollout was",
    )

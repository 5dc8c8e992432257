"""What earlier rollouts of an alias left in Temporal: its history, and their journals.

The runs of ``Rollout`` under one id are the history of its alias. Reading them costs AWS nothing;
they last as long as the namespace's retention.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, ClassVar, Final

from pydantic import BaseModel, ConfigDict, StringConstraints
from temporalio import activity, workflow
from temporalio.client import (
    Client,
    WorkflowExecution,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
)
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities.temporal_client import read_workflow_input
from workflows import search_attributes
from workflows.call import HIGHEST_PRIORITY
from workflows.domain.alias_history import AliasHistory, PastRun, RunKind, read_history
from workflows.domain.journal import Journal
from workflows.domain.routing import Routing
from workflows.domain.status import Phase, ReleaseStatus
from workflows.rollout_request import find_request_kind
from workflows.run_chain import LAST_RUNS, find_last_run, runs_of

JOURNAL_MEMO: Final = "journal"
"""The memo in which a ``Rollout`` records what would have to be undone."""

VERDICT_MEMO: Final = "verdict"
"""The memo in which it records the last verdict on its candidate, with its numbers."""

STEP_MEMO: Final = "step"
"""The memo in which a measured one records the number of the step that begins, from 1.

One more than there are steps after the last."""

KIND_MEMO: Final = "kind"
"""The memo that says whether a ``Release`` or a ``Rollback`` started it."""

REVISION_MEMO: Final = "revision"
"""The memo that says what its candidate is built from, where that was requested."""

OBJECTION: Final = "objection"
"""The second detail of a ``ReleaseRolledBack`` where somebody or something refused the candidate.

A cancel or an error of AWS says nothing about the candidate."""

MAX_RUNS: Final = 50
"""Releases of an alias that are read: the last ones. One that was rejected changed nothing."""

_RETRY: Final = RetryPolicy(maximum_interval=timedelta(seconds=30))
_TIMEOUT: Final = timedelta(seconds=30)


class AliasHistoryRequest(BaseModel):
    """Which alias, by its rollout id (``lock`` in JSON), and which version is live there now."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    failure_type: ClassVar[str] = "Invalid"

    lock: Annotated[str, StringConstraints(pattern=r"^[^'\"\\]+$")]
    live: str

    @property
    def is_of_alias(self) -> str:
        """The condition of a visibility query that finds the runs of the alias."""
        return runs_of(self.lock)


@activity.defn(name="read_previous_version")
async def read_previous_version(request: AliasHistoryRequest) -> str | None:
    """Return the version that was live before ``live``, from the results of the last runs.

    None where none of them knows.
    """
    client = activity.client()
    query = f"{request.is_of_alias} AND {LAST_RUNS}"
    runs = [run async for run in client.list_workflows(query, limit=MAX_RUNS)]
    completed = [
        run for run in runs if run.status is WorkflowExecutionStatus.COMPLETED and run.close_time
    ]
    for run in sorted(completed, key=lambda run: run.close_time or run.start_time, reverse=True):
        handle = client.get_workflow_handle(run.id, run_id=run.run_id, result_type=ReleaseStatus)
        status: ReleaseStatus = await handle.result()
        made_live = status.phase is Phase.SUCCEEDED and status.candidate == request.live
        if made_live and status.stable not in {None, request.live}:
            return status.stable
    return None


async def find_previous_version(rollout_id: str, live: str) -> str | None:
    """Call :func:`read_previous_version` from a workflow."""
    return await workflow.execute_activity(
        read_previous_version,
        AliasHistoryRequest(lock=rollout_id, live=live),
        start_to_close_timeout=_TIMEOUT,
        retry_policy=_RETRY,
        summary=f"Read which version was live before {live}",
    )


@activity.defn(name="read_alias_history")
async def read_alias_history(request: AliasHistoryRequest) -> AliasHistory:
    """Return which version was live before, and which were rolled back from.

    By the last 50 releases that were not rejected; the one that calls this does not count.
    """
    client, caller = activity.client(), activity.info().workflow_run_id
    query = (
        f"{request.is_of_alias} AND {search_attributes.PHASE.name} != 'rejected' AND {LAST_RUNS}"
    )
    listed = client.list_workflows(query, limit=MAX_RUNS)
    runs = sorted([run async for run in listed], key=lambda run: run.start_time)
    past = [await _read_run(client, run) for run in runs if run.run_id != caller]
    return read_history([run for run in past if run is not None], live=request.live)


async def _read_run(client: Client, run: WorkflowExecution) -> PastRun | None:
    """Read a run that moved the alias, or whose candidate was refused; None for any other."""
    handle = client.get_workflow_handle(run.id, run_id=run.run_id)
    if run.status is WorkflowExecutionStatus.RUNNING:
        run = await handle.describe()  # the list may be behind for a moment
    phase = run.typed_search_attributes.get(search_attributes.PHASE)
    journal = await run.memo_value(JOURNAL_MEMO, None, type_hint=Journal)
    before, candidate = (journal.before, journal.candidate) if journal else (None, None)
    reason = ""
    match run.status:
        case WorkflowExecutionStatus.COMPLETED if journal and journal.shifting:
            kind, by, reason = await _read_request(run)
        case WorkflowExecutionStatus.TERMINATED | WorkflowExecutionStatus.TIMED_OUT if (
            journal and journal.shifting and await _is_kept(client, run)
        ):
            kind, by, reason = await _read_request(run)
        case WorkflowExecutionStatus.FAILED if phase == Phase.ROLLED_BACK:
            kind, by, _ = await _read_request(run)
            status, reason = await _read_objection(handle)
            if kind is RunKind.ROLLBACK or status is None:
                return None
            before = before or (Routing(version=status.stable) if status.stable else None)
            candidate = status.candidate
        case _:
            return None
    if candidate is None:
        return None
    return PastRun(
        kind=kind,
        workflow_id=run.parent_id or run.id,
        by=by,
        reason=reason,
        at=run.close_time or run.start_time,
        before=before,
        candidate=candidate,
        made_live=run.status is not WorkflowExecutionStatus.FAILED,
    )


async def _is_kept(client: Client, run: WorkflowExecution) -> bool:
    """Whether a rollout that was killed stayed live: its release has completed then."""
    if run.parent_id is None:
        return False
    parent = client.get_workflow_handle(run.parent_id, run_id=run.parent_run_id)
    try:
        return (await parent.describe()).status is WorkflowExecutionStatus.COMPLETED
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise


async def _read_request(run: WorkflowExecution) -> tuple[RunKind, str, str]:
    """Read whether a run was a release or a rollback; of a rollback also by whom, and why.

    Runs of before have no memo for it: their input tells.
    """
    if await run.memo_value(KIND_MEMO, None) == RunKind.RELEASE:
        return RunKind.RELEASE, "", ""
    keys = await read_workflow_input(activity.client(), run.id, run.run_id)
    if find_request_kind(keys) == "release":
        return RunKind.RELEASE, "", ""
    return RunKind.ROLLBACK, str(keys.get("requested_by") or ""), str(keys.get("reason") or "")


async def _read_objection(handle: WorkflowHandle[Any, Any]) -> tuple[ReleaseStatus | None, str]:
    """Read the last status of a release that was stopped, and why.

    No status where there was no objection to its candidate.
    """
    try:
        await handle.result(follow_runs=False)
    except WorkflowFailureError as failure:
        cause = failure.cause
        if isinstance(cause, ApplicationError) and OBJECTION in cause.details[1:]:
            return ReleaseStatus.model_validate(cause.details[0]), cause.message
    return None, ""


async def find_alias_history(rollout_id: str, live: str) -> AliasHistory:
    """Call :func:`read_alias_history` from a workflow."""
    return await workflow.execute_activity(
        read_alias_history,
        AliasHistoryRequest(lock=rollout_id, live=live),
        start_to_close_timeout=_TIMEOUT,
        retry_policy=_RETRY,
        summary=f"Read what was live before {live}, and what was rolled back",
    )


class JournalRequest(BaseModel):
    """Which rollout, by the ids of its workflow and run."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    failure_type: ClassVar[str] = "Invalid"

    workflow_id: Annotated[str, StringConstraints(min_length=1)]
    run_id: str


@activity.defn(name="read_journal")
async def read_journal_activity(request: JournalRequest) -> Journal | None:
    """Return the journal of a rollout in its last run; None if it had not changed anything.

    Raises ``NotFound`` where the run was deleted.
    """
    found = await find_killed_run(request)
    return await found.memo_value(JOURNAL_MEMO, None, type_hint=Journal)


async def find_killed_run(request: JournalRequest) -> WorkflowExecutionDescription:
    """Find the last run of a rollout, within an activity.

    Raises ``NotFound``, which is not retried, where it was deleted.
    """
    try:
        return await find_last_run(activity.client(), request.workflow_id, request.run_id)
    except RPCError as error:
        if error.status not in {RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT}:
            raise
        message = f"{activity.info().activity_type}: there is no such run any more"
        raise ApplicationError(message, type="NotFound", non_retryable=True) from None


async def read_journal(workflow_id: str, run_id: str) -> Journal | None:
    """Call :func:`read_journal_activity` from a workflow."""
    return await workflow.execute_activity(
        read_journal_activity,
        JournalRequest(workflow_id=workflow_id, run_id=run_id),
        start_to_close_timeout=_TIMEOUT,
        retry_policy=_RETRY,
        priority=HIGHEST_PRIORITY,
        summary="Read what the killed rollout had begun to change",
    )

"""A release that has no rollout yet: it waits for a worker, or one looks up its function.

Everything is read from Temporal, which knows a release from the moment it is started.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowExecution, WorkflowExecutionDescription
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from workflows import search_attributes
from workflows.client.errors import translate_errors
from workflows.client.queue_outage import find_outages
from workflows.client.runs import Run
from workflows.domain.status import Phase, ReleaseStatus
from workflows.domain.target import Target
from workflows.request import ReleaseRequest, RollbackRequest

_INPUTS: Final = {"Release": ReleaseRequest, "Rollback": RollbackRequest}
_TYPES: Final = "WorkflowType IN ('Release', 'Rollback') AND ExecutionStatus = 'Running'"
_MOST_LISTED: Final = 20


@dataclass(frozen=True)
class PendingRelease:
    """A running ``Release`` or ``Rollback`` without a rollout.

    ``named`` is the target by the name that its request has. ``is_taken``: a worker has had it.
    """

    execution: WorkflowExecution
    named: Target
    words: str
    is_taken: bool

    @property
    def id(self) -> str:
        """The workflow id."""
        return self.execution.id

    @property
    def note(self) -> str:
        """What it waits for."""
        if self.is_taken:
            return f"a worker of task queue {self.execution.task_queue} looks up the function"
        return f"waiting for a worker on task queue {self.execution.task_queue}"

    @property
    def status(self) -> ReleaseStatus:
        """Its status, without the reasons why no worker takes it."""
        return ReleaseStatus(
            phase=Phase.PREPARING if self.is_taken else Phase.WAITING_FOR_WORKER,
            note=self.note,
            target=self.named.bare,
            account=self.named.account,
            region=self.named.region,
        )

    @property
    def run(self) -> Run:
        """The release as lists show it."""
        found = self.execution.typed_search_attributes
        return Run(
            id=self.execution.id,
            run_id=self.execution.run_id,
            release=self.execution.id,
            status=self.status,
            state="RUNNING",
            requested_by=found.get(search_attributes.REQUESTED_BY) or "",
            words=self.words,
            started_at=self.execution.start_time,
        )

    async def read_status(self, client: Client) -> ReleaseStatus:
        """Its status; ``notes`` say why no worker takes it, with what to do."""
        outages = await find_outages(client, self.execution.task_queue)
        return self.status.model_copy(update={"notes": outages})

    def is_at(self, target: Target) -> bool:
        """Whether it is certainly a release of this target, which may name account and region."""
        if (self.named.name, self.named.alias) != (target.name, target.alias):
            return False
        if target.account is None:
            return True
        return self.named.account == target.account and (
            None in {self.named.region, target.region} or self.named.region == target.region
        )

    @classmethod
    def from_listed(cls, execution: WorkflowExecution) -> Self:
        """One that visibility lists in the phase ``waiting_for_worker``."""
        found = execution.typed_search_attributes
        # Not validated: no worker has looked at the request.
        named = Target.model_construct(
            function=found.get(search_attributes.FUNCTION) or execution.id,
            alias=found.get(search_attributes.ALIAS) or "live",
        )
        return cls(execution=execution, named=named, words="", is_taken=False)


async def read_pending(
    client: Client, execution: WorkflowExecutionDescription
) -> PendingRelease | None:
    """Read a release by its history; None where it has ended, or has had a rollout."""
    if execution.close_time or execution.workflow_type not in _INPUTS:
        return None
    handle = client.get_workflow_handle(execution.id, run_id=execution.run_id)
    request: ReleaseRequest | RollbackRequest | None = None
    is_taken = False
    with translate_errors(f"the history of {execution.id} has expired"):
        async for event in handle.fetch_history_events():
            if event.event_type == EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED:
                return None
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
                request = await _read_request(event, client.data_converter)
            is_taken |= event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
    named = request.target if request else PendingRelease.from_listed(execution).named
    words = request.summary if request else ""
    return PendingRelease(execution=execution, named=named, words=words, is_taken=is_taken)


async def list_waiting(client: Client) -> list[Run]:
    """List all releases that wait for a worker, newest first."""
    query = f"{_TYPES} AND ReleasePhase = '{Phase.WAITING_FOR_WORKER}'"
    return [PendingRelease.from_listed(found).run for found in await _list(client, query)]


async def list_pending(client: Client, target: Target) -> list[PendingRelease]:
    """List the releases of a target's function and alias that have no rollout yet.

    One of another account may be among them, where the target names one: see
    :meth:`PendingRelease.is_at`.
    """
    of_target = f"LambdaFunction = '{target.name}' AND LambdaAlias = '{target.alias}'"
    of_id = " OR ".join(
        f"WorkflowId STARTS_WITH '{kind}:{target.bare}:'" for kind in ("release", "rollback")
    )
    query = f"{_TYPES} AND (({of_target}) OR {of_id})"
    listed = await _list(client, query, without_attributes=f"{_TYPES} AND ({of_id})")
    pending: list[PendingRelease] = []
    for found in listed:
        handle = client.get_workflow_handle(found.id, run_id=found.run_id)
        with translate_errors():
            read = await read_pending(client, await handle.describe())
        if read is not None:
            pending.append(read)
    return pending


async def _list(
    client: Client, query: str, *, without_attributes: str | None = None
) -> list[WorkflowExecution]:
    """List what a query finds; if it lacks search attributes, the other one."""
    with translate_errors():
        try:
            return [run async for run in client.list_workflows(query, limit=_MOST_LISTED)]
        except RPCError as error:
            if error.status is not RPCStatusCode.INVALID_ARGUMENT:
                raise
        if without_attributes is None:
            return []
        listed = client.list_workflows(without_attributes, limit=_MOST_LISTED)
        return [run async for run in listed]


async def _read_request(
    event: HistoryEvent, converter: DataConverter
) -> ReleaseRequest | RollbackRequest | None:
    """The request by the event that started the workflow; None where it would be refused."""
    started = event.workflow_execution_started_event_attributes
    kind = _INPUTS[started.workflow_type.name]
    try:
        [request] = await converter.decode(started.input.payloads, [kind])
    except (ApplicationError, ValueError):
        return None
    return request if isinstance(request, ReleaseRequest | RollbackRequest) else None

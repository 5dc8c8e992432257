"""What no codec encrypts and people write: kept out of Temporal where ``RELEASES_PRIVATE`` is on.

Search attributes, reasons of a cancel or a terminate, and notes of schedules are plain text in
Temporal by design. So the requester is in no search attribute then, and those reasons and notes are
left out. All of them are also in payloads, where a codec encrypts them, but for the reason of a
cancel: the release says that it was cancelled, and not why.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast

from temporalio.api.common.v1 import SearchAttributes
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.client import (
    CancelWorkflowInput,
    CreateScheduleInput,
    Interceptor,
    OutboundInterceptor,
    PauseScheduleInput,
    ScheduleActionStartWorkflow,
    StartWorkflowInput,
    TerminateWorkflowInput,
    UnpauseScheduleInput,
    WorkflowHandle,
)
from temporalio.common import SearchAttributePair, TypedSearchAttributes

from workflows import search_attributes

_HIDDEN: Final = search_attributes.REQUESTED_BY


class PrivateStarts(Interceptor):
    """Leaves out what people write, where a client would send it as plain text."""

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        """Leave it out of all requests of a client."""
        return _PrivateOutbound(next)


class _PrivateOutbound(OutboundInterceptor):
    async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:
        if isinstance(input.search_attributes, TypedSearchAttributes):
            input.search_attributes = _hide(input.search_attributes)
        return await super().start_workflow(input)

    async def cancel_workflow(self, input: CancelWorkflowInput) -> None:
        input.reason = ""
        await super().cancel_workflow(input)

    async def terminate_workflow(self, input: TerminateWorkflowInput) -> None:
        input.reason = None
        await super().terminate_workflow(input)

    async def create_schedule(self, input: CreateScheduleInput) -> Any:
        input.schedule.state.note = None
        action = input.schedule.action
        if isinstance(action, ScheduleActionStartWorkflow):
            action.typed_search_attributes = _hide(action.typed_search_attributes)
        return await super().create_schedule(input)

    async def pause_schedule(self, input: PauseScheduleInput) -> None:
        input.note = None
        await super().pause_schedule(input)

    async def unpause_schedule(self, input: UnpauseScheduleInput) -> None:
        input.note = None
        await super().unpause_schedule(input)


def hide_requester(completion: WorkflowActivationCompletion) -> WorkflowActivationCompletion:
    """Take out of a workflow's commands what people write, where it would be plain text.

    The commands stay the same in number and kind, so a history is replayed either way.
    """
    for command in completion.successful.commands:
        match command.WhichOneof("variant"):
            case "upsert_workflow_search_attributes":
                _remove(command.upsert_workflow_search_attributes.search_attributes)
            case "start_child_workflow_execution":
                _remove(command.start_child_workflow_execution.search_attributes)
            case "continue_as_new_workflow_execution":
                _remove(command.continue_as_new_workflow_execution.search_attributes)
            case "cancel_child_workflow_execution":
                command.cancel_child_workflow_execution.reason = ""
            case "request_cancel_external_workflow_execution":
                command.request_cancel_external_workflow_execution.reason = ""
            case _:
                pass
    return completion


def _hide(attributes: TypedSearchAttributes) -> TypedSearchAttributes:
    # Temporal's own type is partly unknown.
    pairs: Sequence[SearchAttributePair[Any]] = cast("Any", attributes).search_attributes
    return TypedSearchAttributes([pair for pair in pairs if pair.key.name != _HIDDEN.name])


def _remove(attributes: SearchAttributes) -> None:
    # Temporal refuses a command without any attribute; ours never has the requester alone.
    fields = attributes.indexed_fields
    if _HIDDEN.name in fields and len(fields) > 1:
        del fields[_HIDDEN.name]

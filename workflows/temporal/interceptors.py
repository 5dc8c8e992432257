"""Interceptors: one input for each workflow, update, query and activity; and rollbacks announced to their worker."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from temporalio import activity, workflow
from temporalio.exceptions import ApplicationError
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    ExecuteWorkflowInput,
    HandleQueryInput,
    HandleUpdateInput,
    Interceptor,
    StartActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)

from activities.limits.priority import ROLLBACK_ANNOUNCEMENTS, HIGHEST_PRIORITY_KEY


class InputCount(Interceptor):
    """Refuses no input and surplus inputs, which would otherwise be retried for ever."""

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: ARG002 - Temporal's name
    ) -> type[WorkflowInboundInterceptor]:
        return _WorkflowArity

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _ActivityArity(next)


class _WorkflowArity(WorkflowInboundInterceptor):
    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
        input.headers = dict(
            input.headers
        )  # the mapping that Temporal gives keeps everything that came with it
        run = functools.partial(input.run_fn, None)
        _bind(run, input.args, what=workflow.info().workflow_type, failure_type="ReleaseRejected")
        return await super().execute_workflow(input)

    def handle_update_validator(self, input: HandleUpdateInput) -> None:
        handler = getattr(workflow.instance(), input.update, None)
        if handler is not None:
            _bind(handler, input.args, what=input.update, failure_type="Refused")
        super().handle_update_validator(input)

    async def handle_query(self, input: HandleQueryInput) -> Any:
        handler = getattr(workflow.instance(), input.query, None)
        if handler is not None:
            _bind(handler, input.args, what=input.query, failure_type="Refused")
        return await super().handle_query(input)


class _ActivityArity(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        _bind(input.fn, input.args, what=activity.info().activity_type, failure_type="Invalid")
        return await super().execute_activity(input)


class RollbackAnnouncer(Interceptor):
    """Lets the worker know of what restores service before Temporal does, so that it finds room for it; see :mod:`activities.limits.priority`."""

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: ARG002 - Temporal's name
    ) -> type[WorkflowInboundInterceptor]:
        return _WorkflowUrgent


class _WorkflowUrgent(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_Announcing(outbound))


class _Announcing(WorkflowOutboundInterceptor):
    def start_activity(self, input: StartActivityInput) -> workflow.ActivityHandle[Any]:
        if input.priority.priority_key == HIGHEST_PRIORITY_KEY and not workflow.unsafe.is_replaying():
            ROLLBACK_ANNOUNCEMENTS.announce()
        return super().start_activity(input)


def _bind(function: Callable[..., Any], args: Sequence[Any], *, what: str, failure_type: str) -> None:
    signature = inspect.signature(function)
    try:
        signature.bind(*args)
    except TypeError:
        text = f"{what}: {'exactly one input is needed' if signature.parameters else 'no input is taken'}, {len(args)} were given"
        raise ApplicationError(text, type=failure_type, non_retryable=True) from None

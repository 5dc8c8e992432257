"""The interceptors: input counts, and announcements of rollbacks."""

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

from activities.limits.priority import HIGHEST_PRIORITY_KEY, ROLLBACK_ANNOUNCEMENTS
from workflows.domain.inputs import Input
from workflows.release_handlers import ReleaseHandlers
from workflows.temporal.input_problems import make_count_failure
from workflows.temporal.payloads import UnreadInput


class InputCountChecker(Interceptor):
    """Refuses a wrong number of inputs.

    It checks workflows, updates, queries and activities.

    In a workflow, Python's own TypeError would fail the workflow task, which Temporal retries
    without limit. In an activity it would be an error like any other, which Temporal retries, too.
    """

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: ARG002 - Temporal's name
    ) -> type[WorkflowInboundInterceptor]:
        """Check the inputs of workflows, updates and queries."""
        return _WorkflowInputCount

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Check the inputs of activities."""
        return _ActivityInputCount(next)


class _WorkflowInputCount(WorkflowInboundInterceptor):
    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
        # Temporal's mapping is a view of the whole activation, and keeps all of it in memory.
        input.headers = dict(input.headers)
        try:
            _check_workflow_input(input)
        except ApplicationError as failure:
            instance = workflow.instance()
            raise (
                instance.refuse_input(failure) if isinstance(instance, ReleaseHandlers) else failure
            ) from None
        return await super().execute_workflow(input)

    def handle_update_validator(self, input: HandleUpdateInput) -> None:
        # A method of the name may be none of an update, which another handler refuses.
        if workflow.get_update_handler(input.update) is not None:  # pyright: ignore[reportUnknownMemberType] - Temporal's own type is partly unknown
            handler = getattr(workflow.instance(), input.update)
            _check_update_input_count(handler, input.args, input.update)
        super().handle_update_validator(input)

    async def handle_query(self, input: HandleQueryInput) -> Any:
        handler = getattr(workflow.instance(), input.query, None)
        if handler is not None:
            _check_input_count(handler, input.args, name=input.query, failure_type="Refused")
        return await super().handle_query(input)


class _ActivityInputCount(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        name = activity.info().activity_type
        _check_input_count(input.fn, input.args, name=name, failure_type="Invalid")
        return await super().execute_activity(input)


def _check_workflow_input(input: ExecuteWorkflowInput) -> None:
    run = functools.partial(input.run_fn, None)
    name = workflow.info().workflow_type
    _check_input_count(run, input.args, name=name, failure_type="ReleaseRejected")
    for value in input.args:
        if isinstance(value, UnreadInput):
            raise value.failure
        refusal = value.refusal if isinstance(value, Input) else None
        # A workflow that an earlier version has begun with this input goes on.
        if refusal is not None and workflow.patched("months-are-refused"):
            raise refusal


def _check_input_count(
    function: Callable[..., Any], args: Sequence[Any], *, name: str, failure_type: str
) -> None:
    parameters = inspect.signature(function).parameters
    if len(args) != len(parameters):
        needed = "exactly one input is needed" if parameters else "no input is taken"
        raise make_count_failure(f"{name}: {needed}, {len(args)} were given", failure_type)


def _check_update_input_count(handler: Callable[..., Any], args: Sequence[Any], name: str) -> None:
    """Check the inputs of an update, which most of them can do without."""
    parameters = inspect.signature(handler).parameters.values()
    if args or any(parameter.default is parameter.empty for parameter in parameters):
        _check_input_count(handler, args, name=name, failure_type="Refused")


class RollbackAnnouncer(Interceptor):
    """Announces rollback activities to their worker, before Temporal schedules them.

    So the worker can reserve a slot for them (:mod:`activities.limits.priority`).
    """

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: ARG002 - Temporal's name
    ) -> type[WorkflowInboundInterceptor]:
        """Announce the rollback activities of every workflow."""
        return _WorkflowAnnouncer


class _WorkflowAnnouncer(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_ActivityAnnouncer(outbound))


class _ActivityAnnouncer(WorkflowOutboundInterceptor):
    def start_activity(self, input: StartActivityInput) -> workflow.ActivityHandle[Any]:
        is_rollback = input.priority.priority_key == HIGHEST_PRIORITY_KEY
        if is_rollback and not workflow.unsafe.is_replaying():
            ROLLBACK_ANNOUNCEMENTS.announce(input.task_queue or workflow.info().task_queue)
        return super().start_activity(input)

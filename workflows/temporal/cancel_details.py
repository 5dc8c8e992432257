"""The details of a cancel: how a release stood when it was cancelled.

A workflow that ends as cancelled may leave details, as one that fails does. Temporal's SDK for
Python (1.35) sends none: it drops those of the workflow's ``CancelledError``. They are put into its
command here, before a codec sees it. Nothing depends on them but what a client learns.
https://github.com/temporalio/sdk-python/blob/1.35.0/temporalio/worker/_workflow_instance.py
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.exceptions import CancelledError
from temporalio.worker import (
    ExecuteWorkflowInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInstanceDetails,
    WorkflowInterceptorClassInput,
)

_KEEP: Final = "lambda_releases_keep_cancel_details"
"""The name of the function outside of the sandbox that takes the details."""

_Keep = Callable[[Sequence[Payload]], None]


class CancelDetails:
    """The details of one run of a workflow, from where it ends to where its command is sent."""

    def __init__(self) -> None:
        """Begin without any."""
        self._payloads: list[Payload] = []

    def extend(self, details: WorkflowInstanceDetails) -> WorkflowInstanceDetails:
        """Return what a workflow is made of, so that it can leave its details here."""
        given = cast("Mapping[str, Callable[..., object]]", details.extern_functions)
        return dataclasses.replace(details, extern_functions={**given, _KEEP: self._keep})

    def _keep(self, payloads: Sequence[Payload]) -> None:
        self._payloads = list(payloads)

    def add_to(self, completion: WorkflowActivationCompletion) -> WorkflowActivationCompletion:
        """Put the details into the command that ends the workflow as cancelled, if there is one."""
        for command in completion.successful.commands if self._payloads else ():
            if command.HasField("cancel_workflow_execution"):
                command.cancel_workflow_execution.details.payloads.extend(self._payloads)
        return completion


class CancelReporter(Interceptor):
    """Leaves the details of a ``CancelledError`` that ends a workflow."""

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: ARG002 - Temporal's name
    ) -> type[WorkflowInboundInterceptor]:
        """Report how every workflow ended that was cancelled."""
        return _WorkflowCancelReporter


class _WorkflowCancelReporter(WorkflowInboundInterceptor):
    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
        try:
            return await super().execute_workflow(input)
        except CancelledError as error:
            # Without our runner of workflows, as with a user's own, there is no such function.
            keep = cast("_Keep | None", workflow.extern_functions().get(_KEEP))  # pyright: ignore[reportUnknownMemberType] - Temporal's own type is partly unknown
            if keep is not None and error.details:
                keep(workflow.payload_converter().to_payloads(error.details))
            raise

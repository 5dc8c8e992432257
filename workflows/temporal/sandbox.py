"""The sandbox of workflows: what it does not reload, and what it does not call.

https://docs.temporal.io/develop/python/python-sdk-sandbox
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Final

from temporalio.api.common.v1 import Payloads
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.converter import (
    DataConverter,
    SerializationContext,
    StorageDriverStoreContext,
    WithSerializationContext,
)
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions
from temporalio.workflow import Info

from workflows.temporal.cancel_details import CancelDetails
from workflows.temporal.private_attributes import hide_requester

PASSTHROUGH_MODULES: Final = ("activities", "workflows")
"""Our packages, which the sandbox does not reload for each workflow.

Reloading took half of a worker's time for a release, and more where Python may not write bytecode.
It also took a third of the memory of an idle release.

Without reloading, the sandbox does not check these modules. It would refuse a clock or a random
number while a workflow runs. It would also isolate a module's state, which one workflow changes and
another reads. ``tests/test_architecture.py`` checks both instead: it reads the source of every
module that workflows import, ``activities`` included. The sandbox still refuses built-ins such as
``open`` everywhere.
"""

_NO_STORE_CONTEXT: Final = StorageDriverStoreContext()


def make_sandboxed_runner(given: WorkflowRunner | None) -> SandboxedWorkflowRunner:
    """Return a sandbox with our modules passed through, whose workflows leave cancel details.

    It is the worker's or replayer's own, or Temporal's default.
    """
    runner = (
        given
        if isinstance(given, SandboxedWorkflowRunner)
        else SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default)
    )
    restrictions = runner.restrictions.with_passthrough_modules(*PASSTHROUGH_MODULES)
    if type(runner) is not SandboxedWorkflowRunner:  # a user's own stays that
        return dataclasses.replace(runner, restrictions=restrictions)
    return _DetailedRunner(restrictions=restrictions, runner_class=runner.runner_class)


def drop_serialization_context(runner: WorkflowRunner, converter: DataConverter) -> WorkflowRunner:
    """Return the same sandbox, without serialization contexts that nothing uses.

    Only a payload codec that takes one, and an external storage, may use them. Temporal requests
    them in any case: six times for each payload, each time by running code in the sandbox. That
    took an eighth of a worker's time for a release.
    """
    if (
        type(runner) is not _DetailedRunner
        or isinstance(converter.payload_codec, WithSerializationContext)
        or converter.external_storage is not None
    ):
        return runner
    return _ContextFreeRunner(
        restrictions=runner.restrictions, runner_class=runner.runner_class, edit=runner.edit
    )


def hide_what_people_write(runner: WorkflowRunner) -> WorkflowRunner:
    """Return the same sandbox, whose workflows send Temporal no plain text that people write.

    See :mod:`workflows.temporal.private_attributes`. A user's own sandbox stays as it is.
    """
    if not isinstance(runner, _DetailedRunner):
        return runner
    return dataclasses.replace(runner, edit=hide_requester)


_Edit = Callable[[WorkflowActivationCompletion], WorkflowActivationCompletion]


def _keep(completion: WorkflowActivationCompletion) -> WorkflowActivationCompletion:
    return completion


@dataclasses.dataclass(frozen=True)
class _DetailedRunner(SandboxedWorkflowRunner):
    edit: _Edit = _keep
    """What is done to the commands of a workflow, before a codec sees them."""

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        cancel_details = CancelDetails()
        return _DetailedInstance(
            super().create_instance(cancel_details.extend(det)), cancel_details, self.edit
        )


class _DetailedInstance(WorkflowInstance):
    """A workflow in the sandbox that leaves details where it is cancelled."""

    def __init__(
        self, instance: WorkflowInstance, cancel_details: CancelDetails, edit: _Edit
    ) -> None:
        self._instance = instance
        self._cancel_details = cancel_details
        self._edit = edit

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        return self._edit(self._cancel_details.add_to(self._instance.activate(act)))

    def get_serialization_context(self, command_info: Any) -> SerializationContext | None:
        return self._instance.get_serialization_context(command_info)

    def get_external_store_context(self, command_info: Any) -> StorageDriverStoreContext:
        return self._instance.get_external_store_context(command_info)

    def get_info(self) -> Info:
        return self._instance.get_info()

    def get_thread_id(self) -> int | None:
        return self._instance.get_thread_id()


class _ContextFreeRunner(_DetailedRunner):
    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        # A part of an activation keeps all of it in memory: mostly the input, which is decoded by
        # then. A copy of that part does not.
        copy = Payloads(payloads=det.last_completion_result.payloads)
        return _ContextFreeInstance(
            super().create_instance(dataclasses.replace(det, last_completion_result=copy))
        )


class _ContextFreeInstance(WorkflowInstance):
    """A workflow in the sandbox whose serialization contexts are constants."""

    def __init__(self, instance: WorkflowInstance) -> None:
        self._instance = instance

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        return self._instance.activate(act)

    def get_serialization_context(self, command_info: Any) -> SerializationContext | None:  # noqa: ARG002 - Temporal's signature
        return None

    def get_external_store_context(self, command_info: Any) -> StorageDriverStoreContext:  # noqa: ARG002 - Temporal's signature
        return _NO_STORE_CONTEXT

    def get_info(self) -> Info:
        return self._instance.get_info()

    def get_thread_id(self) -> int | None:
        return self._instance.get_thread_id()

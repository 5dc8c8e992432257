"""The sandbox that workflows run in: what it does not load anew for each of them, and what it is not asked for each payload."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

from temporalio.api.common.v1 import Payloads
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.converter import DataConverter, SerializationContext, StorageDriverStoreContext
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions
from temporalio.workflow import Info

PASSTHROUGH_MODULES: Final = ("activities", "workflows")
"""What the sandbox does not load anew for each workflow: nothing of ours.

Loading took half of a worker's time for a release, more where Python may not write bytecode, and a third of the memory of one that sleeps.
What the sandbox would refuse in a module while a workflow runs, a clock or a random number, and what it would keep apart, a
value that one workflow changes and another one sees, ``tests/test_architecture.py`` refuses in the source of everything that workflows
import. Built-ins, such as ``open``, the sandbox goes on refusing in all of it.
"""


def make_sandboxed_runner(given: WorkflowRunner | None) -> SandboxedWorkflowRunner:
    """The sandbox that a worker or a replayer was given, or Temporal's own, with our modules passed through."""
    runner = (
        given
        if isinstance(given, SandboxedWorkflowRunner)
        else SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default)
    )
    return dataclasses.replace(
        runner, restrictions=runner.restrictions.with_passthrough_modules(*PASSTHROUGH_MODULES)
    )


def drop_serialization_context(runner: WorkflowRunner, converter: DataConverter) -> WorkflowRunner:
    """The same sandbox, not asked for each payload in which context it is written, where nobody wants to know.

    Only a codec and a storage outside of Temporal may want to. Temporal asks all the same, six times for each payload, each time through the
    sandbox's door: an eighth of a worker's time for a release.
    """
    if (
        type(runner) is not SandboxedWorkflowRunner
        or converter.payload_codec is not None
        or converter.external_storage is not None
    ):
        return runner
    return _Unasked(restrictions=runner.restrictions, runner_class=runner.runner_class)


class _Unasked(SandboxedWorkflowRunner):
    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        # A piece of what Temporal's core sent, kept, keeps all of it: most of it is the input, which is decoded by then.
        apart = Payloads(payloads=det.last_completion_result.payloads)
        return _Instance(
            super().create_instance(dataclasses.replace(det, last_completion_result=apart))
        )


class _Instance(WorkflowInstance):
    """A workflow in the sandbox, with the answer to where its payloads belong known beforehand: it does not matter."""

    def __init__(self, within: WorkflowInstance) -> None:
        self._within = within

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        return self._within.activate(act)

    def get_serialization_context(self, command_info: Any) -> SerializationContext | None:  # noqa: ARG002 - Temporal's signature
        return None

    def get_external_store_context(self, command_info: Any) -> StorageDriverStoreContext:  # noqa: ARG002 - Temporal's signature
        return _NOWHERE

    def get_info(self) -> Info:
        return self._within.get_info()

    def get_thread_id(self) -> int | None:
        return self._within.get_thread_id()


_NOWHERE: Final = StorageDriverStoreContext()

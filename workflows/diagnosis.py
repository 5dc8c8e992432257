"""``Diagnosis``: what a worker knows of itself and of a function. It reads, and changes nothing.

It is a workflow, as ``Plan`` is, since every Temporal server runs workflows, and since one that
ends proves that workers take both workflow tasks and activities of the queue.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from temporalio import workflow

from activities.diagnosis import DiagnoseRequest, DiagnoseResponse, WorkerDiagnosis
from workflows.call import call
from workflows.domain.inputs import Input
from workflows.domain.target import Target


class DiagnosisRequest(Input):
    """What to look at: the worker, and one function with its alias if there is a ``target``.

    ``bucket`` is where the packages of its releases are.
    """

    target: Target | None = None
    bucket: Annotated[str, Field(min_length=3, max_length=63)] | None = None


@workflow.defn
class Diagnosis:
    """Ask one worker of the queue for its diagnosis."""

    @workflow.run
    async def run(self, request: DiagnosisRequest) -> DiagnoseResponse:
        """Return what the worker finds. What does not work is a finding, and no failure."""
        target = request.target
        return await call(
            WorkerDiagnosis.diagnose,
            DiagnoseRequest(
                function_name=target.function if target else None,
                alias=target.alias if target else None,
                bucket=request.bucket,
            ),
            summary=f"Diagnose {target}" if target else "Diagnose this worker",
        )

"""``Doctor``: looks at everything that a release depends on, and says what is wrong.

It looks from here at Temporal, and through a worker at AWS: it is the worker's role that counts.
Nothing is changed; the ``Diagnosis`` workflow stays in the namespace as any other does.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from temporalio import exceptions
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.service import RPCError

from activities.check_result import CheckResult, CheckState
from activities.diagnosis import DiagnoseResponse, describe_skew
from activities.product_version import read_product_version
from workflows.call import root_cause
from workflows.client.errors import ReleaseClientError, translate_errors
from workflows.client.namespace_check import (
    check_namespace,
    check_search_attributes,
    check_server,
)
from workflows.client.worker_check import VERSIONING_CHECK, WorkerCheck
from workflows.diagnosis import DiagnosisRequest
from workflows.domain.target import Target

_ANSWER_TIMEOUT: Final = timedelta(seconds=60)
_MAX_SKEW: Final = timedelta(seconds=5)
TEMPORAL_CHECK: Final = "temporal"


class Doctor:
    """Examines one namespace and one task queue."""

    def __init__(self, client: Client, *, task_queue: str, bucket: str | None = None) -> None:
        """``client`` must have the plugin of releases; ``bucket`` is where packages are."""
        self._client = client
        self._task_queue = task_queue
        self._bucket = bucket

    async def examine(self, target: Target | None = None) -> list[CheckResult]:
        """Return what was found, in the order in which one thing depends on the other.

        What cannot be looked at is a finding, too. Without a ``target`` neither function nor
        permissions are.
        """
        try:
            with translate_errors():
                findings = [await check_server(self._client)]
        except ReleaseClientError as error:
            return [describe_unreachable(error)]
        findings.append(await check_namespace(self._client))
        if findings[-1].state is CheckState.FAILED:
            return findings
        findings.append(await check_search_attributes(self._client))
        check = WorkerCheck(self._client, task_queue=self._task_queue, target=target)
        try:
            found = await check.run()
        except RPCError as error:
            text = f"Temporal does not say who polls {self._task_queue}: {error.message}"
            found = [CheckResult(check="workers", state=CheckState.WARNING, text=text)]
        findings += found
        if _is_unserved(found):
            return findings
        return [*findings, *await self._ask_worker(target)]

    async def _ask_worker(self, target: Target | None) -> list[CheckResult]:
        """Run the diagnosis of one worker, and compare clocks by when Temporal has started it."""
        before = datetime.now(UTC)
        try:
            handle: WorkflowHandle[Any, DiagnoseResponse] = await self._client.start_workflow(
                "Diagnosis",
                DiagnosisRequest(target=target, bucket=self._bucket),
                id=f"diagnosis/{target or self._task_queue}/{secrets.token_hex(4)}",
                task_queue=self._task_queue,
                static_summary=f"Diagnosis of {target or self._task_queue}",
                result_type=DiagnoseResponse,
                execution_timeout=_ANSWER_TIMEOUT,
            )
            after = datetime.now(UTC)
            started = (await handle.describe()).start_time
        except RPCError as error:
            text = f"no workflow can be started: {error.message}"
            return [CheckResult(check="worker", state=CheckState.FAILED, text=text)]
        findings = [_compare_clocks(before, after, started)]
        try:
            answer = await handle.result()
        except WorkflowFailureError as error:
            return [*findings, self._describe_silence(error)]
        return [*findings, _compare_versions(answer.version), *answer.findings]

    def _describe_silence(self, error: WorkflowFailureError) -> CheckResult:
        if not isinstance(error.cause, exceptions.TimeoutError):
            text = f"the worker cannot diagnose itself: {root_cause(error.cause)}"
            return CheckResult(check="worker", state=CheckState.FAILED, text=text)
        seconds = f"{_ANSWER_TIMEOUT.total_seconds():.0f} s"
        return CheckResult(
            check="worker",
            state=CheckState.FAILED,
            text=f"no worker of {self._task_queue} has answered within {seconds}",
            remedy="look at the workers' logs; one of a version before releases doctor does not "
            "know the workflow Diagnosis: update it",
        )


def describe_unreachable(error: ReleaseClientError) -> CheckResult:
    """Describe that Temporal cannot be reached: nothing else can be looked at."""
    return CheckResult(
        check=TEMPORAL_CHECK,
        state=CheckState.FAILED,
        text=str(error),
        remedy="check TEMPORAL_ADDRESS, TEMPORAL_PROFILE and the network: "
        "temporal operator cluster health",
    )


def _is_unserved(found: Sequence[CheckResult]) -> bool:
    """Whether no worker would answer: none polls, or their versions are given nothing."""
    none_polls = found[0].state is CheckState.FAILED
    return none_polls or any(
        one.check == VERSIONING_CHECK and one.state is CheckState.FAILED for one in found
    )


def _compare_clocks(before: datetime, after: datetime, started: datetime) -> CheckResult:
    """Compare this machine's clock with Temporal's, which has started something in between."""
    skew = before - started if started < before else min(after - started, timedelta())
    clocks = ("this machine's", "Temporal's")
    return describe_skew("clock", skew, clocks=clocks, at_most=_MAX_SKEW)


def _compare_versions(worker: str) -> CheckResult:
    ours = read_product_version()
    text = f"lambda-releases {worker} on the worker that answered"
    if worker == ours:
        return CheckResult(check="version", state=CheckState.OK, text=f"{text}, as here")
    return CheckResult(
        check="version",
        state=CheckState.WARNING,
        text=f"{text}, {ours} here",
        remedy="install the same version here and there",
    )

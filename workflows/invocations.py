"""Invokes functions for a release: hooks, which accept or refuse, and probes of the candidate.

Neither is sent twice, except where AWS says that the function did not run.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from activities.errors import Fault
from activities.invocations import Invocations, InvokeRequest
from activities.probes import ProbeFunctionRequest, Probes, ResponseExpectation
from workflows.call import call, fault_of, root_cause
from workflows.domain.hook_answer import HookAnswer, parse_hook_answer
from workflows.domain.probe import ProbeRequest

DID_NOT_RUN: Final = {Fault.THROTTLED, Fault.NOT_READY, Fault.CONFLICT}
"""Faults with which AWS says that the function was not invoked, so that it may be sent again."""

_RETRY_DELAYS: Final = tuple(timedelta(seconds=seconds) for seconds in (2, 5, 10, 20))

_Answer = TypeVar("_Answer")


async def invoke_hook(hook: str, question: dict[str, object], *, name: str) -> HookAnswer:
    """Invoke a hook, a Lambda function, and return whether it accepts the candidate.

    Everything but a clear yes is a no: a crash, no answer, an answer of another form. ``name`` is
    ``before_traffic`` or ``after_traffic``. Sent once, unless AWS says that it did not run.
    """
    function, _, qualifier = hook.partition(":") if hook.count(":") == 1 else (hook, "", "")
    request = InvokeRequest(
        function_name=function,
        qualifier=qualifier or None,
        payload=json.dumps(question).encode(),
    )
    try:
        response = await _retry_until_run(
            lambda: call(Invocations.invoke, request, summary=f"Ask {hook} ({name})"), who=hook
        )
    except ActivityError as error:
        return HookAnswer(accept=False, reason=f"it could not be invoked: {root_cause(error)}")
    return parse_hook_answer(response.payload, function_error=response.function_error)


async def send_probe(
    function: str, version: str, probe: ProbeRequest, *, max_latency: timedelta, label: str
) -> str | None:
    """Send one probe to a version; return what is wrong with its answer, None if nothing is.

    No answer is a failure. ``label`` says which probe it is, in the timeline. Sent once, unless AWS
    says that the function did not run.
    """
    request = ProbeFunctionRequest(
        function_name=function,
        qualifier=version,
        payload=probe.payload,
        expectations=[
            ResponseExpectation(
                path=each.path,
                test=each.test,
                value=each.equals if each.exists is None else each.exists,
            )
            for each in probe.expect
        ],
        max_milliseconds=round(max_latency / timedelta(milliseconds=1)),
        tenant_id=probe.tenant_id,
    )
    who = f"version {version}"
    try:
        response = await _retry_until_run(
            lambda: call(Probes.probe_function, request, summary=f"Probe {who}: {label}"), who=who
        )
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        return f"it could not be invoked: {root_cause(error)}"
    return response.failure


async def _retry_until_run(invoke: Callable[[], Awaitable[_Answer]], *, who: str) -> _Answer:
    """Invoke a function, up to five times as long as AWS says that it did not run."""
    for delay in _RETRY_DELAYS:
        try:
            return await invoke()
        except ActivityError as error:
            if fault_of(error) not in DID_NOT_RUN:
                raise
        await workflow.sleep(delay, summary=f"{who} is busy: retry")
    return await invoke()

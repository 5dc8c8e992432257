"""Invokes functions for a release: hooks, which accept or refuse, and probes of the candidate.

Neither is sent twice, except where it is certain that the function did not run.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from activities.error_codes import PASSING_CODES
from activities.errors import Fault
from activities.invocations import Invocations, InvokeRequest
from activities.probes import ProbeFunctionRequest, Probes, ResponseExpectation
from activities.retry_budget import WRITE_BUDGET
from workflows.call import call, code_of, fault_of, root_cause
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
    """Invoke a function again where it did not run: it was busy, or this worker was refused."""
    begun, delays = workflow.now(), iter(_RETRY_DELAYS)
    while True:
        delay = next(delays, None)
        try:
            return await invoke()
        except ActivityError as error:
            if fault_of(error) in DID_NOT_RUN:
                if delay is None:
                    raise
                problem = "is busy"
            elif workflow.now() - begun < _find_patience(error) and workflow.patched(
                "refused-invocation-is-sent-again"
            ):
                problem = "could not be invoked"
            else:
                raise
        await workflow.sleep(delay or _RETRY_DELAYS[-1], summary=f"{who} {problem}: retry")


def _find_patience(error: ActivityError) -> timedelta:
    """Return for how long an invocation that was refused is sent again.

    A permission takes some seconds to take effect; credentials, the clock or a proxy's login are
    mended by a person. Zero for any other failure: the function may have run.
    """
    if code_of(error) in PASSING_CODES:
        return WRITE_BUDGET.passing or timedelta.max
    if fault_of(error) is Fault.DENIED:
        return WRITE_BUDGET.denied or timedelta.max
    return timedelta(0)

"""Invokes functions for a release: hooks, which accept or refuse, and probes of the candidate.

Neither is sent twice, except where it is certain that the function did not run.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

from activities.error_codes import NOT_SERVED_CODES, PASSING_CODES, UNSENT_CODES
from activities.errors import Fault
from activities.invocations import Invocations, InvokeRequest
from activities.probes import ProbeFunctionRequest, Probes, ResponseExpectation
from workflows.call import call, code_of, fault_of, root_cause
from workflows.domain.hook_answer import HookAnswer, parse_hook_answer
from workflows.domain.probe import ProbeRequest

DID_NOT_RUN: Final = {Fault.THROTTLED, Fault.NOT_READY, Fault.CONFLICT}
"""Faults with which AWS says that the function was not invoked, so that it may be sent again."""

RETRY_MARK: Final = ": retry"
"""How the summary of a timer ends after which an invocation is sent again."""

_RETRY_DELAYS: Final = tuple(timedelta(seconds=seconds) for seconds in (2, 5, 10, 20))

_FIRST_LONGEST_DENIAL: Final = timedelta(seconds=30)
_LONGEST_DENIAL: Final = timedelta(minutes=1)
"""A permission takes some seconds to take effect."""

_LONGEST_ABSENCE: Final = timedelta(minutes=10)
"""What stands between the worker and AWS is mended by a person: credentials, the clock, a proxy,
the network. A function that wakes up takes some minutes, too."""

_Answer = TypeVar("_Answer")


class AnswerLost(Exception):
    """A function may have run, and its answer did not arrive; the text is why."""


async def invoke_hook(hook: str, question: dict[str, object], *, name: str) -> HookAnswer:
    """Invoke a hook, a Lambda function, and return whether it accepts the candidate.

    Everything but a clear yes is a no: a crash, no answer, an answer of another form. ``name`` is
    ``before_traffic`` or ``after_traffic``. Sent once, unless it is certain that it did not run.
    Raises :class:`AnswerLost` where it may have run, and its answer did not arrive.
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
        if _is_lost(error):
            raise AnswerLost(root_cause(error)) from error
        return HookAnswer(accept=False, reason=f"it could not be invoked: {root_cause(error)}")
    return parse_hook_answer(response.payload, function_error=response.function_error)


async def send_probe(
    function: str, version: str, probe: ProbeRequest, *, max_latency: timedelta, label: str
) -> str | None:
    """Send one probe to a version; return what is wrong with its answer, None if nothing is.

    ``label`` says which probe it is, in the timeline. Sent once, unless it is certain that the
    function did not run: that it cannot be invoked is a failure. Raises :class:`AnswerLost` where
    it may have run, and its answer did not arrive.
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
        if _is_lost(error):
            raise AnswerLost(root_cause(error)) from error
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
            waited = workflow.now() - begun
            if fault_of(error) in DID_NOT_RUN and delay is not None:
                problem = "is busy"
            elif fault_of(error) is Fault.NOT_READY and waited < _LONGEST_ABSENCE:
                if not workflow.patched("sleeping-hook-is-waited-for"):
                    raise
                problem = "is not ready"
            elif fault_of(error) in DID_NOT_RUN:
                raise
            elif waited < _find_patience(error) and workflow.patched(_find_patch(error, waited)):
                problem = "could not be invoked"
            else:
                raise
        await workflow.sleep(delay or _RETRY_DELAYS[-1], summary=f"{who} {problem}{RETRY_MARK}")


def _is_lost(error: ActivityError) -> bool:
    """Whether the function may have run: no answer, a dead worker, or one that was shut down."""
    if is_cancelled_exception(error) or code_of(error) in UNSENT_CODES:
        return False
    is_ours = isinstance(error.cause, ApplicationError) and error.cause.type in set(Fault)
    return not is_ours or fault_of(error) is Fault.UNAVAILABLE


def _find_patience(error: ActivityError) -> timedelta:
    """Return for how long an invocation is sent again of which nothing was sent, or accepted.

    Zero for any other failure: the function may have run.
    """
    code = code_of(error)
    if code in PASSING_CODES or code in UNSENT_CODES:
        return _LONGEST_ABSENCE
    is_denied = fault_of(error) is Fault.DENIED and code not in NOT_SERVED_CODES
    return _LONGEST_DENIAL if is_denied else timedelta(0)


def _find_patch(error: ActivityError, waited: timedelta) -> str:
    """Return the patch since which a failure like this is retried after so long."""
    if code_of(error) in UNSENT_CODES:
        return "unsent-invocation-is-sent-again"
    if code_of(error) not in PASSING_CODES and waited >= _FIRST_LONGEST_DENIAL:
        return "denied-invocation-waits-a-minute"
    return "refused-invocation-is-sent-again"

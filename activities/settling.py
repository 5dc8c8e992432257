"""Settling: wait until AWS has finished a change of a function or version.

One attempt polls for about 20 seconds, then it ends in a benign failure that Temporal retries. So
a wait of any length adds nothing to the history, and a worker that shuts down hands it over at
once. Functions are polled with GetFunction, which has its own rate limit (100 per second).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

from temporalio import activity

from activities.configuration_response import FunctionConfiguration
from activities.errors import AwsError, Fault, classify_error
from activities.operation import SETTLE, Aws, OperationGroup, is_retry, operation
from activities.provisioned import ProvisionedConcurrencyConfig
from activities.shapes import FunctionName, Qualifier, Request

POLL_SECONDS_PER_ATTEMPT: Final = 20.0
"""How long one attempt polls."""

_READ_LAG_SECONDS: Final = 5.0
"""How long AWS may return the state from before a change.

Its reads are eventually consistent.
"""

_WAKING_SECONDS: Final = 5.0
"""How long the invocation that wakes a version is waited for."""

_WAKING_PAUSE_SECONDS: Final = 2.0
"""How long to wait before a version that is still Inactive is looked at again."""

_WAKING_PAYLOAD: Final = b'{"lambda-releases": "wake up"}'
_WAKING_TENANT: Final = "lambda-releases"

_WAKING_FAULTS: Final = {Fault.NOT_READY, Fault.CONFLICT}
"""The faults with which AWS says that a version is being prepared."""

_TRANSIENT_STATES: Final = {"Pending", "Deactivating"}

_State = TypeVar("_State")


class SettleFunctionRequest(Request):
    """The function, and the version or alias of it; without a qualifier ``$LATEST``.

    ``superseded`` is the RevisionId from before the change that is waited for. A response with that
    revision is out of date. ``serving`` waits until a version can serve traffic: it has to be
    Active, and an Inactive one is woken.
    """

    function_name: FunctionName
    qualifier: Qualifier | None = None
    superseded: str | None = None
    serving: bool = False


class SettleProvisionedConcurrencyRequest(Request):
    """The version or alias whose warm environments are waited for."""

    function_name: FunctionName
    qualifier: Qualifier


class Settling(OperationGroup):
    """Operations that wait for AWS by polling."""

    @operation(SETTLE)
    async def settle_function(self, request: SettleFunctionRequest) -> FunctionConfiguration:
        """Wait until the function or version is ready for the next change.

        Returns its configuration then.

        ``Invalid``, with AWS's reason, where the update or the creation failed. A version that was
        published a moment ago may not be found everywhere yet, and a recent change may not be
        visible yet. A first attempt gives both five seconds.

        With ``serving`` an Inactive version is invoked: AWS refuses that invocation and prepares
        the version. A version that is neither Active nor on its way there is ``Invalid``. Safe to
        repeat: only an Inactive version is invoked.
        """
        name = "settle_function"
        function = await poll_until_settled(
            self.aws,
            request.function_name,
            request.qualifier,
            name,
            superseded=request.superseded,
        )
        raise_if_failed(name, function["Configuration"])
        if request.serving and request.qualifier is not None:
            state = function["Configuration"].get("State")
            if state == "Inactive":
                await _wake_version(self.aws, request, function["Configuration"])
                function = await poll_until_settled(
                    self.aws, request.function_name, request.qualifier, name
                )
            raise_unless_serving(name, function["Configuration"])
        return FunctionConfiguration.model_validate(function["Configuration"])

    @operation(SETTLE)
    async def settle_provisioned_concurrency(
        self, request: SettleProvisionedConcurrencyRequest
    ) -> ProvisionedConcurrencyConfig:
        """Wait until the warm environments are available (``READY``).

        ``Invalid``, with AWS's reason, where they cannot be prepared. A read may not find what was
        requested a moment ago: a first attempt gives it five seconds. Safe to repeat.
        """
        clock = asyncio.get_running_loop().time
        consistent_at = clock() + _READ_LAG_SECONDS

        async def read() -> ProvisionedConcurrencyConfig:
            try:
                answer = await self.aws.call(
                    "lambda", "get_provisioned_concurrency_config", request.parameters()
                )
            except AwsError as error:
                may_be_new = not is_retry() and clock() < consistent_at
                if classify_error(error) is not Fault.NOT_FOUND or not may_be_new:
                    raise
                answer = {"Status": "IN_PROGRESS"}
            return ProvisionedConcurrencyConfig.model_validate(answer)

        def describe_pending(config: ProvisionedConcurrencyConfig) -> str | None:
            if config.status != "IN_PROGRESS":
                return None
            ready = config.available_provisioned_concurrent_executions or 0
            requested = config.requested_provisioned_concurrent_executions
            return f"{ready} of {requested} environments are ready"

        name = "settle_provisioned_concurrency"
        config = await poll_until(read, describe_pending, name, first=2, longest=5)
        if config.status == "FAILED":
            raise AwsError(
                name,
                "ProvisioningFailed",
                f"provisioned concurrency failed: {config.status_reason or 'AWS gives no reason'}",
            )
        return config


async def poll_until_settled(
    aws: Aws, function_name: str, qualifier: str | None, name: str, *, superseded: str | None = None
) -> Mapping[str, Any]:
    """Poll GetFunction until no change is pending, whether it succeeded or failed.

    Returns AWS's response unchanged, secrets included: no part of it may leave the activity
    unredacted. ``name`` is the activity's. A response with the ``superseded`` revision is ignored
    for five seconds: each change creates a new revision, and reads may lag behind.
    """
    parameters = {"FunctionName": function_name}
    if qualifier is not None:
        parameters["Qualifier"] = qualifier
    clock = asyncio.get_running_loop().time
    consistent_at = clock() + _READ_LAG_SECONDS

    async def read() -> Mapping[str, Any] | None:
        try:
            return await aws.call("lambda", "get_function", parameters)
        except AwsError as error:
            may_be_new = qualifier is not None and not is_retry() and clock() < consistent_at
            if classify_error(error) is Fault.NOT_FOUND and may_be_new:
                return None
            raise

    def describe_pending(function: Mapping[str, Any] | None) -> str | None:
        if function is None:
            return "it is not to be found yet"
        revision = function["Configuration"].get("RevisionId")
        if superseded is not None and clock() < consistent_at and revision == superseded:
            return "AWS still answers what it was before the change"
        return describe_pending_change(function["Configuration"])

    function = await poll_until(read, describe_pending, name, first=0.5, longest=2)
    if function is None:
        raise AwsError(name, "InProgress", "it is not to be found yet", retry_after=1)
    return function


def describe_pending_change(configuration: Mapping[str, Any]) -> str | None:
    """The pending change of a ``FunctionConfiguration`` as a text; None without one.

    A new version has no ``LastUpdateStatus``: its ``State`` counts. While a function is updated its
    ``State`` stays Active: https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html.
    """
    state, update = configuration.get("State"), configuration.get("LastUpdateStatus")
    if state in _TRANSIENT_STATES:
        reason = configuration.get("StateReasonCode") or configuration.get("StateReason")
        return _append_reason(f"State is {state}", reason)
    if update == "InProgress":
        reason = configuration.get("LastUpdateStatusReason")
        return _append_reason("LastUpdateStatus is InProgress", reason)
    return None


def _append_reason(text: str, reason: str | None) -> str:
    return f"{text}: {reason}" if reason else text


def raise_if_failed(name: str, configuration: Mapping[str, Any]) -> None:
    """Raise AWS's reason if a ``FunctionConfiguration`` reports a failed change."""
    for member, code in (("State", "CreationFailed"), ("LastUpdateStatus", "UpdateFailed")):
        if configuration.get(member) == "Failed":
            reason = configuration.get(f"{member}Reason") or "AWS gives no reason"
            reason_code = configuration.get(f"{member}ReasonCode", "no code")
            raise AwsError(name, code, f"{member} is Failed: {reason} [{reason_code}]")


def raise_unless_serving(name: str, configuration: Mapping[str, Any]) -> None:
    """Raise unless a ``FunctionConfiguration`` is of a version that can serve traffic.

    An Inactive one may be woken later on: ``InProgress`` (NotReady).
    """
    raise_if_failed(name, configuration)
    state = configuration.get("State")
    if state in {None, "Active"}:
        return
    text = _append_reason(f"State is {state}", configuration.get("StateReason"))
    if state == "Inactive":
        raise AwsError(name, "InProgress", text, retry_after=_WAKING_PAUSE_SECONDS)
    raise AwsError(name, "NotServing", f"it cannot serve traffic: {text}")


async def _wake_version(
    aws: Aws, request: SettleFunctionRequest, configuration: Mapping[str, Any]
) -> None:
    """Invoke an Inactive version, once, so that AWS prepares it again.

    Nothing else wakes one: a dry run does not. AWS refuses the first invocation of an Inactive
    version without running it (https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html).
    Only if another caller woke it within the last moment it runs, with this payload. Whether it
    fails then does not matter: it is awake.
    """
    parameters = {
        "FunctionName": request.function_name,
        "Qualifier": request.qualifier,
        "Payload": _WAKING_PAYLOAD,
    }
    tenancy: Mapping[str, Any] = configuration.get("TenancyConfig") or {}
    if tenancy.get("TenantIsolationMode"):
        parameters["TenantId"] = _WAKING_TENANT
    try:
        async with asyncio.timeout(_WAKING_SECONDS):
            await aws.call("lambda", "invoke", parameters)
    except TimeoutError:
        return
    except AwsError as error:
        if classify_error(error) not in _WAKING_FAULTS:
            raise


async def poll_until(
    read: Callable[[], Awaitable[_State]],
    describe_pending: Callable[[_State], str | None],
    name: str,
    *,
    first: float,
    longest: float,
) -> _State:
    """Poll until nothing is pending; pauses grow from ``first`` to ``longest``, in s.

    Raises ``InProgress`` (NotReady, benign) after :data:`POLL_SECONDS_PER_ATTEMPT` seconds, and at
    once when the worker shuts down.
    """
    loop = asyncio.get_running_loop()
    end, pause = loop.time() + POLL_SECONDS_PER_ATTEMPT, first
    while True:
        state = await read()
        pending = describe_pending(state)
        if pending is None:
            return state
        if loop.time() + pause > end or await _is_shut_down_within(pause):
            raise AwsError(name, "InProgress", pending, retry_after=longest)
        pause = min(pause * 1.5, longest)


async def _is_shut_down_within(seconds: float) -> bool:
    """Wait this long, or until the worker shuts down; return whether it does."""
    if not activity.in_activity():
        await asyncio.sleep(seconds)
        return False
    try:
        async with asyncio.timeout(seconds):
            await activity.wait_for_worker_shutdown()
    except TimeoutError:
        return False
    return True

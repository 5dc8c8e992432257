"""Waits until AWS has finished what it began: a function's new code, a fresh version, warm environments.

One look after the other for about 20 seconds inside the activity, then a benign failure that Temporal repeats: however long it
takes, it costs no more history, and a worker that is told to leave hands the waiting over at once. Functions are looked at with
GetFunction, which has a rate limit of its own (100 a second).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

from temporalio import activity

from activities.configuration import FunctionConfiguration
from activities.errors import AwsError, Fault, classify_error
from activities.operation import SETTLE, Aws, OperationGroup, is_retry, operation
from activities.provisioned import ProvisionedConcurrencyConfig
from activities.shapes import FunctionName, Qualifier, Request

POLL_SECONDS_PER_ATTEMPT: Final = 20.0
"""Seconds of looking within one attempt."""

_Seen = TypeVar("_Seen")


class SettleFunctionRequest(Request):
    """Which function, and which version or alias of it; without one, ``$LATEST``.

    ``superseded`` is the RevisionId from before the change that is waited for: an answer that still has it was given by a host of AWS's
    that has not heard of the change.
    """

    function_name: FunctionName
    qualifier: Qualifier | None = None
    superseded: str | None = None


class SettleProvisionedConcurrencyRequest(Request):
    """Whose warm environments."""

    function_name: FunctionName
    qualifier: Qualifier


class Settling(OperationGroup):
    """Waiting, by looking."""

    @operation(SETTLE)
    async def settle_function(self, request: SettleFunctionRequest) -> FunctionConfiguration:
        """Wait until the function, or that version of it, is ready for the next change; returns what it is by then.

        Invalid, in AWS's words, where the update or the creation failed. A version that was published a moment ago may
        not be found everywhere yet: a first attempt gives it five seconds; so has a change of a moment ago to be seen. Safe at any time.
        """
        found = await poll_until_settled(
            self.aws,
            request.function_name,
            request.qualifier,
            "settle_function",
            superseded=request.superseded,
        )
        raise_if_failed("settle_function", found["Configuration"])
        return FunctionConfiguration.model_validate(found["Configuration"])

    @operation(SETTLE)
    async def settle_provisioned_concurrency(
        self, request: SettleProvisionedConcurrencyRequest
    ) -> ProvisionedConcurrencyConfig:
        """Wait until the warm environments are there (``READY``); Invalid, with AWS's reason, where they cannot be prepared."""

        async def look() -> ProvisionedConcurrencyConfig:
            answer = await self.aws.call(
                "lambda", "get_provisioned_concurrency_config", request.parameters()
            )
            return ProvisionedConcurrencyConfig.model_validate(answer)

        def unsettled(seen: ProvisionedConcurrencyConfig) -> str | None:
            if seen.status != "IN_PROGRESS":
                return None
            ready, wanted = (
                seen.available_provisioned_concurrent_executions,
                seen.requested_provisioned_concurrent_executions,
            )
            return f"{ready or 0} of {wanted} environments are ready"

        name = "settle_provisioned_concurrency"
        seen = await poll_until(look, unsettled, name, first=2, longest=5)
        if seen.status == "FAILED":
            raise AwsError(
                name,
                "ProvisioningFailed",
                f"provisioned concurrency failed: {seen.status_reason or 'AWS gives no reason'}",
            )
        return seen


async def poll_until_settled(
    aws: Aws, function_name: str, qualifier: str | None, name: str, *, superseded: str | None = None
) -> Mapping[str, Any]:
    """GetFunction's answer, once nothing about the function is under way any more, be it well or badly ended.

    The answer is as AWS gave it, secrets and all: nothing of it may leave the activity undigested. ``name`` is the activity's. An answer of
    the ``superseded`` revision is not believed for five seconds: every change moves the revision, and reads may lag behind.
    """
    which = {"FunctionName": function_name} | (
        {} if qualifier is None else {"Qualifier": qualifier}
    )
    begun = asyncio.get_running_loop().time()

    async def look() -> Mapping[str, Any] | None:
        try:
            return await aws.call("lambda", "get_function", which)
        except AwsError as error:
            young = (
                qualifier is not None
                and not is_retry()
                and asyncio.get_running_loop().time() < begun + _READ_LAG_SECONDS
            )
            if classify_error(error) is Fault.NOT_FOUND and young:
                return None
            raise

    def unsettled(seen: Mapping[str, Any] | None) -> str | None:
        if seen is None:
            return "it is not to be found yet"
        fresh = asyncio.get_running_loop().time() < begun + _READ_LAG_SECONDS
        if (
            superseded is not None
            and fresh
            and seen["Configuration"].get("RevisionId") == superseded
        ):
            return "AWS still answers what it was before the change"
        return describe_pending_change(seen["Configuration"])

    found = await poll_until(look, unsettled, name, first=0.5, longest=2)
    if found is None:
        raise AwsError(name, "InProgress", "it is not to be found yet", retry_after=1)
    return found


def describe_pending_change(configuration: Mapping[str, Any]) -> str | None:
    """What AWS is still doing with a function (``FunctionConfiguration``), in words; None when it is doing nothing.

    A fresh version has no ``LastUpdateStatus``, so its ``State`` decides; a function keeps ``State`` Active while it is updated.
    """
    state, update = configuration.get("State"), configuration.get("LastUpdateStatus")
    if state in _TRANSIENT:
        return f"State is {state}{_because(configuration.get('StateReason'))}"
    if update == "InProgress":
        return (
            f"LastUpdateStatus is InProgress{_because(configuration.get('LastUpdateStatusReason'))}"
        )
    return None


def raise_if_failed(name: str, configuration: Mapping[str, Any]) -> None:
    """Raise what AWS says about a function (``FunctionConfiguration``) that could not be created or updated."""
    for member, code in (("State", "CreationFailed"), ("LastUpdateStatus", "UpdateFailed")):
        if configuration.get(member) == "Failed":
            reason = configuration.get(f"{member}Reason") or "AWS gives no reason"
            raise AwsError(
                name,
                code,
                f"{member} is Failed: {reason} [{configuration.get(f'{member}ReasonCode', 'no code')}]",
            )


async def poll_until(
    look: Callable[[], Awaitable[_Seen]],
    unsettled: Callable[[_Seen], str | None],
    name: str,
    *,
    first: float,
    longest: float,
) -> _Seen:
    """Look until nothing is unsettled; seconds between two looks grow from ``first`` to ``longest``.

    Raises ``InProgress`` (NotReady, benign) after :data:`POLL_SECONDS_PER_ATTEMPT` seconds, and at once when the worker is to leave.
    """
    loop = asyncio.get_running_loop()
    end, pause = loop.time() + POLL_SECONDS_PER_ATTEMPT, first
    while True:
        seen = await look()
        doing = unsettled(seen)
        if doing is None:
            return seen
        if loop.time() + pause > end or await _worker_leaves_within(pause):
            raise AwsError(name, "InProgress", doing, retry_after=longest)
        pause = min(pause * 1.5, longest)


async def _worker_leaves_within(seconds: float) -> bool:
    """Wait so long, or until this worker is told to stop."""
    if not activity.in_activity():
        await asyncio.sleep(seconds)
        return False
    try:
        async with asyncio.timeout(seconds):
            await activity.wait_for_worker_shutdown()
    except TimeoutError:
        return False
    return True


_READ_LAG_SECONDS: Final = 5.0
_TRANSIENT: Final = {"Pending", "Deactivating"}


def _because(reason: str | None) -> str:
    return f": {reason}" if reason else ""

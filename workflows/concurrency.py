"""Actions on reserved and provisioned concurrency: one AWS operation each.

Reserved concurrency belongs to a function, provisioned concurrency to a version.
"""

from __future__ import annotations

from datetime import timedelta

from activities.concurrency import (
    DeleteFunctionConcurrencyRequest,
    PutFunctionConcurrencyRequest,
    ReservedConcurrency,
)
from activities.function_models import GetFunctionRequest
from activities.functions import Functions
from activities.provisioned import (
    DeleteProvisionedConcurrencyConfigRequest,
    GetProvisionedConcurrencyConfigRequest,
    ProvisionedConcurrency,
    PutProvisionedConcurrencyConfigRequest,
)
from activities.settling import SettleProvisionedConcurrencyRequest, Settling
from workflows.call import DEFAULT_OPTIONS, CallOptions, call
from workflows.wait import Report, wait_visibly


async def put_reserved(
    function: str, executions: int | None, *, options: CallOptions = DEFAULT_OPTIONS
) -> None:
    """Reserve concurrent executions for a function; None removes the reservation."""
    if executions is None:
        request = DeleteFunctionConcurrencyRequest(function_name=function)
        await call(
            ReservedConcurrency.delete_function_concurrency,
            request,
            summary="Reserve no concurrency",
            options=options,
        )
    else:
        put = PutFunctionConcurrencyRequest(
            function_name=function, reserved_concurrent_executions=executions
        )
        await call(
            ReservedConcurrency.put_function_concurrency,
            put,
            summary=f"Reserve {executions} concurrent executions",
            options=options,
        )


async def read_reserved(function: str, *, options: CallOptions = DEFAULT_OPTIONS) -> int | None:
    """Read how much concurrency is reserved for a function; None for none."""
    request = GetFunctionRequest(function_name=function)
    summary = "Read reserved concurrency"
    answer = await call(Functions.get_function, request, summary=summary, options=options)
    return answer.concurrency.reserved_concurrent_executions if answer.concurrency else None


async def read_provisioned(
    function: str, qualifier: str, *, options: CallOptions = DEFAULT_OPTIONS
) -> int | None:
    """Read how much concurrency is provisioned on a version or an alias; None for none."""
    request = GetProvisionedConcurrencyConfigRequest(function_name=function, qualifier=qualifier)
    operation = ProvisionedConcurrency.get_provisioned_concurrency_config
    summary = f"Read provisioned concurrency of {qualifier}"
    answer = await call(operation, request, summary=summary, options=options)
    return answer.requested_provisioned_concurrent_executions


async def put_provisioned(
    function: str, version: str, executions: int | None, *, options: CallOptions = DEFAULT_OPTIONS
) -> None:
    """Provision concurrency on a version; None removes it. Does not wait until it is ready."""
    if executions is None:
        request = DeleteProvisionedConcurrencyConfigRequest(
            function_name=function, qualifier=version
        )
        await call(
            ProvisionedConcurrency.delete_provisioned_concurrency_config,
            request,
            summary=f"Release provisioned concurrency of version {version}",
            options=options,
        )
    else:
        put = PutProvisionedConcurrencyConfigRequest(
            function_name=function, qualifier=version, provisioned_concurrent_executions=executions
        )
        await call(
            ProvisionedConcurrency.put_provisioned_concurrency_config,
            put,
            summary=f"Provision {executions} on version {version}",
            options=options,
        )


async def wait_until_provisioned(
    function: str, version: str, report: Report, *, longest: timedelta | None = None
) -> None:
    """Wait until the provisioned concurrency of a version is ready; ``report`` says how far it is.

    What is not ready after ``longest`` is ``NotReady``.
    """
    request = SettleProvisionedConcurrencyRequest(function_name=function, qualifier=version)
    what = f"version {version}"
    await wait_visibly(
        lambda options: call(
            Settling.settle_provisioned_concurrency,
            request,
            summary=f"Wait until {what} is warm",
            options=options,
        ),
        what=what,
        report=report,
        longest=longest,
    )

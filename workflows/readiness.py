"""Readiness: waits until a function may be written, and until a version can serve traffic."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from activities.configuration_response import FunctionConfiguration
from activities.errors import Fault
from activities.settling import SettleFunctionRequest, Settling
from workflows.call import call, fault_of, root_cause
from workflows.domain.preflight_rules import WAKING_STATES
from workflows.domain.target import Target
from workflows.preflight_reads import ReleaseRejected, configuration_of, locate
from workflows.wait import Report, wait_visibly

_OTHER_UPDATE: Final = timedelta(minutes=5)
"""How long another writer's update of a function is waited for."""


async def wait_for_other_update(target: Target, report: Report) -> FunctionConfiguration:
    """Wait until another writer's update of ``$LATEST`` is done; return what it left.

    Whether it succeeded does not matter. Raises
    :class:`~workflows.preflight_reads.ReleaseRejected` where it takes too long.
    """
    request = SettleFunctionRequest(function_name=target.function)
    summary = "Wait until another update of the function is done"
    report(f"Somebody else is updating {target.name}: waiting until that is done")
    try:
        return await wait_visibly(
            lambda options: call(
                Settling.settle_function, request, summary=summary, options=options
            ),
            what="Somebody else's update",
            report=report,
            longest=_OTHER_UPDATE,
        )
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        if fault_of(error) is Fault.INVALID:  # their update failed, and is over
            return configuration_of(await locate(target))
        raise ReleaseRejected(
            f"an update of the function is in progress already: {root_cause(error)}"
        ) from error


async def wait_until_serving(
    function: str, version: str, state: str | None, report: Report
) -> None:
    """Wait until a version that was published before can serve traffic; wake it if need be.

    ``state`` is the one that preflight found: one that is Active is not waited for.
    """
    if state in WAKING_STATES and workflow.patched("active-before-traffic"):
        await wait_until_active(function, version, report)


async def wait_until_active(function: str, version: str, report: Report) -> FunctionConfiguration:
    """Wait until a version is Active. Fails as ``Invalid`` where it does not get there."""
    request = SettleFunctionRequest(function_name=function, qualifier=version, serving=True)
    what = f"version {version}"
    return await wait_visibly(
        lambda options: call(
            Settling.settle_function,
            request,
            summary=f"Wait until {what} is ready",
            options=options,
        ),
        what=what,
        report=report,
    )

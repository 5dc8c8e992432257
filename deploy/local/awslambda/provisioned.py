"""Provisioned concurrency: on a version or an alias, never on both, and never there at once."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from deploy.local.awslambda import capacity, pace, records, upstream
from deploy.local.awslambda.calls import Call
from deploy.local.awslambda.records import LATEST, arn
from deploy.local.awslambda.refusals import RefusalError, conflict, invalid, malformed
from deploy.local.awslambda.upstream import Answer, Record


def put(call: Call) -> Answer:
    """Ask for so many environments, kept warm. They are allocated some time later; how that went is in the Status."""
    wanted = int(call.document().get("ProvisionedConcurrentExecutions", 0))
    if wanted < 1:
        raise malformed(
            "provisionedConcurrentExecutions",
            wanted,
            "Member must have value greater than or equal to 1",
        )
    qualifier, record = _target(
        call, "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
    )
    configs: dict[str, Record] = record["provisioned_concurrency"]
    alias = record["aliases"].get(qualifier)
    if alias is not None:
        _check_unweighted(alias)
        if alias["FunctionVersion"] == LATEST:
            raise invalid(
                "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
            )
        if alias["FunctionVersion"] in configs:
            raise conflict(
                "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version"
            )
    elif any(
        record["aliases"][name]["FunctionVersion"] == qualifier
        for name in configs
        if name in record["aliases"]
    ):
        raise conflict("Version is pointed by a Provisioned Concurrency alias")
    capacity.check_provisioned(
        record, capacity.total(record) - capacity.requested(configs.get(qualifier)), wanted
    )
    config = {
        "AllocatedProvisionedConcurrentExecutions": 0,
        "AvailableProvisionedConcurrentExecutions": 0,
        **configs.get(qualifier, {}),
        "RequestedProvisionedConcurrentExecutions": wanted,
        "LastModified": upstream.now(),
    }
    configs[qualifier] = config
    _allocate(call.function, record, qualifier)
    return upstream.answer_json(config, 202)


def get(call: Call) -> Answer:
    """How far the allocation is – or all of them, with ``List=ALL``."""
    if call.asked("List") == "ALL":
        return _list(call)
    qualifier, record = _target(
        call, "The function resource provided must be an alias or a published version."
    )
    config = record["provisioned_concurrency"].get(qualifier)
    if config is None:
        message = "No Provisioned Concurrency Config found for this function"
        raise RefusalError("ProvisionedConcurrencyConfigNotFoundException", message, 404)
    return upstream.answer_json(config)


def delete(call: Call) -> Answer:
    """Let them go. None there is no error."""
    qualifier, record = _target(
        call, "The function resource provided must be an alias or a published version."
    )
    if qualifier in record["aliases"]:
        _check_unweighted(record["aliases"][qualifier])
    record["provisioned_concurrency"].pop(qualifier, None)
    return 204, {}, b""


def _list(call: Call) -> Answer:
    record = records.function(call.function)
    items = [
        {"FunctionArn": arn(call.function, name), **config}
        for name, config in record["provisioned_concurrency"].items()
    ]
    return records.page(call, "ProvisionedConcurrencyConfigs", items, "FunctionArn")


def _target(call: Call, refusal: str) -> tuple[str, Record]:
    if call.qualifier in (None, LATEST):
        raise invalid(refusal)
    record = records.function(call.function, call.qualifier)
    records.require(call.function, record, call.qualifier)
    return str(call.qualifier), record


def _check_unweighted(alias: Record) -> None:
    if records.weights(alias):
        raise invalid("Invalid alias configuration for Provisioned Concurrency")


def follow(name: str, record: Record, alias: str) -> None:
    """An alias moved: what is provisioned for it is allocated anew, to the version it points to now."""
    if alias in record["provisioned_concurrency"]:
        _allocate(name, record, alias)


def _allocate(name: str, record: Record, qualifier: str) -> None:
    config: Record = record["provisioned_concurrency"][qualifier]
    config.pop("StatusReason", None)
    config["Status"] = "IN_PROGRESS"
    number = record["aliases"].get(qualifier, {}).get("FunctionVersion", qualifier)
    version = record["versions"][number]

    async def warm() -> None:
        try:
            await asyncio.to_thread(_initialise, name, version)
        except Exception as problem:  # noqa: BLE001 - whatever a function does when it is loaded
            outcome: Record = {"Status": "FAILED", "StatusReason": "FUNCTION_ERROR_INIT_FAILURE"}
            print(
                f"{name}:{number} failed to initialise: {problem}", flush=True
            )  # its only trace: AWS, too, gives no more
        else:
            wanted = capacity.requested(config)
            outcome = {
                "Status": "READY",
                "AllocatedProvisionedConcurrentExecutions": wanted,
                "AvailableProvisionedConcurrentExecutions": wanted,
            }
        if record["provisioned_concurrency"].get(qualifier) is config:
            config.update(outcome)

    pace.later(pace.PROVISION, lambda: _tasks.add(asyncio.ensure_future(warm())))


_tasks: set[asyncio.Future[Any]] = set()
"""asyncio keeps no hold of a task that nobody refers to."""


def _initialise(name: str, version: Record) -> None:
    """Load the function's code once, in an environment that the next invocation finds warm."""
    worker, _ = upstream.acquire_worker(
        name, version["config"], version["code_zip"], qualifier=version["config"]["Version"]
    )
    with contextlib.ExitStack() as ending:
        ending.callback(upstream.release_worker, worker)
        upstream.ensure_spawned(worker)

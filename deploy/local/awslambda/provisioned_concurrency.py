"""Provisioned concurrency of a version or an alias, which takes time.

A version and an alias of it never both have it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from deploy.local.awslambda import capacity, delays, ministack_api, records
from deploy.local.awslambda.calls import Call
from deploy.local.awslambda.errors import (
    LambdaError,
    invalid_parameter,
    invalid_state,
    resource_conflict,
    validation_error,
)
from deploy.local.awslambda.ministack_api import Record, Response
from deploy.local.awslambda.records import LATEST, build_arn


def put_config(call: Call) -> Response:
    """Request provisioned concurrency.

    It is allocated after a delay, and Status has the result.
    """
    wanted = int(call.json_body().get("ProvisionedConcurrentExecutions", 0))
    if wanted < 1:
        raise validation_error(
            "provisionedConcurrentExecutions",
            wanted,
            "Member must have value greater than or equal to 1",
        )
    qualifier, record = _find_target(
        call, "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
    )
    _check_version(records.resolve_qualifier(call.function, record, qualifier)["config"])
    configs: dict[str, Record] = record["provisioned_concurrency"]
    alias = record["aliases"].get(qualifier)
    if alias is not None:
        _check_unweighted(alias)
        if alias["FunctionVersion"] == LATEST:
            raise invalid_parameter(
                "Provisioned Concurrency Configs cannot be applied to unpublished function "
                "versions."
            )
        if alias["FunctionVersion"] in configs:
            raise resource_conflict(
                "Alias can't be used for Provisioned Concurrency configuration on an already "
                "Provisioned version"
            )
    elif any(
        record["aliases"][name]["FunctionVersion"] == qualifier
        for name in configs
        if name in record["aliases"]
    ):
        raise resource_conflict("Version is pointed by a Provisioned Concurrency alias")
    capacity.check_provisioned(
        record,
        capacity.sum_requested(record) - capacity.get_requested(configs.get(qualifier)),
        wanted,
    )
    config = {
        "AllocatedProvisionedConcurrentExecutions": 0,
        "AvailableProvisionedConcurrentExecutions": 0,
        **configs.get(qualifier, {}),
        "RequestedProvisionedConcurrentExecutions": wanted,
        "LastModified": ministack_api.now(),
    }
    configs[qualifier] = config
    _allocate(call.function, record, qualifier)
    return ministack_api.json_response(config, 202)


def get_config(call: Call) -> Response:
    """Return the state of an allocation, or of all of a function with ``List=ALL``."""
    if call.query_parameter("List") == "ALL":
        return _list_configs(call)
    qualifier, record = _find_target(
        call, "The function resource provided must be an alias or a published version."
    )
    config = record["provisioned_concurrency"].get(qualifier)
    if config is None:
        message = "No Provisioned Concurrency Config found for this function"
        raise LambdaError("ProvisionedConcurrencyConfigNotFoundException", message, 404)
    return ministack_api.json_response(config)


def delete_config(call: Call) -> Response:
    """Remove provisioned concurrency. Without any it succeeds, too."""
    qualifier, record = _find_target(
        call, "The function resource provided must be an alias or a published version."
    )
    if qualifier in record["aliases"]:
        _check_unweighted(record["aliases"][qualifier])
    record["provisioned_concurrency"].pop(qualifier, None)
    return 204, {}, b""


def _list_configs(call: Call) -> Response:
    record = records.get_function(call.function)
    items = [
        {"FunctionArn": build_arn(call.function, name), **config}
        for name, config in record["provisioned_concurrency"].items()
    ]
    return records.paginate(call, "ProvisionedConcurrencyConfigs", items, "FunctionArn")


def _find_target(call: Call, message: str) -> tuple[str, Record]:
    if call.qualifier in (None, LATEST):
        raise invalid_parameter(message)
    record = records.get_function(call.function, call.qualifier)
    records.check_qualifier(call.function, record, call.qualifier)
    return str(call.qualifier), record


def _check_version(config: Record) -> None:
    if config["Version"] == LATEST:
        return  # refused by the caller, with AWS's message
    if config["State"] != "Active":
        raise invalid_state(config["State"])
    if (config.get("SnapStart") or {}).get("ApplyOn") == "PublishedVersions":
        raise invalid_parameter(
            "Provisioned Concurrency is not supported for functions with SnapStart."
        )


def _check_unweighted(alias: Record) -> None:
    if records.get_weights(alias):
        raise invalid_parameter("Invalid alias configuration for Provisioned Concurrency")


def reallocate(name: str, record: Record, alias: str, *, before: str) -> None:
    """Allocate the provisioned concurrency of a moved alias for its new version.

    Then all its traffic goes there, where the alias still has the weights of the move.
    """
    if alias not in record["provisioned_concurrency"]:
        return
    moving = record["aliases"][alias]
    version = moving["FunctionVersion"]

    def finish() -> None:
        routing = moving["FunctionVersion"], records.get_weights(moving)
        if routing == (version, {before: 1.0}):
            del moving["RoutingConfig"]
            moving["RevisionId"] = ministack_api.new_id()

    _allocate(name, record, alias, finish)


def _allocate(
    name: str, record: Record, qualifier: str, finish: Callable[[], None] | None = None
) -> None:
    config: Record = record["provisioned_concurrency"][qualifier]
    config.pop("StatusReason", None)
    config["Status"] = "IN_PROGRESS"
    number = record["aliases"].get(qualifier, {}).get("FunctionVersion", qualifier)
    version = record["versions"][number]

    async def allocate() -> None:
        try:
            await asyncio.to_thread(_load_function, name, version)
        except Exception as problem:  # noqa: BLE001 - loading a function may raise anything
            outcome: Record = {"Status": "FAILED", "StatusReason": "FUNCTION_ERROR_INIT_FAILURE"}
            # The only trace of the reason: AWS's response has no more, either.
            print(f"{name}:{number} failed to initialise: {problem}", flush=True)
        else:
            wanted = capacity.get_requested(config)
            outcome = {
                "Status": "READY",
                "AllocatedProvisionedConcurrentExecutions": wanted,
                "AvailableProvisionedConcurrentExecutions": wanted,
            }
        if record["provisioned_concurrency"].get(qualifier) is config:
            config.update(outcome)
        if finish is not None:
            finish()

    delays.call_later(
        delays.PROVISION_SECONDS, lambda: _tasks.add(asyncio.ensure_future(allocate()))
    )


_tasks: set[asyncio.Future[Any]] = set()
"""References to running tasks: asyncio keeps only weak ones.

https://docs.python.org/3/library/asyncio-task.html#asyncio.create_task
"""


def _load_function(name: str, version: Record) -> None:
    """Load the function's code in an environment that the next invocation uses."""
    worker, _ = ministack_api.acquire_worker(
        name, version["config"], version["code_zip"], qualifier=version["config"]["Version"]
    )
    with contextlib.ExitStack() as stack:
        stack.callback(ministack_api.release_worker, worker)
        ministack_api.ensure_spawned(worker)

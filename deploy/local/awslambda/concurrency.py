"""Reserved concurrency of functions, and the settings of the account."""

from __future__ import annotations

from deploy.local.awslambda import capacity, ministack_api, records
from deploy.local.awslambda.calls import Call
from deploy.local.awslambda.errors import invalid_parameter, qualifier_not_allowed
from deploy.local.awslambda.ministack_api import Record, Response


def put_function_concurrency(call: Call) -> Response:
    """Reserve concurrency for a function. With 0 every invocation is throttled."""
    record = _find_function(call)
    wanted = int(call.json_body().get("ReservedConcurrentExecutions", 0))
    if (
        capacity.get_unreserved() + capacity.get_taken(record) - wanted
        < capacity.UNRESERVED_MINIMUM
    ):
        raise invalid_parameter(
            "Specified ReservedConcurrentExecutions for function decreases account's "
            "UnreservedConcurrentExecution "
            f"below its minimum value of [{capacity.UNRESERVED_MINIMUM}]."
        )
    total = capacity.sum_requested(record)
    if total > wanted:
        raise invalid_parameter(
            f" ReservedConcurrentExecutions  {wanted} should not be lower than function's total "
            f"provisioned concurrency [{total}]."
        )
    record["concurrency"] = wanted
    return ministack_api.json_response({"ReservedConcurrentExecutions": wanted})


def get_function_concurrency(call: Call) -> Response:
    """Return what is reserved; an empty response where nothing is."""
    reserved = _find_function(call)["concurrency"]
    return ministack_api.json_response(
        {} if reserved is None else {"ReservedConcurrentExecutions": reserved}
    )


def delete_function_concurrency(call: Call) -> Response:
    """Remove the reservation. Without one it succeeds, too."""
    _find_function(call)["concurrency"] = None
    return 204, {}, b""


def get_account_settings(_call: Call) -> Response:
    """Return the account's limits and their use."""
    functions: list[Record] = list(ministack_api.functions.values())
    packages = [
        one["code_zip"] or b""
        for function in functions
        for one in (function, *function["versions"].values())
    ]
    return ministack_api.json_response(
        {
            "AccountLimit": {
                "TotalCodeSize": 80_530_636_800,
                "CodeSizeUnzipped": 262_144_000,
                "CodeSizeZipped": 52_428_800,
                "ConcurrentExecutions": capacity.ACCOUNT_LIMIT,
                "UnreservedConcurrentExecutions": capacity.get_unreserved(),
            },
            "AccountUsage": {
                "TotalCodeSize": sum(map(len, packages)),
                "FunctionCount": len(functions),
            },
        }
    )


def _find_function(call: Call) -> Record:
    if call.qualifier:
        raise qualifier_not_allowed()
    return records.get_function(call.function)

"""Reserved concurrency, and the account's limit that all functions share."""

from __future__ import annotations

from deploy.local.awslambda import capacity, records, upstream
from deploy.local.awslambda.calls import Call
from deploy.local.awslambda.refusals import functions_only, invalid
from deploy.local.awslambda.upstream import Answer, Record


def put(call: Call) -> Answer:
    """Reserve for the whole function. Zero stops it: every invocation is throttled."""
    record = _function(call)
    wanted = int(call.document().get("ReservedConcurrentExecutions", 0))
    if capacity.unreserved() + capacity.taken(record) - wanted < capacity.UNRESERVED:
        raise invalid(
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution "
            f"below its minimum value of [{capacity.UNRESERVED}]."
        )
    total = capacity.total(record)
    if total > wanted:
        raise invalid(
            f" ReservedConcurrentExecutions  {wanted} should not be lower than function's total provisioned concurrency [{total}]."
        )
    record["concurrency"] = wanted
    return upstream.answer_json({"ReservedConcurrentExecutions": wanted})


def get(call: Call) -> Answer:
    """What is reserved; an empty answer where nothing is."""
    reserved = _function(call)["concurrency"]
    return upstream.answer_json(
        {} if reserved is None else {"ReservedConcurrentExecutions": reserved}
    )


def delete(call: Call) -> Answer:
    """Reserve nothing."""
    _function(call)["concurrency"] = None
    return 204, {}, b""


def account_settings(_call: Call) -> Answer:
    """The account's limits, and what is used of them."""
    functions: list[Record] = list(upstream.functions.values())
    packages = [
        one["code_zip"] or b""
        for function in functions
        for one in (function, *function["versions"].values())
    ]
    return upstream.answer_json(
        {
            "AccountLimit": {
                "TotalCodeSize": 80_530_636_800,
                "CodeSizeUnzipped": 262_144_000,
                "CodeSizeZipped": 52_428_800,
                "ConcurrentExecutions": capacity.ACCOUNT,
                "UnreservedConcurrentExecutions": capacity.unreserved(),
            },
            "AccountUsage": {
                "TotalCodeSize": sum(map(len, packages)),
                "FunctionCount": len(functions),
            },
        }
    )


def _function(call: Call) -> Record:
    if call.qualifier:
        raise functions_only()
    return records.function(call.function)

"""How concurrency is shared out: what a function reserves, what it has provisioned, and what that leaves for the others."""

from __future__ import annotations

from typing import Final

from deploy.local.awslambda import upstream
from deploy.local.awslambda.refusals import invalid
from deploy.local.awslambda.upstream import Record

ACCOUNT: Final = 1000
"""How many invocations may run at once in an account and region."""

UNRESERVED: Final = 100
"""How many of them must stay open to functions that reserve none."""


def requested(config: Record | None) -> int:
    """How many a configuration asks for; none without one."""
    return config["RequestedProvisionedConcurrentExecutions"] if config else 0


def total(record: Record) -> int:
    """How many all of a function's configurations ask for together."""
    return sum(
        requested(config) for config in (record.get("provisioned_concurrency") or {}).values()
    )


def left_for(record: Record, number: str) -> int | None:
    """The reserved concurrency that an invocation of this version may use; None where nothing is reserved.

    Where all that is reserved is provisioned, versions without provisioned concurrency have none.
    """
    reserved: int | None = record.get("concurrency")
    if reserved and reserved == total(record) and not _is_provisioned(record, number):
        return 0
    return reserved


def _is_provisioned(record: Record, number: str) -> bool:
    return any(
        record["aliases"].get(name, {}).get("FunctionVersion", name) == number
        for name in record["provisioned_concurrency"]
    )


def check_provisioned(record: Record, others: int, wanted: int) -> None:
    """Refuse provisioned concurrency beyond the function's own reservation, or beyond what the account has left."""
    reserved = record["concurrency"]
    if reserved is not None:
        if others + wanted > reserved:
            raise invalid(
                "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function"
            )
        return
    if wanted > ACCOUNT:
        raise invalid(
            f"Specified ConcurrentExecutions for function is greater than account's unreserved concurrency [{ACCOUNT}]."
        )
    if unreserved() + taken(record) - others - wanted < UNRESERVED:
        raise invalid(
            "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution "
            f"below its minimum value of [{UNRESERVED}]."
        )


def taken(record: Record) -> int:
    """What a function takes from the shared pool: what it reserves, or else what it has provisioned."""
    reserved: int | None = record["concurrency"]
    return total(record) if reserved is None else reserved


def unreserved() -> int:
    """What no function has taken."""
    return ACCOUNT - sum(taken(record) for record in upstream.functions.values())

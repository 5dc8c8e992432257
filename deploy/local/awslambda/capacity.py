"""How functions share concurrency: reserved, provisioned and unreserved."""

from __future__ import annotations

from typing import Final

from deploy.local.awslambda import ministack_api
from deploy.local.awslambda.errors import invalid_parameter
from deploy.local.awslambda.ministack_api import Record

ACCOUNT_LIMIT: Final = 1000
"""The limit of concurrent invocations in an account and region."""

UNRESERVED_MINIMUM: Final = 100
"""The part of the limit that must be left to functions that reserve none."""


def get_requested(config: Record | None) -> int:
    """Return the concurrency that a configuration requests; 0 without one."""
    return config["RequestedProvisionedConcurrentExecutions"] if config else 0


def sum_requested(record: Record) -> int:
    """Sum what all of a function's configurations request."""
    return sum(
        get_requested(config) for config in (record.get("provisioned_concurrency") or {}).values()
    )


def get_available(record: Record, number: str) -> int | None:
    """Return the reserved concurrency for a version; None where none is reserved.

    Where all of the reserved concurrency is provisioned, it is 0 for other versions.
    """
    reserved: int | None = record.get("concurrency")
    if reserved and reserved == sum_requested(record) and not _is_provisioned(record, number):
        return 0
    return reserved


def _is_provisioned(record: Record, number: str) -> bool:
    return any(
        record["aliases"].get(name, {}).get("FunctionVersion", name) == number
        for name in record["provisioned_concurrency"]
    )


def check_provisioned(record: Record, others: int, wanted: int) -> None:
    """Raise :class:`LambdaError` for more provisioned concurrency than is left.

    ``others`` is what the function's other configurations request.
    """
    reserved = record["concurrency"]
    if reserved is not None:
        if others + wanted > reserved:
            raise invalid_parameter(
                "Requested Provisioned Concurrency should not be greater than the "
                "reservedConcurrentExecution for function"
            )
        return
    if wanted > ACCOUNT_LIMIT:
        raise invalid_parameter(
            "Specified ConcurrentExecutions for function is greater than account's unreserved "
            f"concurrency [{ACCOUNT_LIMIT}]."
        )
    if get_unreserved() + get_taken(record) - others - wanted < UNRESERVED_MINIMUM:
        raise invalid_parameter(
            "Specified ConcurrentExecutions for function decreases account's "
            "UnreservedConcurrentExecution "
            f"below its minimum value of [{UNRESERVED_MINIMUM}]."
        )


def get_taken(record: Record) -> int:
    """Return what a function takes from the account: reserved, or else provisioned."""
    reserved: int | None = record["concurrency"]
    return sum_requested(record) if reserved is None else reserved


def get_unreserved() -> int:
    """Return the concurrency that no function takes."""
    return ACCOUNT_LIMIT - sum(get_taken(record) for record in ministack_api.functions.values())

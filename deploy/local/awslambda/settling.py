"""Whether a function has come to rest after a change, and how it gets there."""

from __future__ import annotations

from typing import Final

from deploy.local.awslambda import pace, upstream
from deploy.local.awslambda.records import arn
from deploy.local.awslambda.refusals import in_state, updating
from deploy.local.awslambda.upstream import Record

_SETTLED: Final = {
    "State": "Active",
    "StateReason": "",
    "StateReasonCode": "",
    "LastUpdateStatus": "Successful",
    "LastUpdateStatusReason": "",
    "LastUpdateStatusReasonCode": "",
}


def check_settled(name: str, record: Record) -> None:
    """Refuse a change while the function is being created, or while an earlier change settles."""
    config = record["config"]
    if config["State"] == "Pending":
        raise in_state("Pending")
    if config["LastUpdateStatus"] == "InProgress":
        raise updating(arn(name))


def settle(name: str, _delay: float) -> None:
    """In ministack's place: some time from now the function is ready, and $LATEST has yet another RevisionId."""
    record: Record = upstream.functions[name]

    def ready() -> None:
        if (
            upstream.functions.get(name) is record
        ):  # it may have been deleted, and another created under its name
            record["config"].update(_SETTLED, RevisionId=upstream.new_id())

    pace.later(pace.SETTLE, ready)


def settle_version(config: Record) -> None:
    """Some time from now a published version is ready. Its RevisionId never changes."""
    pace.later(pace.SETTLE, lambda: config.update(_SETTLED))


def recover() -> None:
    """After a restart with kept state: whatever was on its way when we ended has arrived."""
    for _, record in upstream.functions.all_items():
        for config in (
            record["config"],
            *(version["config"] for version in record["versions"].values()),
        ):
            if config["State"] == "Pending" or config.get("LastUpdateStatus") == "InProgress":
                config.update(_SETTLED)
        for config in record["provisioned_concurrency"].values():
            if config["Status"] == "IN_PROGRESS":
                wanted = config["RequestedProvisionedConcurrentExecutions"]
                arrived = dict.fromkeys(
                    (
                        "AllocatedProvisionedConcurrentExecutions",
                        "AvailableProvisionedConcurrentExecutions",
                    ),
                    wanted,
                )
                config.update(arrived, Status="READY")
    for (account, region, uuid), mapping in upstream.mappings.all_items():
        if mapping["State"] == "Deleting":
            upstream.mappings.pop_scoped(account, region, uuid)
        elif mapping["State"] not in ("Enabled", "Disabled"):
            enabled = mapping["State"] != "Disabling"
            mapping.update(State="Enabled" if enabled else "Disabled", Enabled=enabled)

"""Whether a function has settled after a change, and when it does."""

from __future__ import annotations

from typing import Final

from deploy.local.awslambda import delays, ministack_api
from deploy.local.awslambda.errors import invalid_state, update_in_progress
from deploy.local.awslambda.ministack_api import Record
from deploy.local.awslambda.records import build_arn

_SETTLED: Final = {
    "State": "Active",
    "StateReason": "",
    "StateReasonCode": "",
    "LastUpdateStatus": "Successful",
    "LastUpdateStatusReason": "",
    "LastUpdateStatusReasonCode": "",
}


def check_settled(name: str, record: Record) -> None:
    """Raise :class:`LambdaError` while the function or an earlier change settles."""
    config = record["config"]
    if config["State"] == "Pending":
        raise invalid_state("Pending")
    if config["LastUpdateStatus"] == "InProgress":
        raise update_in_progress(build_arn(name))


def schedule_settled(name: str, _delay: float) -> None:
    """Settle a changed function after the delay, in place of ministack's function.

    $LATEST gets another RevisionId then, as on AWS.
    """
    record: Record = ministack_api.functions[name]

    def settle() -> None:
        # It may have been deleted, and another one created under its name.
        if ministack_api.functions.get(name) is record:
            record["config"].update(_SETTLED, RevisionId=ministack_api.new_id())

    delays.call_later(delays.SETTLE_SECONDS, settle)


def schedule_version_settled(config: Record) -> None:
    """Settle a published version after the delay. Its RevisionId never changes."""
    delays.call_later(delays.SETTLE_SECONDS, lambda: config.update(_SETTLED))


def finish_changes() -> None:
    """Finish all changes that were in progress when the server was stopped."""
    for _, record in ministack_api.functions.all_items():
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
    for (account, region, uuid), mapping in ministack_api.mappings.all_items():
        if mapping["State"] == "Deleting":
            ministack_api.mappings.pop_scoped(account, region, uuid)
        elif mapping["State"] not in ("Enabled", "Disabled"):
            enabled = mapping["State"] != "Disabling"
            mapping.update(State="Enabled" if enabled else "Disabled", Enabled=enabled)

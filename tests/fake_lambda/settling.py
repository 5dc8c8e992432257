"""Settling: how a change of ``$LATEST``, or a new version, comes to its end."""

from __future__ import annotations

from typing import Any

from tests.fake_lambda.account import (
    LATEST,
    Account,
    Answer,
    Function,
    Parameters,
    check_revision,
    make_revision,
)
from tests.fake_lambda.refusals import conflict, wrong_state


def check_change(account: Account, function: Function, parameters: Parameters) -> None:
    """Refuse a change of ``$LATEST`` while another is in progress, or on an old revision."""
    if is_updating(account, function):
        raise conflict(
            "The operation cannot be performed at this time. "
            f"An update is in progress for resource: {function.arn}"
        )
    if function.latest["State"] == "Pending":
        raise wrong_state("Pending")
    check_revision(parameters, function.latest["RevisionId"])


def begin_update(account: Account, function: Function) -> Answer:
    """Mark ``$LATEST`` as being updated; the answer of the operation that changed it."""
    function.latest.update(LastUpdateStatus="InProgress", RevisionId=make_revision())
    function.polls = account.polls
    if account.clock is not None:
        function.settles_at = account.clock() + account.settle_seconds
    return function.latest


def is_updating(account: Account, function: Function) -> bool:
    """Whether an update is in progress; one that ends by the clock may just have ended."""
    if function.settles_at is not None and account.clock is not None:
        if account.clock() >= function.settles_at:
            function.settles_at = None
            finish_update(account, function)
        return function.settles_at is not None
    return bool(function.latest["LastUpdateStatus"] == "InProgress")


def settle(account: Account, function: Function, found: dict[str, Any]) -> None:
    """Bring what is read nearer to the end of its change: time passes by reads."""
    if found is function.latest:
        updating = is_updating(account, function)
        if function.settles_at is not None or not (updating or found["State"] == "Pending"):
            return
        if function.polls:
            function.polls -= 1
            return
        if found["State"] == "Pending":
            _finish_creation(account, found)
        if updating:
            finish_update(account, function)
    elif found["State"] == "Pending":
        left = function.version_polls.get(found["Version"], 0)
        if left:
            function.version_polls[found["Version"]] = left - 1
        else:
            _finish_creation(account, found)


def settle_at_once(account: Account, function: Function) -> None:
    """End all that is in progress for ``$LATEST`` and the versions."""
    if function.latest["State"] == "Pending":
        _finish_creation(account, function.latest)
    if function.latest["LastUpdateStatus"] == "InProgress":
        function.settles_at = None
        finish_update(account, function)
    for version in function.versions.values():
        if version["State"] == "Pending":
            _finish_creation(account, version)


def finish_update(account: Account, function: Function) -> None:
    """End an update. The revision moves again, as it does at AWS."""
    latest = function.latest
    latest["RevisionId"] = make_revision()
    if account.update_fails:
        latest.update(
            LastUpdateStatus="Failed",
            LastUpdateStatusReason=account.update_fails,
            LastUpdateStatusReasonCode="InternalError",
        )
    else:
        latest["LastUpdateStatus"] = "Successful"


def finish_creation(found: dict[str, Any], *, state: str = "Active") -> None:
    """Let what was Pending arrive in a state, which says no more why it is in it."""
    found.pop("StateReason", None)
    found.pop("StateReasonCode", None)
    found["State"] = state


def _finish_creation(account: Account, found: dict[str, Any]) -> None:
    if found["Version"] == LATEST:
        found["RevisionId"] = make_revision()
    if found.get("StateReasonCode") == "Restoring":
        finish_creation(found)
    elif account.creation_fails:
        found.update(
            State="Failed", StateReason=account.creation_fails, StateReasonCode="InternalError"
        )
    else:
        finish_creation(found, state=account.creation_ends)


def begin_waking(account: Account, function: Function, found: dict[str, Any]) -> None:
    """Let an Inactive function or version become Pending, as its first invocation does."""
    found.update(
        State="Pending",
        StateReason="The function is being restored.",
        StateReasonCode="Restoring",
    )
    if found is function.latest:
        function.polls = account.polls
    else:
        function.version_polls[found["Version"]] = account.polls

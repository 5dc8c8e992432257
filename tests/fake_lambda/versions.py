"""Versions: published from ``$LATEST``, and listed."""

from __future__ import annotations

from typing import Any

from tests.fake_lambda.account import (
    LATEST,
    Account,
    Answer,
    Function,
    Parameters,
    make_revision,
    operation,
)
from tests.fake_lambda.configuration import summarize
from tests.fake_lambda.refusals import invalid
from tests.fake_lambda.settling import check_change

_VOLATILE = {
    "Version",
    "FunctionArn",
    "RevisionId",
    "LastModified",
    "Description",
    "State",
    "LastUpdateStatus",
    "StateReason",
    "StateReasonCode",
}


@operation("lambda")
def publish_version(account: Account, parameters: Parameters) -> Answer:
    function, _ = account.find(parameters)
    check_change(account, function, parameters)
    latest = function.latest
    if parameters.get("CodeSha256") not in {None, latest["CodeSha256"]}:
        raise invalid(
            f"CodeSHA256 ({parameters['CodeSha256']}) is different from current CodeSHA256 in "
            f"$LATEST ({latest['CodeSha256']})."
        )
    return publish(account, function, parameters.get("Description", latest["Description"]))


@operation("lambda")
def list_versions_by_function(account: Account, parameters: Parameters) -> Answer:
    function, _ = account.find(parameters)
    listed = [summarize(found) for found in (function.latest, *function.versions.values())]
    return account.page(parameters, "Versions", listed)


def publish(account: Account, function: Function, description: str) -> Answer:
    """Make a version of ``$LATEST`` as it is, unless the newest version is the same."""
    latest = function.latest
    latest["RevisionId"] = make_revision()
    newest = function.versions.get(str(function.published))
    if newest and _essence(newest) == _essence(latest):
        return newest
    function.published += 1
    number = str(function.published)
    version = latest | {
        "Version": number,
        "FunctionArn": f"{function.arn}:{number}",
        "RevisionId": make_revision(),
        "State": "Pending",
        "StateReason": "The function is being created.",
        "StateReasonCode": "Creating",
        "Description": description,
    }
    version.pop("LastUpdateStatus", None)
    function.versions[number] = version
    function.packages[number] = function.packages[LATEST]
    function.version_polls[number] = account.polls
    return version


def _essence(configuration: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in configuration.items() if name not in _VOLATILE}

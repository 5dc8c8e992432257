"""Takes ``$LATEST`` back with the alias: else the next release would publish what was left.

Only where ``$LATEST`` is still what the version was made of that is rolled back from. Anything else
is another writer's work, and stays.
"""

from __future__ import annotations

from typing import Final

from temporalio.exceptions import ActivityError, is_cancelled_exception

from activities.restore_latest import RestoreLatest
from activities.restore_models import RestoreLatestRequest
from activities.version_comparison import FindEqualVersionRequest, VersionComparison
from workflows.call import call, root_cause
from workflows.domain.routing import Routing
from workflows.latest_undo import describe_leftovers
from workflows.traffic import Traffic

_UNCHANGED: Final = "$LATEST stays as it is"


async def take_latest_back(
    function: str, before: Routing, candidate: str, traffic: Traffic
) -> str | None:
    """Put the version rolled back to into ``$LATEST``; return what to say of it, if anything.

    ``function`` is its ARN, ``before`` how the alias routed before the rollback.
    """
    left = next((each for each in (before.version, *before.weights) if each != candidate), None)
    if left is None:
        return None
    try:
        return await _replace(function, left, candidate, traffic)
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        return f"{_UNCHANGED}: {root_cause(error)}"


async def _replace(function: str, left: str, candidate: str, traffic: Traffic) -> str | None:
    equal = await call(
        VersionComparison.find_equal_version,
        FindEqualVersionRequest(function_name=function, versions=[candidate, left]),
        summary=f"Compare $LATEST with version {left}",
    )
    if equal.version == candidate:
        return None
    if equal.version is None:
        return f"{_UNCHANGED}: it is not what version {left} was made of"
    if traffic.journal.stable == left:
        traffic.record(latest=("code", "configuration"))
    answer = await call(
        RestoreLatest.restore_latest,
        RestoreLatestRequest(function_name=function, version=candidate, replacing=left),
        summary=f"Put version {candidate} back into $LATEST, too",
    )
    return describe_leftovers(answer) or f"$LATEST is version {candidate} again, too"

"""Checks a release against what was rolled back from: that is not shipped again in silence.

A version is what its code, architecture and settings are: the same content under a new number is
the same version. The history of the alias says what was rolled back from, and costs AWS nothing.
Only where there is such a version does AWS compare.
"""

from __future__ import annotations

from activities.function_models import UpdateFunctionCodeRequest
from activities.version_comparison import FindEqualVersionRequest, VersionComparison
from workflows import actions
from workflows.call import call
from workflows.domain.alias_history import AliasHistory, RolledBackVersion
from workflows.domain.artifact import Image, PublishedVersion, S3Package
from workflows.domain.target import Target
from workflows.past_rollouts import find_alias_history
from workflows.preflight_reads import or_reject
from workflows.request import ReleaseRequest, RollbackRequest


class ShippedBefore(Exception):
    """A candidate is what was rolled back from, as turned out once it was published."""


async def read_rolled_back(
    request: ReleaseRequest | RollbackRequest, target: Target, live: str | None
) -> tuple[RolledBackVersion, ...]:
    """Read which versions were rolled back from, where ``request`` must not ship one.

    ``target`` has the function's ARN.
    """
    if live is None or isinstance(request, RollbackRequest) or request.again:
        return ()
    return (await find_alias_history(target.rollout_id, live)).rolled_back


async def find_shipped_again(
    request: ReleaseRequest | RollbackRequest,
    target: Target,
    rolled_back: tuple[RolledBackVersion, ...],
    *,
    live: str | None,
) -> str | None:
    """Return why a release must not start: it would ship what was rolled back from."""
    if not rolled_back or not isinstance(request, ReleaseRequest):
        return None
    named = request.artifact.version if isinstance(request.artifact, PublishedVersion) else None
    if named is not None and named == live:
        return None
    history = AliasHistory(rolled_back=rolled_back)
    if found := history.find_rolled_back(named):
        return describe_shipped_again(found, named)
    comparison = FindEqualVersionRequest(
        function_name=target.function,
        versions=[each.version for each in rolled_back],
        candidate=named,
        live=live,
        code=_code_of(request, target.function),
        configuration=request.configuration,
    )
    equal = await or_reject(_compare(comparison, named or "what is released"), field="artifact")
    found = history.find_rolled_back(equal)
    return describe_shipped_again(found, named) if found else None


async def check_candidate(
    function: str,
    candidate: str,
    rolled_back: tuple[RolledBackVersion, ...],
    *,
    live: str | None,
) -> None:
    """Raise :class:`ShippedBefore` for a candidate that is what was rolled back from."""
    if not rolled_back:
        return
    versions = [each.version for each in rolled_back]
    comparison = FindEqualVersionRequest(
        function_name=function, versions=versions, candidate=candidate, live=live
    )
    equal = await _compare(comparison, f"version {candidate}")
    if found := AliasHistory(rolled_back=rolled_back).find_rolled_back(equal):
        raise ShippedBefore(describe_shipped_again(found, candidate))


def describe_shipped_again(found: RolledBackVersion, shipped: str | None) -> str:
    """Say what would be shipped again, and how a person says that it is meant."""
    same = "" if shipped == found.version else f"it is the same as version {found.version}: "
    return (
        f'artifact: {same}{found}; to ship it all the same set "again": true, and the reason '
        "(--again --reason)"
    )


async def _compare(comparison: FindEqualVersionRequest, what: str) -> str | None:
    versions = ", ".join(comparison.versions)
    answer = await call(
        VersionComparison.find_equal_version,
        comparison,
        summary=f"Compare {what} with what was rolled back: {versions}",
    )
    return answer.version


def _code_of(request: ReleaseRequest, function: str) -> UpdateFunctionCodeRequest | None:
    artifact = request.artifact
    if not isinstance(artifact, S3Package | Image):
        return None
    return actions.make_code_request(function, artifact)

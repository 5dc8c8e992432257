"""Preflight: reads what a release depends on, and rejects the release before anything is written.

:mod:`workflows.preflight_reads` reads the facts, :mod:`workflows.domain.preflight_rules` decides.
Shared by ``Rollout``, which continues from here, and by ``Plan``, which ends here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from activities.aliases import AliasConfiguration
from activities.configuration_response import FunctionConfiguration
from activities.function_models import GetFunctionResponse
from workflows import actions
from workflows.domain.preflight_rules import (
    FunctionBuild,
    PreflightFacts,
    ReleaseIntent,
    find_refusals,
)
from workflows.domain.routing import Routing
from workflows.domain.target import Place, Target
from workflows.preflight_reads import (
    ReleaseRejected,
    configuration_of,
    find_version,
    hook_reads,
    locate,
    or_reject,
    place_of,
    read_alarm_states,
    read_provisioned_of,
    read_unreserved,
    read_version,
    routing_of,
    start_read,
    start_read_if,
    wait_for_all,
)
from workflows.request import Image, Latest, ReleaseRequest, RollbackRequest, S3Package

_VERSION_FIELD: Final = {ReleaseRequest: "artifact.version", RollbackRequest: "version"}


@dataclass(frozen=True, slots=True)
class LatestState:
    """``$LATEST`` as preflight read it."""

    revision_id: str | None
    code_sha256: str
    description: str | None


@dataclass(frozen=True, slots=True)
class PreflightResult:
    """Where a release starts from.

    ``version`` is the published version to make live, if the release does not publish one.
    ``alarms`` are the states of those that guard it. ``longest`` is how many seconds an invocation
    may last, before or after the release. ``notes`` are what a person should know, and what does
    not stop the release. A release keeps this until its end, and many wait in one
    worker: so these are a few values, and not AWS's responses.
    """

    target: Target
    function: str
    arn: str
    place: Place
    latest: LatestState
    routing: Routing | None
    revision: str | None
    version: str | None
    reserved: int | None
    version_provisioned: int | None
    alarms: dict[str, str]
    longest: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _FirstReads:
    """What is read first: all that the request names."""

    alias: AliasConfiguration | None
    function: GetFunctionResponse
    alarms: dict[str, str]


@dataclass(frozen=True, slots=True)
class _SecondReads:
    """What is read once it is known which versions are concerned; None where it is not needed."""

    stable: FunctionConfiguration | None
    source: FunctionConfiguration | None
    alias_provisioned: int | None
    version_provisioned: int | None
    unreserved: int | None


async def preflight(request: ReleaseRequest | RollbackRequest) -> PreflightResult:
    """Read everything a release depends on, in two rounds of parallel reads.

    Raises :class:`~workflows.preflight_reads.ReleaseRejected` with every reason not to begin.
    """
    target = request.target.bare
    first = await _read_first(request)
    latest = configuration_of(first.function)
    routing = routing_of(first.alias) if first.alias else None
    if routing is None and isinstance(request, RollbackRequest):
        raise ReleaseRejected(f"target.alias: there is no alias {target.alias} of {target.name}")
    place = place_of(first.function, request.target)
    version = await find_version(request, routing, place=place)
    published = None if routing is None or routing.version == "$LATEST" else routing.version
    second = await _read_second(request, target.at(place), published=published, version=version)
    limits = first.function.concurrency
    reserved = limits.reserved_concurrent_executions if limits else None
    is_live = version is not None and version == published
    source = second.source or (second.stable if is_live else None) or latest
    facts = PreflightFacts(
        latest=_build(latest),
        source=_build(source, request),
        routing=routing,
        stable=_build(second.stable) if second.stable else None,
        alias_provisioned=second.alias_provisioned is not None,
        version_provisioned=second.version_provisioned or 0,
        reserved=reserved,
        unreserved=second.unreserved,
        alarms=first.alarms,
    )
    if reasons := find_refusals(_intent(request, moves=not is_live), facts):
        raise ReleaseRejected(*reasons)
    return PreflightResult(
        target=target,
        function=place.arn,
        arn=place.arn,
        place=place,
        latest=LatestState(latest.revision_id, latest.code_sha256, latest.description),
        routing=routing,
        revision=first.alias.revision_id if first.alias else None,
        version=version,
        reserved=reserved,
        version_provisioned=second.version_provisioned,
        alarms=first.alarms,
        longest=_longest(request, latest, second.stable),
    )


async def _read_first(request: ReleaseRequest | RollbackRequest) -> _FirstReads:
    alias = start_read(or_reject(actions.read_alias(request.target), field="target.alias"))
    function = start_read(locate(request.target))
    alarms = start_read(read_alarm_states(request))
    hooks = [start_read(read) for read in hook_reads(request)]
    await wait_for_all(alias, function, alarms, *hooks)
    return _FirstReads(alias.result(), function.result(), alarms.result())


async def _read_second(
    request: ReleaseRequest | RollbackRequest,
    target: Target,
    *,
    published: str | None,
    version: str | None,
) -> _SecondReads:
    field = _VERSION_FIELD[type(request)]
    provisions = request.concurrency.provisioned is not None
    reserves = request.concurrency.reserved is not None
    alias_matters = published and (request.strategy.is_weighted or provisions)
    other = version if version != published else None
    stable = start_read_if(
        read_version(target, published, field="target.alias") if published else None
    )
    source = start_read_if(read_version(target, other, field=field) if other else None)
    on_alias = start_read_if(read_provisioned_of(target, target.alias) if alias_matters else None)
    on_version = start_read_if(
        read_provisioned_of(target, published) if published and provisions else None
    )
    unreserved = start_read_if(read_unreserved() if reserves else None)
    await wait_for_all(stable, source, on_alias, on_version, unreserved)
    return _SecondReads(
        stable=stable.result(),
        source=source.result(),
        alias_provisioned=on_alias.result(),
        version_provisioned=on_version.result(),
        unreserved=unreserved.result(),
    )


def _longest(
    request: ReleaseRequest | RollbackRequest,
    latest: FunctionConfiguration,
    stable: FunctionConfiguration | None,
) -> int:
    """Return how many seconds an invocation may last, before or after the release."""
    change = request.configuration if isinstance(request, ReleaseRequest) else None
    timeouts = (each.timeout for each in (latest, stable, change) if each is not None)
    return max(timeout or 0 for timeout in timeouts)


def _intent(request: ReleaseRequest | RollbackRequest, *, moves: bool) -> ReleaseIntent:
    artifact = request.artifact if isinstance(request, ReleaseRequest) else None
    configuration = request.configuration if isinstance(request, ReleaseRequest) else None
    uses_latest = isinstance(artifact, S3Package | Image | Latest)
    return ReleaseIntent(
        alias=request.target.alias,
        is_weighted=moves and request.strategy.is_weighted,
        writes_latest=uses_latest or configuration is not None,
        configuration_only=artifact is None and configuration is not None,
        image=isinstance(artifact, Image),
        package=isinstance(artifact, S3Package),
        clears_weights=isinstance(request, RollbackRequest),
        reserved=request.concurrency.reserved,
        provisioned=request.concurrency.provisioned,
        alarms=request.guards.alarms,
        hotfix=bool(request.hotfix),
    )


def _build(
    found: FunctionConfiguration, request: ReleaseRequest | RollbackRequest | None = None
) -> FunctionBuild:
    """Return what matters of a version, once the request's configuration is applied to it."""
    change = request.configuration if isinstance(request, ReleaseRequest) else None
    dead_letter = (change and change.dead_letter_config) or found.dead_letter_config
    return FunctionBuild(
        code_sha256=found.code_sha256,
        role=(change and change.role) or found.role,
        dead_letter=(dead_letter.target_arn or None) if dead_letter else None,
        package_type=found.package_type,
        state=found.state,
        last_update=found.last_update_status,
    )

"""Preflight: reads what a release depends on, and rejects the release before anything is written.

:mod:`workflows.preflight_reads` reads the facts, :mod:`workflows.domain.preflight_rules` decides.
Shared by ``Rollout``, which continues from here, and by ``Plan``, which ends here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from temporalio import workflow

from activities.aliases import AliasConfiguration
from activities.configuration_response import FunctionConfiguration
from activities.constraints import ConstraintsResponse
from activities.function_models import GetFunctionResponse
from workflows import actions
from workflows.current_release import find_running_release
from workflows.domain.alias_history import RolledBackVersion
from workflows.domain.concurrency_rules import compute_inherited
from workflows.domain.latest_content import LatestContent
from workflows.domain.preflight_facts import PreflightFacts
from workflows.domain.preflight_rules import (
    find_notes,
    find_refusals,
    is_being_released,
    is_update_in_progress,
)
from workflows.domain.routing import Routing
from workflows.domain.target import Place, Target
from workflows.latest_check import LatestCheck, LatestFindings, check_latest, uses_latest
from workflows.latest_content import read_content
from workflows.preflight_reads import (
    ReleaseBusy,
    ReleaseRejected,
    configuration_of,
    find_constraints,
    find_version,
    hook_reads,
    locate,
    or_reject,
    place_of,
    read_alarm_states,
    read_provisioned_of,
    read_unreserved,
    read_version,
    refuse_foreign_alarms,
    routing_of,
    start_read,
    start_read_if,
    wait_for_all,
)
from workflows.readiness import wait_for_other_update
from workflows.release_facts import describe_build, describe_intent, longest_timeout
from workflows.request import ReleaseRequest, RollbackRequest
from workflows.rollback_check import find_shipped_again, read_rolled_back

_VERSION_FIELD: Final = {ReleaseRequest: "artifact.version", RollbackRequest: "version"}


@dataclass(frozen=True, slots=True)
class LatestState:
    """``$LATEST`` as preflight read it."""

    revision_id: str | None
    code_sha256: str
    description: str | None
    content: LatestContent


@dataclass(frozen=True, slots=True)
class PreflightResult:
    """Where a release starts from.

    ``function`` is its ARN. ``version`` is the published version to make live, if the release does
    not publish one, and ``version_state`` its State, if it is to get traffic. ``inherited`` is the
    provisioned concurrency that the candidate gets because stable has some. ``alarms`` are the
    states of those that guard it. ``longest`` is how many seconds an invocation may last, before or
    after the release. ``notes`` are what a person should know, and what does not stop the release.
    ``findings`` are about ``$LATEST``: None where the release does not use it, or began before they
    were made. ``rolled_back`` are the versions that it must not ship. A release keeps this until
    its end, and many wait in one worker: so these are a few values, and not AWS's responses.
    """

    target: Target
    function: str
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
    version_state: str | None = None
    inherited: int | None = None
    findings: LatestFindings | None = None
    rolled_back: tuple[RolledBackVersion, ...] = ()


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
    constraints: ConstraintsResponse
    check: LatestCheck | None
    rolled_back: tuple[RolledBackVersion, ...] = ()


async def preflight(
    request: ReleaseRequest | RollbackRequest, report: Callable[[str], None] | None = None
) -> PreflightResult:
    """Read everything a release depends on, in two rounds of parallel reads.

    ``report`` takes a note for the status: what is waited for. Without it, for a plan, nothing is
    waited for, and another release of the alias may run.
    Raises :class:`~workflows.preflight_reads.ReleaseRejected` with every reason not to begin.
    """
    target = request.target.bare
    first = await _read_first(request)
    latest = configuration_of(first.function)
    routing = routing_of(first.alias) if first.alias else None
    if routing is None and isinstance(request, RollbackRequest):
        raise ReleaseRejected(f"target.alias: there is no alias {target.alias} of {target.name}")
    place = place_of(first.function, request.target)
    refuse_foreign_alarms(request, place)
    version = await find_version(request, routing, place=place)
    if report and uses_latest(request) and is_update_in_progress(describe_build(latest)):
        latest = await wait_for_other_update(target.at(place), report)
    published = routing.version if routing and routing.version.isdecimal() else None
    is_plan = report is None and workflow.patched("plan-finds-running-release")
    running = await find_running_release(place.rollout_id(target.alias)) if is_plan else None
    second = await _read_second(
        request, target.at(place), report, published=published, version=version
    )
    check = second.check
    findings = check.findings if check else None
    latest = check.latest if check else latest
    limits = first.function.concurrency
    reserved = limits.reserved_concurrent_executions if limits else None
    is_live = version is not None and version == published
    source = second.source or (second.stable if is_live else None) or latest
    provisioned = second.constraints.provisioned
    facts = PreflightFacts(
        latest=describe_build(latest),
        source=describe_build(source, request),
        routing=routing,
        stable=describe_build(second.stable) if second.stable else None,
        alias_provisioned=second.alias_provisioned is not None,
        version_provisioned=second.version_provisioned or 0,
        reserved=reserved,
        unreserved=second.unreserved,
        alarms=first.alarms,
        candidate_provisioned=0 if is_live else provisioned.get(version or "", 0),
        others_provisioned=sum(
            provisioned[qualifier] for qualifier in provisioned.keys() - {version, published}
        ),
        limit=second.constraints.concurrent_executions,
        signing_problem=second.constraints.signing_problem,
        running=running,
    )
    intent = describe_intent(request, moves=not is_live, is_compared=check is not None)
    reasons = [*find_refusals(intent, facts), *(check.missing if check else ())]
    # While another release of the alias runs, what $LATEST is says nothing: that one writes it.
    if check and not is_being_released(facts):
        if check.is_busy and not reasons and len(check.refusals) == 1:
            raise ReleaseBusy(*check.refusals)
        reasons += check.refusals
    if reasons:
        raise ReleaseRejected(*reasons)
    again = await find_shipped_again(request, target.at(place), second.rolled_back, live=published)
    if again:
        raise ReleaseRejected(again)
    return PreflightResult(
        target=target,
        function=place.arn,
        place=place,
        latest=LatestState(
            latest.revision_id,
            latest.code_sha256,
            latest.description,
            read_content(request, latest, first.function, findings),
        ),
        routing=routing,
        revision=first.alias.revision_id if first.alias else None,
        version=version,
        reserved=reserved,
        version_provisioned=second.version_provisioned,
        alarms=first.alarms,
        longest=longest_timeout(request, latest, second.stable),
        notes=(
            *find_notes(intent, facts),
            *((*check.notes, *check.unread) if check else ()),
            *second.constraints.unread,
        ),
        version_state=source.state if version is not None and not is_live else None,
        inherited=compute_inherited(intent, facts),
        findings=findings,
        rolled_back=second.rolled_back,
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
    report: Callable[[str], None] | None,
    *,
    published: str | None,
    version: str | None,
) -> _SecondReads:
    """Read the versions concerned. Comparing ``$LATEST`` reads the stable version, too."""
    field = _VERSION_FIELD[type(request)]
    provisions = request.concurrency.provisioned is not None
    reserves = request.concurrency.reserved is not None
    alias_matters = published and (request.strategy.is_weighted or provisions)
    other = version if version != published else None
    compared = (
        request
        if isinstance(request, ReleaseRequest)
        and uses_latest(request)
        and workflow.patched("latest-compared")
        else None
    )
    check = start_read_if(check_latest(compared, target, published, report) if compared else None)
    stable = start_read_if(
        read_version(target, published, field="target.alias")
        if published and compared is None
        else None
    )
    source = start_read_if(read_version(target, other, field=field) if other else None)
    if compared is not None or workflow.patched("constraints-at-once"):
        constraints = start_read(
            or_reject(
                find_constraints(request, target, published, is_plan=report is None),
                field="concurrency.provisioned",
            )
        )
        past = start_read(read_rolled_back(request, target, published))
        await wait_for_all(check, stable, source, constraints, past)
        checked, found = check.result(), constraints.result()
        return _SecondReads(
            stable=checked.live if checked else stable.result(),
            source=source.result(),
            alias_provisioned=found.provisioned.get(target.alias),
            version_provisioned=found.provisioned.get(published) if published else None,
            unreserved=found.unreserved_concurrent_executions,
            constraints=found,
            check=checked,
            rolled_back=past.result(),
        )
    on_alias = start_read_if(read_provisioned_of(target, target.alias) if alias_matters else None)
    on_version = start_read_if(
        read_provisioned_of(target, published) if published and provisions else None
    )
    unreserved = start_read_if(read_unreserved() if reserves else None)
    await wait_for_all(check, stable, source, on_alias, on_version, unreserved)
    return _SecondReads(
        stable=stable.result(),
        source=source.result(),
        alias_provisioned=on_alias.result(),
        version_provisioned=on_version.result(),
        unreserved=unreserved.result(),
        constraints=ConstraintsResponse(),
        check=None,
    )

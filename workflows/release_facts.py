"""What a request and AWS's responses mean to the rules of preflight."""

from __future__ import annotations

from activities.configuration_response import FunctionConfiguration
from workflows.domain.adaptive import Adaptive
from workflows.domain.artifact import Image, S3Package
from workflows.domain.preflight_facts import FunctionBuild, ReleaseIntent
from workflows.domain.probe import Probe
from workflows.domain.strategy import Analysis, Approval
from workflows.latest_check import uses_latest
from workflows.request import ReleaseRequest, RollbackRequest


def longest_timeout(
    request: ReleaseRequest | RollbackRequest,
    latest: FunctionConfiguration,
    stable: FunctionConfiguration | None,
) -> int:
    """Return how many seconds an invocation may last, before or after the release."""
    change = request.configuration if isinstance(request, ReleaseRequest) else None
    timeouts = (each.timeout for each in (latest, stable, change) if each is not None)
    return max(timeout or 0 for timeout in timeouts)


def describe_intent(
    request: ReleaseRequest | RollbackRequest, *, moves: bool, is_compared: bool
) -> ReleaseIntent:
    """Return what is requested, as the rules see it.

    ``is_compared``: ``$LATEST`` was compared with the live version, which says more than its hash.
    """
    artifact = request.artifact if isinstance(request, ReleaseRequest) else None
    configuration = request.configuration if isinstance(request, ReleaseRequest) else None
    return ReleaseIntent(
        alias=request.target.alias,
        target=str(request.target),
        is_weighted=moves and request.strategy.is_weighted,
        writes_latest=uses_latest(request),
        configuration_only=artifact is None and configuration is not None and not is_compared,
        image=isinstance(artifact, Image),
        package=isinstance(artifact, S3Package),
        clears_weights=isinstance(request, RollbackRequest),
        reserved=request.concurrency.reserved,
        provisioned=request.concurrency.provisioned,
        alarms=request.guards.alarm_names,
        hotfix=bool(request.hotfix),
        tenants=tuple(
            probe.tenant_id is not None
            for step in request.strategy.steps
            if isinstance(step, Probe)
            for probe in step.requests
        ),
        moves=moves,
        even_if_inactive=bool(request.even_if_inactive),
        is_judged=_is_judged(request),
    )


def _is_judged(request: ReleaseRequest | RollbackRequest) -> bool:
    """Whether anything may find fault with the candidate: a guard, a hook, a step, or a person."""
    judges = (request.guards.alarms, request.hooks.before_traffic, request.hooks.after_traffic)
    steps = (
        isinstance(step, Adaptive | Analysis | Approval | Probe) for step in request.strategy.steps
    )
    return any(judges) or request.judged_by is not None or any(steps)


def describe_build(
    found: FunctionConfiguration, request: ReleaseRequest | RollbackRequest | None = None
) -> FunctionBuild:
    """Return what matters of a version, once the request's configuration is applied to it."""
    change = request.configuration if isinstance(request, ReleaseRequest) else None
    dead_letter = (change and change.dead_letter_config) or found.dead_letter_config
    snap_start = (change and change.snap_start) or found.snap_start
    tenancy = found.tenancy_config
    return FunctionBuild(
        code_sha256=found.code_sha256,
        role=(change and change.role) or found.role,
        dead_letter=(dead_letter.target_arn or None) if dead_letter else None,
        package_type=found.package_type,
        state=found.state,
        last_update=found.last_update_status,
        reason=found.state_reason_code or found.state_reason,
        snap_start=snap_start is not None and snap_start.apply_on == "PublishedVersions",
        isolates_tenants=tenancy is not None and tenancy.tenant_isolation_mode is not None,
    )

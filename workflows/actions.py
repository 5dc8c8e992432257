"""The actions that releases consist of: one AWS operation each, with its line in the timeline.

Nothing is decided here. An action raises ``ActivityError`` when AWS refuses permanently;
:func:`workflows.call.fault_of` names the kind of failure.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from temporalio.exceptions import ActivityError

from activities.aliases import (
    AliasConfiguration,
    Aliases,
    AliasRoutingConfiguration,
    CreateAliasRequest,
    DeleteAliasRequest,
    GetAliasRequest,
    UpdateAliasRequest,
)
from activities.cloudwatch.alarms import (
    Alarms,
    DescribeAlarmsRequest,
    DescribeAlarmsResponse,
    WatchAlarmDataRequest,
    WatchAlarmsRequest,
)
from activities.cloudwatch.metrics import (
    Metrics,
    MetricsRequest,
    MetricsResponse,
    WatchMetricsRequest,
)
from activities.configuration import Architectures, ConfigurationChange
from activities.configuration_response import FunctionConfiguration
from activities.errors import Fault
from activities.function_models import (
    GetFunctionRequest,
    GetFunctionResponse,
    UpdateFunctionCodeRequest,
    UpdateFunctionConfigurationRequest,
)
from activities.functions import Functions
from activities.settling import SettleFunctionRequest, Settling
from activities.versions import PublishVersionRequest, Versions
from workflows.call import DEFAULT_OPTIONS, CallOptions, call, fault_of
from workflows.domain.artifact import Image, S3Package
from workflows.domain.routing import Routing
from workflows.domain.target import Target


async def find_function(
    function: str, *, qualifier: str | None = None, summary: str
) -> GetFunctionResponse:
    """Read a function, or one version of it. ``NotFound`` where there is none."""
    return await call(
        Functions.get_function,
        GetFunctionRequest(function_name=function, qualifier=qualifier),
        summary=summary,
    )


async def read_alias(
    target: Target, *, options: CallOptions = DEFAULT_OPTIONS
) -> AliasConfiguration | None:
    """Read how an alias routes; None where there is no such alias."""
    request = GetAliasRequest(function_name=target.function, name=target.alias)
    try:
        return await call(
            Aliases.get_alias, request, summary=f"Read where {target} points", options=options
        )
    except ActivityError as error:
        if fault_of(error) is Fault.NOT_FOUND:
            return None
        raise


def routing_of(alias: AliasConfiguration) -> Routing:
    """Return the routing that AWS reports for an alias."""
    weights = alias.routing_config.additional_version_weights if alias.routing_config else None
    return Routing(
        version=alias.function_version or "",
        weights={version: weight for version, weight in (weights or {}).items() if weight},
    )


async def update_alias(
    target: Target,
    routing: Routing,
    *,
    revision: str | None,
    summary: str,
    options: CallOptions = DEFAULT_OPTIONS,
) -> str | None:
    """Set an alias' routing if it is still at ``revision``; return the new revision.

    ``Stale`` where another writer changed the alias since it was read.
    """
    request = UpdateAliasRequest(
        function_name=target.function,
        name=target.alias,
        function_version=routing.version,
        routing_config=AliasRoutingConfiguration(additional_version_weights=dict(routing.weights)),
        revision_id=revision,
    )
    return (await call(Aliases.update_alias, request, summary=summary, options=options)).revision_id


async def create_alias(target: Target, version: str) -> str | None:
    """Create an alias for a version; return its revision."""
    request = CreateAliasRequest(
        function_name=target.function, name=target.alias, function_version=version
    )
    return (
        await call(Aliases.create_alias, request, summary=f"Create {target} at version {version}")
    ).revision_id


async def delete_alias(target: Target, *, options: CallOptions) -> None:
    """Delete an alias that this release created."""
    request = DeleteAliasRequest(function_name=target.function, name=target.alias)
    await call(
        Aliases.delete_alias,
        request,
        summary=f"Delete {target}, which this release created",
        options=options,
    )


def make_code_request(
    function: str, artifact: S3Package | Image, *, revision: str | None = None
) -> UpdateFunctionCodeRequest:
    """Return the request that puts an artifact's code into ``$LATEST``."""
    architectures: Architectures | None = [artifact.architecture] if artifact.architecture else None
    match artifact:
        case S3Package():
            return UpdateFunctionCodeRequest(
                function_name=function,
                s3_bucket=artifact.bucket,
                s3_key=artifact.key,
                s3_object_version=artifact.object_version,
                s3_object_storage_mode=artifact.storage_mode,
                source_kms_key_arn=artifact.kms_key,
                architectures=architectures,
                revision_id=revision,
            )
        case Image():
            return UpdateFunctionCodeRequest(
                function_name=function,
                image_uri=artifact.uri,
                architectures=architectures,
                revision_id=revision,
            )


async def write_code(
    function: str, artifact: S3Package | Image, *, revision: str | None
) -> str | None:
    """Put an artifact's code into ``$LATEST``; return its hash.

    AWS returns the hash (base64 of SHA-256) at once for a package; for an image it is None.
    """
    request = make_code_request(function, artifact, revision=revision)
    written = await call(
        Functions.update_function_code, request, summary=f"Update code from {artifact}"
    )
    return written.code_sha256 if isinstance(artifact, S3Package) else None


async def write_configuration(
    function: str, change: ConfigurationChange, *, revision: str | None
) -> None:
    """Change the configuration of ``$LATEST``."""
    request = UpdateFunctionConfigurationRequest(
        **{name: getattr(change, name) for name in change.model_fields_set},
        function_name=function,
        revision_id=revision,
    )
    names = ", ".join(sorted(change.parameters()))
    await call(
        Functions.update_function_configuration, request, summary=f"Update configuration: {names}"
    )


async def wait_until_settled(
    function: str, *, superseded: str | None = None, options: CallOptions = DEFAULT_OPTIONS
) -> FunctionConfiguration:
    """Wait until AWS has finished updating ``$LATEST``.

    ``superseded`` is the revision from before the change: a read that still returns it is too old.
    """
    request = SettleFunctionRequest(function_name=function, superseded=superseded)
    summary = "Wait until $LATEST is ready"
    return await call(Settling.settle_function, request, summary=summary, options=options)


async def publish_version(
    function: str, *, code_sha256: str | None, revision: str | None, description: str
) -> FunctionConfiguration:
    """Publish exactly this code as a version.

    AWS returns the latest version instead where nothing changed since it was published.
    """
    request = PublishVersionRequest(
        function_name=function,
        code_sha256=code_sha256,
        revision_id=revision,
        description=description,
    )
    return await call(Versions.publish_version, request, summary="Publish a version")


async def read_alarms(
    alarms: tuple[str, ...],
    *,
    since: datetime | None = None,
    options: CallOptions = DEFAULT_OPTIONS,
) -> DescribeAlarmsResponse:
    """Read the state of alarms: the current one and, where no look noticed it, that since then."""
    return await call(
        Alarms.describe_alarms,
        DescribeAlarmsRequest(alarm_names=list(alarms), since=since),
        summary=f"Look at {', '.join(alarms)}",
        options=options,
    )


async def watch_alarms(alarms: tuple[str, ...], *, since: datetime) -> DescribeAlarmsResponse:
    """Wait until one of the alarms goes off, or was red since then unseen, or is missing.

    The activity polls every few seconds, which adds no events to the history.
    """
    return await call(
        Alarms.watch_alarms,
        WatchAlarmsRequest(alarm_names=list(alarms), since=since),
        summary=f"Watch {', '.join(alarms)}",
    )


async def watch_alarm_data(alarms: tuple[str, ...]) -> DescribeAlarmsResponse:
    """Wait until none of the alarms is without data, or one is missing."""
    return await call(
        Alarms.watch_alarm_data,
        WatchAlarmDataRequest(alarm_names=list(alarms)),
        summary=f"Wait until {', '.join(alarms)} has data",
    )


async def read_metrics(request: MetricsRequest) -> MetricsResponse:
    """Read what CloudWatch has measured so far."""
    return await call(
        Metrics.get_metrics, request, summary=f"Measure version {' and '.join(request.versions)}"
    )


async def watch_metrics(
    request: MetricsRequest, *, every: timedelta, known: str | None
) -> MetricsResponse:
    """Wait until CloudWatch reports something that is not in the digest ``known``.

    The activity polls ``every`` so often, which adds no events to the history.
    """
    watching = WatchMetricsRequest(**dict(request), every=every.total_seconds(), known=known)
    return await call(
        Metrics.watch_metrics,
        watching,
        summary=f"Measure versions {' and '.join(request.versions)}",
    )


def find_alarm_problem(answer: DescribeAlarmsResponse, alarms: tuple[str, ...]) -> str | None:
    """Return why a release has to stop: an alarm that went off, or one that no longer exists."""
    for alarm in answer.firing:
        reason = (alarm.state_reason or "no reason given").rstrip(".")
        if alarm.went_off_at is not None:
            at = f"{alarm.went_off_at:%H:%M:%S}"
            return (
                f"alarm {alarm.alarm_name} went off at {at} UTC, when nobody could look, and is "
                f"{alarm.state_value} again: {reason}"
            )
        return f"alarm {alarm.alarm_name} went off: {reason}"
    missing = answer.find_missing(alarms)
    return f"alarm {', '.join(missing)}, which guards this release, is gone" if missing else None

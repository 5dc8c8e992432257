"""The verbs a release is written in: each asks AWS for one thing and says so in the timeline.

Nothing here decides. A verb raises ``ActivityError`` when AWS refuses for good; :func:`workflows.call.fault_of` says in which way.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.common import Priority
from temporalio.exceptions import ActivityError, is_cancelled_exception

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
    WatchAlarmsRequest,
)
from activities.cloudwatch.metrics import (
    Metrics,
    MetricsRequest,
    MetricsResponse,
    WatchMetricsRequest,
)
from activities.concurrency import (
    DeleteFunctionConcurrencyRequest,
    PutFunctionConcurrencyRequest,
    ReservedConcurrency,
)
from activities.errors import Fault
from activities.functions import (
    ConfigurationChange,
    FunctionConfiguration,
    Functions,
    GetFunctionRequest,
    GetFunctionResponse,
    UpdateFunctionCodeRequest,
    UpdateFunctionConfigurationRequest,
)
from activities.invocations import Invocations, InvokeRequest
from activities.probes import ProbeFunctionRequest, Probes, ResponseExpectation
from activities.provisioned import (
    DeleteProvisionedConcurrencyConfigRequest,
    GetProvisionedConcurrencyConfigRequest,
    ProvisionedConcurrency,
    PutProvisionedConcurrencyConfigRequest,
)
from activities.restore_latest import RestoreLatest, RestoreLatestRequest
from activities.settling import SettleFunctionRequest, SettleProvisionedConcurrencyRequest, Settling
from activities.versions import PublishVersionRequest, Versions
from workflows.call import call, fault_of, root_cause
from workflows.domain.hook_answer import HookAnswer, parse_hook_answer
from workflows.domain.journal import Journal
from workflows.domain.probe import ProbeRequest
from workflows.domain.routing import Routing
from workflows.domain.target import Target
from workflows.request import Image, S3Package

_Answer = TypeVar("_Answer")
_DEFAULT = Priority.default


async def find(function: str, *, qualifier: str | None = None, summary: str) -> GetFunctionResponse:
    """Look a function, or one version of it, up. ``NotFound`` where there is none."""
    return await call(
        Functions.get_function,
        GetFunctionRequest(function_name=function, qualifier=qualifier),
        summary=summary,
    )


async def read_alias(target: Target, *, priority: Priority = _DEFAULT) -> AliasConfiguration | None:
    """Read how an alias routes; None where there is no such alias."""
    request = GetAliasRequest(function_name=target.name, name=target.alias)
    try:
        return await call(
            Aliases.get_alias, request, summary=f"Read where {target} points", priority=priority
        )
    except ActivityError as error:
        if fault_of(error) is Fault.NOT_FOUND:
            return None
        raise


def routing_of(alias: AliasConfiguration) -> Routing:
    """An alias' routing as a value."""
    weights = alias.routing_config.additional_version_weights if alias.routing_config else None
    return Routing(
        version=alias.function_version or "",
        weights={version: weight for version, weight in (weights or {}).items() if weight},
    )


async def route(
    target: Target,
    routing: Routing,
    *,
    revision: str | None,
    summary: str,
    priority: Priority = _DEFAULT,
) -> str | None:
    """Make an alias route like this, if it still is as of ``revision``; the new revision. ``Stale`` where somebody else changed it."""
    request = UpdateAliasRequest(
        function_name=target.name,
        name=target.alias,
        function_version=routing.version,
        routing_config=AliasRoutingConfiguration(additional_version_weights=dict(routing.weights)),
        revision_id=revision,
    )
    return (
        await call(Aliases.update_alias, request, summary=summary, priority=priority)
    ).revision_id


async def create_alias(target: Target, version: str) -> str | None:
    """Name a version for the first time; the alias' revision."""
    request = CreateAliasRequest(
        function_name=target.name, name=target.alias, function_version=version
    )
    return (
        await call(Aliases.create_alias, request, summary=f"Create {target} at version {version}")
    ).revision_id


async def delete_alias(target: Target, *, priority: Priority) -> None:
    """Take a name away again."""
    request = DeleteAliasRequest(function_name=target.name, name=target.alias)
    await call(
        Aliases.delete_alias,
        request,
        summary=f"Delete {target}, which this release created",
        priority=priority,
    )


async def write_code(
    function: str, artifact: S3Package | Image, *, revision: str | None
) -> str | None:
    """Put an artifact's code into ``$LATEST``; its hash, where AWS says so at once: of a package, not of an image."""
    match artifact:
        case S3Package():
            request = UpdateFunctionCodeRequest(
                function_name=function,
                s3_bucket=artifact.bucket,
                s3_key=artifact.key,
                s3_object_version=artifact.object_version,
                revision_id=revision,
            )
        case Image():
            request = UpdateFunctionCodeRequest(
                function_name=function, image_uri=artifact.uri, revision_id=revision
            )
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


async def settle(
    function: str, *, qualifier: str | None = None, superseded: str | None = None
) -> FunctionConfiguration:
    """Wait until AWS has finished with ``$LATEST``, or with a version; ``superseded`` is the revision from before the change."""
    what = f"version {qualifier}" if qualifier else "$LATEST"
    request = SettleFunctionRequest(
        function_name=function, qualifier=qualifier, superseded=superseded
    )
    return await call(Settling.settle_function, request, summary=f"Wait until {what} is ready")


async def publish(
    function: str, *, code_sha256: str | None, revision: str | None, description: str
) -> FunctionConfiguration:
    """Publish exactly this code as a version; the live one comes back where nothing changed."""
    request = PublishVersionRequest(
        function_name=function,
        code_sha256=code_sha256,
        revision_id=revision,
        description=description,
    )
    return await call(Versions.publish_version, request, summary="Publish a version")


async def reserve(function: str, executions: int | None, *, priority: Priority = _DEFAULT) -> None:
    """Reserve concurrent executions for a function; None: reserve nothing."""
    if executions is None:
        request = DeleteFunctionConcurrencyRequest(function_name=function)
        await call(
            ReservedConcurrency.delete_function_concurrency,
            request,
            summary="Reserve no concurrency",
            priority=priority,
        )
    else:
        put = PutFunctionConcurrencyRequest(
            function_name=function, reserved_concurrent_executions=executions
        )
        await call(
            ReservedConcurrency.put_function_concurrency,
            put,
            summary=f"Reserve {executions} concurrent executions",
            priority=priority,
        )


async def provisioned(function: str, qualifier: str) -> int | None:
    """How much concurrency is provisioned on a version or an alias; None for none."""
    request = GetProvisionedConcurrencyConfigRequest(function_name=function, qualifier=qualifier)
    operation = ProvisionedConcurrency.get_provisioned_concurrency_config
    answer = await call(operation, request, summary=f"Read provisioned concurrency of {qualifier}")
    return answer.requested_provisioned_concurrent_executions


async def provision(
    function: str, version: str, executions: int | None, *, priority: Priority = _DEFAULT
) -> None:
    """Provision concurrency on a version; None: none. Does not wait until it is there."""
    if executions is None:
        request = DeleteProvisionedConcurrencyConfigRequest(
            function_name=function, qualifier=version
        )
        await call(
            ProvisionedConcurrency.delete_provisioned_concurrency_config,
            request,
            summary=f"Release provisioned concurrency of version {version}",
            priority=priority,
        )
    else:
        put = PutProvisionedConcurrencyConfigRequest(
            function_name=function, qualifier=version, provisioned_concurrent_executions=executions
        )
        await call(
            ProvisionedConcurrency.put_provisioned_concurrency_config,
            put,
            summary=f"Provision {executions} on version {version}",
            priority=priority,
        )


async def warm(function: str, version: str) -> None:
    """Wait until the provisioned concurrency of a version is there."""
    request = SettleProvisionedConcurrencyRequest(function_name=function, qualifier=version)
    await call(
        Settling.settle_provisioned_concurrency,
        request,
        summary=f"Wait until version {version} is warm",
    )


async def restore_latest(journal: Journal, version: str, *, priority: Priority) -> None:
    """Put ``$LATEST`` back to what a version holds, unless somebody else changed it since the candidate was made of it."""
    request = RestoreLatestRequest(
        function_name=journal.target.name,
        version=version,
        parts=list(journal.latest),
        replacing=journal.candidate,
        uploaded=journal.uploaded,
        superseded=journal.revision,
        description=journal.description,
    )
    summary = f"Put {' and '.join(journal.latest)} of $LATEST back to version {version}"
    await call(RestoreLatest.restore_latest, request, summary=summary, priority=priority)


async def look(alarms: tuple[str, ...]) -> DescribeAlarmsResponse:
    """Look at alarms, now."""
    return await call(
        Alarms.describe_alarms,
        DescribeAlarmsRequest(alarm_names=list(alarms)),
        summary=f"Look at {', '.join(alarms)}",
    )


async def watch(alarms: tuple[str, ...]) -> str:
    """Return when one of the alarms goes off, with why; until then look every few seconds, which adds nothing to the history."""
    answer = await call(
        Alarms.watch_alarms,
        WatchAlarmsRequest(alarm_names=list(alarms)),
        summary=f"Watch {', '.join(alarms)}",
    )
    return alarm_in(answer, alarms) or "the alarms gave no answer"


async def measure(request: MetricsRequest) -> MetricsResponse:
    """Ask what was measured, now."""
    return await call(
        Metrics.get_metrics, request, summary=f"Measure version {' and '.join(request.versions)}"
    )


async def watch_metrics(
    request: MetricsRequest, *, every: timedelta, known: str | None
) -> MetricsResponse:
    """Return when CloudWatch tells what was not ``known``; until then look every so often, which adds nothing to the history."""
    watching = WatchMetricsRequest(**dict(request), every=every.total_seconds(), known=known)
    return await call(
        Metrics.watch_metrics,
        watching,
        summary=f"Measure versions {' and '.join(request.versions)}",
    )


def alarm_in(answer: DescribeAlarmsResponse, alarms: tuple[str, ...]) -> str | None:
    """What the alarms have against a release: one that went off, and why; or one that is gone, and so guards nothing any more."""
    for alarm in answer.firing:
        return f"alarm {alarm.alarm_name} went off: {(alarm.state_reason or 'no reason given').rstrip('.')}"
    missing = answer.find_missing(alarms)
    return f"alarm {', '.join(missing)}, which guards this release, is gone" if missing else None


_PAUSES = tuple(timedelta(seconds=seconds) for seconds in (2, 5, 10, 20))
DID_NOT_RUN = {Fault.THROTTLED, Fault.NOT_READY, Fault.CONFLICT}


async def _once_it_runs(ask: Callable[[], Awaitable[_Answer]], *, who: str) -> _Answer:
    """Ask a function; ask again, a few times, where AWS says that it did not run: throttled, or not ready yet. Raises ``ActivityError``."""
    for pause in _PAUSES:
        try:
            return await ask()
        except ActivityError as error:
            if fault_of(error) not in DID_NOT_RUN:
                raise
        await workflow.sleep(pause, summary=f"{who} is busy: ask again")
    return await ask()


async def consult(hook: str, question: dict[str, object], *, name: str) -> HookAnswer:
    """Ask a hook, a Lambda function, whether it accepts the candidate. Whatever is not a clear yes is a no.

    A hook is never asked twice, except where AWS says that it did not run.
    """
    function, _, qualifier = hook.partition(":") if hook.count(":") == 1 else (hook, "", "")
    request = InvokeRequest(
        function_name=function, qualifier=qualifier or None, payload=json.dumps(question).encode()
    )
    try:
        answer = await _once_it_runs(
            lambda: call(Invocations.invoke, request, summary=f"Ask {hook} ({name})"), who=hook
        )
    except ActivityError as error:
        return HookAnswer(accept=False, reason=f"it could not be asked: {root_cause(error)}")
    return parse_hook_answer(answer.payload, function_error=answer.function_error)


async def probe(
    function: str, version: str, request: ProbeRequest, *, within: timedelta, which: str
) -> str | None:
    """Send a version a request; what is wrong with its answer, None if nothing is. No answer is a wrong one.

    A request is never sent twice, except where AWS says that the function did not run.
    """
    asked = ProbeFunctionRequest(
        function_name=function,
        qualifier=version,
        payload=request.payload,
        expectations=[
            ResponseExpectation(
                path=each.path,
                test=each.test,
                value=each.equals if each.exists is None else each.exists,
            )
            for each in request.expect
        ],
        max_milliseconds=round(within / timedelta(milliseconds=1)),
    )
    who = f"version {version}"
    try:
        return (
            await _once_it_runs(
                lambda: call(Probes.probe_function, asked, summary=f"Probe {who}: {which}"), who=who
            )
        ).failure
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        return f"it could not be asked: {root_cause(error)}"

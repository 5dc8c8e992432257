"""The long-running worker: carries releases out, within one AWS account and region, until it is told to stop.

``python worker.py`` reads its settings from the environment (``--help`` lists them), connects to Temporal and AWS, registers the
search attributes that are missing, and works. SIGTERM and SIGINT drain it: what is under way is finished, nothing new is begun.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
import uuid
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, cast

import structlog
import typer
from temporalio import activity
from temporalio.api.operatorservice.v1 import (
    AddSearchAttributesRequest,
    ListSearchAttributesRequest,
)
from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.envconfig import ClientConfig
from temporalio.exceptions import ApplicationError
from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Worker, WorkerDeploymentConfig

from activities import list_operations
from activities.aws import AwsConfigurationError, connect
from activities.errors import Fault
from activities.limits.rate import Limits, Rates
from activities.limits.sharing import HEARTBEAT_INTERVAL, RateShare
from activities.limits.slots import create_worker_tuner
from workflows import search_attributes
from workflows.temporal.plugin import LambdaReleases
from workflows.temporal.process_exit import run_and_exit

GRACEFUL_SHUTDOWN_TIMEOUT = timedelta(seconds=30)
"""How long a stopping worker lets AWS calls finish: longer than any single one of them."""

_DEFAULT_CONTROL_PLANE_RATE = Rates().control_plane
"""Control-plane calls a second that AWS allows in one account and region, except for GetFunction and GetPolicy, which have their own."""

DEFAULT_CACHED_WORKFLOWS = 1_000
"""Workflows kept in memory."""

_MIN_RUN_SECONDS = 1.0
"""Seconds a worker runs at least before it stops: start-up and shut-down of the SDK's core must not overlap."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("worker")


class WorkerStartError(Exception):
    """Something outside is missing; the message says what, in one line."""


@dataclass(frozen=True)
class WorkerSettings:
    """What an operator may choose; ``--help`` says what each is."""

    task_queue: str
    rate: float | None
    aws_rate: float
    cached: int
    metrics: str | None


async def work(settings: WorkerSettings, *, stop: asyncio.Event) -> None:
    """Connect, serve the queue until ``stop`` is set, drain. Raises :class:`WorkerStartError` or :class:`AwsConfigurationError` before anything is begun."""
    client = await _temporal(settings.metrics)
    await _register_search_attributes(client)
    limits = Limits(Rates().scale_to(settings.aws_rate))
    share = RateShare(client, task_queue=settings.task_queue, limits=limits)
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    async with connect(region=region, limits=limits) as aws:
        await share.start()
        worker = Worker(
            client,
            task_queue=settings.task_queue,
            activities=list_operations(aws),
            tuner=create_worker_tuner(limits),
            max_task_queue_activities_per_second=settings.rate,
            max_cached_workflows=settings.cached,
            graceful_shutdown_timeout=GRACEFUL_SHUTDOWN_TIMEOUT,
            **_versioning(),
        )
        gc.collect()
        gc.freeze()  # what is there by now stays: collecting is about workflows, and those forgotten are collected soon
        sharing = asyncio.ensure_future(share.maintain())
        failed = asyncio.ensure_future(_run(worker, stop))
        log.info(
            "working",
            task_queue=settings.task_queue,
            namespace=client.namespace,
            temporal=client.service_client.config.target_host,
        )
        try:
            await failed
        finally:
            sharing.cancel()
    log.info("stopped")


async def _run(worker: Worker, stop: asyncio.Event) -> None:
    running = asyncio.ensure_future(worker.run())
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait(
        [running, asyncio.ensure_future(asyncio.sleep(_MIN_RUN_SECONDS))],
        return_when=asyncio.FIRST_COMPLETED,
    )
    await asyncio.wait([running, stopping], return_when=asyncio.FIRST_COMPLETED)
    if not running.done():
        log.info("draining", at_most=GRACEFUL_SHUTDOWN_TIMEOUT.total_seconds())
        await worker.shutdown()
    stopping.cancel()
    await running


async def _temporal(metrics: str | None) -> Client:
    """Connect as ``temporalio.envconfig`` says, with our plugin."""
    try:
        settings: dict[str, Any] = {
            "target_host": "localhost:7233",
            **ClientConfig.load_client_connect_config(),
        }
        return await Client.connect(
            **settings, identity=_identity(), plugins=[LambdaReleases()], runtime=_runtime(metrics)
        )
    except (RuntimeError, RPCError, ValueError, OSError) as error:
        address = os.environ.get("TEMPORAL_ADDRESS", "localhost:7233")
        raise WorkerStartError(
            f"cannot reach Temporal at {address}: {_line(error)} (TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_PROFILE)"
        ) from error


def _identity() -> str:
    """The name under which Temporal knows this process: its own even where all have the same process id and host, as in containers."""
    return f"{os.getpid()}@{socket.gethostname()}/{uuid.uuid4().hex[:8]}"


def _runtime(metrics: str | None) -> Runtime:
    prometheus = (
        PrometheusConfig(
            bind_address=metrics,
            durations_as_seconds=True,
            unit_suffix=True,
            counters_total_suffix=True,
        )
        if metrics
        else None
    )
    forwarding = LogForwardingConfig(logger=logging.getLogger("temporal.core"))
    logs = LoggingConfig(
        filter=TelemetryFilter(core_level="WARN", other_level="ERROR"), forwarding=forwarding
    )
    return Runtime(
        telemetry=TelemetryConfig(metrics=prometheus, logging=logs), worker_heartbeat_interval=HEARTBEAT_INTERVAL
    )


def _versioning() -> dict[str, Any]:
    """Worker Versioning, for those who deploy workers under it: on where both variables are set, off otherwise."""
    name, build = (
        os.environ.get("TEMPORAL_DEPLOYMENT_NAME"),
        os.environ.get("TEMPORAL_WORKER_BUILD_ID"),
    )
    if not (name and build):
        return {}
    version = WorkerDeploymentVersion(deployment_name=name, build_id=build)
    return {
        "deployment_config": WorkerDeploymentConfig(
            version=version,
            use_worker_versioning=True,
            default_versioning_behavior=VersioningBehavior.PINNED,
        )
    }


# --- search attributes ---------------------------------------------------------------------------------------------------------------


async def _register_search_attributes(client: Client) -> None:
    """Register what is missing, where we may; where we may not, insist that it is there: a release could not run without."""
    try:
        listed = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace)
        )
        if other := [
            name
            for name, kind in search_attributes.TYPES.items()
            if listed.custom_attributes.get(name, kind) != kind
        ]:
            theirs = ", ".join(f"{name} (not of type {_kind(name)})" for name in other)
            raise WorkerStartError(
                f"namespace {client.namespace} uses search attributes of ours for something else: {theirs}"
            )
        missing = {
            name: kind
            for name, kind in search_attributes.TYPES.items()
            if name not in listed.custom_attributes
        }
        if missing:
            request = AddSearchAttributesRequest(
                namespace=client.namespace, search_attributes=missing
            )
            await client.operator_service.add_search_attributes(request)
            log.info("registered search attributes", names=sorted(missing))
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise WorkerStartError(
                f"there is no namespace {client.namespace} (TEMPORAL_NAMESPACE)"
            ) from error
        log.warning("cannot register search attributes", reason=_line(error))
    unknown = list(search_attributes.TYPES)
    for _ in range(60):
        if not (unknown := [name for name in unknown if not await _known(client, name)]):
            return
        await asyncio.sleep(0.5)
    commands = "; ".join(
        f"temporal operator search-attribute create --name {name} --type {_kind(name)}"
        for name in unknown
    )
    raise WorkerStartError(
        f"namespace {client.namespace} lacks search attributes; have an administrator run: {commands}"
    )


async def _known(client: Client, name: str) -> bool:
    """Whether a namespace can be searched by an attribute; asked in a way that every Temporal, Cloud too, answers."""
    try:
        await client.count_workflows(f"{name} IS NOT NULL")
    except RPCError as error:
        if error.status is RPCStatusCode.INVALID_ARGUMENT:
            return False
        raise WorkerStartError(f"cannot use namespace {client.namespace}: {_line(error)}") from error
    return True


def _kind(name: str) -> str:
    return "Int" if name == search_attributes.TRAFFIC_PERCENT.name else "Keyword"


# --- logs ------------------------------------------------------------------------------------------------------------------------------


def set_up_logs(form: str, level: str) -> None:
    """One line an event: JSON, or coloured columns for a terminal; from our code, the SDK, its core and every library alike."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        _bind_execution,
        _name_fault,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    console = form == "console" or (form == "auto" and sys.stderr.isatty())
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer()
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            foreign_pre_chain=shared,
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    logging.getLogger("botocore").setLevel(logging.WARNING)


def _bind_execution(
    _: Any, __: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Say which workflow, run, activity and attempt a line belongs to, whoever wrote it."""
    told: dict[str, Any] = {
        **event.pop("temporal_workflow", {}),
        **event.pop("temporal_activity", {}),
    }
    if activity.in_activity():
        info = activity.info()
        told |= {
            "workflow_id": info.workflow_id,
            "workflow_run_id": info.workflow_run_id,
            "activity_type": info.activity_type,
            "activity_id": info.activity_id,
            "attempt": info.attempt,
        }
    names = {
        "workflow_id": "workflow_id",
        "workflow_run_id": "run_id",
        "run_id": "run_id",
        "activity_type": "activity",
        "activity_id": "activity_id",
        "attempt": "attempt",
    }
    event.update(
        {names[key]: value for key, value in told.items() if key in names and value is not None}
    )
    return event


def _name_fault(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """An operation that failed as it may says so in a line; a stack trace is for what nobody foresaw, a bug of ours above all."""
    info: Any = event.get("exc_info")
    error: BaseException | None = (
        cast("tuple[Any, BaseException, Any]", info)[1] if isinstance(info, tuple) else None
    )
    if isinstance(error, ApplicationError) and error.type in set(Fault) - {Fault.BUG}:
        del event["exc_info"]
        event = {
            **event,
            "event": str(event["event"]).partition(" ({")[0],
            "fault": error.type,
            "reason": error.message,
        }
    return event


def _line(error: BaseException) -> str:
    text = str(error) or type(error).__name__
    return text.splitlines()[0][:300]


# --- the command line --------------------------------------------------------------------------------------------------------------------


def main(  # noqa: PLR0913, PLR0917 - one parameter for each option
    task_queue: Annotated[
        str,
        typer.Option(
            envvar="RELEASES_TASK_QUEUE",
            help="The queue to serve: one for each AWS account and region.",
        ),
    ] = "lambda-releases",
    rate: Annotated[
        float | None,
        typer.Option(
            envvar="RELEASES_RATE",
            min=0.1,
            help="Activities a second on this queue, of all its workers together, whatever they do. None by default, and best: "
            "RELEASES_AWS_RATE alone keeps to AWS's limits; this one counts what is no call to AWS, and lets twice as many through at first.",
        ),
    ] = None,
    aws_rate: Annotated[
        float,
        typer.Option(
            envvar="RELEASES_AWS_RATE",
            min=0.1,
            help="Control-plane calls to AWS Lambda a second of all workers of the queue together; they share it by themselves. "
            "AWS allows 15 in one account and region, and no more: less leaves some for others. Its other limits go along.",
        ),
    ] = _DEFAULT_CONTROL_PLANE_RATE,
    cached: Annotated[
        int,
        typer.Option(
            envvar="RELEASES_CACHED_WORKFLOWS",
            min=0,
            help="Workflows kept in memory. One beyond that is rebuilt from its history when something happens to it.",
        ),
    ] = DEFAULT_CACHED_WORKFLOWS,
    metrics: Annotated[
        str | None,
        typer.Option(
            envvar="RELEASES_METRICS",
            help="Serve Prometheus metrics at this address, such as 127.0.0.1:9464.",
        ),
    ] = None,
    log_format: Annotated[
        str,
        typer.Option(
            envvar="RELEASES_LOG_FORMAT", help="json, console, or auto: console on a terminal."
        ),
    ] = "auto",
    log_level: Annotated[
        str, typer.Option(envvar="RELEASES_LOG_LEVEL", help="debug, info, warning or error.")
    ] = "info",
) -> None:
    """Carry out releases of AWS Lambda functions until told to stop (SIGTERM, SIGINT).

    Temporal is found as its own CLI finds it: TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_PROFILE, TEMPORAL_API_KEY, … or temporal.toml.
    AWS as botocore finds it: AWS_REGION or AWS_DEFAULT_REGION, AWS_PROFILE, AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL, ….
    TEMPORAL_DEPLOYMENT_NAME and TEMPORAL_WORKER_BUILD_ID, both set, turn Worker Versioning on.
    """
    set_up_logs(log_format, log_level)
    try:
        asyncio.run(
            _main(
                WorkerSettings(
                    task_queue=task_queue,
                    rate=rate,
                    aws_rate=aws_rate,
                    cached=cached,
                    metrics=metrics,
                )
            )
        )
    except (WorkerStartError, AwsConfigurationError) as problem:
        sys.stderr.write(f"worker: {problem}\n")
        raise typer.Exit(1) from problem


async def _main(settings: WorkerSettings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await work(settings, stop=stop)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    run_and_exit(lambda: typer.run(main))

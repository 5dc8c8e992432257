"""The worker: a process that serves the releases of one AWS account and region.

``python worker.py`` reads its settings from the environment (``--help`` lists them), connects to
Temporal and AWS, registers missing search attributes, and serves its task queue. SIGTERM and SIGINT
drain it: running activities finish, and no new work is taken.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer
from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.envconfig import ClientConfig
from temporalio.service import RPCError
from temporalio.worker import Worker, WorkerDeploymentConfig

from activities import list_operations
from activities.access import OPERATIONS_SETTING, Access, AccessSettingError
from activities.aws import AwsConfigurationError, Connection, connect
from activities.errors import AwsError
from activities.function_scope import FUNCTIONS_SETTING
from activities.identity import AccountGuard, ServedAccount, read_account
from activities.limits.rate import Limits, Rates
from activities.limits.sharing import RateShare
from activities.limits.slots import create_worker_tuner
from activities.reference_scope import REFERENCES_SETTING
from workflows.temporal.logs import configure_logging
from workflows.temporal.plugin import WORKFLOWS, LambdaReleases
from workflows.temporal.process_exit import run_and_exit
from workflows.temporal.queue_account import (
    QueueAccountError,
    check_after_start,
    check_before_start,
)
from workflows.temporal.search_attribute_registration import (
    NamespaceError,
    register_search_attributes,
    summarize_error,
)
from workflows.temporal.worker_runtime import create_identity, create_runtime

GRACEFUL_SHUTDOWN_TIMEOUT = timedelta(seconds=30)
"""How long a stopping worker lets AWS calls finish: longer than any single one."""

DEFAULT_CONTROL_PLANE_RATE = Rates().control_plane
"""Control-plane calls per second that AWS allows in one account and region.

GetFunction and GetPolicy have limits of their own.
"""

DEFAULT_CACHED_WORKFLOWS = 1_000
"""Workflows kept in memory."""

_ACCOUNT_DIGITS = 12
_EMULATOR_VARIABLES = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS")

_DEFAULT_TEMPORAL_ADDRESS = "localhost:7233"

_MIN_RUN_SECONDS = 1.0
"""How long a worker runs at least.

The SDK's core must not shut down while it starts.
"""

log: structlog.stdlib.BoundLogger = structlog.get_logger("worker")


class WorkerStartError(Exception):
    """Temporal or STS cannot be reached; the message is one line."""


@dataclass(frozen=True)
class WorkerSettings:
    """The settings of an operator; ``--help`` describes each of them."""

    task_queue: str
    account: str | None
    rate: float | None
    aws_rate: float
    cached: int
    metrics: str | None
    access: Access


async def work(settings: WorkerSettings, *, stop: asyncio.Event) -> None:
    """Connect, serve the task queue until ``stop`` is set, and drain.

    Raises :class:`WorkerStartError`, :class:`NamespaceError`, :class:`QueueAccountError` or
    :class:`AwsConfigurationError` before it takes any work. :class:`QueueAccountError` also a
    moment later, where another account's worker began at the same time.
    """
    client = await _connect_to_temporal(settings.metrics)
    await register_search_attributes(client)
    limits = Limits(Rates().scale_to(settings.aws_rate))
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    async with connect(region=region, limits=limits) as aws:
        served = await _find_account(aws, settings.account)
        identity = served.identify(client.identity) if served else client.identity
        share = RateShare(client, task_queue=settings.task_queue, limits=limits, identity=identity)
        await check_before_start(share, served)
        await share.start()
        worker = Worker(
            client,
            task_queue=settings.task_queue,
            identity=identity,
            activities=list_operations(
                AccountGuard(aws, served) if served else aws, settings.access
            ),
            tuner=create_worker_tuner(limits),
            max_task_queue_activities_per_second=settings.rate,
            max_cached_workflows=settings.cached,
            graceful_shutdown_timeout=GRACEFUL_SHUTDOWN_TIMEOUT,
            **_read_versioning(),
        )
        # What exists by now stays. Later collections are about workflows, and are then short:
        # https://docs.python.org/3/library/gc.html#gc.freeze
        gc.collect()
        gc.freeze()
        share_task = asyncio.ensure_future(share.maintain())
        check_task = asyncio.ensure_future(check_after_start(share, served, stop))
        worker_task = asyncio.ensure_future(_run_until_stopped(worker, stop))
        log.info(
            "working",
            account=served.account if served else "unknown",
            region=aws.region,
            task_queue=settings.task_queue,
            namespace=client.namespace,
            temporal=client.service_client.config.target_host,
        )
        try:
            await worker_task
        finally:
            share_task.cancel()
            check_task.cancel()
        if check_task.done():
            check_task.result()
    log.info("stopped")


async def _find_account(aws: Connection, named: str | None) -> ServedAccount | None:
    """Return what this worker serves: the account ``named``, else that of its credentials.

    None where an emulator of AWS has no STS. AWS's own answers everybody who has credentials.
    """
    if named is not None:
        if not (len(named) == _ACCOUNT_DIGITS and named.isdecimal()):
            raise WorkerStartError(f"RELEASES_ACCOUNT: no account has the id {named[:20]}")
        return ServedAccount(named, aws.region)
    try:
        return ServedAccount(await read_account(aws), aws.region)
    except AwsError as error:
        problem = f"STS does not say whose credentials these are: {error}"
    if not any(os.environ.get(name) for name in _EMULATOR_VARIABLES):
        raise WorkerStartError(f"{problem} (RELEASES_ACCOUNT names the account without STS)")
    log.warning("the account is unknown (RELEASES_ACCOUNT names it)", problem=problem)
    return None


async def _run_until_stopped(worker: Worker, stop: asyncio.Event) -> None:
    worker_task = asyncio.ensure_future(worker.run())
    stop_task = asyncio.ensure_future(stop.wait())
    await asyncio.wait(
        [worker_task, asyncio.ensure_future(asyncio.sleep(_MIN_RUN_SECONDS))],
        return_when=asyncio.FIRST_COMPLETED,
    )
    await asyncio.wait([worker_task, stop_task], return_when=asyncio.FIRST_COMPLETED)
    if not worker_task.done():
        log.info("draining", at_most=GRACEFUL_SHUTDOWN_TIMEOUT.total_seconds())
        await worker.shutdown()
    stop_task.cancel()
    await worker_task


async def _connect_to_temporal(metrics: str | None) -> Client:
    """Connect with the settings of ``temporalio.envconfig`` and with our plugin."""
    try:
        settings: dict[str, Any] = {
            "target_host": _DEFAULT_TEMPORAL_ADDRESS,
            **ClientConfig.load_client_connect_config(),
        }
        return await Client.connect(
            **settings,
            identity=create_identity(),
            plugins=[LambdaReleases()],
            runtime=create_runtime(metrics),
        )
    except (RuntimeError, RPCError, ValueError, OSError) as error:
        address = os.environ.get("TEMPORAL_ADDRESS", _DEFAULT_TEMPORAL_ADDRESS)
        raise WorkerStartError(
            f"cannot reach Temporal at {address}: {summarize_error(error)} "
            "(TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_PROFILE)"
        ) from error


def _parse_access(operations: str, functions: str | None, references: str | None) -> Access:
    """Parse what the operator lets this worker do; refuse an empty limit, which means nothing."""
    for setting in (OPERATIONS_SETTING, FUNCTIONS_SETTING, REFERENCES_SETTING):
        if os.environ.get(setting) == "":
            raise AccessSettingError(f"{setting}: it is empty: unset it for its default")
    return Access.parse(
        operations=operations,
        functions=functions,
        references=references,
        workflows=frozenset(each.__name__ for each in WORKFLOWS),
    )


def _read_versioning() -> dict[str, Any]:
    """The options of Worker Versioning, if both of its variables are set; else none."""
    name = os.environ.get("TEMPORAL_DEPLOYMENT_NAME")
    build_id = os.environ.get("TEMPORAL_WORKER_BUILD_ID")
    if not (name and build_id):
        return {}
    version = WorkerDeploymentVersion(deployment_name=name, build_id=build_id)
    return {
        "deployment_config": WorkerDeploymentConfig(
            version=version,
            use_worker_versioning=True,
            default_versioning_behavior=VersioningBehavior.PINNED,
        )
    }


def main(  # noqa: PLR0913, PLR0917 - one parameter for each option
    task_queue: Annotated[
        str,
        typer.Option(
            envvar="RELEASES_TASK_QUEUE",
            help="The task queue to serve: one for each AWS account and region.",
        ),
    ] = "lambda-releases",
    account: Annotated[
        str | None,
        typer.Option(
            envvar="RELEASES_ACCOUNT",
            help="The AWS account to serve, of twelve digits. By default that of the credentials,"
            " by STS: name it where STS is out of reach.",
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            envvar="RELEASES_RATE",
            min=0.1,
            help="Activities per second on this queue, of all its workers together and of any kind."
            " None by default, which is best: RELEASES_AWS_RATE alone keeps AWS's limits. This one"
            " also counts activities that do not call AWS, and lets twice as many through at"
            " first.",
        ),
    ] = None,
    aws_rate: Annotated[
        float,
        typer.Option(
            envvar="RELEASES_AWS_RATE",
            min=0.1,
            help="Control-plane calls to AWS Lambda per second, of all workers of the queue"
            " together, which share them automatically. AWS allows 15 in one account and region:"
            " choose less to leave some for other callers. The limits of other calls are scaled"
            " with it.",
        ),
    ] = DEFAULT_CONTROL_PLANE_RATE,
    cached: Annotated[
        int,
        typer.Option(
            envvar="RELEASES_CACHED_WORKFLOWS",
            min=0,
            help="Workflows kept in memory. Any other workflow is rebuilt from its history when"
            " it has an event.",
        ),
    ] = DEFAULT_CACHED_WORKFLOWS,
    metrics: Annotated[
        str | None,
        typer.Option(
            envvar="RELEASES_METRICS",
            help="Serve Prometheus metrics at this address, such as 127.0.0.1:9464.",
        ),
    ] = None,
    operations: Annotated[
        str,
        typer.Option(
            envvar="RELEASES_OPERATIONS",
            help="Operations to serve to whoever calls them: release (what releases need), all, or"
            " names, separated by commas. Releases work in any case.",
        ),
    ] = "release",
    functions: Annotated[
        str | None,
        typer.Option(
            envvar="RELEASES_FUNCTIONS",
            help="Functions to touch, hooks included: names separated by commas, in which * stands"
            " for any characters, such as checkout-*,payments. By default all.",
        ),
    ] = None,
    references: Annotated[
        str | None,
        typer.Option(
            envvar="RELEASES_REFERENCES",
            help="Parameters and secrets that dynamic references may name: names separated by"
            " commas, in which * stands for any characters and {function} for the function's name."
            " By default /{function}/*.",
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
    """Serve releases of AWS Lambda functions until stopped (SIGTERM, SIGINT).

    Temporal is configured as for its own CLI, by temporal.toml or by
    TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_PROFILE, TEMPORAL_API_KEY, ….
    AWS is configured as for botocore, by AWS_REGION or AWS_DEFAULT_REGION,
    AWS_PROFILE, AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL, ….
    Both TEMPORAL_DEPLOYMENT_NAME and TEMPORAL_WORKER_BUILD_ID together turn
    Worker Versioning on.
    """
    configure_logging(log_format, log_level)
    try:
        settings = WorkerSettings(
            task_queue=task_queue,
            account=account,
            rate=rate,
            aws_rate=aws_rate,
            cached=cached,
            metrics=metrics,
            access=_parse_access(operations, functions, references),
        )
        asyncio.run(_work_until_signalled(settings))
    except (
        WorkerStartError,
        AccessSettingError,
        NamespaceError,
        QueueAccountError,
        AwsConfigurationError,
    ) as error:
        sys.stderr.write(f"worker: {error}\n")
        raise typer.Exit(1) from error


async def _work_until_signalled(settings: WorkerSettings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await work(settings, stop=stop)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    run_and_exit(lambda: typer.run(main))

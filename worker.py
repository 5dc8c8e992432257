"""The worker: a process that serves the releases of one AWS account and region, or of several.

``python worker.py``, or ``releases-worker`` where the package is installed, reads its settings from
the environment (``--help`` lists them), connects to Temporal and AWS, registers missing search
attributes, and serves its task queue. SIGTERM and SIGINT drain it: running activities finish, and
no new work is taken.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from activities.access import OPERATIONS_SETTING, Access, AccessSettingError
from activities.aws import AwsConfigurationError
from activities.function_scope import FUNCTIONS_SETTING
from activities.limits.rate import Rates
from activities.reference_scope import REFERENCES_SETTING
from workflows.temporal.connection_settings import CODEC_SETTINGS
from workflows.temporal.logs import LogSettingError, configure_logging
from workflows.temporal.plugin import WORKFLOWS
from workflows.temporal.process_exit import run_and_exit
from workflows.temporal.queue_account import QueueAccountError
from workflows.temporal.search_attribute_registration import NamespaceError
from workflows.worker.contact import ContactLostError
from workflows.worker.deployment_version import Versioning, read_versioning
from workflows.worker.places import PlacesFileError, read_places
from workflows.worker.process import work
from workflows.worker.settings import (
    WorkerSettings,
    WorkerStartError,
    parse_grace,
    refuse_unknown_settings,
)

DEFAULT_CONTROL_PLANE_RATE = Rates().control_plane
"""Control-plane calls per second that AWS allows in one account and region.

GetFunction and GetPolicy have limits of their own.
"""

DEFAULT_TASK_QUEUE = "lambda-releases"
"""That of a worker with one place."""

DEFAULT_CACHED_WORKFLOWS = 1_000
"""Workflows kept in memory."""


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


def main(  # noqa: PLR0913, PLR0917 - one parameter for each option
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(
            envvar="RELEASES_CONFIG",
            metavar="FILE",
            help="Serve several AWS accounts and regions, those of this file (YAML or JSON), each"
            " on a task queue of its own.",
            show_default=False,
        ),
    ] = None,
    task_queue: Annotated[
        str | None,
        typer.Option(
            envvar="RELEASES_TASK_QUEUE",
            help="The task queue to serve: one for each AWS account and region.",
            show_default=DEFAULT_TASK_QUEUE,
        ),
    ] = None,
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
    workers: Annotated[
        int | None,
        typer.Option(
            envvar="RELEASES_WORKERS",
            min=1,
            help="How many workers share AWS's rate, where Temporal does not list them.",
        ),
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(
            envvar="RELEASES_METRICS",
            help="Serve /metrics for Prometheus, /healthz and /readyz at this address, such as"
            " 127.0.0.1:9464, or :9464 for every interface.",
        ),
    ] = None,
    metrics_by_function: Annotated[  # noqa: FBT002 - an option
        bool,
        typer.Option(
            envvar="RELEASES_METRICS_BY_FUNCTION",
            help="Label the metrics of releases with function and alias: a series for each.",
        ),
    ] = False,
    traces: Annotated[
        str | None,
        typer.Option(
            envvar="RELEASES_TRACES",
            help="otlp: send spans of releases by OpenTelemetry's protocol over HTTP, as its"
            " variables OTEL_EXPORTER_OTLP_ENDPOINT, … say. Needs the extra otel.",
            show_default=False,
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
    versioning: Annotated[
        Versioning | None,
        typer.Option(
            envvar="RELEASES_VERSIONING",
            help="With Worker Versioning: whether the build that began a release also ends it"
            " (pinned, the default), or the current build goes on with it (auto_upgrade).",
            show_default=False,
        ),
    ] = None,
    grace: Annotated[
        str,
        typer.Option(
            envvar="RELEASES_GRACE",
            help="How long a stopping worker stays for hooks and probes that it has begun, which"
            " must not be sent twice. Everything else takes seconds.",
        ),
    ] = "15m",
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
    Payloads are encrypted by RELEASES_CODEC_KEYS, a list of id:key in base64,
    or file: and the path of one; or by the codec that RELEASES_CODEC names,
    module:factory. RELEASES_PRIVATE=true keeps names and reasons of people out
    of what is not encrypted. docs/encryption.md has them all.
    Both TEMPORAL_DEPLOYMENT_NAME and TEMPORAL_WORKER_BUILD_ID together turn
    Worker Versioning on.
    """
    try:
        known = {str(option.envvar) for option in context.command.params}
        refuse_unknown_settings(known | CODEC_SETTINGS)
        configure_logging(log_format, log_level)
        settings = WorkerSettings(
            places=read_places(
                config, {"RELEASES_TASK_QUEUE": task_queue, "RELEASES_ACCOUNT": account}
            ),
            task_queue=task_queue or DEFAULT_TASK_QUEUE,
            region=os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"),
            account=account,
            rate=rate,
            aws_rate=aws_rate,
            cached=cached,
            workers=workers,
            metrics=metrics,
            metrics_by_function=metrics_by_function,
            traces=traces,
            access=_parse_access(operations, functions, references),
            deployment=read_versioning(versioning),
            grace=parse_grace(grace),
        )
        asyncio.run(_work_until_signalled(settings))
    except (
        WorkerStartError,
        AccessSettingError,
        LogSettingError,
        NamespaceError,
        QueueAccountError,
        AwsConfigurationError,
        ContactLostError,
        PlacesFileError,
    ) as error:
        sys.stderr.write(f"worker: {error}\n")
        raise typer.Exit(1) from error


async def _work_until_signalled(settings: WorkerSettings) -> None:
    stop = asyncio.Event()

    signals: list[int] = []

    def drain_or_end(number: int) -> None:
        """Drain at the first signal, and end now at a second one."""
        signals.append(number)
        if len(signals) > 1:
            sys.stderr.write("worker: ended by a second signal; what was begun is cut off\n")
            os._exit(1)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, drain_or_end, number)
    await work(settings, stop=stop)


def run() -> NoReturn:
    """Run the command ``releases-worker``, and exit with its status."""
    run_and_exit(lambda: typer.run(main))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    run()

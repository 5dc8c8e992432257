"""What all commands share: the connection, the output, errors, and exit statuses."""

from __future__ import annotations

import asyncio
import functools
import getpass
import os
from collections.abc import Callable, Coroutine
from enum import IntEnum
from typing import Annotated, Any, Final, NoReturn, ParamSpec

import typer
from temporalio.runtime import Runtime, TelemetryConfig

from activities.product_version import read_product_version
from workflows.cli.console import PageConsole
from workflows.cli.output import add_output_option
from workflows.cli.place import add_place_options
from workflows.cli.usage import CommandGroup
from workflows.client.client import ReleaseClient
from workflows.client.errors import BadRequest, NoWorker, Refused, ReleaseClientError, Unreachable
from workflows.client.runs import RunEnding, RunOutcome
from workflows.temporal.codec_keys import UnreadablePayload

_HELP: Final = (
    "Release AWS Lambda functions safely: start, watch and control releases that run on Temporal."
    "\n\n"
    "A TARGET is a function and an alias: checkout (alias live), checkout:beta, an ARN with or "
    "without an alias, or the id of a release. No AWS credentials are needed here, except for "
    "--zip: the worker has them."
    "\n\n"
    "$ releases start checkout:live --s3 s3://artifacts/42.zip --watch\n"
    '$ releases pause checkout:live --reason "p99 is up"\n'
    "$ releases rollback checkout:live --wait"
    "\n\n"
    "[bold]Exit status[/bold]: 0 succeeded · 1 rolled back, rejected or refused · 2 wrong usage, "
    "or no such release · 3 Temporal or the worker does not answer · 4 [bold]not[/bold] rolled "
    "back: check the alias · 130 interrupted (the release goes on)"
    "\n\n"
    "[bold]Environment[/bold]: TEMPORAL_ADDRESS (else localhost:7233), TEMPORAL_NAMESPACE "
    "(else default), TEMPORAL_API_KEY, TEMPORAL_TLS and related variables, or a profile by "
    "TEMPORAL_PROFILE and TEMPORAL_CONFIG_FILE: as the temporal command line reads them. "
    "RELEASES_TASK_QUEUE: the queue of the worker for the function's account and region, where it "
    "is not the one that Temporal lists for them. RELEASES_CODEC_KEYS, RELEASES_CODEC, "
    "RELEASES_PRIVATE: as the worker has them. AWS_REGION, AWS_PROFILE and related variables: for "
    "--zip only."
)

app = typer.Typer(
    name="releases",
    cls=CommandGroup,
    help=_HELP,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_P = ParamSpec("_P")


def _print_version(is_wanted: bool) -> None:  # noqa: FBT001 - typer's call
    if is_wanted:
        typer.echo(f"releases {read_product_version()}")
        raise typer.Exit


@app.callback()
def print_version(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Print the version, and exit.",
            is_eager=True,
            callback=_print_version,
        ),
    ] = False,
) -> None:
    """Take what stands before the name of a command."""
    del version


TargetArgument = Annotated[
    str,
    typer.Argument(
        metavar="TARGET",
        help="FUNCTION[:ALIAS], an ARN, or the id of a release.",
        show_default=False,
    ),
]
TaskQueueOption = Annotated[
    str | None,
    typer.Option(
        envvar="RELEASES_TASK_QUEUE",
        help="The queue of the worker for the function's account and region. By default it is "
        "the one that serves them, as Temporal lists the workers.",
        show_default=False,
    ),
]
ByOption = Annotated[
    str,
    typer.Option(
        "--by",
        metavar="NAME",
        help="Who requests it. Default: the user of this machine.",
        show_default=False,
    ),
]
ReasonOption = Annotated[
    str,
    typer.Option("--reason", metavar="TEXT", help="Why: kept in the history.", show_default=False),
]


class ExitStatus(IntEnum):
    """The exit statuses of all commands, for scripts."""

    SUCCEEDED = 0
    NOT_RELEASED = 1
    USAGE = 2
    NO_ANSWER = 3
    NOT_ROLLED_BACK = 4
    INTERRUPTED = 130


_STATUS_BY_OUTCOME: Final = {
    RunOutcome.SUCCEEDED: ExitStatus.SUCCEEDED,
    RunOutcome.REJECTED: ExitStatus.NOT_RELEASED,
    RunOutcome.ROLLED_BACK: ExitStatus.NOT_RELEASED,
    RunOutcome.NOT_ROLLED_BACK: ExitStatus.NOT_ROLLED_BACK,
    RunOutcome.KILLED: ExitStatus.NOT_ROLLED_BACK,
}


async def connect() -> ReleaseClient:
    """Connect to Temporal by the environment."""
    return await ReleaseClient.connect(runtime=_make_quiet_runtime())


def get_exit_status(ending: RunEnding) -> ExitStatus:
    """Get the exit status for a release's ending."""
    return _STATUS_BY_OUTCOME[ending.outcome]


def get_user_name() -> str:
    """Get the user of this machine; its number where it has no name (a container)."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return f"uid {os.getuid()}"


def make_stdout_console() -> PageConsole:
    """Make a console for results: without markup; nothing is wrapped in a pipe."""
    return _make_console(stderr=False)


def make_stderr_console() -> PageConsole:
    """Make a console for errors."""
    return _make_console(stderr=True)


def make_command(work: Callable[_P, Coroutine[Any, Any, ExitStatus | None]]) -> Callable[_P, None]:
    """Make a command of an async function, which returns the exit status.

    Errors of the client are printed, one line each problem. One with a parameter ``json`` gets
    ``-o``, one with a ``target`` ``--account`` and ``--region``.
    """
    located = add_place_options(work, connect)

    @add_output_option
    @functools.wraps(located)
    def run(*args: _P.args, **flags: _P.kwargs) -> None:
        try:
            status = asyncio.run(located(*args, **flags))
        except ReleaseClientError as error:
            exit_with_error(error)
        except UnreadablePayload as error:
            exit_with_error(Unreachable(f"Temporal's answer cannot be read: {error}"))
        except KeyboardInterrupt:
            make_stderr_console().print("releases: interrupted; what was started goes on")
            raise typer.Exit(ExitStatus.INTERRUPTED) from None
        raise typer.Exit(status or ExitStatus.SUCCEEDED)

    return run


def exit_with_error(error: ReleaseClientError) -> NoReturn:
    """Print the problems on stderr, and exit."""
    console = make_stderr_console()
    for problem in error.problems if isinstance(error, BadRequest) else [str(error)]:
        console.print(f"releases: {problem}", soft_wrap=True)
    match error:
        case Refused():
            raise typer.Exit(ExitStatus.NOT_RELEASED)
        case Unreachable() | NoWorker():
            raise typer.Exit(ExitStatus.NO_ANSWER)
        case _:
            raise typer.Exit(ExitStatus.USAGE)


@functools.cache
def _make_quiet_runtime() -> Runtime:
    """Make a runtime without Temporal's own log: the commands print the errors."""
    return Runtime(telemetry=TelemetryConfig(logging=None))


def _make_console(*, stderr: bool) -> PageConsole:
    return PageConsole(stderr=stderr, markup=False, highlight=False)

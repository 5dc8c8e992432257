"""What all commands have in common: the connection, how errors are said, and with which status a command exits."""

from __future__ import annotations

import asyncio
import functools
import getpass
import os
from collections.abc import Callable, Coroutine
from enum import IntEnum
from typing import Annotated, Any, Final, NoReturn, ParamSpec

import typer
from rich.console import Console
from temporalio.runtime import Runtime, TelemetryConfig

from workflows.client.client import TASK_QUEUE, ReleaseClient
from workflows.client.errors import BadRequest, NoWorker, Refused, ReleaseClientError, Unreachable
from workflows.client.runs import RunEnding, RunOutcome

_HELP: Final = """Release AWS Lambda functions safely: start, watch and steer releases that run on Temporal.

A TARGET is a function and an alias: checkout (alias live), checkout:beta, an ARN with or without an alias, or the id of a release. No AWS credentials are needed here, except for --zip: the worker has them.

$ releases start checkout:live --s3 s3://artifacts/42.zip --watch
$ releases pause checkout:live --reason "p99 is up"
$ releases rollback checkout:live --wait

[bold]Exit status[/bold]: 0 succeeded · 1 rolled back, rejected or refused · 2 wrong usage, or no such release · 3 Temporal or the worker does not answer · 4 [bold]not[/bold] rolled back: somebody has to look · 130 interrupted (what was started goes on)

[bold]Environment[/bold]: TEMPORAL_ADDRESS (else localhost:7233), TEMPORAL_NAMESPACE (else default), TEMPORAL_API_KEY, TEMPORAL_TLS and its kin, or a profile by TEMPORAL_PROFILE and TEMPORAL_CONFIG_FILE: as the temporal command line reads them. RELEASES_TASK_QUEUE (else lambda-releases): the queue of the worker that serves the function's account and region. AWS_REGION, AWS_PROFILE and the like: for --zip only.
"""

app = typer.Typer(
    name="releases",
    help=_HELP,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_P = ParamSpec("_P")

Target = Annotated[
    str,
    typer.Argument(
        metavar="TARGET",
        help="FUNCTION[:ALIAS], an ARN, or the id of a release.",
        show_default=False,
    ),
]
TaskQueue = Annotated[
    str,
    typer.Option(
        envvar="RELEASES_TASK_QUEUE",
        help="Where the worker of the function's account and region listens.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
By = Annotated[
    str,
    typer.Option(
        "--by",
        metavar="NAME",
        help="Who says so. Default: the user of this machine.",
        show_default=False,
    ),
]
Reason = Annotated[
    str,
    typer.Option("--reason", metavar="TEXT", help="Why: kept in the history.", show_default=False),
]

DEFAULT_QUEUE: Final = TASK_QUEUE


class Exit(IntEnum):
    """What a script can tell from a command's status."""

    SUCCEEDED = 0
    NOT_RELEASED = 1
    USAGE = 2
    NO_ANSWER = 3
    NOT_ROLLED_BACK = 4
    INTERRUPTED = 130


_EXITS: Final = {
    RunOutcome.SUCCEEDED: Exit.SUCCEEDED,
    RunOutcome.REJECTED: Exit.NOT_RELEASED,
    RunOutcome.ROLLED_BACK: Exit.NOT_RELEASED,
    RunOutcome.NOT_ROLLED_BACK: Exit.NOT_ROLLED_BACK,
    RunOutcome.KILLED: Exit.NOT_ROLLED_BACK,
}


@functools.cache
def _silent() -> Runtime:
    """Temporal's core without its log on stderr: what is wrong is said by us."""
    return Runtime(telemetry=TelemetryConfig(logging=None))


async def connect() -> ReleaseClient:
    """Temporal, as the environment says where it is."""
    return await ReleaseClient.connect(runtime=_silent())


def exit_of(ending: RunEnding) -> Exit:
    """The status that a release's ending is worth."""
    return _EXITS[ending.outcome]


def out() -> Console:
    """Where answers go. Text is printed as it is: what users typed is no markup. A pipe gets wide lines."""
    return _console(stderr=False)


def err() -> Console:
    """Where errors go."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr, markup=False, highlight=False)
    if not console.is_terminal:
        console.width = _PIPE
    return console


_PIPE: Final = 180


def command(work: Callable[_P, Coroutine[Any, Any, Exit | None]]) -> Callable[_P, None]:
    """Make an async function a command: it exits with the status that the function returns, and says in a line what went wrong."""

    @functools.wraps(work)
    def run(*args: _P.args, **flags: _P.kwargs) -> None:
        try:
            status = asyncio.run(work(*args, **flags))
        except ReleaseClientError as error:
            fail(error)
        except KeyboardInterrupt:
            err().print("releases: interrupted; what was started goes on")
            raise typer.Exit(Exit.INTERRUPTED) from None
        raise typer.Exit(status or Exit.SUCCEEDED)

    return run


def fail(error: ReleaseClientError) -> NoReturn:
    """Say what is wrong on stderr, and exit."""
    console = err()
    for problem in error.problems if isinstance(error, BadRequest) else [str(error)]:
        console.print(f"releases: {problem}", soft_wrap=True)
    match error:
        case Refused():
            raise typer.Exit(Exit.NOT_RELEASED)
        case Unreachable() | NoWorker():
            raise typer.Exit(Exit.NO_ANSWER)
        case _:
            raise typer.Exit(Exit.USAGE)


def myself() -> str:
    """The user of this machine; its number where it has no name, as in a container."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return f"uid {os.getuid()}"

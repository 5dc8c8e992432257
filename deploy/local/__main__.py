"""Command line of the local stack: ``python -m deploy.local {up,demo,traffic}``."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import shlex
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final

from deploy.local import demo, sample, traffic
from deploy.local.emulator import ROOT
from deploy.local.ports import Ports
from deploy.local.processes import ProcessError
from deploy.local.stack import Stack, has_kept_state
from workflows.domain.target import Place

_DEFAULT_DIRECTORY: Final = ROOT / ".local"
_TRAFFIC_REPORT_SECONDS: Final = 2


def main() -> int:
    """Run the command.

    Exit status: 0 it was stopped or succeeded, 1 a process or the demo failed, 2 wrong usage.
    """
    try:
        arguments = _parse_arguments()
        ports = Ports(
            arguments.temporal_port, arguments.ui_port, arguments.lambda_port, arguments.http_port
        )
        if arguments.command == "demo":
            return _run_until_signal(_demo(ports, arguments.directory.absolute()))
        if arguments.command == "up":
            directory = arguments.directory.absolute()
            return _run_until_signal(_up(ports, directory, keep=arguments.keep))
        return _run_until_signal(_traffic(ports, arguments.rate))
    except ProcessError as problem:
        print(problem, file=sys.stderr)
        return 1


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.local", description="The whole system on this machine."
    )
    fixed = _build_port_options(Ports().with_environment(), "(default: %(default)s)")
    # A demo runs beside a stack that is up, and nobody has to know its ports in advance.
    free = _build_port_options(Ports.any_free().with_environment(), "(default: any free one)")
    commands = parser.add_subparsers(dest="command", required=True)
    up_command = commands.add_parser(
        "up",
        parents=[fixed],
        help="run Temporal with its Web UI, a local Lambda, a worker and a sample until Ctrl-C",
    )
    up_command.add_argument(
        "--keep",
        action="store_true",
        help="go on with the histories and the local AWS of last time",
    )
    demo_command = commands.add_parser(
        "demo", parents=[free], help="run a good and a broken release on a stack of their own"
    )
    for command, default in (
        (up_command, _DEFAULT_DIRECTORY),
        (demo_command, _DEFAULT_DIRECTORY / "demo"),
    ):
        command.add_argument(
            "--directory",
            type=Path,
            default=default,
            help="where logs and state are written (default: %(default)s)",
        )
    traffic_command = commands.add_parser(
        "traffic", parents=[fixed], help="send orders through the sample's alias until Ctrl-C"
    )
    traffic_command.add_argument(
        "--rate", type=float, default=20, help="orders a second (default: %(default)s)"
    )
    return parser.parse_args()


def _build_port_options(ports: Ports, description: str) -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(add_help=False)
    for name, port in (
        ("temporal", ports.temporal),
        ("ui", ports.ui),
        ("lambda", ports.awslambda),
        ("http", ports.http),
    ):
        options.add_argument(
            f"--{name}-port", type=int, default=port, metavar="PORT", help=description
        )
    return options


def _run_until_signal(work: Coroutine[Any, Any, int]) -> int:
    """Run the coroutine to its end, or cancel it on SIGINT or SIGTERM and return 0.

    The handlers are installed even where SIGINT was ignored by inheritance, as in a script's
    ``make up &``.
    """

    async def run() -> int:
        task = asyncio.ensure_future(work)
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        try:
            return await task
        except asyncio.CancelledError:
            return 0

    return asyncio.run(run())


async def _up(ports: Ports, directory: Path, *, keep: bool) -> int:
    print(_format_start(directory, keep=keep), flush=True)
    try:
        async with Stack.start(ports, directory, keep=keep) as stack:
            async with sample.Clients.connect(stack.aws) as clients:
                await sample.create_sample(clients)
            print(_format_welcome(stack), flush=True)
            exited = await stack.wait_for_exit(_report)
            print(
                f"{exited.describe_exit()}; stopping everything ({exited.log}):\n"
                f"{exited.read_log_tail()}",
                file=sys.stderr,
            )
    except asyncio.CancelledError:
        print("stopped; KEEP=1 make up goes on from here, and make up begins empty")
        raise
    return 1


async def _demo(ports: Ports, directory: Path) -> int:
    print("starting …", flush=True)
    async with Stack.start(ports, directory) as stack:
        status = demo.report_result(await _run_watched(stack))
        if sys.stdin.isatty() and sys.stdout.isatty():
            print(
                f"\nThe stack is still running: {stack.ui_url}. Ctrl-C stops everything.",
                flush=True,
            )
            with contextlib.suppress(asyncio.CancelledError):
                await stack.wait_for_exit(_report)
    return status


async def _run_watched(stack: Stack) -> list[str]:
    """Run the demo, as long as the stack runs, and return what was not as expected."""
    run = asyncio.ensure_future(demo.run_demo(stack))
    exit_ = asyncio.ensure_future(stack.wait_for_exit(_report))
    try:
        await asyncio.wait([run, exit_], return_when=asyncio.FIRST_COMPLETED)
        return run.result() if run.done() else [(await exit_).describe_exit()]
    finally:
        for task in (run, exit_):
            task.cancel()
        await asyncio.wait([run, exit_])


def _report(line: str) -> None:
    print(line, flush=True)


async def _traffic(ports: Ports, rate: float) -> int:
    async with (
        sample.Clients.connect(f"http://127.0.0.1:{ports.awslambda}") as clients,
        traffic.run_traffic(clients, rate=rate) as tally,
    ):
        with contextlib.suppress(asyncio.CancelledError):
            while True:
                before = tally.copy()
                await asyncio.sleep(_TRAFFIC_REPORT_SECONDS)
                print(tally.since(before), flush=True)
    print(f"total: {tally}")
    return 0


def _format_start(directory: Path, *, keep: bool) -> str:
    if keep and has_kept_state(directory):
        return f"starting with the histories and the local AWS of last time, in {directory} …"
    if keep:
        return f"starting empty, as nothing was kept in {directory} …"
    if has_kept_state(directory):
        return "starting empty, without what the last time left (KEEP=1 make up goes on with it) …"
    return "starting empty …"


def _format_welcome(stack: Stack) -> str:
    release = {
        "target": {"function": sample.FUNCTION, "alias": sample.ALIAS},
        "artifact": {"kind": "s3", "bucket": sample.BUCKET, "key": sample.BROKEN},
        "strategy": "Canary10Percent1Minutes",
        "guards": {"alarms": [sample.ALARM]},
    }
    place = Place(account="000000000000", region="us-east-1", function=sample.FUNCTION)
    rollout = place.rollout_id(sample.ALIAS)
    aws = " ".join(
        f"{name}={shlex.quote(value)}"
        for name, value in stack.aws.environment.items()
        if "METADATA" not in name
    )
    return f"""
Temporal       {stack.address}, with its Web UI at {stack.ui_url}
HTTP API       {stack.http_url}/api/v1/namespaces/default (docs/api.md has curl for everything)
worker         pid {stack.worker.process.pid}; kill -9 it: it is started again, and releases go on
local Lambda   {stack.aws.endpoint_url} (emulated, with routing by weight, metrics and alarms)
logs           {stack.directory}
sample         function {sample.FUNCTION}, alias {sample.ALIAS} on version 1, alarm {sample.ALARM},
               s3://{sample.BUCKET}/{sample.GOOD} and s3://{sample.BUCKET}/{sample.BROKEN}

In other terminals, from {ROOT}:

  .venv/bin/python -m deploy.local traffic --lambda-port {stack.ports.awslambda}

  export TEMPORAL_ADDRESS={stack.address}
  .venv/bin/releases start {sample.FUNCTION} --s3 s3://{sample.BUCKET}/{sample.GOOD} \\
    --strategy Canary10Percent1Minutes --alarm {sample.ALARM} --reason "a good one" --watch
  .venv/bin/temporal workflow start --type Release --task-queue lambda-releases \\
    --workflow-id a-broken-one --input {shlex.quote(json.dumps(release))}
  curl {stack.http_url}/api/v1/namespaces/default/workflows/{rollout}

  {aws}
  (environment variables for `aws` and for `releases start --zip`)

With traffic, the good package is promoted, and the broken one is rolled back by its alarm.
Ctrl-C stops everything.
"""


if __name__ == "__main__":
    sys.exit(main())

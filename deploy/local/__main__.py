"""``python -m deploy.local up`` runs the whole system on this machine; ``demo`` plays two releases on it; ``traffic`` sends orders."""

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
from deploy.local.processes import PartError
from deploy.local.stack import Stack

_DEFAULT_DIRECTORY: Final = ROOT / ".local"


def main() -> int:
    """Do what the command line says. Exit status: 0 ended as told, 1 a part did not start or ended by itself, 2 usage."""
    try:
        arguments = _arguments(Ports.from_environment())
        ports = Ports(arguments.temporal_port, arguments.ui_port, arguments.lambda_port)
        if arguments.command == "demo":
            return _until_told(_demo(ports, arguments.directory.absolute()))
        if arguments.command == "up":
            return _until_told(_up(ports, arguments.directory.absolute(), keep=arguments.keep))
        return _until_told(_traffic(ports, arguments.rate))
    except PartError as problem:
        print(problem, file=sys.stderr)
        return 1


def _arguments(ports: Ports) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.local", description="The whole system on this machine."
    )
    shared = argparse.ArgumentParser(add_help=False)
    for part, port in (("temporal", ports.temporal), ("ui", ports.ui), ("lambda", ports.awslambda)):
        shared.add_argument(
            f"--{part}-port", type=int, default=port, metavar="PORT", help="(default: %(default)s)"
        )
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser(
        "up",
        parents=[shared],
        help="Temporal with its Web UI, a local Lambda, a worker and a sample, until Ctrl-C",
    )
    up.add_argument(
        "--keep", action="store_true", help="keep histories and the local AWS for the next time"
    )
    played = commands.add_parser(
        "demo", parents=[shared], help="a good release and a broken one, on a stack of their own"
    )
    for command in (up, played):
        command.add_argument(
            "--directory",
            type=Path,
            default=_DEFAULT_DIRECTORY,
            help="where logs and state go (default: %(default)s)",
        )
    stream = commands.add_parser(
        "traffic", parents=[shared], help="orders through the sample's alias, until Ctrl-C"
    )
    stream.add_argument(
        "--rate", type=float, default=20, help="orders a second (default: %(default)s)"
    )
    return parser.parse_args()


def _until_told(work: Coroutine[Any, Any, int]) -> int:
    """Run until it ends by itself or a SIGINT or SIGTERM ends it, everything it started included."""

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
    print("starting …", flush=True)
    async with Stack.start(ports, directory, keep=keep) as stack:
        async with sample.Clients.connect(stack.aws) as clients:
            await sample.create(clients)
        print(_welcome(stack), flush=True)
        ended = await stack.end_of_a_part()
        print(
            f"{ended.name} ended by itself, so everything ends ({ended.log}):\n{ended.tail()}",
            file=sys.stderr,
        )
    return 1


async def _demo(ports: Ports, directory: Path) -> int:
    print("starting …", flush=True)
    async with Stack.start(ports, directory) as stack:
        status = demo.verdict(await demo.play(stack))
        if sys.stdin.isatty() and sys.stdout.isatty():
            print(f"\nLook around at {stack.ui_url}; Ctrl-C ends everything.", flush=True)
            with contextlib.suppress(asyncio.CancelledError):
                await stack.end_of_a_part()
    return status


async def _traffic(ports: Ports, rate: float) -> int:
    async with (
        sample.Clients.connect(f"http://127.0.0.1:{ports.awslambda}") as clients,
        traffic.flowing(clients, a_second=rate) as tally,
    ):
        with contextlib.suppress(asyncio.CancelledError):
            while True:
                before = tally.copy()
                await asyncio.sleep(2)
                print(tally.since(before), flush=True)
    print(f"in all: {tally}")
    return 0


def _welcome(stack: Stack) -> str:
    release = {
        "target": {"function": sample.FUNCTION, "alias": sample.ALIAS},
        "artifact": {"kind": "s3", "bucket": sample.BUCKET, "key": sample.BROKEN},
        "strategy": "Canary10Percent1Minutes",
        "guards": {"alarms": [sample.ALARM]},
    }
    aws = " ".join(
        f"{name}={shlex.quote(value)}"
        for name, value in stack.aws.environment.items()
        if "METADATA" not in name
    )
    return f"""
Temporal       {stack.address}, with its Web UI at {stack.ui_url}
local Lambda   {stack.aws.endpoint_url} (emulated, routing by weight, per-version metrics and alarms included)
logs           {stack.directory}
sample         function {sample.FUNCTION}, alias {sample.ALIAS} on version 1, alarm {sample.ALARM},
               s3://{sample.BUCKET}/{sample.GOOD} and s3://{sample.BUCKET}/{sample.BROKEN}

In other terminals, from {ROOT}:

  .venv/bin/python -m deploy.local traffic --lambda-port {stack.ports.awslambda}

  export TEMPORAL_ADDRESS={stack.address}
  .venv/bin/releases start {sample.FUNCTION} --s3 s3://{sample.BUCKET}/{sample.GOOD} --strategy Canary10Percent1Minutes \\
    --alarm {sample.ALARM} --reason "a good one" --watch
  .venv/bin/temporal workflow start --type Release --task-queue lambda-releases --workflow-id a-broken-one \\
    --input {shlex.quote(json.dumps(release))}

  {aws}
  (for `aws` and for `releases start --zip`)

With traffic, the good package is promoted and the broken one rolled back by its alarm. Ctrl-C ends everything.
"""


if __name__ == "__main__":
    sys.exit(main())

"""Start the local Lambda: ``python -m deploy.local.awslambda --port 4566``.

Prints ``ready <url>`` on standard output once it answers, and nothing else there. SIGTERM and SIGINT end it, with every process and
every directory it made. Exit status: 0 ended as told, 2 the port is taken, 3 this is not the ministack it knows.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import signal
import socket
import sys
import tempfile
from pathlib import Path
from types import FrameType
from typing import NoReturn

from deploy.local.awslambda import environment

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def main() -> int:
    """Serve until told to stop."""
    arguments = _arguments()
    try:
        listening = environment.listen(arguments.port)
    except OSError as problem:
        print(
            f"127.0.0.1:{arguments.port} cannot be used ({problem.strerror}): choose another port with --port",
            file=sys.stderr,
        )
        return 2
    for number in _SIGNALS:
        signal.signal(number, _leave)
    directory = arguments.directory or Path(tempfile.mkdtemp(prefix="local-lambda-"))
    try:
        return _serve(listening, directory, arguments)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.local.awslambda",
        description="A Lambda on this machine, as strict as AWS's.",
    )
    parser.add_argument(
        "--port",
        type=int,
        default=4566,
        help="on 127.0.0.1; 0 takes any free one (default: %(default)s)",
    )
    parser.add_argument(
        "--settle",
        type=float,
        default=0.5,
        metavar="SECONDS",
        help="how long a change takes (default: %(default)s)",
    )
    parser.add_argument(
        "--provision",
        type=float,
        default=0.5,
        metavar="SECONDS",
        help="how long provisioned concurrency takes (default: %(default)s)",
    )
    parser.add_argument(
        "--metrics",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="how long after the end of a minute its metrics are told; alarms see them at once (default: all at once)",
    )
    parser.add_argument(
        "--state",
        type=Path,
        metavar="DIRECTORY",
        help="keep everything there from one run to the next (default: keep nothing)",
    )
    parser.add_argument(
        "--directory",
        type=Path,
        help="for everything temporary; removed at the end (default: a new one in TMPDIR)",
    )
    return parser.parse_args()


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def _serve(listening: socket.socket, directory: Path, arguments: argparse.Namespace) -> int:
    port = listening.getsockname()[1]
    pace = environment.Pace(
        settle=arguments.settle, provision=arguments.provision, metrics=arguments.metrics
    )
    environment.enter(port=port, directory=directory, state=arguments.state, pace=pace)
    try:
        # Only now: ministack reads its environment as it is imported.
        from deploy.local.awslambda import front, server  # noqa: PLC0415

        front.install()
    except environment.UnsupportedError as problem:
        print(problem, file=sys.stderr)
        return 3
    asyncio.run(server.serve(listening, f"http://127.0.0.1:{port}", until=_SIGNALS))
    return 0


if __name__ == "__main__":
    sys.exit(main())

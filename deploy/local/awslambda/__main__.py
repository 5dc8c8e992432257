"""The command line of the local Lambda: ``python -m deploy.local.awslambda``.

Prints ``ready <url>`` on standard output once it serves, and nothing else there. SIGTERM and SIGINT
stop it, with every process and every directory that it created. Exit status: 0 it was stopped, 2
the port is in use, 3 the installed ministack is not the supported one.
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
    """Serve until SIGTERM or SIGINT."""
    arguments = _parse_arguments()
    try:
        listener = environment.open_socket(arguments.port)
    except OSError as problem:
        print(
            f"127.0.0.1:{arguments.port} cannot be used ({problem.strerror}): "
            "choose another port with --port",
            file=sys.stderr,
        )
        return 2
    for number in _SIGNALS:
        signal.signal(number, _exit)
    directory = arguments.directory or Path(tempfile.mkdtemp(prefix="local-lambda-"))
    try:
        return _serve(listener, directory, arguments)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.local.awslambda",
        description="A local Lambda, as strict as AWS's.",
    )
    parser.add_argument(
        "--port",
        type=int,
        default=4566,
        help="port on 127.0.0.1; 0 for any free one (default: %(default)s)",
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
        help="how long after its end GetMetricData returns a minute; 0: while it lasts (default)",
    )
    parser.add_argument(
        "--state",
        type=Path,
        metavar="DIRECTORY",
        help="keeps everything from one run to the next (default: keep nothing)",
    )
    parser.add_argument(
        "--directory",
        type=Path,
        help="for temporary files; removed at the end (default: a new one in TMPDIR)",
    )
    return parser.parse_args()


def _exit(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def _serve(listener: socket.socket, directory: Path, arguments: argparse.Namespace) -> int:
    port = listener.getsockname()[1]
    delays = environment.Delays(
        settle=arguments.settle, provision=arguments.provision, metrics=arguments.metrics
    )
    environment.enter_environment(
        port=port, directory=directory, state=arguments.state, delays=delays
    )
    try:
        # Imported only now: ministack reads the environment while it is imported.
        from deploy.local.awslambda import dispatcher, server  # noqa: PLC0415 - see above

        dispatcher.install_patches()
    except environment.UnsupportedError as problem:
        print(problem, file=sys.stderr)
        return 3
    asyncio.run(server.run_server(listener, f"http://127.0.0.1:{port}", stop_signals=_SIGNALS))
    return 0


if __name__ == "__main__":
    sys.exit(main())

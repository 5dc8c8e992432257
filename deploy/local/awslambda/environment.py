"""The clean environment the local Lambda runs in: nothing of the caller's shell reaches the functions it executes."""

from __future__ import annotations

import os
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_KEPT: Final = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TZ",
    "VIRTUAL_ENV",
    "LOG_LEVEL",
    "PYTHONDONTWRITEBYTECODE",
)
"""Function processes inherit the server's environment, so whatever is not named here – credentials above all – is dropped."""


class UnsupportedError(Exception):
    """The ministack that is installed is not the one we know how to add to."""


@dataclass(frozen=True)
class Pace:
    """Seconds that things take: see :mod:`~deploy.local.awslambda.pace`, which reads them in the environment."""

    settle: float = 0.5
    provision: float = 0.5
    metrics: float = 0.0


def listen(port: int) -> socket.socket:
    """Take the port on this machine's loopback address, 0 for any free one. ``OSError`` if somebody has it."""
    server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", port))
        server.listen(128)
    except OSError:
        server.close()
        raise
    return server


def enter(*, port: int, directory: Path, state: Path | None, pace: Pace) -> None:
    """Replace this process's environment. To be done before ministack is imported: it reads the environment as it loads."""
    private = _private(port, directory, pace)
    if state is not None:
        private |= {
            "PERSIST_STATE": "1",
            "STATE_DIR": str(state),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(state / "s3"),
        }
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    os.environ.clear()
    os.environ.update({"LOG_LEVEL": "WARNING", **kept, **private})
    tempfile.tempdir = None  # forget the directory chosen under the old environment


def _private(port: int, directory: Path, pace: Pace) -> dict[str, str]:
    return {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": "127.0.0.1",  # in the URLs it hands out; `localhost` may resolve to ::1, where nobody listens
        "IOT_MTLS_ENABLED": "0",  # would listen on 8883
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": "unix:///nonexistent",  # a running Docker would be searched for containers to remove
        "LAMBDA_EXECUTOR": "local",
        "TMPDIR": str(directory),
        "RELEASES_LOCAL_SETTLE_SECONDS": str(pace.settle),
        "RELEASES_LOCAL_PROVISION_SECONDS": str(pace.provision),
        "RELEASES_LOCAL_METRICS_SECONDS": str(pace.metrics),
    }

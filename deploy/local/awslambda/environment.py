"""The environment of the local Lambda, without the variables of the shell."""

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
"""The variables that are kept. All others are dropped, credentials above all: function processes
inherit the environment of the server."""


class UnsupportedError(Exception):
    """The installed ministack is not the supported release."""


@dataclass(frozen=True)
class Delays:
    """Seconds that changes take, see :mod:`~deploy.local.awslambda.delays`."""

    settle: float = 0.5
    provision: float = 0.5
    metrics: float = 0.0


def open_socket(port: int) -> socket.socket:
    """Listen on a port of 127.0.0.1, 0 for any free one.

    Raises ``OSError`` where the port is in use.
    """
    server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", port))
        server.listen(128)
    except OSError:
        server.close()
        raise
    return server


def enter_environment(*, port: int, directory: Path, state: Path | None, delays: Delays) -> None:
    """Replace this process's environment.

    Call this before ministack is imported: it reads the environment while it is imported.
    """
    variables = _build_variables(port, directory, delays)
    if state is not None:
        variables |= {
            "PERSIST_STATE": "1",
            "STATE_DIR": str(state),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(state / "s3"),
        }
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    os.environ.clear()
    os.environ.update({"LOG_LEVEL": "WARNING", **kept, **variables})
    tempfile.tempdir = None  # chosen under the old environment


def _build_variables(port: int, directory: Path, delays: Delays) -> dict[str, str]:
    return {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        # The host of returned URLs; `localhost` may resolve to ::1, where nothing listens.
        "MINISTACK_HOST": "127.0.0.1",
        "IOT_MTLS_ENABLED": "0",  # it would listen on port 8883
        "SFTP_ENABLED": "0",
        # A running Docker would be searched for containers to remove.
        "DOCKER_HOST": "unix:///nonexistent",
        "LAMBDA_EXECUTOR": "local",
        "TMPDIR": str(directory),
        "RELEASES_LOCAL_SETTLE_SECONDS": str(delays.settle),
        "RELEASES_LOCAL_PROVISION_SECONDS": str(delays.provision),
        "RELEASES_LOCAL_METRICS_SECONDS": str(delays.metrics),
    }

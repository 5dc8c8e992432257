"""The ports that the local stack listens on, all on 127.0.0.1."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from typing import Final

from deploy.local.processes import ProcessError

_PORTS: Final = 2**16
_NAMES: Final = {
    "temporal": ("Temporal", "RELEASES_LOCAL_TEMPORAL_PORT"),
    "ui": ("Temporal's Web UI", "RELEASES_LOCAL_UI_PORT"),
    "awslambda": ("the local Lambda", "RELEASES_LOCAL_LAMBDA_PORT"),
    "http": ("Temporal's HTTP API", "RELEASES_LOCAL_HTTP_PORT"),
}


@dataclass(frozen=True)
class Ports:
    """One port for each process that listens."""

    temporal: int = 7233
    ui: int = 8233
    awslambda: int = 4566
    http: int = 7243

    def with_environment(self) -> Ports:
        """Return these ports with those of RELEASES_LOCAL_{TEMPORAL,UI,LAMBDA,HTTP}_PORT.

        An absent or empty variable leaves the port. Raises
        :class:`~deploy.local.processes.ProcessError` for one that is not a number.
        """
        chosen = {}
        for field in fields(self):
            variable = _NAMES[field.name][1]
            given = os.environ.get(variable)
            if not given:
                continue
            if not given.isdigit():
                raise ProcessError(f"{variable} is {given!r}: it must be a port number")
            chosen[field.name] = int(given)
        return replace(self, **chosen)

    @classmethod
    def any_free(cls) -> Ports:
        """Choose ports that are free at the moment, for the demo and tests."""
        sockets = [socket.create_server(("127.0.0.1", 0)) for _ in fields(cls)]
        chosen = [one.getsockname()[1] for one in sockets]
        for one in sockets:
            one.close()
        return cls(*chosen)

    def check_free(self) -> None:
        """Check that all ports are free, and no two the same.

        Raises :class:`~deploy.local.processes.ProcessError` for the first one that cannot be used.
        The message names the variable and the option that choose another.
        """
        with ExitStack() as taken:
            for field in fields(self):
                port, (process, variable) = getattr(self, field.name), _NAMES[field.name]
                try:
                    _check_number(port)
                    taken.enter_context(socket.create_server(("127.0.0.1", port)))
                except OSError as problem:
                    option = variable.removeprefix("RELEASES_LOCAL_").lower().replace("_", "-")
                    raise ProcessError(
                        f"port {port} for {process} cannot be used "
                        f"({os.strerror(problem.errno or 0)}): "
                        f"set {variable} or --{option} to another port"
                    ) from None


def _check_number(port: int) -> None:
    """Raise ``OSError`` for what is no port, or none in particular."""
    if not 0 < port < _PORTS:
        raise OSError(errno.EINVAL, "not a port")

"""The ports that the local stack listens on, all on 127.0.0.1."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, fields
from typing import Final

from deploy.local.processes import ProcessError

_NAMES: Final = {
    "temporal": ("Temporal", "RELEASES_LOCAL_TEMPORAL_PORT"),
    "ui": ("Temporal's Web UI", "RELEASES_LOCAL_UI_PORT"),
    "awslambda": ("the local Lambda", "RELEASES_LOCAL_LAMBDA_PORT"),
}


@dataclass(frozen=True)
class Ports:
    """One port for each process that listens."""

    temporal: int = 7233
    ui: int = 8233
    awslambda: int = 4566

    @classmethod
    def from_environment(cls) -> Ports:
        """Read the variables RELEASES_LOCAL_{TEMPORAL,UI,LAMBDA}_PORT.

        An absent or empty variable leaves the default. Raises
        :class:`~deploy.local.processes.ProcessError` for one that is not a number.
        """
        chosen = {}
        for field in fields(cls):
            variable = _NAMES[field.name][1]
            given = os.environ.get(variable)
            if given is not None and not given.isdigit():
                raise ProcessError(f"{variable} is {given!r}: it must be a port number")
            chosen[field.name] = int(given) if given else getattr(cls, field.name)
        return cls(**chosen)

    @classmethod
    def any_free(cls) -> Ports:
        """Choose ports that are free at the moment, for tests."""
        sockets = [socket.create_server(("127.0.0.1", 0)) for _ in fields(cls)]
        chosen = [one.getsockname()[1] for one in sockets]
        for one in sockets:
            one.close()
        return cls(*chosen)

    def check_free(self) -> None:
        """Check that all ports are free.

        Raises :class:`~deploy.local.processes.ProcessError` for the first one that is in use. The
        message names the variable and the option that choose another.
        """
        for field in fields(self):
            port, (process, variable) = getattr(self, field.name), _NAMES[field.name]
            try:
                socket.create_server(("127.0.0.1", port)).close()
            except OSError as problem:
                option = variable.removeprefix("RELEASES_LOCAL_").lower().replace("_", "-")
                raise ProcessError(
                    f"port {port} for {process} cannot be used "
                    f"({os.strerror(problem.errno or 0)}): "
                    f"set {variable} or --{option} to another port"
                ) from None

"""Which ports of this machine the local stack listens on, and what to say when one is taken."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, fields
from typing import Final

from deploy.local.processes import PartError

_NAMES: Final = {
    "temporal": ("Temporal", "RELEASES_LOCAL_TEMPORAL_PORT"),
    "ui": ("Temporal's Web UI", "RELEASES_LOCAL_UI_PORT"),
    "awslambda": ("the local Lambda", "RELEASES_LOCAL_LAMBDA_PORT"),
}


@dataclass(frozen=True)
class Ports:
    """The ports of the parts, all on 127.0.0.1."""

    temporal: int = 7233
    ui: int = 8233
    awslambda: int = 4566

    @classmethod
    def from_environment(cls) -> Ports:
        """The defaults, or what RELEASES_LOCAL_TEMPORAL_PORT, RELEASES_LOCAL_UI_PORT and RELEASES_LOCAL_LAMBDA_PORT say."""
        chosen = {}
        for field in fields(cls):
            variable = _NAMES[field.name][1]
            given = os.environ.get(variable)
            if given is not None and not given.isdigit():
                raise PartError(f"{variable} is {given!r}: it must be a port number")
            chosen[field.name] = int(given) if given else getattr(cls, field.name)
        return cls(**chosen)

    @classmethod
    def any_free(cls) -> Ports:
        """Ports nobody listens on at the moment, for tests."""
        taken = [socket.create_server(("127.0.0.1", 0)) for _ in fields(cls)]
        chosen = [one.getsockname()[1] for one in taken]
        for one in taken:
            one.close()
        return cls(*chosen)

    def check_free(self) -> None:
        """Raise :class:`~deploy.local.processes.PartError` for the first port that is taken, naming what to set instead."""
        for field in fields(self):
            port, (part, variable) = getattr(self, field.name), _NAMES[field.name]
            try:
                socket.create_server(("127.0.0.1", port)).close()
            except OSError as problem:
                option = variable.removeprefix("RELEASES_LOCAL_").lower().replace("_", "-")
                raise PartError(
                    f"port {port}, meant for {part}, cannot be used ({os.strerror(problem.errno or 0)}): set {variable} or --{option} to another"
                ) from None

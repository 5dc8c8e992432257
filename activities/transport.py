"""The transport of requests to AWS: timeouts, sockets, and which of them a request takes."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_UPLOAD_BYTES_PER_SECOND: Final = 1e6
_KEEPALIVE_SECONDS: Final = 60
_READ_PREFIXES: Final = ("get_", "list_", "describe_", "head_")


@dataclass(frozen=True)
class Timeouts:
    """Timeouts in seconds: to connect, and between two bytes of a response.

    ``invoke`` replaces ``read`` for an invocation; Lambda's longest takes 900.
    """

    connect: float = 3
    read: float = 10
    invoke: float = 910

    def compute_call_seconds(self, operation: str, parameters: Mapping[str, Any]) -> float | None:
        """Return the seconds for a whole call; None, no limit, for an invocation.

        A call that sends code has a second more for each megabyte.
        """
        if operation.startswith("invoke"):
            return None
        return (
            self.connect
            + self.read
            + len(parameters.get("ZipFile", b"")) / _UPLOAD_BYTES_PER_SECOND
        )


def find_kind(operation: str) -> str:
    """Return of which kind an operation is, and so its client: read, write or invoke."""
    if operation.startswith("invoke"):
        return "invoke"
    return "read" if operation.startswith(_READ_PREFIXES) else "write"


def open_keepalive_socket(address: tuple[Any, ...]) -> socket.socket:
    """Open a socket with TCP keepalive, for an address of ``getaddrinfo``'s.

    A NAT gateway drops a connection that is idle for 350 s, as during a long invocation.
    https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-troubleshooting.html
    """
    opened = socket.socket(address[0], address[1], address[2])
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPALIVE_SECONDS)
    return opened

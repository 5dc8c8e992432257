"""Run a command that ends when whoever started it ends: ``leash.py <pid of the starter> command …``.

The kernel delivers SIGTERM when the parent dies in whatever way, SIGKILL included (Linux; elsewhere the command simply runs). Nothing but
the standard library is imported, and the command takes this process over: one start of Python, no process more.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Tie this process to its parent, then become the command."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before we were tied to it
            sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 - the point of this file


if __name__ == "__main__":
    main()

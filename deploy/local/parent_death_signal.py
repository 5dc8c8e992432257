"""Run a command that ends when its parent ends.

``parent_death_signal.py <parent pid> <command> …`` is the command line.

On Linux the kernel sends SIGTERM when the parent dies in any way, SIGKILL included
(https://man7.org/linux/man-pages/man2/prctl.2.html). Elsewhere the command simply
runs. Only the standard library is imported, and the command replaces this process, so there is one
start of Python and no process more.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Tie this process to its parent, then replace it with the command."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    # An ignored signal stays ignored across exec, and a script's `make test &` ignores SIGINT.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # the parent died before prctl took effect
            sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 - replacing this process is the purpose


if __name__ == "__main__":
    main()

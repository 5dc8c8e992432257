"""How a process that has spoken to Temporal ends: at once.

A thread of Temporal's core that is still at work aborts an interpreter that tears itself down (sdk-python #300), and the exit status would be lost.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from typing import NoReturn


def run_and_exit(run: Callable[[], object]) -> NoReturn:
    """Run a command line, and exit with its status."""
    status: object = None
    try:
        run()
    except SystemExit as leaving:
        status = leaving.code
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status if isinstance(status, int) else 0)

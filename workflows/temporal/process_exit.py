"""The end of a process that has used Temporal's client.

Temporal's core runs threads. A thread that is still active while the interpreter shuts down aborts
the process (https://github.com/temporalio/sdk-python/issues/300), and the exit status is lost.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from typing import NoReturn


def run_and_exit(run: Callable[[], object]) -> NoReturn:
    """Run a command line, and end the process with its exit status.

    Output is flushed. Python's own clean-up at exit does not run.
    """
    status: object = None
    try:
        run()
    except SystemExit as request:
        status = request.code
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status if isinstance(status, int) else 0)

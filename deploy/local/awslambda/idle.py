"""Execution environments that nobody uses any more are let go: each is a process, and every version of every function has its own."""

from __future__ import annotations

import time
from typing import Final

from deploy.local.awslambda import upstream

_LIMIT: Final = 60.0
"""Seconds an environment may stand idle. The next invocation starts another, in a fifth of a second."""


def let_go() -> int:
    """In ministack's place, which keeps one environment of every version for ever: end those that are idle, and say how many.

    Called every half minute from a thread of ministack's. One that is at work, or that an invocation just took, is left alone.
    """
    oldest = time.time() - _LIMIT
    ended = []
    with upstream.workers_lock:
        for key, workers in list(upstream.workers.items()):
            kept = [one for one in workers if one.in_use or one.last_used > oldest]
            ended += [one for one in workers if one not in kept]
            if kept:
                upstream.workers[key] = kept
            else:
                del upstream.workers[key]
    upstream.kill_workers(ended)
    return len(ended)

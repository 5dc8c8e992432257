"""Ends idle execution environments, each of which is a process.

Every version of every function has environments of its own.
"""

from __future__ import annotations

import time
from typing import Final

from deploy.local.awslambda import ministack_api

_IDLE_LIMIT_SECONDS: Final = 60.0
"""How long an environment may be idle. The next invocation starts another in 0.2 s."""


def end_idle_environments() -> int:
    """End idle environments and return how many, in place of ministack's function.

    ministack's keeps one environment of every version without limit. A thread of ministack calls
    this every half minute. An environment that is in use, or was just acquired, is kept.
    """
    oldest = time.time() - _IDLE_LIMIT_SECONDS
    ended = []
    with ministack_api.workers_lock:
        for key, workers in list(ministack_api.workers.items()):
            kept = [one for one in workers if one.in_use or one.last_used > oldest]
            ended += [one for one in workers if one not in kept]
            if kept:
                ministack_api.workers[key] = kept
            else:
                del ministack_api.workers[key]
    ministack_api.kill_workers(ended)
    return len(ended)

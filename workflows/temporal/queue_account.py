"""A task queue belongs to the workers of one account and region.

Any worker of a queue may carry out any step of a release. So one of another account would release
its own function of the same name.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from temporalio.service import RPCError

from activities.identity import ServedAccount
from activities.limits.sharing import HEARTBEAT_EXPIRY_SECONDS, HEARTBEAT_INTERVAL, RateShare

_INTERVAL_SECONDS: Final = HEARTBEAT_INTERVAL.total_seconds() / 2
_ENTRY_SECONDS: Final = 5 * HEARTBEAT_INTERVAL.total_seconds()
"""How long a new worker looks for others that began with it, and were not listed yet."""

log = logging.getLogger("releases.queue")


class QueueAccountError(Exception):
    """Another account's worker serves the task queue; the message is one line."""


async def check_before_start(share: RateShare, served: ServedAccount | None) -> None:
    """Raise :class:`QueueAccountError` where a live worker of the queue serves another account.

    One that was killed is listed for a while: it is waited for. Without an account nothing is
    checked.
    """
    if served is None:
        return
    until = asyncio.get_running_loop().time() + HEARTBEAT_EXPIRY_SECONDS + _INTERVAL_SECONDS
    while others := await _find_others(share, served):
        if asyncio.get_running_loop().time() > until:
            raise _shared_queue_error(share, served, others[0])
        await asyncio.sleep(_INTERVAL_SECONDS)


async def check_after_start(
    share: RateShare, served: ServedAccount | None, stop: asyncio.Event
) -> None:
    """Raise :class:`QueueAccountError` where another account's worker began at the same time.

    Sets ``stop`` first. Both leave: neither can know which of them is right.
    """
    if served is None:
        return
    until = asyncio.get_running_loop().time() + _ENTRY_SECONDS
    while asyncio.get_running_loop().time() < until:
        await asyncio.sleep(_INTERVAL_SECONDS)
        if others := await _find_others(share, served):
            stop.set()
            raise _shared_queue_error(share, served, others[0])


async def _find_others(share: RateShare, served: ServedAccount) -> list[str]:
    try:
        return served.find_others(await share.list_workers())
    except RPCError as error:
        log.warning("Temporal does not say who serves %s: %s", share.task_queue, error.message)
        return []


def _shared_queue_error(share: RateShare, served: ServedAccount, other: str) -> QueueAccountError:
    return QueueAccountError(
        f"task queue {share.task_queue} is served by a worker of "
        f"{ServedAccount.parse(other)} already ({other}), and this worker has {served}: give each "
        "account and region a queue of its own (RELEASES_TASK_QUEUE)"
    )

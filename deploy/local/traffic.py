"""Orders sent through the sample's alias at a steady rate, counted by version."""

from __future__ import annotations

import asyncio
import collections
import itertools
import json
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from deploy.local.sample import ALIAS, FUNCTION, Clients

_BASKETS: Final = (["tea"], ["coffee", "tea"], ["coffee", "coffee", "cake"])


@dataclass
class Tally:
    """The responses so far, by version."""

    responses: collections.Counter[str] = field(default_factory=collections.Counter)
    """Responses of each version, failed ones included."""
    failed: collections.Counter[str] = field(default_factory=collections.Counter)
    """Failed responses of each version."""
    lost: int = 0
    """Requests without a response: throttled, refused or lost."""

    def get_share(self, version: str) -> float:
        """Return the share of all responses that came from this version, 0 to 1."""
        return self.responses[version] / max(1, self.responses.total())

    def since(self, earlier: Tally) -> Tally:
        """Return the responses after an earlier :meth:`copy`."""
        return Tally(
            self.responses - earlier.responses,
            self.failed - earlier.failed,
            self.lost - earlier.lost,
        )

    def copy(self) -> Tally:
        """Return the tally of this moment."""
        return Tally(self.responses.copy(), self.failed.copy(), self.lost)

    def __str__(self) -> str:
        parts = [
            f"version {version}: {count}"
            + (f" ({self.failed[version]} failed)" if self.failed[version] else "")
            for version, count in sorted(self.responses.items(), key=lambda item: int(item[0]))
        ]
        return (
            ", ".join(parts + ([f"no response: {self.lost}"] if self.lost else []))
            or "no response yet"
        )


@asynccontextmanager
async def run_traffic(
    clients: Clients, *, function: str = FUNCTION, rate: float = 20, concurrency: int = 4
) -> AsyncIterator[Tally]:
    """Send about ``rate`` orders a second to the alias for the length of the block.

    At most ``concurrency`` are sent at the same time; further ones are dropped, not queued. The
    tally goes on counting while the block reads it.
    """
    tally = Tally()
    async with asyncio.TaskGroup() as group:
        stream = group.create_task(
            _send_orders(
                partial(_send_order, clients.awslambda, function, tally), rate, concurrency
            )
        )
        try:
            yield tally
        finally:
            stream.cancel()


async def _send_orders(
    send: Callable[[int], Coroutine[Any, Any, None]], rate: float, concurrency: int
) -> None:
    async with asyncio.TaskGroup() as group:
        busy: set[asyncio.Task[None]] = set()
        for number in itertools.count(1):
            if len(busy) < concurrency:
                task = group.create_task(send(number))
                busy.add(task)
                task.add_done_callback(busy.discard)
            await asyncio.sleep(1 / rate)


async def _send_order(awslambda: Any, function: str, tally: Tally, number: int) -> None:
    payload = json.dumps({"order": number, "items": random.choice(_BASKETS)})  # noqa: S311 - test data, no secret
    try:
        response = await awslambda.invoke(FunctionName=function, Qualifier=ALIAS, Payload=payload)
        await response["Payload"].read()
    except (ClientError, BotoCoreError):
        tally.lost += 1
        return
    version = response["ExecutedVersion"]
    tally.responses[version] += 1
    if "FunctionError" in response:
        tally.failed[version] += 1

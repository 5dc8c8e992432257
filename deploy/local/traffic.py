"""A steady stream of orders through the sample's alias, counted by the version that answered."""

from __future__ import annotations

import asyncio
import collections
import itertools
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from deploy.local.sample import ALIAS, FUNCTION, Clients

_BASKETS: Final = (["tea"], ["coffee", "tea"], ["coffee", "coffee", "cake"])


@dataclass
class Tally:
    """What came back so far."""

    answered: collections.Counter[str] = field(default_factory=collections.Counter)
    """Answers of each version, failed ones included."""
    failed: collections.Counter[str] = field(default_factory=collections.Counter)
    """Failed answers of each version."""
    unanswered: int = 0
    """Requests without an answer: throttled, refused or lost."""

    def share(self, version: str) -> float:
        """The part of all answers that came from this version, 0 to 1."""
        return self.answered[version] / max(1, self.answered.total())

    def since(self, earlier: Tally) -> Tally:
        """What came back after an earlier :meth:`copy`."""
        return Tally(
            self.answered - earlier.answered,
            self.failed - earlier.failed,
            self.unanswered - earlier.unanswered,
        )

    def copy(self) -> Tally:
        """The tally of this moment."""
        return Tally(self.answered.copy(), self.failed.copy(), self.unanswered)

    def __str__(self) -> str:
        parts = [
            f"version {version}: {count}"
            + (f" ({self.failed[version]} failed)" if self.failed[version] else "")
            for version, count in sorted(self.answered.items(), key=lambda item: int(item[0]))
        ]
        return (
            ", ".join(parts + ([f"no answer: {self.unanswered}"] if self.unanswered else []))
            or "nothing yet"
        )


@asynccontextmanager
async def flowing(
    clients: Clients, *, a_second: float = 20, at_once: int = 4
) -> AsyncIterator[Tally]:
    """Orders arrive for as long as the block runs, about so many a second, never more than so many at once.

    The tally counts on while the block looks at it. When all places are busy, orders are left out, not queued.
    """
    tally = Tally()
    async with asyncio.TaskGroup() as group:
        stream = group.create_task(_stream(clients.awslambda, tally, a_second, at_once))
        try:
            yield tally
        finally:
            stream.cancel()


async def _stream(awslambda: Any, tally: Tally, a_second: float, at_once: int) -> None:
    async with asyncio.TaskGroup() as group:
        busy: set[asyncio.Task[None]] = set()
        for number in itertools.count(1):
            if len(busy) < at_once:
                task = group.create_task(_order(awslambda, tally, number))
                busy.add(task)
                task.add_done_callback(busy.discard)
            await asyncio.sleep(1 / a_second)


async def _order(awslambda: Any, tally: Tally, number: int) -> None:
    payload = json.dumps({"order": number, "items": random.choice(_BASKETS)})  # noqa: S311 - shoppers, not secrets
    try:
        answer = await awslambda.invoke(FunctionName=FUNCTION, Qualifier=ALIAS, Payload=payload)
        await answer["Payload"].read()
    except (ClientError, BotoCoreError):
        tally.unanswered += 1
        return
    version = answer["ExecutedVersion"]
    tally.answered[version] += 1
    if "FunctionError" in answer:
        tally.failed[version] += 1

"""Whether a worker is in contact with Temporal and with AWS.

A worker that cannot reach Temporal any more watches no canary and hears no abort, and to whoever
looks at the process it seems to work. So it ends after five minutes, and what runs it starts it
anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.aws import Connection
from activities.errors import AwsError
from activities.identity import read_account
from activities.limits.sharing import list_pollers
from workflows.temporal.search_attribute_registration import summarize_error

LONGEST_SILENCE_SECONDS: Final = 300.0
_INTERVAL_SECONDS: Final = 10.0
_AWS_INTERVAL_SECONDS: Final = 60.0

_FINAL: Final = {RPCStatusCode.NOT_FOUND}
_ANSWERS: Final = {RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNIMPLEMENTED}
"""What a server answers that does not let this worker look, and lets it poll."""


class ContactLostError(Exception):
    """The worker cannot poll any more; the message is one line."""


class PollLostError(ContactLostError):
    """The worker of one queue cannot poll any more, and Temporal answers: others may go on."""


@dataclass(frozen=True)
class Signal:
    """When a side answered last, by the event loop's clock, and what it refuses since then."""

    at: float
    problem: str = ""


class Contact:
    """The contact of one worker; ``temporal`` and ``aws`` are its last signals."""

    def __init__(self, identity: str, task_queue: str) -> None:
        """Begin as if both had answered just now."""
        self._identity = identity
        self._task_queue = task_queue
        now = asyncio.get_running_loop().time()
        self.temporal = Signal(now)
        self.aws = Signal(now)

    def find_problems(self) -> list[str]:
        """Why the worker is not ready; empty where it is."""
        sides = {"Temporal": self.temporal, "AWS": self.aws}
        return [f"{name}: {side.problem}" for name, side in sides.items() if side.problem]

    async def watch_temporal(self, client: Callable[[], Client], stop: asyncio.Event) -> None:
        """Look every ten seconds whether Temporal lists this worker as a poller.

        Until ``stop`` is set: a worker that drains does not poll, and may stay for long. Raises
        :class:`ContactLostError` after five minutes without, and at once where the namespace is
        gone; :class:`PollLostError` where Temporal answers, and does not list it.
        """
        while True:
            await asyncio.sleep(_INTERVAL_SECONDS)
            problem, kind, is_final = await self._find_problem(client())
            if stop.is_set():
                self.temporal = Signal(self.temporal.at, "this worker is draining")
                return
            now = asyncio.get_running_loop().time()
            self.temporal = Signal(self.temporal.at if problem else now, problem)
            silence = now - self.temporal.at
            if is_final or silence >= LONGEST_SILENCE_SECONDS:
                address = client().service_client.config.target_host
                raise kind(f"no contact with Temporal at {address} for {silence:.0f} s: {problem}")

    async def check_namespace(self, client: Client) -> None:
        """Raise :class:`ContactLostError` where the namespace is gone: no worker polls again."""
        problem, kind, is_final = await self._find_problem(client)
        if is_final:
            raise kind(problem)

    async def _find_problem(self, client: Client) -> tuple[str, type[ContactLostError], bool]:
        try:
            pollers = await list_pollers(client, self._task_queue)
        except RPCError as error:
            if error.status in _ANSWERS:
                return "", ContactLostError, False
            return summarize_error(error), ContactLostError, error.status in _FINAL
        if self._identity in pollers:
            return "", PollLostError, False
        return f"this worker did not poll {self._task_queue} lately", PollLostError, False

    async def watch_aws(self, aws: Connection) -> None:
        """Ask STS every minute whose credentials these are."""
        while True:
            await asyncio.sleep(_AWS_INTERVAL_SECONDS)
            now = asyncio.get_running_loop().time()
            self.aws = await _read_signal(read_account(aws), self.aws, now)


async def _read_signal(reading: Awaitable[object], before: Signal, now: float) -> Signal:
    try:
        await reading
    except AwsError as error:
        return Signal(before.at, str(error))
    return Signal(now)

"""Keeps a worker for one place of several: one that fails is begun anew, and ends no other."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import AsyncExitStack
from typing import Final

import structlog

from activities.aws import AwsConfigurationError
from workflows.temporal.queue_account import QueueAccountError
from workflows.worker.contact import Contact, ContactLostError, PollLostError
from workflows.worker.place_worker import Shared, start_worker
from workflows.worker.places import WorkerPlace
from workflows.worker.readiness import PlaceState
from workflows.worker.settings import WorkerStartError

_FIRST_DELAY_SECONDS: Final = 5.0
_LONGEST_DELAY_SECONDS: Final = 60.0
_STEADY_SECONDS: Final = 300.0
"""A place that served for so long begins with the first delay again."""

_EXPECTED: Final = (WorkerStartError, QueueAccountError, AwsConfigurationError, PollLostError)

log: structlog.stdlib.BoundLogger = structlog.get_logger("worker")


class PlaceKeeper:
    """Keeps one place served until its process stops."""

    def __init__(self, shared: Shared, place: WorkerPlace, state: PlaceState) -> None:
        """``state`` is where the place says whether it is served."""
        self._shared = shared
        self._place = place
        self._state = state
        self.was_tried: Final = asyncio.Event()
        """Set when the place has begun to serve, or has failed to."""

    async def keep(self, stop: asyncio.Event) -> None:
        """Serve until ``stop`` is set; begin anew whenever that fails, after a while.

        Raises :class:`ContactLostError` where Temporal does not answer, which no place survives.
        """
        loop = asyncio.get_running_loop()
        delay = _FIRST_DELAY_SECONDS
        while not stop.is_set():
            began = loop.time()
            if (problem := await self._serve(stop)) is None:
                return
            self._state.fail(problem)
            self.was_tried.set()
            if loop.time() - began > _STEADY_SECONDS:
                delay = _FIRST_DELAY_SECONDS
            log.error(
                "place is not served",
                account=self._place.account,
                region=self._place.region,
                task_queue=self._place.queue,
                problem=problem,
                tried_again_in=delay,
            )
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await stop.wait()
            delay = min(2 * delay, _LONGEST_DELAY_SECONDS)

    async def _serve(self, stop: asyncio.Event) -> str | None:
        """Serve until ``stop`` is set (None), or until that fails; return why."""
        own_stop = asyncio.Event()
        link = asyncio.ensure_future(_hand_on(stop, own_stop))
        try:
            async with AsyncExitStack() as stack:
                start = asyncio.ensure_future(
                    stack.enter_async_context(
                        start_worker(self._shared, self._place, self._state, own_stop)
                    )
                )
                await asyncio.wait([start, link], return_when=asyncio.FIRST_COMPLETED)
                if not start.done():
                    start.cancel()
                    await asyncio.wait([start])
                    return None
                self.was_tried.set()
                await start.result().serve(own_stop)
        except _EXPECTED as error:
            if isinstance(error, PollLostError):
                contact = Contact("", self._place.queue)
                await contact.check_namespace(self._shared.temporal.client)
            return str(error)
        except ContactLostError:
            raise
        except Exception as error:
            log.exception("place has failed", account=self._place.account)
            return f"{type(error).__name__}: this is a mistake in lambda-releases: see its log"
        finally:
            link.cancel()
        return None


async def _hand_on(stop: asyncio.Event, other: asyncio.Event) -> None:
    await stop.wait()
    other.set()

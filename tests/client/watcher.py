"""Collects the updates of a watch."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from workflows.client import ReleaseClient
from workflows.client.watch import WatchUpdate


class Watcher:
    """Collects the updates of a watch that runs beside the test."""

    def __init__(self) -> None:
        self.updates: list[WatchUpdate] = []
        self._changed = asyncio.Event()

    @property
    def last(self) -> WatchUpdate:
        return self.updates[-1]

    async def watch(self, releases: ReleaseClient, target: str) -> None:
        async for update in releases.watch(target):
            self.updates.append(update)
            self._changed.set()

    async def wait_until(
        self, condition: Callable[[WatchUpdate], object], *, seconds: float = 60
    ) -> WatchUpdate:
        async with asyncio.timeout(seconds):
            while not (self.updates and condition(self.last)):
                self._changed.clear()
                await self._changed.wait()
        return self.last


async def watch_to_end(
    releases: ReleaseClient, target: str, *, seconds: float = 60
) -> list[WatchUpdate]:
    async with asyncio.timeout(seconds):
        return [update async for update in releases.watch(target)]


def list_texts(updates: list[WatchUpdate]) -> list[str]:
    """The texts of all entries, without the starts."""
    return [entry.text for update in updates for entry in update.entries if entry.kind != "start"]

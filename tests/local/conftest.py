"""One local Lambda for all tests of it, a slow one for what must be seen while it happens, and an account of one's own."""

from __future__ import annotations

import itertools
import os
from collections.abc import AsyncIterator

import pytest

from deploy.local.emulator import LocalLambda
from tests.local.harness import Clients, LocalHarness, open_clients

_accounts = itertools.count(100_000_000_001)


@pytest.fixture(scope="session")
async def fast() -> AsyncIterator[str]:
    """A local Lambda on which everything settles within a blink."""
    if url := os.environ.get("UNPATCHED_MINISTACK"):  # to see the tests fail
        yield url
        return
    async with LocalLambda.start(settle=0.05, provision=0.1) as aws:
        yield aws.endpoint_url


@pytest.fixture(scope="session")
async def slow() -> AsyncIterator[str]:
    """A local Lambda on which things take long enough to be looked at."""
    if url := os.environ.get("UNPATCHED_MINISTACK"):
        yield url
        return
    async with LocalLambda.start(settle=1.0, provision=1.0) as aws:
        yield aws.endpoint_url


@pytest.fixture(scope="session")
async def everyone(fast: str) -> AsyncIterator[Clients]:
    async with open_clients(fast) as made:
        yield made


@pytest.fixture(scope="session")
async def harness(everyone: Clients) -> LocalHarness:
    return await LocalHarness.of(everyone)


@pytest.fixture(scope="session")
async def slow_harness(slow: str) -> AsyncIterator[LocalHarness]:
    async with open_clients(slow) as made:
        yield await LocalHarness.of(made)


@pytest.fixture
async def isolated_harness(fast: str) -> AsyncIterator[LocalHarness]:
    """An account nobody else has anything in."""
    async with open_clients(fast, str(next(_accounts))) as made:
        yield await LocalHarness.of(made)

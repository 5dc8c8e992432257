"""The local Lambdas of these tests: a fast one, and one where nothing settles."""

from __future__ import annotations

import itertools
import os
from collections.abc import AsyncIterator

import pytest

from deploy.local.emulator import LocalLambda
from tests.local.harness import Clients, FrozenHarness, LocalHarness, open_clients

_accounts = itertools.count(100_000_000_001)


@pytest.fixture(scope="session")
async def lambda_url() -> AsyncIterator[str]:
    """A local Lambda on which changes settle in 50 ms.

    ``UNPATCHED_MINISTACK`` is the URL of a ministack without our additions, to see tests fail.
    """
    if url := os.environ.get("UNPATCHED_MINISTACK"):
        yield url
        return
    async with LocalLambda.start(settle=0.05, provision=0.1) as aws:
        yield aws.endpoint_url


@pytest.fixture(scope="session")
async def shared_clients(lambda_url: str) -> AsyncIterator[Clients]:
    async with open_clients(lambda_url) as clients:
        yield clients


@pytest.fixture(scope="session")
async def harness(shared_clients: Clients) -> LocalHarness:
    return await LocalHarness.connect(shared_clients)


@pytest.fixture
async def isolated_harness(lambda_url: str) -> AsyncIterator[LocalHarness]:
    """An account that only this test uses."""
    async with open_clients(lambda_url, str(next(_accounts))) as clients:
        yield await LocalHarness.connect(clients)


@pytest.fixture(scope="session")
async def frozen_harness(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[FrozenHarness]:
    state = tmp_path_factory.mktemp("state")
    async with (
        LocalLambda.start(settle=0.01, provision=0.01, state=state) as aws,
        open_clients(aws.endpoint_url) as clients,
    ):
        mapping = await FrozenHarness.prepare(await LocalHarness.connect(clients))
    async with (
        LocalLambda.start(settle=3600, provision=3600, state=state) as aws,
        open_clients(aws.endpoint_url) as clients,
    ):
        frozen = FrozenHarness(clients, await clients.get("lambda"))
        frozen.mapping = mapping
        yield frozen

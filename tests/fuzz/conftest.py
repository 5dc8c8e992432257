"""One worker of the fuzzers' own on the real server, in front of an AWS in memory that knows every operation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities import operations
from tests.fuzz.arena import QUEUE, Arena
from tests.fuzz.everything import Everything
from tests.workflows.conftest import temporal as temporal  # noqa: PLC0414 - the session's server, for this folder too


@pytest.fixture(scope="session")
async def arena(temporal: WorkflowEnvironment) -> AsyncIterator[Arena]:
    """A worker that must outlive whatever it is sent."""
    aws = Everything()
    worker = Worker(temporal.client, task_queue=QUEUE, activities=operations(aws))
    running = asyncio.ensure_future(worker.run())
    yield Arena(temporal, aws, running)
    assert not running.done(), "the worker died"
    await worker.shutdown()
    await running


@pytest.fixture(autouse=True)
async def _cleared(arena: Arena) -> AsyncIterator[None]:
    yield
    await arena.clear()

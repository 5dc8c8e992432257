"""One real Temporal server that skips time, for all workflow tests; for each test its own AWS, worker, task queue and function."""

from __future__ import annotations

import itertools
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities import operations
from tests.fake_lambda import FakeLambda
from tests.workflows.scene import Scene
from workflows import attributes
from workflows.plugin import LambdaReleases

_numbers = itertools.count(1)
_FLAGS = (
    "frontend.WorkflowTimeSkippingEnabled=true",
    'history.timerProcessorMaxTimeShift="1ms"',  # a skipped timer fires at once, instead of within a second
    *(f"history.{queue}ProcessorMaxPollRPS=2000" for queue in ("transfer", "timer", "visibility")),  # instead of every 50 ms
)


@pytest.fixture(scope="session")
async def temporal() -> AsyncIterator[WorkflowEnvironment]:
    """The real server."""
    env = await WorkflowEnvironment.start_time_skipping_v2(
        plugins=[LambdaReleases()],
        dev_server_existing_path=str(Path(sys.executable).parent / "temporal"),
        dev_server_extra_args=[part for flag in _FLAGS for part in ("--dynamic-config-value", flag)],
        search_attributes=[
            attributes.FUNCTION,
            attributes.ALIAS,
            attributes.REQUESTED_BY,
            attributes.PHASE,
            attributes.VERSION,
            attributes.PERCENT,
        ],
    )
    yield env
    await env.shutdown()


@pytest.fixture
def aws() -> FakeLambda:
    """An AWS of the test's own."""
    return FakeLambda()


@pytest.fixture
async def scene(temporal: WorkflowEnvironment, aws: FakeLambda) -> AsyncIterator[Scene]:
    """A stage of the test's own."""
    async with stage(temporal, aws) as built:
        yield built


@pytest.fixture(scope="module")
async def shared_scene(temporal: WorkflowEnvironment) -> AsyncIterator[Scene]:
    """One stage for tests that never get as far as AWS."""
    async with stage(temporal, FakeLambda()) as built:
        yield built


@asynccontextmanager
async def stage(temporal: WorkflowEnvironment, aws: FakeLambda) -> AsyncIterator[Scene]:
    """A worker that serves this AWS, with a function whose versions are "one" and "two", the second live."""
    number = next(_numbers)
    function = f"checkout-{number}"
    aws.create(function, "one", "two")
    async with Worker(temporal.client, task_queue=f"releases-{number}", activities=operations(aws)):
        yield Scene(temporal, temporal.client, aws, f"releases-{number}", function)

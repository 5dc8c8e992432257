"""One real Temporal server that skips time, and one worker for all workflow tests; for each test its own AWS and function."""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from temporalio import activity
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities import operations
from tests.fake_lambda import FakeLambda
from tests.workflows.scene import Scene
from workflows import search_attributes
from workflows.temporal.plugin import LambdaReleases

_QUEUE = "lambda-releases"
_FUNCTION = re.compile(r"checkout-\d+")
_numbers = itertools.count(1)
_FLAGS = (
    "frontend.WorkflowTimeSkippingEnabled=true",
    'history.timerProcessorMaxTimeShift="1ms"',  # a skipped timer fires at once, instead of within a second
    *(
        f"history.{queue}ProcessorMaxPollRPS=2000" for queue in ("transfer", "timer", "visibility")
    ),  # instead of every 50 ms
)


@pytest.fixture(scope="session")
async def temporal() -> AsyncIterator[WorkflowEnvironment]:
    """The real server."""
    env = await WorkflowEnvironment.start_time_skipping_v2(
        plugins=[LambdaReleases()],
        dev_server_existing_path=str(Path(sys.executable).parent / "temporal"),
        dev_server_extra_args=[
            part for flag in _FLAGS for part in ("--dynamic-config-value", flag)
        ],
        search_attributes=search_attributes.KEYS,
    )
    yield env
    await env.shutdown()


class Accounts:
    """The door to AWS of a worker that serves all tests: each call goes to the AWS of the test whose function its workflow is about."""

    def __init__(self) -> None:
        self._of: dict[str, FakeLambda] = {}
        self._newest = FakeLambda()

    def open(self, function: str, aws: FakeLambda) -> None:
        self._of[function] = self._newest = aws

    def _mine(self) -> FakeLambda:
        named = _FUNCTION.search(activity.info().workflow_id or "")
        return self._of.get(named[0], self._newest) if named else self._newest

    async def call(
        self, service: str, operation: str, parameters: Mapping[str, Any]
    ) -> dict[str, Any]:
        return await self._mine().call(service, operation, parameters)

    async def download(self, url: str, *, limit: int) -> bytes:
        return await self._mine().download(url, limit=limit)


@asynccontextmanager
async def served(temporal: WorkflowEnvironment) -> AsyncIterator[Accounts]:
    """A worker that serves as many accounts as are opened."""
    accounts = Accounts()
    async with Worker(temporal.client, task_queue=_QUEUE, activities=operations(accounts)):
        yield accounts


@asynccontextmanager
async def stage(temporal: WorkflowEnvironment, aws: FakeLambda) -> AsyncIterator[Scene]:
    """A stage with a worker of its own, for whoever is no test."""
    async with served(temporal) as accounts:
        yield staged(temporal, accounts, aws)


def staged(temporal: WorkflowEnvironment, accounts: Accounts, aws: FakeLambda) -> Scene:
    """A function whose versions are "one" and "two", the second live."""
    function = f"checkout-{next(_numbers)}"
    aws.create(function, "one", "two")
    accounts.open(function, aws)
    return Scene(temporal, temporal.client, aws, _QUEUE, function)


@pytest.fixture(scope="session")
async def accounts(temporal: WorkflowEnvironment) -> AsyncIterator[Accounts]:
    """One worker for all tests: to start one takes as long as a release."""
    async with served(temporal) as opened:
        yield opened


@pytest.fixture
def aws() -> FakeLambda:
    """An AWS of the test's own."""
    return FakeLambda()


@pytest.fixture
def scene(temporal: WorkflowEnvironment, accounts: Accounts, aws: FakeLambda) -> Scene:
    """A stage of the test's own."""
    return staged(temporal, accounts, aws)

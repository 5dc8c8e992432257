"""What all tests share.

How they are grouped for xdist, the Temporal server, and the harness.
"""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from hypothesis import settings
from temporalio.testing import WorkflowEnvironment

from deploy.local.ports import Ports
from tests.fake_lambda import FakeLambda
from tests.harness import TEMPORAL_CLI, Accounts, Harness, create_harness, run_worker
from tests.worker_processes import Workers
from workflows import search_attributes
from workflows.temporal.plugin import LambdaReleases

_WHOLE_MACHINE = {"survival", "chaos", "load"}
"""Folders whose tests start several processes each, or kill them.

Only one such test at a time.
"""

# The same examples in each run: CI decides about a commit, and not about its luck.
# New ones: pytest --hypothesis-profile=default, and make fuzz.
settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")

_SERVER_SETTINGS = (
    "frontend.WorkflowTimeSkippingEnabled=true",
    # A run with hours of skipped timers: the default is 200 of them.
    "frontend.WorkflowTimeSkippingMaxSkipPerSession=1000000",
    # A run that continues as a new one within a second of real time does not wait for its end.
    'history.workflowIdReuseMinimalInterval="0s"',
    # A skipped timer fires at once, instead of within a second.
    'history.timerProcessorMaxTimeShift="1ms"',
    # The queues of the history service are polled when there is work, instead of every 50 ms.
    *(f"history.{queue}ProcessorMaxPollRPS=2000" for queue in ("transfer", "timer", "visibility")),
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of one module never run side by side, nor do two that need the whole machine."""
    for item in items:
        module = item.path.relative_to(Path(__file__).parent)
        group = "whole machine" if module.parts[0] in _WHOLE_MACHINE else module.as_posix()
        item.add_marker(pytest.mark.xdist_group(group))


def pytest_collection_finish() -> None:
    """Spare the garbage collector thousands of collected tests, which stay to the end."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def http_port() -> int:
    """The port of the Temporal server's HTTP API."""
    return Ports.any_free().http


@pytest.fixture(scope="session")
async def temporal(http_port: int) -> AsyncIterator[WorkflowEnvironment]:
    """A real Temporal server that skips time."""
    env = await WorkflowEnvironment.start_time_skipping_v2(
        plugins=[LambdaReleases()],
        dev_server_existing_path=TEMPORAL_CLI,
        dev_server_extra_args=[
            "--http-port",
            str(http_port),
            *(part for each in _SERVER_SETTINGS for part in ("--dynamic-config-value", each)),
        ],
        search_attributes=search_attributes.KEYS,
    )
    yield env
    await env.shutdown()


@pytest.fixture(scope="session")
async def accounts(temporal: WorkflowEnvironment) -> AsyncIterator[Accounts]:
    """One worker for all tests: starting one takes as long as a release."""
    async with run_worker(temporal) as served:
        yield served


@pytest.fixture
def aws() -> FakeLambda:
    """An AWS of the test's own."""
    return FakeLambda()


@pytest.fixture
def harness(temporal: WorkflowEnvironment, accounts: Accounts, aws: FakeLambda) -> Harness:
    """A harness of the test's own: one function, two versions, the second live."""
    return create_harness(temporal, accounts, aws)


@pytest.fixture
async def workers(temporal: WorkflowEnvironment, tmp_path: Path) -> AsyncIterator[Workers]:
    """Worker processes, which end with the test."""
    async with AsyncExitStack() as stack:
        yield Workers(temporal, tmp_path, stack)

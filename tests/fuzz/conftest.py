"""The fuzzers' worker on the real server, over an AWS in memory, and the figures at the end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities import list_operations
from tests.fuzz.everything import Everything
from tests.fuzz.harness import QUEUE, FuzzHarness, Tally
from tests.fuzz.size import ANSWERS, INPUTS, ONLY, SEED

_TALLIES: list[Tally] = []


@pytest.fixture(scope="session")
async def harness(temporal: WorkflowEnvironment) -> AsyncIterator[FuzzHarness]:
    """A worker that must survive every input."""
    logging.getLogger("temporalio").setLevel(
        logging.CRITICAL
    )  # the figures count thousands of refusals
    aws = Everything()
    worker = Worker(temporal.client, task_queue=QUEUE, activities=list_operations(aws))
    running = asyncio.ensure_future(worker.run())
    yield FuzzHarness(temporal, aws, running)
    assert not running.done(), "the worker died"
    await worker.shutdown()
    await running


@pytest.fixture
async def cleared(harness: FuzzHarness) -> AsyncIterator[FuzzHarness]:
    """The harness; workflows that a failed test leaves running are terminated."""
    yield harness
    await harness.clear()


@pytest.fixture
def tallies() -> list[Tally]:
    """The figures, printed at the end of the run."""
    return _TALLIES


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not _TALLIES:
        return
    terminalreporter.section(f"fuzz: seed {SEED}, {INPUTS} inputs, {ANSWERS} answers {ONLY}")
    for tally in _TALLIES:
        terminalreporter.write_line(str(tally))
    inputs = sum(tally.sent for tally in _TALLIES if not tally.title.startswith("answers"))
    answers = sum(tally.sent for tally in _TALLIES if tally.title.startswith("answers"))
    wrong = sum(len(tally.wrong) for tally in _TALLIES)
    terminalreporter.write_line(
        f"{inputs} inputs and {answers} spoilt responses; {wrong} went wrong"
    )

"""The tools of ``make deploy-check``, and a table of its parts with their times."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest

from deploy.local import sample
from deploy.local.ports import Ports
from deploy.local.stack import Stack
from tests.deploy.containers import BASE, DOCKERFILE, IMAGE, Containers
from tests.deploy.toolbox import Tools

_SECONDS: Final = defaultdict[str, float](float)
_OUTCOMES: Final = defaultdict[str, Counter[str]](Counter)


@pytest.fixture(scope="session")
def tools() -> Tools:
    """The commands that check deployments."""
    return Tools()


@pytest.fixture(scope="session")
def containers(tools: Tools) -> Containers:
    """Podman and buildah."""
    return Containers(tools)


@pytest.fixture(scope="session")
def image(containers: Containers) -> str:
    """The image of the worker, built on Debian's Python."""
    base = containers.make_base(BASE)
    containers.build(DOCKERFILE, IMAGE, arguments=[f"BASE_IMAGE={base}", "REVISION=check"])
    return IMAGE


@pytest.fixture(scope="session")
async def local_stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """A Temporal, a local Lambda with the sample, and a worker, on free ports."""
    directory = tmp_path_factory.mktemp("stack")
    async with Stack.start(Ports.any_free(), directory) as stack:
        async with sample.Clients.connect(stack.aws) as clients:
            await sample.create_sample(clients)
        yield stack


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Add up what each file takes, its fixtures included."""
    part = Path(report.location[0]).stem.removeprefix("test_")
    if "tests/deploy" not in Path(report.location[0]).as_posix():
        return
    _SECONDS[part] += report.duration
    if report.when == "call" or report.failed or report.skipped:
        _OUTCOMES[part][report.outcome] += 1


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the parts of the check, with their times."""
    if not _SECONDS:
        return
    terminalreporter.section(f"parts of deploy-check, {time.strftime('%Y-%m-%d')}")
    for part, seconds in sorted(_SECONDS.items(), key=lambda row: -row[1]):
        outcomes = ", ".join(f"{count} {name}" for name, count in _OUTCOMES[part].items())
        terminalreporter.write_line(f"{part:<16} {seconds:6.1f} s  {outcomes}")
    terminalreporter.write_line(f"{'all':<16} {sum(_SECONDS.values()):6.1f} s")

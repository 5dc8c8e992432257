"""The tools of ``make deploy-check``, and a table of its parts with their times."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from deploy.local import sample
from deploy.local.ports import Ports
from deploy.local.stack import Stack
from tests.deploy.tools.install import HELM_TOOLS, NPM_TOOLS, PYTHON_TOOLS

_TIMEOUT_SECONDS: Final = 300.0
_SECONDS: Final = defaultdict[str, float](float)
_OUTCOMES: Final = defaultdict[str, Counter[str]](Counter)


@dataclass(frozen=True)
class Tools:
    """Commands that ``tests/deploy/tools/install.py`` has installed."""

    folders: tuple[Path, ...] = (PYTHON_TOOLS, NPM_TOOLS, HELM_TOOLS)

    def path(self, name: str) -> str:
        """Return where a command is; fail where it is missing: nothing is skipped."""
        search = os.pathsep.join([*map(str, self.folders), os.environ["PATH"]])
        if found := shutil.which(name, path=search):
            return found
        pytest.fail(f"{name} is missing: python tests/deploy/tools/install.py installs it")

    def run(
        self,
        name: str,
        *arguments: str | Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; where it fails, so does the test, with what it printed.

        ``env`` is added to this process's environment. ``check=False`` leaves the exit status to
        the caller.
        """
        done = subprocess.run(
            [self.path(name), *map(str, arguments)],
            cwd=cwd,
            env={**os.environ, **(env or {})},
            text=True,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
        if check and done.returncode:
            pytest.fail(
                f"{name} {' '.join(map(str, arguments))}: status {done.returncode}\n"
                f"{done.stdout[-4_000:]}\n{done.stderr[-4_000:]}"
            )
        return done


@pytest.fixture(scope="session")
def tools() -> Tools:
    """The commands that check deployments."""
    return Tools()


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

"""The commands that check deployments."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.deploy.tools.install import HELM_TOOLS, NPM_TOOLS, PYTHON_TOOLS, SYSTEM_FOLDERS

_TIMEOUT_SECONDS: Final = 300.0


@dataclass(frozen=True)
class Tools:
    """Commands that ``tests/deploy/tools/install.py`` has installed."""

    folders: tuple[Path, ...] = (PYTHON_TOOLS, NPM_TOOLS, HELM_TOOLS)

    def path(self, name: str) -> str:
        """Return where a command is; fail where it is missing: nothing is skipped."""
        search = os.pathsep.join([*map(str, self.folders), _list_folders()])
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
        # Files, since pipes would have to be closed by the services that some commands leave.
        with tempfile.TemporaryFile("w+") as stdout, tempfile.TemporaryFile("w+") as stderr:
            status = subprocess.call(
                [self.path(name), *map(str, arguments)],
                cwd=cwd,
                env={**os.environ, "PATH": _list_folders(), **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                timeout=_TIMEOUT_SECONDS,
            )
            texts = [file.read() for file in (stdout, stderr) if file.seek(0) == 0]
        done = subprocess.CompletedProcess([name, *map(str, arguments)], status, *texts)
        if check and done.returncode:
            pytest.fail(
                f"{name} {' '.join(map(str, arguments))}: status {done.returncode}\n"
                f"{done.stdout[-4_000:]}\n{done.stderr[-4_000:]}"
            )
        return done


def _list_folders() -> str:
    """PATH, and the folders of administrators' commands: podman needs some of them."""
    return os.pathsep.join([os.environ["PATH"], *SYSTEM_FOLDERS])

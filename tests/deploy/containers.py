"""Builds images and runs containers on a build machine: without Docker, and without a registry.

- The base of the image is made of Debian's packages, since no image registry is reachable.
- Such a machine may refuse to set limits of processes (it lacks CAP_SYS_RESOURCE): a runtime that
  leaves them out runs everything else as it is, networks and limits of memory included.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.deploy.toolbox import Tools
from tests.deploy.tools.install import TOOLS

ROOT: Final = Path(__file__).parents[2]
BASE: Final = "localhost/lambda-releases-base:trixie"
"""Debian 13 with its own Python 3.13."""

IMAGE: Final = "localhost/lambda-releases:check"
DOCKERFILE: Final = ROOT / "deploy" / "image" / "Dockerfile"

_PACKAGES: Final = "ca-certificates,python3,python3-venv,python3-pip,netbase,tzdata"
_MACHINE_FILES: Final = (Path("/etc/ssl/certs/ca-certificates.crt"), Path("/etc/pip.conf"))
"""What pip needs to reach the package index from this machine."""

_RUNTIME: Final = """#!/usr/bin/env python3
# runc, without limits of processes, which this machine may not set.
import json, os, sys

for option, value in zip(sys.argv, sys.argv[1:]):
    path = {"--bundle": f"{value}/config.json", "-b": f"{value}/config.json", "--process": value}
    if option in path:
        with open(path[option]) as file:
            found = json.load(file)
        found.get("process", found).pop("rlimits", None)
        with open(path[option], "w") as file:
            json.dump(found, file)
os.execvp("runc", ["runc", *sys.argv[1:]])
"""
_CONFIGURATION: Final = """\
[network]
network_backend = "netavark"
[engine]
runtime = "plain"
cgroup_manager = "cgroupfs"
events_logger = "file"
image_default_format = "docker"
[engine.runtimes]
plain = ["{runtime}"]
"""


class Containers:
    """Podman and buildah, configured for this machine; nothing of it outlives its caller."""

    def __init__(self, tools: Tools) -> None:
        """Write the configuration into the folder of tools."""
        self._tools = tools
        runtime = TOOLS / "runc-plain"
        runtime.write_text(_RUNTIME, encoding="utf-8")
        runtime.chmod(0o755)
        configuration = TOOLS / "containers.conf"
        configuration.write_text(_CONFIGURATION.format(runtime=runtime), encoding="utf-8")
        self.environment: Final = {"CONTAINERS_CONF": str(configuration)}

    def podman(self, *arguments: str | Path, check: bool = True) -> str:
        """Run podman, and return what it wrote to standard output."""
        # Where a container has used up its memory, its monitor leaves a file in this folder.
        done = self._tools.run("podman", *arguments, cwd=TOOLS, env=self.environment, check=check)
        return done.stdout.strip()

    def make_base(self, image: str, *, suite: str = "trixie", packages: str = _PACKAGES) -> str:
        """Make an image of Debian's packages, unless it is there; return its name."""
        exists = self._tools.run("podman", "image", "exists", image, check=False)
        if exists.returncode == 0:
            return image
        archive = TOOLS / f"{suite}.tar"
        self._tools.run(
            "mmdebstrap",
            "--variant=minbase",
            "--mode=root",
            "--quiet",
            '--aptopt=APT::Sandbox::User "root"',
            f"--include={packages}",
            suite,
            archive,
        )
        self.podman("import", "--quiet", archive, image)
        archive.unlink()
        return image

    def build(
        self, dockerfile: Path, image: str, *, context: Path = ROOT, arguments: Sequence[str] = ()
    ) -> None:
        """Build an image. pip works in it as it does on this machine."""
        mounts = [f"--volume={file}:{file}:ro" for file in _MACHINE_FILES if file.exists()]
        # Else each build leaves the image of before behind, without a name.
        self.podman("image", "rm", "--force", image, check=False)
        self._tools.run(
            "buildah",
            "bud",
            "--isolation=chroot",
            "--network=host",
            "--pull-never",
            "--format=docker",
            "--layers=false",
            *mounts,
            *(f"--build-arg={argument}" for argument in arguments),
            f"--file={dockerfile}",
            f"--tag={image}",
            context,
            env=self.environment,
        )

    @contextmanager
    def run(self, image: str, *arguments: str, options: Sequence[str] = ()) -> Iterator[str]:
        """Run a container in the background; yield its id, and remove it afterwards."""
        container = self.podman("run", "--detach", *options, image, *arguments)
        try:
            yield container
        finally:
            self.podman("rm", "--force", "--time=2", container, check=False)

    def read_log(self, container: str) -> str:
        """Return what a container wrote to both of its outputs."""
        done = self._tools.run("podman", "logs", container, env=self.environment, check=False)
        return done.stdout + done.stderr


def wait_for(what: str, is_there: Callable[[], object], *, seconds: float = 120) -> None:
    """Wait until a condition holds; fail after ``seconds``."""
    until = time.monotonic() + seconds
    while not is_there():
        if time.monotonic() > until:
            pytest.fail(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.3)

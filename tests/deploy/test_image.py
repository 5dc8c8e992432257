"""The image: built, run hardened, and a release carried out by it and started from it."""

from __future__ import annotations

import asyncio
import json
import shlex
import urllib.request
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.local import sample
from deploy.local.emulator import LocalLambda
from deploy.local.ports import Ports
from tests.deploy.containers import DOCKERFILE, ROOT, Containers, wait_for
from tests.deploy.toolbox import Tools
from tests.survival.harness import TemporalServer

pytestmark = pytest.mark.timeout(400)
"""The first that needs the image also builds it, and its base in a fresh clone."""

MOST_BYTES = 380_000_000
"""Unpacked, with Debian and Python: half of it is the base."""

PAGE = ROOT / "docs" / "install-container.md"


def read_commands(*words: str) -> list[list[str]]:
    """The page's commands that begin with these words, without them."""
    code = "\n".join(line[4:] for line in PAGE.read_text().splitlines() if line.startswith("    "))
    lines = [shlex.split(line, comments=True) for line in code.replace("\\\n", " ").splitlines()]
    return [line[len(words) :] for line in lines if line[: len(words)] == list(words)]


def read_options() -> list[str]:
    """How the page runs a worker; on the machine's network, and without a name."""
    options = read_commands("docker", "run", "--detach", "--name", "releases-worker")[0][:-1]
    published = options.index("--publish")
    return ["--network=host", *options[:published], *options[published + 2 :]]


HARDENED = read_options()
MISTAKES = {
    "an image without a tag": ("FROM ${BASE_IMAGE} AS build", "FROM debian AS build"),
    "a relative folder": ("WORKDIR /source", "WORKDIR source"),
    "an entrypoint that takes no signal": ('["releases-worker"]', "releases-worker"),
    "packages of any version": ("WORKDIR /tmp", "RUN apt-get install curl"),
}


@dataclass(frozen=True)
class Ground:
    """A Temporal server and a local Lambda with its sample, and how a container reaches them."""

    temporal: str
    port: int
    environment: dict[str, str]

    @property
    def options(self) -> list[str]:
        return [f"--env={name}={value}" for name, value in self.environment.items()]


@pytest.fixture(scope="session")
async def ground(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ground]:
    """What a worker needs, on this machine."""
    async with AsyncExitStack() as stack:
        folder = tmp_path_factory.mktemp("ground")
        server = TemporalServer(folder)
        await server.start()
        stack.push_async_callback(server.stop)
        aws = await stack.enter_async_context(LocalLambda.start())
        clients = await stack.enter_async_context(sample.Clients.connect(aws))
        await sample.create_sample(clients)
        port = Ports.any_free().http
        yield Ground(
            server.address,
            port,
            {
                "TEMPORAL_ADDRESS": server.address,
                "RELEASES_METRICS": f"127.0.0.1:{port}",
                **aws.environment,
            },
        )


def lint(tools: Tools, dockerfile: Path) -> str:
    """What hadolint finds; nothing where all is well."""
    return tools.run("hadolint", "--no-color", dockerfile, check=False).stdout


@pytest.mark.parametrize("name", ["Dockerfile", "temporal.Dockerfile"])
def test_dockerfile_has_no_finding(name: str, tools: Tools) -> None:
    assert lint(tools, DOCKERFILE.with_name(name)) == ""


@pytest.mark.parametrize("mistake", MISTAKES)
def test_dockerfile_with_a_mistake_is_refused(mistake: str, tools: Tools, tmp_path: Path) -> None:
    right, wrong = MISTAKES[mistake]
    text = DOCKERFILE.read_text()
    assert right in text
    broken = tmp_path / "Dockerfile"
    broken.write_text(text.replace(right, wrong))
    assert lint(tools, broken) != ""


def test_image_is_small_and_says_what_it_is(image: str, containers: Containers) -> None:
    [found] = json.loads(containers.podman("image", "inspect", image))
    assert found["Size"] < MOST_BYTES
    configuration = found["Config"]
    assert configuration["User"] == "10001:10001"
    assert configuration["Entrypoint"] == ["releases-worker"]
    assert configuration["Labels"]["org.opencontainers.image.revision"] == "check"
    assert "/healthz" in found["Healthcheck"]["Test"][-1]
    assert not [name for name in configuration["Env"] if "PIP" in name or "TOKEN" in name]


def test_image_has_no_pip_and_no_source_of_tests(image: str, containers: Containers) -> None:
    with containers.run(image, "600", options=["--network=none", "--entrypoint=sleep"]) as one:
        listed = containers.podman("exec", one, "find", "/opt/releases", "/source", check=False)
    assert "site-packages/workflows/release.py" in listed
    assert not [line for line in listed.splitlines() if "/site-packages/pip/" in line]
    assert not [line for line in listed.splitlines() if line.endswith("/tests/conftest.py")]


async def test_hardened_worker_carries_out_a_release_and_drains(
    image: str, containers: Containers, ground: Ground
) -> None:
    def is_ready() -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{ground.port}/readyz", timeout=2) as one:
                return bool(one.status == 200)
        except OSError:
            return False

    options = [*HARDENED, *ground.options]
    with containers.run(image, options=options) as worker:
        await asyncio.to_thread(wait_for, "the worker is ready", is_ready)
        [found] = json.loads(containers.podman("image", "inspect", image))
        containers.podman("exec", worker, *found["Healthcheck"]["Test"][1:])
        for command in read_commands("docker", "exec", "releases-worker"):
            await asyncio.to_thread(containers.podman, "exec", worker, *command)
        [start] = read_commands("docker", "run", "--rm")
        words = [image if word == "lambda-releases" else word for word in start]
        released = await asyncio.to_thread(containers.podman, "run", "--rm", *options, *words)
        assert "All traffic is on version 2" in released
        user = containers.podman("exec", worker, "python3", "-c", "import os; print(os.getuid())")
        assert user == "10001"
        [_] = read_commands("docker", "stop", "releases-worker")
        await asyncio.to_thread(containers.podman, "stop", worker)
        assert containers.podman("wait", worker) == "0"
        log = containers.read_log(worker)
    events = [json.loads(line)["event"] for line in log.splitlines() if line.startswith("{")]
    assert {"working", "draining"} <= set(events)
    assert events[-1] == "stopped"


async def test_worker_serves_the_places_of_a_mounted_file(
    image: str, containers: Containers, ground: Ground, tmp_path: Path
) -> None:
    place = {"account": "000000000000", "region": ground.environment["AWS_REGION"]}
    (tmp_path / "workers.yaml").write_text(json.dumps({"places": [place]}))
    [words] = read_commands("docker", "run", "--detach", "--volume")
    mount = words[0].replace("$PWD", str(tmp_path))
    options = [*HARDENED, *ground.options, f"--volume={mount}", *words[1:-1]]
    with containers.run(image, options=options) as worker:
        queue = f'"lambda-releases:000000000000:{place["region"]}"'
        await asyncio.to_thread(
            wait_for,
            "the place is served",
            lambda: '"working"' in (log := containers.read_log(worker)) and queue in log,
        )


@pytest.mark.parametrize("option", ["--entrypoint=false", "--memory=16m"])
async def test_worker_that_cannot_run_is_noticed(
    option: str, image: str, containers: Containers, ground: Ground
) -> None:
    with containers.run(image, options=[*HARDENED, option, *ground.options]) as worker:
        assert await asyncio.to_thread(containers.podman, "wait", worker) != "0"

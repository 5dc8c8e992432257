"""The Compose file: valid, and brought up for real with a release carried out in it."""

from __future__ import annotations

import json
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.local import sample
from deploy.local.ports import Ports
from tests.deploy.containers import BASE, IMAGE, ROOT, Containers, wait_for
from tests.deploy.test_image import read_commands
from tests.deploy.toolbox import Tools

COMPOSE = ROOT / "deploy" / "compose.yaml"
CHECK = Path(__file__).with_name("compose.check.yaml")
TEMPORAL_IMAGE = "localhost/lambda-releases-temporal:check"
MISTAKES = {
    "a mistyped key": ("stop_grace_period", "stop_grace_perod"),
    "a list where a mapping is needed": ("volumes:\n  temporal:\n", "volumes:\n  - temporal\n"),
    "a boolean that is none": ("read_only: true", "read_only: [yes]"),
}


def validate(tools: Tools, file: Path) -> bool:
    """Whether a file is valid by Compose's own schema."""
    done = tools.run(
        "check-jsonschema", "--builtin-schema", "vendor.compose-spec", file, check=False
    )
    return done.returncode == 0


def test_compose_file_is_valid(tools: Tools) -> None:
    assert validate(tools, COMPOSE)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_compose_file_with_a_mistake_is_refused(mistake: str, tools: Tools, tmp_path: Path) -> None:
    right, wrong = MISTAKES[mistake]
    text = COMPOSE.read_text()
    assert right in text
    broken = tmp_path / "compose.yaml"
    broken.write_text(text.replace(right, wrong))
    assert not validate(tools, broken)


def test_worker_has_more_time_to_stop_than_its_grace() -> None:
    worker = yaml.safe_load(COMPOSE.read_text())["services"]["worker"]
    grace, stop = (
        int(value.removesuffix("m"))
        for value in (worker["environment"]["RELEASES_GRACE"], worker["stop_grace_period"])
    )
    assert stop > grace


class Stack:
    """The services of the Compose file, brought up."""

    def __init__(self, tools: Tools, containers: Containers, ports: Ports) -> None:
        self._tools = tools
        self._ports = ports
        self._environment = {
            **containers.environment,
            "BASE_IMAGE": BASE,
            "WORKER_IMAGE": IMAGE,
            "TEMPORAL_IMAGE": TEMPORAL_IMAGE,
            "ROOT": str(ROOT),
            "PYTHON_HOME": sys.base_prefix,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "TEMPORAL_PORT": str(ports.temporal),
            "TEMPORAL_UI_PORT": str(ports.ui),
            "PROMETHEUS_PORT": str(ports.http),
        }

    def compose(self, *arguments: str, check: bool = True) -> str:
        done = self._tools.run(
            "podman-compose",
            "--in-pod=false",
            "--project-name=releases-check",
            f"--file={COMPOSE}",
            f"--file={CHECK}",
            *arguments,
            env=self._environment,
            check=check,
        )
        return done.stdout + done.stderr

    def releases(self, *arguments: str) -> str:
        """Run ``releases`` in the worker's container."""
        return self.compose("exec", "-T", "worker", "releases", *arguments)

    def is_working(self) -> bool:
        """Whether the worker has started."""
        return '"working"' in self.compose("logs", "worker", check=False)

    def query(self, text: str) -> Any:
        """Ask Prometheus for series."""
        return self.read(f"query?{urllib.parse.urlencode({'query': text})}").get("result")

    def read(self, path: str) -> dict[str, Any]:
        """What Prometheus answers; nothing while it starts."""
        url = f"http://127.0.0.1:{self._ports.http}/api/v1/{path}"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                found: dict[str, Any] = json.load(answer)["data"]
                return found
        except OSError:
            return {}


@pytest.fixture(scope="module")
def stack(tools: Tools, containers: Containers, image: str) -> Iterator[Stack]:
    """All services, with the local Lambda as AWS."""
    assert image == IMAGE
    containers.build(
        ROOT / "deploy" / "image" / "temporal.Dockerfile",
        TEMPORAL_IMAGE,
        arguments=[f"BASE_IMAGE={BASE}"],
    )
    stack = Stack(tools, containers, Ports.any_free())
    try:
        stack.compose("up", "--detach", "--no-build")
        yield stack
    finally:
        stack.compose("down", "--volumes", "--timeout=5", check=False)


@pytest.mark.timeout(400)
def test_release_is_carried_out_and_scraped(stack: Stack) -> None:
    wait_for("the worker works", stack.is_working)
    shown = {
        words[0]: stack.compose("exec", "-T", *words)
        for words in read_commands("docker", "compose", "--file", "deploy/compose.yaml", "exec")
    }
    assert "✓ credentials" in shown["worker"]
    assert "namespace: default keeps what has ended for 30 d" in stack.releases("doctor")
    shown = stack.releases(
        "start",
        sample.FUNCTION,
        "--s3",
        f"s3://{sample.BUCKET}/{sample.GOOD}",
        "--strategy",
        "AllAtOnce",
        "--wait",
    )
    assert "All traffic is on version 2" in shown
    assert "succeeded" in stack.releases("status", sample.FUNCTION)
    wait_for(
        "Prometheus has scraped the end of the release",
        lambda: stack.query('releases_ended_total{outcome="succeeded"} > 0'),
    )
    assert stack.read("rules")["groups"]


@pytest.mark.timeout(400)
def test_history_of_a_release_outlives_the_containers(stack: Stack) -> None:
    wait_for("the worker works", stack.is_working)
    before = stack.releases("status", sample.FUNCTION)
    stack.compose("down", "--timeout=10")
    stack.compose("up", "--detach", "--no-build")
    wait_for("the worker works again", stack.is_working)
    assert stack.releases("status", sample.FUNCTION) == before

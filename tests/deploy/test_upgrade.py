"""The page on upgrades: its commands, in their order, against two builds and a lost namespace."""

from __future__ import annotations

import asyncio
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from temporalio.client import Client

from deploy.local.processes import Process
from tests.activities.stub import Stub
from tests.cli.shell import APPROVAL, Shell
from tests.client.queues import make_current
from tests.fake_lambda import FakeLambda
from tests.fake_lambda.account import ACCOUNT, REGION
from tests.fake_lambda.http import FakeLambdaServer
from tests.namespaces import create_namespace
from tests.test_docs import ROOT, code_lines
from tests.worker_processes import PATIENCE, Workers
from workflows.temporal.plugin import LambdaReleases

PAGE = ROOT / "docs" / "upgrade.md"
TEMPORAL = Path(sys.executable).parent / "temporal"
PROGRAMS = ("releases", "temporal")
QUEUE = "upgraded"


def list_commands() -> list[str]:
    """The commands of the page, in their order."""
    return [line.strip() for line in code_lines(PAGE) if line.split()[:1] and is_command(line)]


def is_command(line: str) -> bool:
    return line.split(maxsplit=1)[0] in PROGRAMS


@dataclass
class Runbook:
    """Runs the commands of the page, one after the other."""

    shell: Shell
    commands: list[str] = field(default_factory=list_commands)

    async def run_next(self, beginning: str, *, status: int = 0) -> str:
        """Run the next command of the page; try again while Temporal does not know all of it."""
        command = self.commands.pop(0)
        assert command.startswith(beginning), command
        return await self.run(command, status=status)

    async def run(self, command: str, *, status: int = 0) -> str:
        name, *words = shlex.split(command, comments=True)
        async with asyncio.timeout(PATIENCE):
            while True:
                if name == "releases":
                    result = await self.shell(*words)
                    assert result.exit_code == status, f"{command}: {result.output}"
                    return result.stdout
                done = await asyncio.to_thread(run_temporal, words, self.shell.environment)
                if done.returncode == status:
                    return done.stdout
                await asyncio.sleep(0.3)


def run_temporal(words: list[str], given: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **given}
    return subprocess.run(
        [TEMPORAL, *words], env=environment, capture_output=True, text=True, check=False
    )


@dataclass
class Site:
    """Two functions, the workers that serve them, and the page that is followed."""

    workers: Workers
    aws: FakeLambda
    endpoint: str
    namespace: str
    client: Client
    runbook: Runbook

    def start_build(self, build: str) -> Process:
        return self.workers.start(
            f"build-{build}",
            QUEUE,
            AWS_ENDPOINT_URL=self.endpoint,
            TEMPORAL_NAMESPACE=self.namespace,
            TEMPORAL_DEPLOYMENT_NAME="releases",
            TEMPORAL_WORKER_BUILD_ID=build,
        )

    async def release(self, function: str, text: str) -> None:
        """Start a canary of a package with this text, and wait until it waits for a person."""
        name = f"{function}-{text}"
        self.aws.upload(f"{name}.zip", name)
        await self.runbook.run(
            f"releases start {function} --s3 s3://artifacts/{name}.zip --id {function}-release "
            f"--strategy '{APPROVAL}'"
        )
        async with asyncio.timeout(60):
            while "awaiting approval" not in await self.runbook.run(f"releases status {function}"):
                await asyncio.sleep(0.2)

    async def finish(self, function: str) -> None:
        await self.runbook.run(f"releases approve {function}")
        await self.client.get_workflow_handle(f"{function}-release").result()

    async def list_builds(self, function: str) -> set[str]:
        """The builds that went on last with a release and with its rollout."""
        builds = set[str]()
        for name in (f"{function}-release", f"lambda:{ACCOUNT}:{REGION}:{function}:live"):
            found = await self.client.get_workflow_handle(name).describe()
            info = found.raw_description.workflow_execution_info.versioning_info
            builds.add(info.deployment_version.build_id)
        return builds


@pytest.fixture
async def site(workers: Workers) -> Site:
    aws = FakeLambda()
    for function in ("checkout", "payments"):
        aws.create(function, "one", "two")
    stub = await workers.stack.enter_async_context(Stub(FakeLambdaServer(aws)))
    address = workers.temporal.client.service_client.config.target_host
    namespace = await create_namespace(workers.temporal.client, "upgrade")
    client = await Client.connect(address, namespace=namespace, plugins=[LambdaReleases()])
    shell = Shell(address, QUEUE)
    shell.environment |= {"TEMPORAL_NAMESPACE": namespace}
    return Site(workers, aws, stub.url, namespace, client, Runbook(shell))


@pytest.mark.timeout(600)
async def test_commands_of_the_page_upgrade_roll_back_and_repair(site: Site) -> None:
    runbook, aws = site.runbook, site.aws
    site.start_build("41")
    await make_current(site.client, "releases", "41")
    await site.release("checkout", "three")
    shown = await runbook.run_next("releases doctor --before-deploy")
    assert shown.startswith("✓ replay: 2 of 2 open workflows")

    broken = site.start_build("42")
    await runbook.run_next("temporal worker deployment set-current-version")
    await site.release("payments", "three")
    assert await site.list_builds("payments") == {"42"}
    await site.finish("checkout")
    assert await site.list_builds("checkout") == {"41"}
    shown = await runbook.run_next("temporal worker deployment describe-version")
    assert "41" in shown

    await runbook.run_next("temporal worker deployment set-current-version")
    await runbook.run_next("releases doctor --before-deploy")
    await runbook.run_next("temporal workflow update-options --yes")
    await broken.stop()
    await site.finish("payments")
    assert await site.list_builds("payments") == {"41"}
    assert aws.routing("payments") == ("3", {})

    assert "Nothing is being released" in await runbook.run_next("releases status")
    await runbook.run_next("releases doctor")
    await site.release("checkout", "four")
    assert aws.routing("checkout") == ("3", {"4": 0.1})

    await runbook.run_next("temporal operator namespace create")
    runbook.shell.environment["TEMPORAL_NAMESPACE"] = "releases"
    await start_anew(site)
    shown = await runbook.run_next("releases repair checkout:live", status=1)
    assert "version 4: published by run " in shown
    assert "All traffic to version 3:  releases repair checkout:live --to stable" in shown
    await runbook.run_next("releases repair checkout:live --to stable")
    assert aws.routing("checkout") == ("3", {})
    assert runbook.commands == []


async def start_anew(site: Site) -> None:
    """Start a worker on the namespace of now; again while Temporal does not know it everywhere."""
    address = site.workers.temporal.client.service_client.config.target_host
    client = await Client.connect(address, namespace="releases")
    async with asyncio.timeout(PATIENCE):
        while True:
            process = site.workers.start(
                "anew", QUEUE, AWS_ENDPOINT_URL=site.endpoint, TEMPORAL_NAMESPACE="releases"
            )
            while not process.has_exited:
                listed = [each async for each in client.list_workflows("TaskQueue = 'none'")]
                if not listed and "working" in process.read_log_tail():
                    return
                await asyncio.sleep(0.2)


def test_command_that_is_not_on_the_page_is_noticed() -> None:
    assert list_commands()[0] == "releases doctor --before-deploy"
    assert len(list_commands()) == 11

"""``worker.py`` with Worker Versioning: what it says, and which build goes on with a release."""

from __future__ import annotations

import asyncio
import json

import pytest
from temporalio.api.enums.v1 import VersioningBehavior

from deploy.local.processes import Process
from tests.client.queues import make_current
from tests.fake_lambda.account import ACCOUNT
from tests.worker_processes import NOWHERE, PATIENCE, Workers

NAME = "releases-versioned"
QUEUE = "versioned"


async def wait_for_line(process: Process, event: str) -> dict[str, str]:
    """Wait until a worker has logged an event; return its line."""
    async with asyncio.timeout(PATIENCE):
        while True:
            for line in process.read_log_tail().splitlines():
                if line.startswith("{") and (found := json.loads(line))["event"] == event:
                    return dict(found)
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("behavior", ["pinned", "auto_upgrade"])
async def test_worker_without_a_current_version_logs_the_command(
    workers: Workers, behavior: str
) -> None:
    queue, name = f"{QUEUE}-{behavior}", f"{NAME}-{behavior}"
    process = workers.start(
        behavior,
        queue,
        AWS_ENDPOINT_URL=await workers.endpoint(ACCOUNT),
        RELEASES_VERSIONING=behavior,
        TEMPORAL_DEPLOYMENT_NAME=name,
        TEMPORAL_WORKER_BUILD_ID="b1",
    )
    line = await wait_for_line(
        process, "deployment has no current version: its workers get no new release"
    )
    assert line["level"] == "warning"
    assert line["run"] == (
        "temporal worker deployment set-current-version "
        f"--namespace default --deployment-name {name} --build-id b1"
    )
    client = workers.temporal.client
    await make_current(client, name, "b1")
    request = {"target": {"function": "checkout"}, "artifact": {"kind": "latest"}}
    handle = await client.start_workflow(
        "Release", request, id=f"release-{behavior}", task_queue=queue
    )
    async with asyncio.timeout(PATIENCE):
        while True:
            info = (await handle.describe()).raw_description.workflow_execution_info
            if info.versioning_info.behavior:
                break
            await asyncio.sleep(0.1)
    expected = VersioningBehavior.Value(f"VERSIONING_BEHAVIOR_{behavior.upper()}")
    assert info.versioning_info.behavior == expected


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (
            {"TEMPORAL_DEPLOYMENT_NAME": NAME},
            "TEMPORAL_DEPLOYMENT_NAME is set, and TEMPORAL_WORKER_BUILD_ID is not",
        ),
        (
            {"RELEASES_VERSIONING": "auto_upgrade"},
            "RELEASES_VERSIONING is set, and Worker Versioning is off",
        ),
    ],
)
async def test_incomplete_settings_of_versioning_stop_the_worker(
    workers: Workers, settings: dict[str, str], problem: str
) -> None:
    process = workers.start("worker", QUEUE, AWS_ENDPOINT_URL=NOWHERE, **settings)
    assert problem in await workers.read_refusal(process)

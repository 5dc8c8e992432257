"""The local stack: what it starts, and that nothing of it is left."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from deploy.local import sample, traffic
from deploy.local.emulator import ROOT
from deploy.local.ports import Ports
from tests.local.harness import (
    IGNORING_SIGINT,
    is_alive,
    list_children,
    wait_until,
    wait_until_dead,
)

# Five processes are started, which takes a busy machine a while.
pytestmark = pytest.mark.timeout(300)
UP = [sys.executable, "-m", "deploy.local", "up"]


@asynccontextmanager
async def run_up(directory: Path, ports: Ports) -> AsyncIterator[tuple[subprocess.Popen[str], str]]:
    """Run ``make up`` on other ports; yields its process and output when ready.

    SIGINT is ignored by inheritance, as where a script runs ``make up &``.
    """
    variables = {
        "RELEASES_LOCAL_TEMPORAL_PORT": str(ports.temporal),
        "RELEASES_LOCAL_UI_PORT": str(ports.ui),
        "RELEASES_LOCAL_LAMBDA_PORT": str(ports.awslambda),
        "TMPDIR": str(directory),
    }
    process = subprocess.Popen(
        [*IGNORING_SIGINT, *UP, "--directory", str(directory / "state")],
        cwd=ROOT,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    output = ""
    try:
        while "Ctrl-C stops everything" not in output:
            line = await asyncio.to_thread(process.stdout.readline)
            assert line, output
            output += line
        yield process, output
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait)
        process.stdout.close()


async def run_second_stack(directory: Path) -> subprocess.CompletedProcess[str]:
    """Run another stack, on ports of its own, in the same directory."""
    ports = Ports.any_free()
    command = [*UP, "--directory", str(directory / "state")]
    command += ["--temporal-port", str(ports.temporal), "--ui-port", str(ports.ui)]
    command += ["--lambda-port", str(ports.awslambda)]
    return await asyncio.to_thread(
        subprocess.run, command, cwd=ROOT, capture_output=True, text=True
    )


async def test_stack_starts_all_its_processes_and_stops_them(tmp_path: Path) -> None:
    ports = Ports.any_free()
    async with run_up(tmp_path, ports) as (process, output):
        ui_url = f"http://127.0.0.1:{ports.ui}"
        assert ui_url in output
        children = list_children(process.pid)
        assert len(children) == 3
        processes = children + [pid for child in children for pid in list_children(child)]
        second = asyncio.create_task(run_second_stack(tmp_path))
        async with aiohttp.ClientSession() as session, session.get(f"{ui_url}/") as page:
            assert page.status == 200
        async with sample.Clients.connect(f"http://127.0.0.1:{ports.awslambda}") as clients:
            alias = await clients.awslambda.get_alias(
                FunctionName=sample.FUNCTION, Name=sample.ALIAS
            )
            assert alias["FunctionVersion"] == "1"
            for key in (sample.GOOD, sample.BROKEN):
                await clients.s3.head_object(Bucket=sample.BUCKET, Key=key)
            async with traffic.run_traffic(clients, rate=40) as tally:

                async def has_responses() -> bool:
                    return tally.responses["1"] >= 20

                await wait_until(has_responses)
            assert not tally.failed
            found = await clients.cloudwatch.describe_alarms(AlarmNames=[sample.ALARM])
            [alarm] = found["MetricAlarms"]
            assert alarm["StateValue"] == "OK"
        refused = await second
        assert refused.returncode == 1
        assert "another local stack runs in" in refused.stderr
        process.send_signal(signal.SIGINT)
        assert await asyncio.to_thread(process.wait, 60) == 0
    assert not [pid for pid in processes if is_alive(pid)]
    assert [one.name for one in tmp_path.iterdir()] == ["state"]
    ports.check_free()


async def test_stack_stops_and_names_the_process_that_exited(tmp_path: Path) -> None:
    async with run_up(tmp_path, Ports.any_free()) as (process, _):
        children = list_children(process.pid)
        [local_lambda] = [
            pid for pid in children if "awslambda" in Path(f"/proc/{pid}/cmdline").read_text()
        ]
        os.kill(local_lambda, signal.SIGKILL)
        assert process.stdout is not None
        rest = await asyncio.to_thread(process.stdout.read)
        assert "the local Lambda exited by itself" in rest
        assert await asyncio.to_thread(process.wait, 60) == 1
    await wait_until_dead(*children)

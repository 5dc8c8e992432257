"""The local stack: what it starts, and that nothing of it is left."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


RELEASE = {
    "workflowType": {"name": "Release"},
    "taskQueue": {"name": "lambda-releases"},
    "input": [
        {
            "target": {"function": sample.FUNCTION},
            "artifact": {"kind": "s3", "bucket": sample.BUCKET, "key": sample.GOOD},
            "strategy": "AllAtOnce",
        }
    ],
}


def list_variables(ports: Ports) -> dict[str, str]:
    return {
        "RELEASES_LOCAL_TEMPORAL_PORT": str(ports.temporal),
        "RELEASES_LOCAL_UI_PORT": str(ports.ui),
        "RELEASES_LOCAL_LAMBDA_PORT": str(ports.awslambda),
        "RELEASES_LOCAL_HTTP_PORT": str(ports.http),
    }


async def read_until(process: subprocess.Popen[str], text: str) -> str:
    """Read lines of output until one has this text."""
    assert process.stdout is not None
    output = ""
    while text not in output:
        line = await asyncio.to_thread(process.stdout.readline)
        assert line, output
        output += line
    return output


@asynccontextmanager
async def run_up(
    directory: Path, ports: Ports, *options: str
) -> AsyncIterator[tuple[subprocess.Popen[str], str]]:
    """Run ``make up`` on other ports; yields its process and output when ready.

    SIGINT is ignored by inheritance, as where a script runs ``make up &``.
    """
    process = subprocess.Popen(
        [*IGNORING_SIGINT, *UP, "--directory", str(directory / "state"), *options],
        cwd=ROOT,
        env={**os.environ, **list_variables(ports), "TMPDIR": str(directory)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process, await read_until(process, "Ctrl-C stops everything")
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait)
        process.stdout.close()


async def run_second_stack(directory: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run another stack in the same directory, on ports of its own or those of ``variables``."""
    variables = {**list_variables(Ports.any_free()), **variables}
    return await asyncio.to_thread(
        subprocess.run,
        [*UP, "--directory", str(directory / "state")],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
    )


async def release_by_http(namespace: str) -> None:
    """Start a release by the HTTP API, and wait for its end."""
    ended = f"{namespace}/workflows/by-http/history?waitNewEvent=true"
    ended += "&historyEventFilterType=HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT"
    async with aiohttp.ClientSession() as session:
        async with session.post(f"{namespace}/workflows/by-http", json=RELEASE) as answer:
            assert answer.status == 200, await answer.text()

        async def read_end() -> list[Any]:
            async with session.get(ended) as answer:
                found: list[Any] = (await answer.json(content_type=None))["history"].get(
                    "events", []
                )
                return found

        [event] = await wait_until(read_end, 120)
    assert event["eventType"] == "EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED", event


async def read_live_version(ports: Ports) -> str:
    async with sample.Clients.connect(f"http://127.0.0.1:{ports.awslambda}") as clients:
        alias = await clients.awslambda.get_alias(FunctionName=sample.FUNCTION, Name=sample.ALIAS)
    return str(alias["FunctionVersion"])


def find_worker(process: subprocess.Popen[str]) -> int:
    """Find the worker of a running stack."""
    [worker] = [
        pid
        for pid in list_children(process.pid)
        if "worker.py" in Path(f"/proc/{pid}/cmdline").read_text()
    ]
    return worker


async def test_stack_starts_all_its_processes_and_stops_them(tmp_path: Path) -> None:
    ports = Ports.any_free()
    async with run_up(tmp_path, ports) as (process, output):
        ui_url, http_url = f"http://127.0.0.1:{ports.ui}", f"http://127.0.0.1:{ports.http}"
        assert ui_url in output
        assert f"{http_url}/api/v1/namespaces/default" in output
        assert "starting empty …" in output
        children = list_children(process.pid)
        assert len(children) == 3
        processes = children + [pid for child in children for pid in list_children(child)]
        second = asyncio.create_task(run_second_stack(tmp_path))
        async with aiohttp.ClientSession() as session:
            for url in (f"{ui_url}/", f"{http_url}/api/v1/namespaces/default"):
                async with session.get(url) as page:
                    assert page.status == 200
        async with sample.Clients.connect(f"http://127.0.0.1:{ports.awslambda}") as clients:
            assert await read_live_version(ports) == "1"
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
        assert process.stdout is not None
        assert "KEEP=1 make up goes on from here" in process.stdout.read()
    assert not [pid for pid in processes if is_alive(pid)]
    assert [one.name for one in tmp_path.iterdir()] == ["state"]
    ports.check_free()


@dataclass(frozen=True)
class EndedRun:
    """A stack whose worker was killed, before a release, and which was then stopped."""

    directory: Path
    killed: int
    started: int
    output: str


@pytest.fixture(scope="module")
async def ended_run(tmp_path_factory: pytest.TempPathFactory) -> EndedRun:
    directory, ports = tmp_path_factory.mktemp("ended"), Ports.any_free()
    async with run_up(directory, ports) as (process, welcome):
        killed = find_worker(process)
        os.kill(killed, signal.SIGKILL)
        restart = await read_until(process, "the worker serves again")
        started = find_worker(process)
        await release_by_http(f"http://127.0.0.1:{ports.http}/api/v1/namespaces/default")
        assert await read_live_version(ports) == "2"
    return EndedRun(directory, killed, started, welcome + restart)


async def test_worker_that_is_killed_is_started_again(ended_run: EndedRun) -> None:
    assert f"pid {ended_run.killed}; kill -9 it" in ended_run.output
    assert f"the worker (pid {ended_run.killed}) was ended by SIGKILL" in ended_run.output
    assert f"the worker serves again: pid {ended_run.started}" in ended_run.output


async def test_next_stack_says_that_it_begins_empty(ended_run: EndedRun) -> None:
    taken = Ports.any_free().http
    with socket.create_server(("127.0.0.1", taken)):
        refused = await run_second_stack(ended_run.directory, RELEASES_LOCAL_HTTP_PORT=str(taken))
    assert refused.stdout.startswith("starting empty, without what the last time left (KEEP=1 ")
    assert "set RELEASES_LOCAL_HTTP_PORT or --http-port to another port" in refused.stderr


async def test_state_is_kept_for_the_next_stack(ended_run: EndedRun) -> None:
    ports = Ports.any_free()
    async with run_up(ended_run.directory, ports, "--keep") as (process, output):
        assert "starting with the histories and the local AWS of last time" in output
        assert await read_live_version(ports) == "2"
        url = f"http://127.0.0.1:{ports.http}/api/v1/namespaces/default/workflows/by-http"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            description = await answer.json(content_type=None)
        status = description["workflowExecutionInfo"]["status"]
        assert status == "WORKFLOW_EXECUTION_STATUS_COMPLETED"
        # Stopping and naming the process that exited is a fact of its own, and a stack less here.
        children = list_children(process.pid)
        [local_lambda] = [
            pid for pid in children if "awslambda" in Path(f"/proc/{pid}/cmdline").read_text()
        ]
        os.kill(local_lambda, signal.SIGKILL)
        assert process.stdout is not None
        rest = await asyncio.to_thread(process.stdout.read)
        assert f"the local Lambda (pid {local_lambda}) was ended by SIGKILL" in rest
        assert await asyncio.to_thread(process.wait, 60) == 1
    await wait_until_dead(*children)

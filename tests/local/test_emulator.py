"""The local Lambda as a process: its start, its end, and what it keeps."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import aiohttp
import pytest

from deploy.local.emulator import ROOT, LocalLambda
from deploy.local.processes import ProcessError
from tests.local.harness import (
    FAIL,
    IGNORING_SIGINT,
    LocalHarness,
    build_package,
    is_alive,
    list_children,
    open_clients,
    wait_until,
    wait_until_dead,
)

COMMAND = [sys.executable, "-m", "deploy.local.awslambda"]
SLEEP = """
import time

def handler(event, context):
    time.sleep(60)
"""
PARENT = """
import asyncio
from deploy.local.emulator import LocalLambda

async def main():
    async with LocalLambda.start() as aws:
        print(aws.process.pid, flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""
WITHOUT_EXECUTE = """
import ministack.services.lambda_svc as lambda_service
del lambda_service._execute_function
import sys
from deploy.local.awslambda.__main__ import main
sys.argv[1:] = ["--port", "0"]
sys.exit(main())
"""


async def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(
        subprocess.run,
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )


async def test_server_listens_on_loopback_only() -> None:
    async with LocalLambda.start() as aws, aiohttp.ClientSession() as session:
        assert aws.endpoint_url.startswith("http://127.0.0.1:")
        async with session.get(f"{aws.endpoint_url}/_ministack/health") as response:
            assert response.status == 200
        listed = subprocess.run(["ss", "-ltnp"], capture_output=True, text=True, check=False)
        addresses = [
            line.split()[3]
            for line in listed.stdout.splitlines()
            if f"pid={aws.process.pid}," in line
        ]
        # Empty where ss is not allowed to read process ids.
        assert addresses in ([], [aws.endpoint_url.removeprefix("http://")])


async def test_processes_and_files_are_gone_when_the_block_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    async with LocalLambda.start(settle=0.05) as aws, open_clients(aws.endpoint_url) as clients:
        harness = await LocalHarness.connect(clients)
        name = await harness.create_function()
        await harness.invoke(name)
        server = aws.process.pid
        workers = list_children(server)
        assert workers
        assert list(tmp_path.rglob("ministack-lambda-*"))
    assert not is_alive(server)
    await wait_until_dead(*workers)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "prefix"),
    [(signal.SIGTERM, []), (signal.SIGINT, []), (signal.SIGINT, IGNORING_SIGINT)],
    ids=["SIGTERM", "SIGINT", "SIGINT, ignored by inheritance"],
)
async def test_signal_ends_the_server_with_its_processes_and_files(
    tmp_path: Path, number: signal.Signals, prefix: list[str]
) -> None:
    process = subprocess.Popen(
        [*prefix, *COMMAND, "--port", "0", "--settle", "0.05"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout:
        url = (await asyncio.to_thread(process.stdout.readline)).split()[1]
        async with open_clients(url) as clients:
            harness = await LocalHarness.connect(clients)
            name = await harness.create_function(SLEEP, Timeout=60)
            await harness.invoke(name, InvocationType="Event")

            async def find_workers() -> list[int]:
                return list_children(process.pid)

            workers = await wait_until(find_workers)
        process.send_signal(number)
        assert await asyncio.to_thread(process.wait, 50) == 0
    await wait_until_dead(*workers)
    assert list(tmp_path.iterdir()) == []


async def test_server_ends_with_its_parent(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    with parent.stdout:
        server = int(await asyncio.to_thread(parent.stdout.readline))
        assert is_alive(server)
        parent.kill()
        parent.wait()
        await wait_until_dead(server)
    assert list(tmp_path.iterdir()) == []


async def test_port_in_use_is_reported_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        exited = await run(*COMMAND, "--port", str(port))
        assert (exited.returncode, exited.stdout) == (2, "")
        assert exited.stderr == (
            f"127.0.0.1:{port} cannot be used (Address already in use): "
            "choose another port with --port\n"
        )
        with pytest.raises(ProcessError, match="choose another port"):
            async with LocalLambda.start(port):
                pass


async def test_ministack_of_another_version_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "ministack-1.5.34.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: ministack\nVersion: 1.5.34\n")
    exited = await run(*COMMAND, "--port", "0", PYTHONPATH=str(tmp_path))
    assert exited.returncode == 3
    assert exited.stderr == (
        "ministack 1.5.34 is installed: the local Lambda needs ministack==1.5.33\n"
    )


async def test_ministack_without_a_replaced_name_is_refused() -> None:
    exited = await run(sys.executable, "-c", WITHOUT_EXECUTE)
    assert exited.returncode == 3
    assert "has no services.lambda_svc._execute_function" in exited.stderr


async def test_state_is_kept_where_a_directory_is_given_for_it(tmp_path: Path) -> None:
    state = tmp_path / "state"
    async with (
        LocalLambda.start(settle=0.3, state=state) as aws,
        open_clients(aws.endpoint_url) as clients,
    ):
        harness = await LocalHarness.connect(clients)
        name = await harness.create_function(versions=1)
        await harness.client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
        await (await clients.get("s3")).create_bucket(Bucket="kept")
        # The server is stopped before this has settled.
        await harness.client.update_function_code(
            FunctionName=name, ZipFile=build_package(FAIL), Publish=True
        )
    async with LocalLambda.start(state=state) as aws, open_clients(aws.endpoint_url) as clients:
        harness = await LocalHarness.connect(clients)
        response, _ = await harness.invoke(name, Qualifier="live")
        assert response["ExecutedVersion"] == "1"
        assert (await harness.read_latest(name))["LastUpdateStatus"] == "Successful"
        second = await harness.client.get_function_configuration(FunctionName=name, Qualifier="2")
        assert second["State"] == "Active"
        buckets = (await (await clients.get("s3")).list_buckets())["Buckets"]
        assert [one["Name"] for one in buckets] == ["kept"]
    async with LocalLambda.start() as aws, open_clients(aws.endpoint_url) as clients:
        assert (await (await clients.get("lambda")).list_functions())["Functions"] == []

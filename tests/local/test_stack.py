"""The local stack as a whole: what it brings up, and that nothing of it stays."""

import asyncio
import os
import signal
import socket
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
from deploy.local.processes import ProcessError
from tests.local.harness import wait_until
from tests.local.test_emulator import alive, children


@asynccontextmanager
async def up(directory: Path, ports: Ports) -> AsyncIterator[tuple["subprocess.Popen[str]", str]]:
    """``make up`` on other ports, and what it says once it is up."""
    chosen = {
        "RELEASES_LOCAL_TEMPORAL_PORT": str(ports.temporal),
        "RELEASES_LOCAL_UI_PORT": str(ports.ui),
        "RELEASES_LOCAL_LAMBDA_PORT": str(ports.awslambda),
        "TMPDIR": str(directory),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "deploy.local", "up", "--directory", str(directory / "state")],
        cwd=ROOT,
        env={**os.environ, **chosen},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    said = ""
    try:
        while "Ctrl-C stops everything" not in said:
            line = await asyncio.to_thread(process.stdout.readline)
            assert line, said
            said += line
        yield process, said
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


async def test_it_brings_everything_up_and_takes_everything_down(tmp_path: Path) -> None:
    ports = Ports.any_free()
    async with up(tmp_path, ports) as (process, said):
        assert f"http://127.0.0.1:{ports.ui}" in said
        parts = children(process.pid)
        assert len(parts) == 3
        everything = parts + [pid for part in parts for pid in children(part)]
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{ports.ui}/") as page,
        ):
            assert page.status == 200
        async with sample.Clients.connect(f"http://127.0.0.1:{ports.awslambda}") as clients:
            alias = await clients.awslambda.get_alias(
                FunctionName=sample.FUNCTION, Name=sample.ALIAS
            )
            assert alias["FunctionVersion"] == "1"
            for key in (sample.GOOD, sample.BROKEN):
                await clients.s3.head_object(Bucket=sample.BUCKET, Key=key)
            async with traffic.run_traffic(clients, rate=40) as tally:

                async def flows() -> bool:
                    return tally.responses["1"] >= 20

                await wait_until(flows)
            assert not tally.failed
            [alarm] = (await clients.cloudwatch.describe_alarms(AlarmNames=[sample.ALARM]))[
                "MetricAlarms"
            ]
            assert alarm["StateValue"] == "OK"
        second = [
            sys.executable,
            "-m",
            "deploy.local",
            "up",
            "--directory",
            str(tmp_path / "state"),
        ]
        free = Ports.any_free()
        second += [
            "--temporal-port",
            str(free.temporal),
            "--ui-port",
            str(free.ui),
            "--lambda-port",
            str(free.awslambda),
        ]
        refused = await asyncio.to_thread(
            subprocess.run, second, cwd=ROOT, capture_output=True, text=True
        )
        assert refused.returncode == 1
        assert "another local stack runs in" in refused.stderr
        process.send_signal(signal.SIGINT)
        assert await asyncio.to_thread(process.wait, 30) == 0
    assert not [pid for pid in everything if alive(pid)]
    assert [one.name for one in tmp_path.iterdir()] == ["state"]
    ports.check_free()


async def test_when_a_part_ends_the_stack_says_which_and_ends(tmp_path: Path) -> None:
    async with up(tmp_path, Ports.any_free()) as (process, _):
        parts = children(process.pid)
        [lambda_] = [
            pid for pid in parts if "awslambda" in Path(f"/proc/{pid}/cmdline").read_text()
        ]
        os.kill(lambda_, signal.SIGKILL)
        assert process.stdout is not None
        rest = await asyncio.to_thread(process.stdout.read)
        assert "the local Lambda exited by itself" in rest
        assert await asyncio.to_thread(process.wait, 30) == 1
    assert not [pid for pid in parts if alive(pid)]


def test_a_taken_port_is_named_with_what_to_set() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            ProcessError,
            match=rf"port {port} for Temporal's Web UI cannot be used .*: set RELEASES_LOCAL_UI_PORT or --ui-port",
        ):
            Ports(temporal=Ports.any_free().temporal, ui=port).check_free()


def test_ports_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELEASES_LOCAL_LAMBDA_PORT", "4567")
    monkeypatch.delenv("RELEASES_LOCAL_UI_PORT", raising=False)
    assert Ports.from_environment() == Ports(temporal=7233, ui=8233, awslambda=4567)
    monkeypatch.setenv("RELEASES_LOCAL_UI_PORT", "many")
    with pytest.raises(ProcessError, match="RELEASES_LOCAL_UI_PORT"):
        Ports.from_environment()


def test_a_package_is_the_same_bytes_every_time() -> None:
    assert sample.build_package("good") == sample.build_package("good")
    assert sample.build_package("good") != sample.build_package("broken")


def test_a_tally_says_what_came_back_since() -> None:
    tally = traffic.Tally()
    tally.responses.update({"1": 9})
    before = tally.copy()
    tally.responses.update({"1": 3, "2": 1})
    tally.failed.update({"2": 1})
    assert tally.get_share("2") == pytest.approx(1 / 13)
    assert str(tally.since(before)) == "version 1: 3, version 2: 1 (1 failed)"

"""Start and stop the local Lambda: it leaves nothing behind, in whatever way it ends."""

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
from tests.local.harness import FAIL, LocalHarness, build_package, open_clients, wait_until


def alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def children(pid: int) -> list[int]:
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    ).stdout
    return [int(one) for one in listed.split()]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "deploy.local.awslambda", *arguments]


async def test_it_listens_on_this_machine_only_and_says_when_it_is_ready() -> None:
    async with LocalLambda.start() as aws, aiohttp.ClientSession() as session:
        assert aws.endpoint_url.startswith("http://127.0.0.1:")
        async with session.get(f"{aws.endpoint_url}/_ministack/health") as answer:
            assert answer.status == 200
        listening = subprocess.run(
            ["ss", "-ltnp"], capture_output=True, text=True, check=False
        ).stdout
        ours = [
            line.split()[3] for line in listening.splitlines() if f"pid={aws.process.pid}," in line
        ]
        assert ours in ([], [aws.endpoint_url.removeprefix("http://")])  # [] where ss is absent


async def test_nothing_is_left_when_the_block_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    async with LocalLambda.start(settle=0.05) as aws, open_clients(aws.endpoint_url) as made:
        harness = await LocalHarness.of(made)
        name = await harness.function()
        await harness.invoke(name)
        server = aws.process.pid
        workers = children(server)
        assert workers
        assert list(tmp_path.rglob("ministack-lambda-*"))
    assert not [pid for pid in (server, *workers) if alive(pid)]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_with_everything_it_made(
    tmp_path: Path, number: signal.Signals
) -> None:
    process = subprocess.Popen(
        command("--port", "0", "--settle", "0.05"),
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout:
        url = process.stdout.readline().split()[1]
        async with open_clients(url) as made:
            harness = await LocalHarness.of(made)
            name = await harness.function(
                "import time\ndef handler(event, context):\n    time.sleep(60)\n", Timeout=60
            )
            await harness.invoke(name, InvocationType="Event")

            async def busy() -> list[int]:
                return children(process.pid)

            workers = await wait_until(busy)
        process.send_signal(number)
        assert await asyncio.to_thread(process.wait, 5) == 0
    assert not [pid for pid in workers if alive(pid)]
    assert list(tmp_path.iterdir()) == []


async def test_it_dies_with_whoever_started_it(tmp_path: Path) -> None:
    starter = (
        "import asyncio\n"
        "from deploy.local.emulator import LocalLambda\n"
        "async def main():\n"
        "    async with LocalLambda.start() as aws:\n"
        "        print(aws.process.pid, flush=True)\n"
        "        await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", starter],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    with parent.stdout:
        child = int(parent.stdout.readline())
        assert alive(child)
        parent.kill()
        parent.wait()

        async def gone() -> bool:
            return not alive(child)

        await wait_until(gone, 5)
    assert list(tmp_path.iterdir()) == []


async def test_a_taken_port_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = await asyncio.to_thread(
            subprocess.run, command("--port", str(port)), cwd=ROOT, capture_output=True, text=True
        )
        assert (ended.returncode, ended.stdout) == (2, "")
        assert (
            ended.stderr
            == f"127.0.0.1:{port} cannot be used (Address already in use): choose another port with --port\n"
        )
        with pytest.raises(ProcessError, match="choose another port"):
            async with LocalLambda.start(port):
                pass


async def test_another_ministack_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "ministack-1.5.34.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: ministack\nVersion: 1.5.34\n")
    ended = await asyncio.to_thread(
        subprocess.run,
        command("--port", "0"),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 3
    assert (
        ended.stderr
        == "ministack 1.5.34 is installed: the local Lambda needs ministack==1.5.33\n"
    )


async def test_a_ministack_that_lacks_what_is_replaced_is_refused() -> None:
    lacking = (
        "import ministack.services.lambda_svc as upstream\n"
        "del upstream._execute_function\n"
        "import sys\n"
        "from deploy.local.awslambda.__main__ import main\n"
        "sys.argv[1:] = ['--port', '0']\n"
        "sys.exit(main())\n"
    )
    ended = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", lacking], cwd=ROOT, capture_output=True, text=True
    )
    assert ended.returncode == 3
    assert "has no services.lambda_svc._execute_function" in ended.stderr


async def test_nothing_is_kept_unless_asked_and_everything_is_when_asked(tmp_path: Path) -> None:
    async with (
        LocalLambda.start(settle=0.3, state=tmp_path / "kept") as aws,
        open_clients(aws.endpoint_url) as made,
    ):
        harness = await LocalHarness.of(made)
        name = await harness.function(versions=1)
        await harness.client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
        await (await made.of("s3")).create_bucket(Bucket="kept")
        await harness.client.update_function_code(
            FunctionName=name, ZipFile=build_package(FAIL), Publish=True
        )  # and end before it has settled
    async with (
        LocalLambda.start(state=tmp_path / "kept") as aws,
        open_clients(aws.endpoint_url) as made,
    ):
        harness = await LocalHarness.of(made)
        answer, _ = await harness.invoke(name, Qualifier="live")
        assert answer["ExecutedVersion"] == "1"
        assert (await harness.latest(name))["LastUpdateStatus"] == "Successful"
        assert (await harness.client.get_function_configuration(FunctionName=name, Qualifier="2"))[
            "State"
        ] == "Active"
        assert [one["Name"] for one in (await (await made.of("s3")).list_buckets())["Buckets"]] == [
            "kept"
        ]
    async with LocalLambda.start() as aws, open_clients(aws.endpoint_url) as made:
        assert (await (await made.of("lambda")).list_functions())["Functions"] == []

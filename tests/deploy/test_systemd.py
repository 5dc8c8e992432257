"""The unit of systemd: verified, rated, and its command run under its filter of system calls."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from deploy.local.ports import Ports
from deploy.local.processes import Process
from deploy.local.stack import Stack
from tests.deploy import unit_filter
from tests.deploy.test_chart import ask, clean_environment
from tests.deploy.toolbox import Tools
from tests.test_docs import code_lines

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / "deploy" / "systemd"
UNIT: Final = FOLDER / "releases-worker.service"
PAGE: Final = ROOT / "docs" / "install-machine.md"
UV: Final = Path(sys.executable).parent / "uv"
FILTER: Final = Path(unit_filter.__file__)
MOST_EXPOSURE: Final = 1.3
"""Of ten, as ``systemd-analyze security`` counts."""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory on which the commands of the page were run as on a machine.

    By uv in place of pip, which takes twenty seconds longer, and without what needs a running
    systemd.
    """
    directory = tmp_path_factory.mktemp("machine")
    units = directory / "usr" / "lib" / "systemd" / "system"
    shutil.copytree("/usr/lib/systemd/system", units, symlinks=True)
    for command in list_install_commands():
        translated = [translate(word, directory) for word in shlex.split(command)]
        if translated[0].endswith("/pip"):
            python = directory / "opt" / "lambda-releases" / "bin" / "python"
            translated = [str(UV), "pip", *translated[1:], "--quiet", "--python", str(python)]
        if translated[0].startswith("systemd-") or translated[0] == "systemctl":
            translated.insert(1, f"--root={directory}")
        done = subprocess.run(translated, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"
    return directory


def list_install_commands() -> Iterator[str]:
    """Those of the page from the first one to the one that has systemd start it."""
    for line in code_lines(PAGE):
        if line.startswith("systemctl start"):
            return
        if "--group lambda-releases" not in line:  # a user that this machine does not have
            yield line


def translate(word: str, directory: Path) -> str:
    return re.sub(r"^/(?=opt/|etc/)", f"{directory}/", word)


def verify(tools: Tools, directory: Path) -> str:
    """What systemd has against the unit; it exits with 0 where it knows a key not."""
    arguments = ("verify", f"--root={directory}", "--man=no", "--recursive-errors=no")
    unit = "/etc/systemd/system/releases-worker.service"
    done = tools.run("systemd-analyze", *arguments, unit, check=False)
    return done.stderr or ("" if done.returncode == 0 else f"status {done.returncode}")


def rate(tools: Tools, unit: Path) -> float:
    """How exposed a unit is, of ten."""
    done = tools.run("systemd-analyze", "security", "--offline=true", "--no-pager", unit)
    found = re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)
    assert found, done.stdout
    return float(found[1])


def test_unit_of_the_page_is_verified_without_a_word(tools: Tools, machine: Path) -> None:
    assert verify(tools, machine) == ""
    wanted = machine / "etc" / "systemd" / "system" / "multi-user.target.wants"
    assert [path.name for path in wanted.iterdir()] == ["releases-worker.service"]


def test_user_of_the_unit_is_made(machine: Path) -> None:
    users = (machine / "etc" / "passwd").read_text()
    [user] = unit_filter.read_unit(UNIT)["User"]
    assert re.search(rf"^{user}:x:\d+:\d+:.*:/nonexistent:\S+nologin$", users, re.MULTILINE)


def test_unit_is_fenced_in(tools: Tools) -> None:
    assert rate(tools, UNIT) <= MOST_EXPOSURE


MISTAKES: Final = {
    "key": ("ProtectClock=yes", "ProtectClocks=yes"),
    "value": ("KillMode=mixed", "KillMode=gentle"),
    "section": ("[Service]", "[Servce]"),
    "command": ("bin/releases-worker", "bin/release-worker"),
    "duration": ("TimeoutStopSec=920", "TimeoutStopSec=15 moments"),
    "system call": ("~@privileged", "~@privilege"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_in_the_unit_are_found(
    tools: Tools, machine: Path, tmp_path: Path, mistake: str
) -> None:
    right, wrong = MISTAKES[mistake]
    copy = tmp_path / "machine"
    shutil.copytree(machine / "usr", copy / "usr", symlinks=True)
    (copy / "etc" / "systemd" / "system").mkdir(parents=True)
    program = copy / "opt" / "lambda-releases" / "bin" / "releases-worker"
    program.parent.mkdir(parents=True)
    shutil.copy("/bin/true", program)
    unit = copy / "etc" / "systemd" / "system" / UNIT.name
    shutil.copy(UNIT, unit)
    assert verify(tools, copy) == ""
    assert right in unit.read_text()
    unit.write_text(unit.read_text().replace(right, wrong))
    assert verify(tools, copy) != ""


@pytest.mark.parametrize(
    "directive", ["ProtectSystem=strict", "CapabilityBoundingSet=", "NoNewPrivileges=yes"]
)
def test_unit_without_a_fence_is_rated_worse(tools: Tools, tmp_path: Path, directive: str) -> None:
    unit = tmp_path / UNIT.name
    lines = UNIT.read_text().splitlines()
    assert directive in lines
    unit.write_text("\n".join(line for line in lines if line != directive) + "\n")
    assert rate(tools, unit) > MOST_EXPOSURE


def test_unit_waits_for_the_grace_and_a_margin() -> None:
    [seconds] = unit_filter.read_unit(UNIT)["TimeoutStopSec"]
    assert read_settings(FOLDER / "worker.env")["RELEASES_GRACE"] == "15m"
    assert int(seconds) == 15 * 60 + 20


def read_settings(path: Path) -> dict[str, str]:
    """An EnvironmentFile= of lines without quotes."""
    lines = path.read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_settings_in_comments_exist() -> None:
    text = (FOLDER / "worker.env").read_text()
    source = "".join(
        (ROOT / file).read_text()
        for file in ("worker.py", "workflows/temporal/connection_settings.py")
    )
    for name in re.findall(r"^#?(RELEASES_\w+|TEMPORAL_TLS_\w+)=", text, re.MULTILINE):
        assert f'"{name}"' in source, name


async def test_command_runs_under_the_filter_of_the_unit(
    machine: Path, local_stack: Stack, tmp_path: Path
) -> None:
    """With the settings of the page, without capabilities, until SIGTERM."""
    port = Ports.any_free().ui
    [command] = unit_filter.read_unit(UNIT)["ExecStart"]
    settings = {
        **read_settings(machine / "etc" / "lambda-releases" / "worker.env"),
        "TEMPORAL_ADDRESS": local_stack.address,
        "RELEASES_METRICS": f"127.0.0.1:{port}",
        "RELEASES_TASK_QUEUE": "machine",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": local_stack.aws.endpoint_url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    worker = Process.start(
        "worker",
        [sys.executable, str(FILTER), str(UNIT), translate(command, machine)],
        environment={**clean_environment(), **settings},
        directory=Path("/"),
        log=tmp_path / "worker.log",
        stop_timeout=120,
    )
    try:
        async with asyncio.timeout(120):
            while (await ask(f"http://127.0.0.1:{port}/readyz"))[0] != 200:
                assert not worker.has_exited, (tmp_path / "worker.log").read_text()
                await asyncio.sleep(0.1)
        status = Path(f"/proc/{worker.pid}/status").read_text()
        assert re.search(r"^Seccomp:\t2$", status, re.MULTILINE)
        assert re.search(r"^CapEff:\t0+$", status, re.MULTILINE)
        doctor = subprocess.run(
            [machine / "opt/lambda-releases/bin/releases", "doctor", "-o", "json"],
            env={**clean_environment(), **settings},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert doctor.returncode == 0, doctor.stdout
        assert "failed" not in {each["state"] for each in json.loads(doctor.stdout)}
    finally:
        await worker.stop()
    assert worker.popen.returncode == 0, (tmp_path / "worker.log").read_text()


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("import os; os.setuid(65534)", "Operation not permitted"),
        ("import socket; socket.socket(socket.AF_PACKET)", "not supported by protocol"),
        ("import mmap; mmap.mmap(-1, 4096, prot=7)", "Operation not permitted"),
        ("import os; os.sched_setaffinity(0, {0})", "Operation not permitted"),
    ],
)
def test_filter_of_the_unit_refuses(code: str, error: str) -> None:
    done = subprocess.run(
        [sys.executable, FILTER, UNIT, sys.executable, "-c", code],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, error in done.stderr) == (1, True), done.stderr

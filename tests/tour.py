"""Records ``docs/tour.md``, a session at 80 columns: ``python -m tests.tour``.

Every command is run as a person types it: on a real Temporal server, over an AWS in memory. A test
runs the session again and compares it, so that what the page shows is what the commands print now.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from temporalio.testing import WorkflowEnvironment
from typer.testing import CliRunner

from tests.fake_lambda import FakeLambda
from tests.harness import QUEUE, TEMPORAL_CLI, Worker, list_operations
from workflows import search_attributes
from workflows.cli import app
from workflows.client import ReleaseClient
from workflows.client.errors import ReleaseClientError
from workflows.temporal.plugin import LambdaReleases

PAGE: Final = Path(__file__).parent.parent / "docs" / "tour.md"
COMMAND: Final = "python -m tests.tour"

_FUNCTION: Final = "checkout"
_ALARM: Final = "checkout-errors"
_PACKAGE: Final = "s3://artifacts/checkout/42.zip"
_NEXT: Final = "s3://artifacts/checkout/44.zip"
_NIGHTLY: Final = "s3://artifacts/checkout/45.zip"
_BROKEN: Final = "s3://artifacts/checkout/43.zip"
_FILE: Final = "release.yaml"
_RELEASE: Final = """\
target: {function: checkout, alias: live}
artifact: {kind: s3, bucket: artifacts, key: checkout/42.zip}
strategy:
  steps:
    - {kind: set_weight, percent: 10}
    - {kind: approval}
guards: {alarms: [checkout-errors]}
"""
_LAUNCH: Final = (
    f"releases schedule create launch checkout --s3 {_NIGHTLY} --alarm {_ALARM} "
    "--at 2099-12-01T17:00 --time-zone Europe/Berlin --reason 'the launch'"
)
_NOWHERE: Final = (
    "releases schedule create nowhere checkout --s3 s3://artifacts/99.zip --calendar "
    '\'{"year": "2099", "month": "12", "dayOfMonth": "1-3", "hour": "9"}\''
)
_WIDTH: Final = 80
_SOON: Final = 60
"""Seconds for a release to get somewhere, on a machine that is busy."""

_VARIABLE: Final = (
    (r"(?<!\d)20(?!99)\d\d-\d\d-\d\d(T|\sat\s|\s)\d\d:\d\d(:\d\d)?(\.\d+)?", "TIME"),
    (r"(?<!\d)20(?!99)\d\d-\d\d-\d\d", "DAY"),
    (r"(?<![\d:])\d\d:\d\d:\d\d", "TIME"),
    (r"20\d{6}-\d{6}-[0-9a-f]{4}", "NUMBER"),
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "RUN"),
    (r"(\d+ min )?\d+ s\b", "DURATION"),
    (r"\d+@[\w.-]+", "WORKER"),
    (r"temporal-python \S+,\s", ""),  # once Temporal lists the worker, not only its poll
    (r"\n\s+Rollout lambda:\S+", ""),  # not of a rollback that is over that soon
)
"""What differs between two sessions, and where lines break for that reason."""


@dataclass(frozen=True)
class Chapter:
    """A heading, a few words, and commands; before one, what happens meanwhile."""

    title: str
    text: str
    steps: Sequence[str | Callable[[Session], Any]]


class Session:
    """Runs commands against one server, and writes down what they print."""

    def __init__(self, env: WorkflowEnvironment, aws: FakeLambda) -> None:
        self.aws = aws
        self._releases = ReleaseClient(env.client)
        self._environment = {
            "TEMPORAL_ADDRESS": env.client.service_client.config.target_host,
            "LOGNAME": "ana",
            "COLUMNS": "80",
            "TERM": "dumb",  # no colours, and nothing is redrawn
            "TTY_COMPATIBLE": "1",
            "TZ": "UTC",
        }

    async def run(self, line: str) -> str:
        """Run a command, and return what it prints, with its exit status if that is not 0."""
        command, _, filter_ = line.partition(" | ")
        if command.startswith("cat "):
            return _RELEASE.rstrip()
        *variables, _, words = re.split(r"(^|\s)releases ", command, maxsplit=1)
        environment = {**self._environment, **dict(one.split("=") for one in variables if one)}
        if filter_:
            del environment["TTY_COMPATIBLE"]
        result = await asyncio.to_thread(
            CliRunner().invoke, app, shlex.split(words), env=environment
        )
        output = result.output
        if filter_:
            output = await asyncio.to_thread(_filter_output, filter_, output)
        address = self._environment["TEMPORAL_ADDRESS"]
        status = f"\n[exit status {result.exit_code}]" if result.exit_code else ""
        return f"{output.replace(address, 'localhost:7233').rstrip()}{status}"

    async def wait_for(self, phase: str) -> None:
        """Wait until the release is in a phase."""
        async with asyncio.timeout(_SOON):
            while True:
                with contextlib.suppress(ReleaseClientError):
                    if (await self._releases.status(_FUNCTION)).phase == phase:
                        return
                await asyncio.sleep(0.05)


def _filter_output(filter_: str, output: str) -> str:
    return subprocess.run(
        shlex.split(filter_), input=output, capture_output=True, text=True, check=True
    ).stdout


def _wait_for(phase: str) -> Callable[[Session], Any]:
    return lambda session: session.wait_for(phase)


async def _break(session: Session) -> None:
    session.aws.alarms[_ALARM] = "ALARM"


async def _mend(session: Session) -> None:
    session.aws.alarms[_ALARM] = "OK"


CHAPTERS: Final = (
    Chapter(
        "A look around",
        "Nothing is changed by these.",
        (
            "releases --version",
            "releases doctor checkout",
            f"cat {_FILE}",
            f"releases plan -f {_FILE}",
        ),
    ),
    Chapter(
        "A good release",
        "Ten percent of the traffic, and a person who approves.",
        (
            f"releases start -f {_FILE} --reason 'PR 12'",
            _wait_for("awaiting_approval"),
            "releases status",
            "releases status checkout",
            "releases approve checkout --reason 'looks good'",
            _wait_for("succeeded"),
            "releases watch checkout",
            "releases status checkout",
        ),
    ),
    Chapter(
        "A broken release",
        "The alarm goes off while a tenth of the traffic is on the new version.",
        (
            f"releases start checkout --s3 {_BROKEN} --alarm {_ALARM} --by ci",
            _wait_for("baking"),
            f"releases start checkout --s3 {_PACKAGE}",
            "releases rollback checkout",
            _break,
            _wait_for("rolled_back"),
            "releases watch checkout",
            "releases explain checkout",
            _mend,
            f"releases start checkout --s3 {_BROKEN} --alarm {_ALARM}",
        ),
    ),
    Chapter(
        "Pause it, skip ahead, go back",
        "",
        (
            f"releases start checkout --s3 {_BROKEN} --again --reason 'it was the alarm'",
            _wait_for("baking"),
            "releases abort checkout --reason 'wrong build'",
            _wait_for("rolled_back"),
            f"releases start checkout --s3 {_NEXT} --alarm {_ALARM}",
            _wait_for("baking"),
            "releases pause checkout --reason 'p99 is up'",
            "releases status",
            "releases resume checkout --reason 'it was the database'",
            "releases promote checkout --reason 'incident 7'",
            _wait_for("succeeded"),
            "releases status checkout",
            "releases rollback checkout --reason 'incident 8' --wait",
            "releases history checkout",
            "releases history checkout --limit 3 | cut -f 2-4,7",
            'releases rejudge checkout --policy \'{"not_worse": [{"margin": 0.01}]}\'',
        ),
    ),
    Chapter(
        "At set times",
        "",
        (
            _LAUNCH,
            _NOWHERE,
            "releases schedule list",
            "releases schedule pause launch --reason 'not this year'",
            "releases schedule resume launch",
            "releases schedule trigger launch -o json",
            _wait_for("baking"),
            "releases schedule trigger launch",
            "releases schedule delete launch",
            "releases schedule delete nowhere",
            "releases abort checkout",
            _wait_for("rolled_back"),
        ),
    ),
    Chapter(
        "Wrong inputs",
        "Each is refused at once, and touches nothing.",
        (
            "releases start",
            "releases start checkout",
            "releases start checkout --s3 artifacts/42.zip",
            "releases start checkout --s3 s3://artifacts/checkout/24.zip",
            "releases start chekout --version 1",
            "releases start checkout --version 99",
            "releases start checkout --latest --strategy Canary10Percent5Minute",
            "releases start checkout --latest --strategy Cannary10Percent5Minutes",
            "releases start checkout --latest --set MemorySze=512 --set Timeout=ten",
            "releases start checkout --latest --hotfix",
            "releases start checkout --latest --alarm chekout-errors",
            "releases start -f nowhere.yaml",
            "releases strat checkout",
            "releases start checkout --latst",
            "releases status nosuch",
            "releases status -o jsn",
            "releases pause checkout",
            "releases give-up checkout",
            "releases resolve checkout overwrte",
            "releases rejudge checkout --policy nowhere.yaml",
            "releases schedule create never checkout --latest --cron nonsense",
            "releases schedule create never checkout --latest",
            "releases schedule create never checkout --latest --at 2020-01-01T00:00",
            "releases schedule pause nosuch",
            "TEMPORAL_ADDRESS=127.0.0.1:1 releases status",
        ),
    ),
)


async def record() -> str:
    """Run the session, and return the page."""
    lines = [
        "# A tour",
        "",
        "A session on a terminal of 80 columns, recorded by `tests/tour.py`. A test runs it again",
        "and compares it. Times, ids and durations are those of the recording.",
    ]
    async with _open_session() as session:
        for chapter in CHAPTERS:
            lines += ["", f"## {chapter.title}", ""]
            lines += [chapter.text, ""] if chapter.text else []
            blocks: list[str] = []
            for step in chapter.steps:
                if isinstance(step, str):
                    blocks.append(f"$ {_wrap_command(step)}\n{await session.run(step)}".rstrip())
                else:
                    await step(session)
            lines += [f"    {line}".rstrip() for line in "\n\n".join(blocks).splitlines()]
    return "\n".join(lines) + "\n"


def normalize(page: str) -> list[tuple[str, list[str]]]:
    """Return the commands of a page with the words of their outputs, in alphabetical order.

    Without what differs each time: times, ids, where lines break, what runs side by side.
    """
    blocks = re.split(r"(?m)^(?=    \$ |#)", page)
    for pattern, name in _VARIABLE:
        blocks = [re.sub(pattern, name, block) for block in blocks]
    return [
        (block.partition("\n")[0], sorted(word.strip(":").lower() for word in block.split()))
        for block in blocks
    ]


def _wrap_command(line: str) -> str:
    """Break a command before its flags, as a person types one that is long."""
    lines = [""]
    for part in re.split(r" (?=--)", line):
        if lines[-1] and len(f"$ {lines[-1]} {part} \\") > _WIDTH:
            lines[-1] += " \\"
            lines.append(f"    {part}")
        else:
            lines[-1] = f"{lines[-1]} {part}".lstrip(" ") if lines[-1].strip() else part
    return "\n".join(lines)


@contextlib.asynccontextmanager
async def _open_session() -> AsyncIterator[Session]:
    aws = FakeLambda()
    aws.create(_FUNCTION, "one", "two")
    aws.alarms[_ALARM] = "OK"
    queue = "arn:aws:sqs:eu-central-1:123456789012:orders"
    aws.apply("create_event_source_mapping", FunctionName=f"{_FUNCTION}:live", EventSourceArn=queue)
    for number in range(42, 46):
        aws.upload(f"checkout/{number}.zip", f"package {number}")
    with (
        _set_up_process(),
        tempfile.TemporaryDirectory() as directory,
        contextlib.chdir(directory),
    ):
        Path(_FILE).write_text(_RELEASE, encoding="utf-8")
        async with await WorkflowEnvironment.start_local(
            plugins=[LambdaReleases()],
            dev_server_existing_path=TEMPORAL_CLI,
            dev_server_log_level="error",
            search_attributes=search_attributes.KEYS,
        ) as env:
            worker = Worker(env.client, task_queue=QUEUE, activities=list_operations(aws))
            async with worker:
                yield Session(env, aws)


@contextlib.contextmanager
def _set_up_process() -> Iterator[None]:
    """Have times in UTC, and no log between the lines, as long as the session lasts."""
    zone = os.environ.get("TZ")
    logging.disable(logging.CRITICAL)
    os.environ["TZ"] = "UTC"
    time.tzset()
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
        os.environ.pop("TZ")
        if zone is not None:
            os.environ["TZ"] = zone
        time.tzset()


if __name__ == "__main__":
    PAGE.write_text(asyncio.run(record()), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")

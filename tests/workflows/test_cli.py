"""The command line: what is typed is understood, what comes back is said in words and in the exit status, and nothing ends in a traceback."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import itertools
import json
import os
import pty
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.testing import WorkflowEnvironment
from typer.testing import CliRunner, Result

from tests.harness import Harness
from workflows.cli import app
from workflows.cli.flags import Flags
from workflows.cli.release_file import build_document, parse_input
from workflows.client import ReleaseClient
from workflows.client.errors import BadRequest, NoSuchRelease
from workflows.request import ReleaseRequest

BINARY = Path(sys.executable).parent / "releases"
APPROVAL = '[{"kind": "set_weight", "percent": 10}, {"kind": "approval"}]'

_numbers = itertools.count(1)


class Shell:
    """Someone who types commands, against one server and one queue."""

    def __init__(self, address: str, queue: str) -> None:
        self.environment = {
            "TEMPORAL_ADDRESS": address, "RELEASES_TASK_QUEUE": queue, "LOGNAME": "ana", "COLUMNS": "120", "NO_COLOR": "1", "AWS_EC2_METADATA_DISABLED": "true",
        }  # fmt: skip

    async def __call__(
        self, *arguments: str, stdin: str | None = None, **environment: str
    ) -> Result:
        """Run a command in this process, beside the worker."""
        given = {**self.environment, **environment}
        result = await asyncio.to_thread(
            CliRunner().invoke, app, list(arguments), input=stdin, env=given
        )
        assert isinstance(result.exception, SystemExit | None), result.exception
        return result

    async def process(self, *arguments: str, **streams: Any) -> asyncio.subprocess.Process:
        """Run a command as users do."""
        pipes = {"stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.PIPE, **streams}
        return await asyncio.create_subprocess_exec(
            BINARY, *arguments, env={**os.environ, **self.environment}, **pipes
        )


@pytest.fixture
def shell(temporal: WorkflowEnvironment, harness: Harness) -> Shell:
    return Shell(temporal.client.service_client.config.target_host, harness.queue)


@pytest.fixture
def package(harness: Harness) -> str:
    harness.package("three[b]")
    return "s3://artifacts/three[b].zip"


async def waiting(shell: Shell, harness: Harness, package: str) -> None:
    """A release that waits for approval."""
    assert (
        await shell("start", harness.function, "--s3", package, "--strategy", APPROVAL)
    ).exit_code == 0
    releases = ReleaseClient(harness.client)
    async with asyncio.timeout(10):
        while True:
            with contextlib.suppress(NoSuchRelease):
                if (await releases.status(harness.function)).phase == "awaiting_approval":
                    return
            await asyncio.sleep(0.02)


def document(target: str | None = "checkout", **flags: Any) -> ReleaseRequest:
    return parse_input(build_document(Flags(**flags), target, by="ana"), ReleaseRequest)


def problems(target: str | None = "checkout", **flags: Any) -> tuple[str, ...]:
    with pytest.raises(BadRequest) as bad:
        document(target, **flags)
    return bad.value.problems


# --- help ----------------------------------------------------------------------------------------------------------------------


def test_help_names_every_command_exit_status_and_variable() -> None:
    said = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"}).stdout
    commands = "start status watch approve pause resume promote abort rollback history explain rejudge plan schedule"
    variables = "TEMPORAL_ADDRESS TEMPORAL_NAMESPACE TEMPORAL_PROFILE RELEASES_TASK_QUEUE"
    for word in [*commands.split(), *variables.split(), "0 succeeded", "4 not rolled back"]:
        assert word in said


def test_the_command_line_is_there_without_loading_botocore() -> None:
    code = "import sys, workflows.cli; print([name for name in sys.modules if 'botocore' in name])"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
        == "[]"
    )


def test_a_wrong_flag_is_a_usage_error() -> None:
    result = CliRunner().invoke(app, ["start", "checkout", "--bogus"])
    assert result.exit_code == 2
    assert "No such option" in result.stderr


# --- what to release -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "artifact"),
    [
        (
            {"s3": "s3://artifacts/a/b c?#.zip"},
            {"kind": "s3", "bucket": "artifacts", "key": "a/b c?#.zip"},
        ),
        (
            {"s3": "s3://artifacts/a.zip?versionId=x.1"},
            {"kind": "s3", "bucket": "artifacts", "key": "a.zip", "object_version": "x.1"},
        ),
        (
            {"image": "1.dkr.ecr.eu-west-1.amazonaws.com/a:1"},
            {"kind": "image", "uri": "1.dkr.ecr.eu-west-1.amazonaws.com/a:1"},
        ),
        ({"version": "7"}, {"kind": "version", "version": "7"}),
        ({"latest": True}, {"kind": "latest"}),
    ],
)
def test_each_artifact_has_its_flag(flags: dict[str, Any], artifact: dict[str, str]) -> None:
    assert document(**flags).model_dump(mode="json")["artifact"] == artifact


def test_settings_are_read_as_what_the_setting_is() -> None:
    request = document(
        settings=[
            "MemorySize=512",
            "Description=512",
            'Layers=["arn:aws:lambda:eu-west-1:123456789012:layer:a:1"]',
        ]
    )
    assert request.configuration is not None
    parameters = request.configuration.parameters()
    assert parameters["MemorySize"] == 512
    assert parameters["Description"] == "512"
    assert parameters["Layers"] == ["arn:aws:lambda:eu-west-1:123456789012:layer:a:1"]


def test_environment_variables_may_hold_any_text_and_equal_signs() -> None:
    request = document(environment=["URL=https://x/?a=b", "EMPTY="])
    assert request.configuration is not None
    assert request.configuration.parameters()["Environment"] == {
        "Variables": {"URL": "https://x/?a=b", "EMPTY": ""}
    }


def test_hooks_alarms_and_concurrency_have_flags() -> None:
    request = document(
        latest=True,
        before_traffic="pre",
        after_traffic="post",
        alarms=["a", "b"],
        reserved=9,
        provisioned=3,
        reason="PR 1",
        by="ben",
    )
    assert (request.hooks.before_traffic, request.hooks.after_traffic, request.guards.alarms) == (
        "pre",
        "post",
        ("a", "b"),
    )
    assert (request.concurrency.reserved, request.concurrency.provisioned) == (9, 3)
    assert (request.reason, request.requested_by) == ("PR 1", "ben")


def test_metrics_guard_by_flags_too_and_a_hotfix_says_why() -> None:
    rules = '{"not_worse": [{"margin": 0.01}], "limits": [{"metric": "duration_p99", "max": 800}]}'
    given = document(
        latest=True, metrics=rules, after="24h", alarms=["errors"], hotfix=True, reason="INC-7"
    )
    assert given.guards.metrics is not None
    assert (
        str(given.guards.metrics)
        == "error_rate not worse than stable's by 1 points, duration_p99 at most 800"
    )
    assert (given.guards.after, given.guards.alarms, given.hotfix) == (
        timedelta(days=1),
        ("errors",),
        True,
    )
    assert "reason: a hotfix must say why" in problems(latest=True, hotfix=True)[0]
    assert problems(latest=True, metrics="error_rate")[0].startswith("--metrics: not JSON")


@pytest.mark.parametrize("text", [APPROVAL, f'{{"steps": {APPROVAL}}}'])
def test_a_strategy_is_a_name_or_steps_as_json(text: str) -> None:
    assert str(document(latest=True, strategy=text).strategy) == "10%, approval, 100%"
    assert str(document(latest=True, strategy="AllAtOnce").strategy) == "100%"


@pytest.mark.parametrize("kind", ["json", "yaml"])
def test_a_file_is_the_input_of_the_workflow_and_flags_win_over_it(
    tmp_path: Path, kind: str
) -> None:
    given = {
        "target": {"function": "checkout", "alias": "beta"},
        "artifact": {"kind": "version", "version": "7"},
        "concurrency": {"reserved": 5, "provisioned": 2},
        "requested_by": "ci",
        "guards": {"alarms": ["a"]},
    }
    text = {"json": json.dumps(given, indent="\t"), "yaml": "# a release\n" + json.dumps(given)}[
        kind
    ]
    file = tmp_path / f"release.{kind}"
    file.write_text(text)
    assert document(None, file=file) == ReleaseRequest.model_validate(given)
    over = document("checkout:live", file=file, latest=True, provisioned=9, alarms=["b"])
    assert (str(over.target), over.requested_by, over.guards.alarms) == (
        "checkout:live",
        "ci",
        ("b",),
    )
    assert (over.concurrency.reserved, over.concurrency.provisioned) == (5, 9)
    assert str(over.artifact) == "$LATEST"


def test_every_problem_of_a_file_is_listed_with_its_path(tmp_path: Path) -> None:
    file = tmp_path / "release.yaml"
    file.write_text("""
        target: {function: check out}
        artifact: {kind: latest}
        strategy: {steps: [{kind: set_weight, percent: 140}]}
        requestedby: me
    """)
    found = problems(None, file=file)
    assert len(found) == 3
    assert any(problem.startswith("target.function: not a function's name") for problem in found)
    assert any(problem.startswith("strategy.steps.0.percent: ") for problem in found)
    assert any(problem.startswith("requestedby: ") for problem in found)


@pytest.mark.parametrize("text", ["- a list", "{not json", "a: [", ""])
def test_a_file_that_is_no_release_is_said_so(tmp_path: Path, text: str) -> None:
    file = tmp_path / "release"
    file.write_text(text)
    assert problems(None, file=file)[0].startswith(f"{file}: ")


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        (
            {"latest": True, "version": "7"},
            "artifact: --version and --latest are given: one of them is enough",
        ),
        (
            {"s3": "https://bucket/key"},
            "--s3: not of the form s3://bucket/key or s3://bucket/key?versionId=…",
        ),
        ({"settings": ["MemorySize"]}, "--set: MemorySize is not of the form NAME=VALUE"),
        ({"environment": ["=x"]}, "--env: nothing is not of the form NAME=VALUE"),
        ({"package": Path("a.zip")}, "--zip: name the --bucket that it is to be uploaded to"),
        ({"latest": True, "bucket": "b"}, "--bucket: is for --zip only"),
        ({}, "nothing to release: give an artifact, a configuration or both"),
        (
            {"file": Path("nowhere")},
            "nowhere: cannot be read: [Errno 2] No such file or directory: 'nowhere'",
        ),
    ],
)
def test_flags_that_mean_nothing_are_said_so(flags: dict[str, Any], problem: str) -> None:
    assert problem in problems(**flags)


# --- start, rollback, plan -----------------------------------------------------------------------------------------------------


async def test_start_returns_at_once_and_says_how_to_watch(
    shell: Shell, harness: Harness, package: str
) -> None:
    result = await shell(
        "start",
        harness.function,
        "--s3",
        package,
        "--strategy",
        "AllAtOnce",
        "--id",
        f"ci-{harness.function}",
    )
    assert result.exit_code == 0
    assert result.stdout == (
        f"Started ci-{harness.function}: {package} → {harness.function}:live (100%)\nWatch it:  releases watch ci-{harness.function}\n"
    )


async def test_start_waits_and_exits_with_0_when_all_traffic_has_moved(
    shell: Shell, harness: Harness, package: str
) -> None:
    result = await shell(
        "start", harness.function, "--s3", package, "--strategy", "AllAtOnce", "--wait"
    )
    assert (result.exit_code, result.stdout.splitlines()[1:]) == (
        0,
        ["✓ All traffic is on version 3"],
    )
    assert harness.aws.routing(harness.function) == ("3", {})


async def test_start_with_watch_tells_the_story(
    shell: Shell, harness: Harness, package: str
) -> None:
    result = await shell(
        "start", harness.function, "--s3", package, "--strategy", "AllAtOnce", "--watch"
    )
    assert result.exit_code == 0
    lines = [line[9:] for line in result.stdout.splitlines()[1:]]
    assert (
        lines.index(f"✓ Update code from {package}")
        < lines.index("✓ Publish a version")
        < lines.index("✓ All traffic to version 3")
    )
    assert result.stdout.splitlines()[-1] == "✓ All traffic is on version 3"


async def test_a_file_may_come_from_stdin(shell: Shell, harness: Harness) -> None:
    given = {
        "target": {"function": harness.function},
        "artifact": {"kind": "version", "version": "1"},
        "strategy": "AllAtOnce",
    }
    result = await shell("start", "-f", "-", "--wait", stdin=json.dumps(given))
    assert result.exit_code == 0
    assert harness.aws.routing(harness.function) == ("1", {})


async def test_a_rejected_release_exits_with_1_and_says_that_nothing_was_touched(
    shell: Shell, harness: Harness
) -> None:
    result = await shell("start", harness.function, "--version", "99", "--wait")
    assert result.exit_code == 1
    assert "✗ rejected, nothing was touched: artifact.version: " in result.stdout


async def test_a_release_that_is_rolled_back_exits_with_1_and_says_why(
    shell: Shell, harness: Harness, package: str
) -> None:
    harness.aws.hook("refuses", lambda _: {"accept": False, "reason": "smoke"})
    result = await shell(
        "start",
        harness.function,
        "--s3",
        package,
        "--strategy",
        "AllAtOnce",
        "--after-traffic",
        "refuses",
        "--wait",
    )
    assert result.exit_code == 1
    assert "↩ rolled back: hook refuses (after_traffic) refused version 3: smoke" in result.stdout
    assert harness.aws.routing(harness.function) == ("2", {})


async def test_a_release_that_could_not_be_rolled_back_exits_with_4(
    shell: Shell, harness: Harness, package: str
) -> None:
    await waiting(shell, harness, package)
    harness.aws.apply(
        "update_alias",
        FunctionName=harness.function,
        Name="live",
        FunctionVersion="1",
        RoutingConfig={},
    )
    await shell("abort", harness.function)
    result = await shell("watch", harness.function)
    assert result.exit_code == 4
    assert "✗ NOT ROLLED BACK, look at the alias: " in result.stdout


async def test_bad_input_exits_with_2_lists_every_problem_and_needs_no_temporal(
    harness: Harness, shell: Shell
) -> None:
    result = await shell(
        "start",
        harness.function,
        "--set",
        "MemorySize=1",
        "--set",
        "Typo=1",
        TEMPORAL_ADDRESS="127.0.0.1:1",
    )
    assert (result.exit_code, result.stdout) == (2, "")
    assert [line.split(":")[1].strip() for line in result.stderr.splitlines()] == [
        "configuration.MemorySize",
        "configuration.Typo",
    ]


async def test_a_rollback_goes_to_the_version_before_or_to_the_one_that_is_named(
    shell: Shell, harness: Harness, package: str
) -> None:
    await shell("start", harness.function, "--s3", package, "--strategy", "AllAtOnce", "--wait")
    result = await shell("rollback", harness.function, "--wait")
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (
        0,
        "✓ All traffic is on version 2",
    )
    result = await shell(
        "rollback", f"{harness.function}:live", "--to", "1", "--reason", "older", "--watch"
    )
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (
        0,
        "✓ All traffic is on version 1",
    )
    assert (await shell("rollback", harness.function, "--to", "one")).exit_code == 2


async def test_a_plan_is_shown_and_exits_with_1_if_it_would_be_rejected(
    shell: Shell, harness: Harness, package: str
) -> None:
    result = await shell("plan", harness.function, "--s3", package)
    assert result.exit_code == 0
    assert f"  1. Put {package} into $LATEST\n" in result.stdout
    assert "takes 5 min at least" in result.stdout
    result = await shell("plan", harness.function, "--s3", package, "--alarm", "typo")
    assert result.exit_code == 1
    assert "✗ guards.alarms: there is no alarm typo" in result.stdout
    assert (
        json.loads((await shell("plan", harness.function, "--latest", "--json")).stdout)["at_least"]
        == "PT5M"
    )


# --- status, history, controls -------------------------------------------------------------------------------------------------


async def test_status_shows_phase_traffic_and_steps(
    shell: Shell, harness: Harness, package: str
) -> None:
    await waiting(shell, harness, package)
    result = await shell("status", harness.function)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        f"{harness.function}:live  awaiting approval",
        "  Waiting for approval",
        "  ██░░░░░░░░░░░░░░░░░░ 10% to version 3, 90% to version 2",
        "  ✓ 10% to the candidate",
        "  ▶ Wait for approval",
        "  · All traffic to the candidate",
    ]
    assert (
        json.loads((await shell("status", harness.function, "--json")).stdout)["phase"]
        == "awaiting_approval"
    )
    assert f"{harness.function}:live" in (await shell("status")).stdout
    assert harness.rollout_id in [
        run["id"] for run in json.loads((await shell("status", "--json")).stdout)
    ]


async def test_the_status_of_a_release_that_never_began_says_why(
    shell: Shell, harness: Harness, package: str
) -> None:
    await waiting(shell, harness, package)
    await shell(
        "start", harness.function, "--latest", "--id", f"second-{harness.function}", "--wait"
    )
    result = await shell("status", f"second-{harness.function}")
    assert (result.exit_code, result.stdout.splitlines()[0]) == (
        0,
        f"{harness.function}:live  rejected",
    )
    assert "is being released already" in result.stdout


async def test_controls_show_how_it_stands_then_and_a_refusal_exits_with_1(
    shell: Shell, harness: Harness, package: str
) -> None:
    await waiting(shell, harness, package)
    result = await shell("pause", harness.function, "--reason", "[bold]p99[/bold]")
    assert (result.exit_code, result.stdout.splitlines()[:2]) == (
        0,
        [
            f"{harness.function}:live  awaiting approval (paused)",
            "  Paused by ana: [bold]p99[/bold]",
        ],
    )
    result = await shell("pause", harness.function)
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", "releases: paused already\n")
    assert "Resumed by ben" in (await shell("resume", harness.function, "--by", "ben")).stdout
    assert (
        "Approved by ana: fine"
        in (await shell("approve", harness.function, "--note", "fine")).stdout
    )
    assert (await shell("watch", harness.function)).exit_code == 0
    result = await shell("promote", harness.function)
    assert (result.exit_code, result.stderr) == (
        1,
        f"releases: {harness.function}:live is not being released now: the last time it succeeded\n",
    )


async def test_history_tells_when_by_whom_what_and_how_it_ended(
    shell: Shell, harness: Harness, package: str
) -> None:
    await shell("start", harness.function, "--s3", package, "--strategy", "AllAtOnce", "--wait")
    await shell("start", harness.function, "--version", "99", "--wait", "--by", "ben")
    result = await shell("history", harness.function)
    heading, last, *_, first = result.stdout.splitlines()
    assert heading.split() == ["WHEN", "BY", "WHAT", "VERSION", "OUTCOME", "TOOK"]
    assert "ben" in last
    assert "✗ rejected" in last
    assert "ana" in first
    assert f"{package} → {harness.function}:live (100%)" in first
    assert "✓ All traffic is on version 3" in first
    runs = json.loads((await shell("history", harness.function, "--json")).stdout)
    assert [run["ending"]["outcome"] for run in runs] == ["rejected", "succeeded"]


async def test_what_was_never_released_exits_with_2(shell: Shell) -> None:
    for command in ("status", "watch", "pause", "history"):
        result = await shell(command, "never-released")
        assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)


# --- schedules -----------------------------------------------------------------------------------------------------------------


async def test_a_schedule_is_made_listed_paused_resumed_triggered_and_deleted(
    shell: Shell, harness: Harness
) -> None:
    name = f"cli-{harness.function}"
    create = (
        "schedule",
        "create",
        name,
        harness.function,
        "--version",
        "1",
        "--strategy",
        "AllAtOnce",
    )
    result = await shell(
        *create,
        "--cron",
        "30 2 * * *",
        "--time-zone",
        "Europe/Berlin",
        "--jitter",
        "5m",
        "--reason",
        "nightly",
    )
    assert (result.exit_code, result.stdout) == (
        0,
        f"Created schedule {name}: version 1 → {harness.function}:live (100%)\n",
    )
    assert (await shell(*create, "--cron", "30 2 * * *")).exit_code == 1
    assert (await shell("schedule", "trigger", name)).exit_code == 0
    assert (await shell("schedule", "pause", name, "--reason", "freeze")).exit_code == 0
    async with asyncio.timeout(20):
        while True:
            [line] = [
                line
                for line in (await shell("schedule", "list")).stdout.splitlines()
                if line.startswith(name)
            ]
            if "succeeded" in line and "paused: freeze" in line:
                break
            await asyncio.sleep(0.1)
    assert (await shell("schedule", "resume", name)).exit_code == 0
    assert (await shell("schedule", "delete", name)).exit_code == 0
    result = await shell("schedule", "delete", name)
    assert (result.exit_code, result.stderr) == (2, f"releases: there is no schedule {name}\n")
    assert name not in [
        schedule["id"]
        for schedule in json.loads((await shell("schedule", "list", "--json")).stdout)
    ]


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        (("--at", "2020-01-01T00:00"), "at: 2020-01-01 00:00:00 UTC is past"),
        ((), "give a cron expression, a calendar or a time: exactly one kind"),
        (("--calendar", '{"hours": "9"}'), "calendars.0.hours: "),
        (("--calendar", "nine"), "--calendar: not JSON: "),
        (("--cron", "0 9 * * *", "--jitter", "5"), "jitter: not a duration"),
    ],
)
async def test_times_that_mean_nothing_exit_with_2(
    shell: Shell, flags: tuple[str, ...], problem: str
) -> None:
    result = await shell("schedule", "create", "never", "checkout", "--latest", *flags)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"releases: {problem}")


# --- packages ------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def build(tmp_path: Path) -> Path:
    path = tmp_path / "build.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("app.py", f"# {next(_numbers)}")
    return path


@pytest.fixture
def bucket() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """An S3 of one bucket, and what it was asked."""
    asked: list[tuple[str, str]] = []
    held: set[str] = set()

    class S3(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            asked.append(("HEAD", self.path))
            self.send_response(200 if self.path in held else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_PUT(self) -> None:
            self.rfile.read(
                int(
                    self.headers.get("x-amz-decoded-content-length")
                    or self.headers["Content-Length"]
                )
            )
            self.close_connection = True
            asked.append(("PUT", self.path))
            held.add(self.path)
            self.send_response(200)
            self.send_header("x-amz-version-id", "v1")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), S3) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


async def test_a_local_package_is_uploaded_once_under_its_hash(
    shell: Shell, harness: Harness, build: Path, bucket: Any
) -> None:
    endpoint, asked = bucket
    aws = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
    }
    start = ("start", harness.function, "--zip", str(build), "--bucket", "artifacts", "--wait")
    first = await shell(*start, **aws)
    assert first.exit_code == 1  # this S3 is not the one of the function's AWS
    [head, put] = asked
    assert head == ("HEAD", put[1])
    assert put[1].startswith(f"/artifacts/{harness.function}/")
    assert "artifacts" + put[1].removeprefix("/artifacts") in first.stdout
    assert "(v1)" in first.stdout
    await shell(*start, **aws)
    assert [method for method, _ in asked] == ["HEAD", "PUT", "HEAD"]


async def test_a_local_package_without_credentials_is_an_error_and_nothing_is_started(
    shell: Shell, harness: Harness, build: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for variable in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(variable)
    nowhere = {
        "AWS_REGION": "eu-central-1",
        "AWS_CONFIG_FILE": str(tmp_path / "no"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "no"),
    }
    result = await shell(
        "start", harness.function, "--zip", str(build), "--bucket", "artifacts", **nowhere
    )
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("releases: --zip: no AWS credentials")


async def test_what_is_no_zip_file_is_not_uploaded(shell: Shell, harness: Harness) -> None:
    result = await shell("start", harness.function, "--zip", __file__, "--bucket", "artifacts")
    assert (result.exit_code, result.stderr) == (
        2,
        f"releases: --zip: {__file__} is not a .zip file\n",
    )


# --- when Temporal or the worker is away ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [("status",), ("start", "checkout", "--latest"), ("schedule", "list"), ("watch", "checkout")],
)
async def test_temporal_that_does_not_answer_is_one_line_and_exit_3(
    shell: Shell, command: tuple[str, ...]
) -> None:
    result = await shell(*command, TEMPORAL_ADDRESS="127.0.0.1:1")
    assert (result.exit_code, result.stdout) == (3, "")
    assert (
        result.stderr
        == "releases: cannot connect to Temporal at 127.0.0.1:1 (TEMPORAL_ADDRESS): Connection refused\n"
    )


async def test_a_namespace_or_a_profile_that_there_is_not_is_one_line_and_exit_3(
    shell: Shell,
) -> None:
    for environment in ({"TEMPORAL_NAMESPACE": "nope"}, {"TEMPORAL_PROFILE": "nope"}):
        result = await shell("status", **environment)
        assert (result.exit_code, len(result.stderr.splitlines())) == (3, 1)
        assert "nope" in result.stderr


# --- as users run it -----------------------------------------------------------------------------------------------------------


@pytest.fixture
async def live(shell: Shell, harness: Harness, package: str) -> Shell:
    await waiting(shell, harness, package)
    return shell


async def test_an_interrupted_watch_exits_with_130_and_the_release_goes_on(
    live: Shell, harness: Harness
) -> None:
    process = await live.process("watch", harness.function)
    assert process.stdout is not None
    async with asyncio.timeout(20):
        while "awaiting approval" not in (await process.stdout.readline()).decode():
            pass
        process.send_signal(signal.SIGINT)
        _, said = await process.communicate()
    assert (process.returncode, said.decode()) == (
        130,
        "releases: interrupted; what was started goes on\n",
    )
    assert (await live("approve", harness.function)).exit_code == 0
    assert (await live("watch", harness.function)).exit_code == 0


async def test_whoever_waits_for_a_release_that_nobody_works_on_is_told(
    shell: Shell, harness: Harness
) -> None:
    process = await shell.process(
        "start", harness.function, "--latest", "--wait", "--task-queue", "nobody"
    )
    assert process.stderr is not None
    async with asyncio.timeout(20):
        assert "no worker answers" in (await process.stderr.readline()).decode()
        process.send_signal(signal.SIGINT)
        await process.communicate()
    assert process.returncode == 130


async def test_on_a_terminal_the_story_stays_and_the_present_is_redrawn(
    live: Shell, harness: Harness
) -> None:
    ours, theirs = pty.openpty()
    process = await live.process("watch", harness.function, stdout=theirs)
    os.close(theirs)
    shown = b""
    async with asyncio.timeout(20):
        while "Wait for approval" not in shown.decode(
            errors="ignore"
        ) or "10% to version 3, 90%" not in shown.decode(errors="ignore"):
            shown += await asyncio.to_thread(os.read, ours, 4096)
        assert (await live("approve", harness.function)).exit_code == 0
        with contextlib.suppress(OSError):
            while more := await asyncio.to_thread(os.read, ours, 4096):
                shown += more
        await process.communicate()
    os.close(ours)
    assert process.returncode == 0
    assert "approve by ana" in shown.decode(errors="ignore")
    assert shown.decode(errors="ignore").rstrip().endswith("All traffic is on version 3")


async def test_commands_end_with_their_status_every_time(shell: Shell) -> None:
    """Temporal's core may abort an interpreter that tears itself down while one of its threads is at work."""
    for _ in range(5):
        process = await shell.process("status", "never-released")
        _, said = await process.communicate()
        assert (process.returncode, len(said.splitlines())) == (2, 1)

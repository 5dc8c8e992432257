"""``doctor`` and ``--version``: their output and exit status."""

from __future__ import annotations

import json

from activities.check_result import CheckResult, CheckState
from tests.cli.shell import Shell
from tests.harness import Harness
from workflows.cli.doctor import render_finding


async def test_doctor_prints_one_line_for_each_finding(shell: Shell, harness: Harness) -> None:
    result = await shell("doctor", harness.function)
    lines = result.stdout.splitlines()
    assert (result.exit_code, result.stderr) == (0, "")
    assert lines[0].startswith("✓ temporal: answers at ")
    assert {line[0] for line in lines} <= {"✓", "!"}
    assert any(line.startswith("✓ permissions: every release: ") for line in lines)


async def test_doctor_exits_with_1_where_something_is_wrong(shell: Shell) -> None:
    result = await shell("doctor", "--task-queue", "nobody", "-o", "json")
    findings = json.loads(result.stdout)
    assert result.exit_code == 1
    [failed] = [finding for finding in findings if finding["state"] == "failed"]
    assert failed["check"] == "workers"
    assert json.loads((await shell("doctor", "--task-queue", "nobody", "--json")).stdout)


async def test_doctor_exits_with_3_where_temporal_does_not_answer(shell: Shell) -> None:
    result = await shell("doctor", TEMPORAL_ADDRESS="127.0.0.1:9")
    assert result.exit_code == 3
    assert result.stdout.startswith("✗ temporal: cannot connect to Temporal at 127.0.0.1:9")
    answer = await shell("doctor", "-o", "json", TEMPORAL_ADDRESS="127.0.0.1:9")
    assert json.loads(answer.stdout)[0]["check"] == "temporal"


async def test_doctor_refuses_what_is_no_function(shell: Shell) -> None:
    assert (await shell("doctor", "check out")).exit_code == 2


async def test_doctor_checks_packages_in_the_bucket_that_is_named(
    shell: Shell, harness: Harness
) -> None:
    result = await shell("doctor", harness.function, "--bucket", "artifacts")
    assert result.exit_code == 0
    assert "✓ permissions: packages in S3: 2 actions are allowed to " in result.stdout
    assert "packages in S3" not in (await shell("doctor", harness.function)).stdout


async def test_doctor_refuses_what_is_no_bucket(shell: Shell) -> None:
    malformed = await shell("doctor", "checkout", "--bucket", "s3://artifacts")
    assert malformed.exit_code == 2
    assert "--bucket: 's3://artifacts' is no name of a bucket" in malformed.stderr
    alone = await shell("doctor", "--bucket", "artifacts")
    assert (alone.exit_code, "name a TARGET, too" in alone.stderr) == (2, True)


def test_finding_is_a_symbol_a_text_and_what_to_do() -> None:
    finding = CheckResult(check="workers", state=CheckState.FAILED, text="none", remedy="start one")
    assert str(render_finding(finding)) == "✗ workers: none → start one"


async def test_version_is_that_of_the_installed_program(shell: Shell) -> None:
    result = await shell("--version")
    assert (result.exit_code, result.stdout) == (0, "releases 0.1.0\n")

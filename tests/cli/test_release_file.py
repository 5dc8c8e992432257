"""Requests from flags and files."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cli.shell import APPROVAL
from workflows.cli.field_names import FieldNames
from workflows.cli.flags import Flags
from workflows.cli.release_file import build_document, parse_input
from workflows.client.errors import BadRequest
from workflows.request import ReleaseRequest


def parse_flags(target: str | None = "checkout", **flags: Any) -> ReleaseRequest:
    given = Flags(**flags)
    return parse_input(
        build_document(given, target, by="ana"),
        ReleaseRequest,
        names=FieldNames.from_flags(given, target),
    )


def list_problems(target: str | None = "checkout", **flags: Any) -> tuple[str, ...]:
    with pytest.raises(BadRequest, match=r"\S") as refused:
        parse_flags(target, **flags)
    return refused.value.problems


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
def test_artifact_has_a_flag_for_each_kind(flags: dict[str, Any], artifact: dict[str, str]) -> None:
    assert parse_flags(**flags).model_dump(mode="json")["artifact"] == artifact


def test_code_has_flags_for_how_it_is_written() -> None:
    request = parse_flags(
        s3="s3://artifacts/a.zip",
        architecture="arm64",
        kms_key="arn:aws:kms:eu-west-1:123456789012:key/1",
        storage_mode="REFERENCE",
        include_latest=True,
        even_if_inactive=True,
    )
    assert request.model_dump(mode="json")["artifact"] == {
        "kind": "s3",
        "bucket": "artifacts",
        "key": "a.zip",
        "architecture": "arm64",
        "kms_key": "arn:aws:kms:eu-west-1:123456789012:key/1",
        "storage_mode": "REFERENCE",
    }
    assert (request.include_latest, request.even_if_inactive) == (True, True)


def test_architecture_is_that_of_the_file_s_artifact(tmp_path: Path) -> None:
    file = tmp_path / "release.json"
    artifact = {"kind": "image", "uri": "1.dkr.ecr.eu-west-1.amazonaws.com/a:1"}
    file.write_text(json.dumps({"artifact": artifact}))
    request = parse_flags(file=file, architecture="arm64")
    assert request.model_dump(mode="json")["artifact"] == {**artifact, "architecture": "arm64"}


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        ({"s3": "s3://a-b/c", "architecture": "arm"}, "--architecture: must be x86_64 or arm64"),
        ({"s3": "s3://a-b/c", "kms_key": "mine"}, "--kms-key: "),
        ({"s3": "s3://a-b/c", "storage_mode": "LINK"}, "--storage-mode: "),
        (
            {"latest": True, "architecture": "arm64"},
            "--architecture: not for this kind",
        ),
    ],
)
def test_how_code_is_written_is_checked(flags: dict[str, Any], problem: str) -> None:
    (found,) = list_problems(**flags)
    assert found.startswith(problem)


def test_setting_is_parsed_as_its_type() -> None:
    request = parse_flags(
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


def test_environment_variable_may_hold_any_text_and_equal_signs() -> None:
    request = parse_flags(environment=["URL=https://x/?a=b", "EMPTY="])
    assert request.configuration is not None
    assert request.configuration.parameters()["Environment"] == {
        "Variables": {"URL": "https://x/?a=b", "EMPTY": ""}
    }


def test_hooks_alarms_and_concurrency_have_flags() -> None:
    request = parse_flags(
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


def test_metrics_and_hotfix_have_flags_and_a_hotfix_needs_a_reason() -> None:
    rules = '{"not_worse": [{"margin": 0.01}], "limits": [{"metric": "duration_p99", "max": 800}]}'
    given = parse_flags(
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
    assert "reason: a hotfix must say why" in list_problems(latest=True, hotfix=True)[0]
    assert list_problems(latest=True, metrics="error_rate")[0].startswith("--metrics: not JSON")


@pytest.mark.parametrize("text", [APPROVAL, f'{{"steps": {APPROVAL}}}'])
def test_strategy_is_a_name_or_steps_as_json(text: str) -> None:
    assert str(parse_flags(latest=True, strategy=text).strategy) == "10%, approval, 100%"
    assert str(parse_flags(latest=True, strategy="AllAtOnce").strategy) == "100%"


@pytest.mark.parametrize("kind", ["json", "yaml"])
def test_file_is_the_input_of_the_workflow_and_flags_win_over_it(tmp_path: Path, kind: str) -> None:
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
    assert parse_flags(None, file=file) == ReleaseRequest.model_validate(given)
    over = parse_flags("checkout:live", file=file, latest=True, provisioned=9, alarms=["b"])
    assert (str(over.target), over.requested_by, over.guards.alarms) == (
        "checkout:live",
        "ci",
        ("b",),
    )
    assert (over.concurrency.reserved, over.concurrency.provisioned) == (5, 9)
    assert str(over.artifact) == "$LATEST"


def test_file_with_problems_lists_each_with_its_path(tmp_path: Path) -> None:
    file = tmp_path / "release.yaml"
    file.write_text("""
        target: {function: check out}
        artifact: {kind: latest}
        strategy: {steps: [{kind: set_weight, percent: 140}]}
        requestedby: me
    """)
    found = list_problems(None, file=file)
    assert len(found) == 3
    assert any(
        problem.startswith(f"{file}: target.function: not a function's name") for problem in found
    )
    assert any(problem.startswith(f"{file}: strategy.steps.0.percent: ") for problem in found)
    assert any(problem.startswith(f"{file}: requestedby: ") for problem in found)


@pytest.mark.parametrize("text", ["- a list", "{not json", "a: [", ""])
def test_file_that_is_no_release_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "release"
    file.write_text(text)
    assert list_problems(None, file=file)[0].startswith(f"{file}: ")


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
        (
            {},
            "nothing to release: give a package (--s3 or --zip), --image, --version or --latest",
        ),
        ({"file": Path("nowhere")}, "nowhere: cannot be read: No such file or directory"),
    ],
)
def test_flags_that_make_no_sense_are_reported(flags: dict[str, Any], problem: str) -> None:
    assert any(found.startswith(problem) for found in list_problems(**flags))

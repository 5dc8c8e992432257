"""Wrong input of a command: the flag is named, in plain words, and the exit status is 2."""

from __future__ import annotations

import asyncio
import copy
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.cli.shell import Shell
from tests.fuzz.documents import list_paths
from tests.fuzz.mutation import OTHERS
from tests.wording import PYDANTIC
from workflows.cli.release_file import parse_input
from workflows.client.errors import BadRequest
from workflows.client.schedule_times import ScheduleTimes
from workflows.domain.rules import Rules
from workflows.request import ReleaseRequest, RollbackRequest

SHELL = Shell("127.0.0.1:1", "nowhere")
"""Wrong input is refused before Temporal is asked."""

START = ("start", "checkout", "--latest")
FILE = """
target: {function: checkout}
artifact: {kind: s3, bucket: artifacts, key: 42}
configuration: {MemorySise: 512, Environment: {Variables: {PORT: 8080}}}
strategi: AllAtOnce
"""


RULES = {
    "limits": [{"metric": "duration_p99", "max": 800, "of": 5}],
    "not_worse": [{"metric": "error_rate", "margin": 0.01}],
    "alpha": 0.01,
}
GUARDS = {"alarms": ["errors"], "metrics": RULES, "after": "1h", "on_no_data": "hold"}
RELEASE = {
    "target": {"function": "checkout", "alias": "live"},
    "artifact": {"kind": "s3", "bucket": "artifacts", "key": "42.zip", "architecture": "arm64"},
    "configuration": {
        "MemorySize": 512,
        "Layers": ["arn:aws:lambda:eu-west-1:123456789012:layer:tools:3"],
        "Environment": {"Variables": {"PORT": "8080"}},
        "VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
        "TracingConfig": {"Mode": "Active"},
    },
    "strategy": {
        "steps": [
            {"kind": "probe", "requests": [{"expect": [{"path": "$.a", "equals": 1}]}]},
            {"kind": "set_weight", "percent": 5},
            {"kind": "bake", "duration": "5m", "min_invocations": 3, "on_no_data": "pass"},
            {"kind": "analysis", "duration": "5m", **RULES},
            {"kind": "approval", "timeout": "1h"},
            {"kind": "adaptive", "from": 1, "factor": 2},
        ]
    },
    "concurrency": {"reserved": 5, "provisioned": 1},
    "hooks": {"before_traffic": "check", "on_lost": "hold"},
    "guards": GUARDS,
    "hotfix": True,
    "reason": "PR 12",
    "requested_by": "ana",
}
ROLLBACK = {"target": {"function": "checkout"}, "version": "7", "guards": GUARDS}
TIMES = {"calendars": [{"hour": "9"}], "jitter": "5m", "time_zone": "Europe/Berlin"}
SAMPLES: list[tuple[Any, Any]] = [
    (ReleaseRequest, RELEASE),
    (ReleaseRequest, {**RELEASE, "strategy": "AllAtOnce"}),
    (ReleaseRequest, {**RELEASE, "strategy": {"adaptive": {"margin": 0.01}}}),
    (RollbackRequest, ROLLBACK),
    (ScheduleTimes, TIMES),
    (ScheduleTimes, {"at": "2099-01-01T00:00"}),
    (Rules, RULES),
]


def spoil(document: Any, chance: random.Random) -> Any:
    """A document with a member that is missing, has another name, or a value of another type."""
    document = copy.deepcopy(document)
    if not (places := [place for place in list_paths(document) if place]):
        return document
    *way, last = chance.choice(places)
    holder = document
    for step in way:
        holder = holder[step]
    value = holder.pop(last)
    changes = [[], [(last, copy.deepcopy(chance.choice(OTHERS)))]]
    if isinstance(holder, list):
        holder += [inner for _, inner in chance.choice(changes)]
    else:
        holder.update(chance.choice([*changes, [(f"{last}s", value)]]))
    return document


def run(*arguments: str) -> str:
    """The output of a command that exits with 2, each line without the frame around it."""
    result = asyncio.run(SHELL(*arguments, COLUMNS="200"))
    assert result.exit_code == 2, result.output
    assert not PYDANTIC.search(result.output), result.output
    return result.output


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("start",), "TARGET: missing: name a function, such as checkout or checkout:beta"),
        (("start", "checkout"), "nothing to release: give a package (--s3 or --zip), --image"),
        (("start", "a b", "--latest"), "target: not a function's name"),
        (
            ("start", "checkout", "--version", "$LATEST"),
            "--version: has not the right form: a published version's number, such as 7",
        ),
        (
            (*START, "--strategy", "Canary10Percent5Minuts"),
            "--strategy: no such preset (did you mean Canary10Percent5Minutes?): there are AllAt",
        ),
        (
            (*START, "--strategy", '[{"kind": "set_wieght", "percent": 5}]'),
            "analysis, adaptive or probe; did you mean set_weight?",
        ),
        ((*START, "--set", "MemorySise=512"), "--set MemorySise: there is no such setting; did "),
        ((*START, "--set", "memory_size=512"), "did you mean MemorySize?"),
        ((*START, "--set", "Timeout=0"), "--set Timeout: must be at least 1"),
        ((*START, "--env", "1X=y"), "--env 1X: is not a name that can stand here: a name begins "),
        ((*START, "--alarm", ""), "--alarm: is empty"),
        ((*START, "--after", "15d"), "--after: must be at most 14 d"),
        ((*START, "--hotfix"), "--reason: a hotfix must say why"),
        (
            (*START, "--metrics", '{"limits": [{"metric": "error_rte", "max": 1}]}'),
            "--metrics: limits.0.metric: must be error_rate, throttle_rate, slow_rate, invocat",
        ),
        ((*START, "--reserved", "many"), "Invalid value for '--reserved': must be a whole number"),
        ((*START, "--reserved", "-1"), "--reserved: must be at least 0"),
        ((*START, "--before-traffic", "a b"), "--before-traffic: has not the right form: name ("),
        (("start", "checkout", "--s3", "s3://a/b"), "--s3: bucket: must have at least 3 char"),
        (
            ("start", "c", "--s3", "s3://abc/b", "--architecture", "x86"),
            "--architecture: must be x86_64 or arm64; did you mean x86_64?",
        ),
        (("rollback", "checkout", "--to", "live"), "--to: has not the right form: a published "),
        (("rejudge", "c", "--policy", '{"limit": []}'), "--policy: limit: there is no such key; "),
        (("resolve", "checkout", "adpt"), "'leave'; did you mean adopt?"),
        (("history", "checkout", "--limit", "0"), "Invalid value for '--limit' / '-n': must be at"),
        (("histroy",), "No such command 'histroy'. Did you mean 'history'?"),
    ],
)
def test_flag_is_named_with_what_may_be_meant(arguments: tuple[str, ...], text: str) -> None:
    assert text in run(*arguments)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            ("--cron", "0 9 * * *", "--time-zone", "Europe/Berln"),
            "--time-zone: there is no such ",
        ),
        (("--cron", "0 9 * * *", "--jitter", "5"), "--jitter: not a duration"),
        (("--calendar", '{"dayOfWeak": "Mon"}'), "--calendar: 0.dayOfWeak: there is no such key; "),
        (("--calendar", '{"hour": "9", "minute": [1]}'), "--calendar: 0.minute: must be text"),
        (("--at", "tomorrow"), "--at: must be a time, such as 2026-12-01T17:00"),
        ((), "--cron: give a cron expression, a calendar or a time (at): exactly one kind"),
    ],
)
def test_flag_of_a_schedule_is_named(arguments: tuple[str, ...], text: str) -> None:
    assert text in run("schedule", "create", "x", "checkout", "--latest", *arguments)


def test_file_is_named_where_no_flag_was_typed(tmp_path: Path) -> None:
    file = tmp_path / "release.yaml"
    file.write_text(FILE)
    found = run("start", "-f", str(file), "--set", "Timeout=0").splitlines()
    assert {line.removeprefix("releases: ") for line in found} == {
        f"{file}: artifact.key: must be text: write it in quotes",
        f"{file}: configuration.MemorySise: there is no such key; did you mean MemorySize?",
        f"{file}: configuration.Environment.Variables.PORT: must be text: write it in quotes",
        f"{file}: strategi: there is no such key; did you mean strategy?",
        "--set Timeout: must be at least 1",
    }


@settings(max_examples=150, deadline=None, phases=[Phase.generate])
@given(
    sample=st.sampled_from(SAMPLES),
    chance=st.integers(0, 10**6).map(random.Random),
    times=st.integers(1, 3),
)
def test_no_malformed_input_is_answered_in_words_of_pydantic(
    sample: tuple[Any, Any], chance: random.Random, times: int
) -> None:
    model, document = sample
    found: tuple[str, ...] = ()
    for _ in range(times):
        document = spoil(document, chance)
    try:
        parse_input(document, model)
    except BadRequest as error:
        found = error.problems
    assert not [problem for problem in found if not problem or PYDANTIC.search(problem)]

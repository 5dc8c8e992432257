"""``explain`` and ``rejudge``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.shell import Shell
from tests.harness import Harness
from tests.workflows.test_live_analysis import (
    BAD_ERROR_RATE,
    GUARDED,
    bake_step,
    canary_with,
    set_traffic,
)


async def test_rolled_back_release_is_explained_and_rejudged(
    harness: Harness, shell: Shell, tmp_path: Path
) -> None:
    set_traffic(harness, candidate=BAD_ERROR_RATE)
    await harness.release(artifact=harness.package("three"), **GUARDED, **canary_with(bake_step()))
    explained = await shell("explain", harness.function)
    assert explained.exit_code == 0
    for words in (
        "judged by: all the time: error_rate not worse",
        "Measured: version 3: ",
        "Verdict: failed",
        "Stopped by: what CloudWatch measured",
    ):
        assert words in explained.stdout
    status = await shell("status", harness.function)
    assert (
        "failed (0% sure that it is not worse, 99." in status.stdout
        or "over 99.9% that it is)" in status.stdout
    )
    older = await shell("explain", harness.function, "--run", "nonsense")
    assert (older.exit_code, older.stderr.count("\n")) == (2, 1)
    explanation = json.loads((await shell("explain", harness.function, "--json")).stdout)
    assert (
        explanation["stopped_by"],
        explanation["run"]["ending"]["outcome"],
        explanation["lines"][-1]["percent"],
    ) == (
        "metrics",
        "rolled_back",
        0,
    )
    watch = await shell("watch", harness.function)
    assert "Measure versions" not in watch.stdout
    policy = tmp_path / "policy.yaml"
    policy.write_text("not_worse: [{metric: error_rate, margin: 0.01}]")
    rejudged = await shell("rejudge", harness.function, "--policy", str(policy))
    assert rejudged.exit_code == 0
    assert (
        "1 of 1 bad releases would have been stopped; no good release was measured"
        in rejudged.stdout
    )
    assert "bad: stopped by what CloudWatch measured" in rejudged.stdout
    [judged] = json.loads(
        (
            await shell(
                "rejudge", harness.function, "--policy", str(policy), "--runs", "5", "--json"
            )
        ).stdout
    )
    assert (judged["was"], judged["verdict"], judged["assessed"]["verdict"]) == (
        "bad",
        "failed",
        "failed",
    )


@pytest.mark.parametrize(
    ("policy", "problem"),
    [
        ("{}", "name what is judged"),
        ('{"not_worse": [{"margin": 5}]}', "not_worse.0.margin"),
        ('{"limit": []}', "limit: there is no such key; did you mean limits?"),
        ("{", "neither JSON nor YAML"),
        ("/nowhere.yaml", "cannot be read"),
        (json.dumps({"alpha": 2}), "alpha"),
    ],
)
async def test_policy_that_is_invalid_exits_with_2(
    shell: Shell, harness: Harness, policy: str, problem: str
) -> None:
    refused = await shell("rejudge", harness.function, "--policy", policy)
    assert refused.exit_code == 2
    assert problem in refused.stderr

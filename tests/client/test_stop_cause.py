"""What stopped a release: hooks and probes that failed for good, and not those that did not."""

from __future__ import annotations

from typing import Any

import pytest

from tests.client.releases import make_target
from tests.harness import ALL_AT_ONCE, Harness
from tests.workflows.test_live_analysis import canary_with
from workflows.client import ReleaseClient
from workflows.client.explanation import LineKind
from workflows.client.stop_cause import StopCause


async def test_probe_is_the_cause_once_more_failed_than_may(
    harness: Harness, releases: ReleaseClient
) -> None:
    answers = iter([{"status": "bad"}, {"status": "ok"}, {"status": "ok"}, {"status": "bad"}])
    harness.aws.handlers[harness.function] = lambda _: next(answers)
    request = {"payload": {}, "expect": [{"path": "$.status", "equals": "ok"}]}
    steps = [
        {"kind": "probe", "requests": [request], "count": 2, "max_failures": most}
        for most in (1, 0)
    ]
    await harness.release(artifact=harness.package("three"), **canary_with(*steps))
    explanation = await releases.explain(make_target(harness))
    assert explanation.stopped_by is StopCause.PROBE
    probed = [
        line.text.partition(": ")[2] for line in explanation.lines if line.kind is LineKind.ANSWERED
    ]
    assert [text.endswith("as expected") for text in probed] == [False, True, True, False]


async def test_probes_that_may_fail_are_no_cause(harness: Harness, releases: ReleaseClient) -> None:
    answers = iter([{"status": "bad"}, {"status": "ok"}])
    harness.aws.handlers[harness.function] = lambda _: next(answers)
    request = {"payload": {}, "expect": [{"path": "$.status", "equals": "ok"}]}
    probe = {"kind": "probe", "requests": [request], "count": 2, "max_failures": 1}
    handle = await harness.begin(
        artifact=harness.package("three"), **canary_with(probe, {"kind": "approval"})
    )
    await harness.wait_for_phase("awaiting_approval")
    await harness.send("abort", reason="wrong build")
    await harness.finish(handle)
    assert (await releases.explain(make_target(harness))).stopped_by is StopCause.PERSON


async def explain_abort(harness: Harness, releases: ReleaseClient, handle: Any) -> list[str]:
    """The failures of a release that a person has aborted, and nothing else has stopped."""
    await harness.send("abort", reason="wrong build")
    await harness.finish(handle)
    explanation = await releases.explain(make_target(harness))
    assert explanation.stopped_by is StopCause.PERSON
    answered = [line for line in explanation.lines if line.kind is LineKind.ANSWERED]
    assert [line for line in answered if "refuse" in line.text or "not" in line.text] == []
    return [line.text for line in explanation.lines if line.kind is LineKind.FAILED]


@pytest.mark.parametrize("code", ["TooManyRequestsException", "EndpointConnectionError"])
async def test_hook_that_was_sent_again_is_no_cause(
    harness: Harness, releases: ReleaseClient, code: str
) -> None:
    harness.aws.hook("smoke", lambda _: {"accept": True})
    harness.aws.fail("invoke", code, times=2)
    handle = await harness.begin(
        artifact=harness.package("three"),
        hooks={"before_traffic": "smoke"},
        **canary_with({"kind": "approval"}),
    )
    await harness.wait_for_phase("awaiting_approval")
    failures = await explain_abort(harness, releases, handle)
    assert [text.endswith("; it is sent again") for text in failures] == [True, True]


@pytest.mark.parametrize("kind", ["hook", "probe"])
async def test_lost_answer_that_a_person_decided_about_is_no_cause(
    harness: Harness, releases: ReleaseClient, kind: str
) -> None:
    harness.aws.hook("smoke", lambda _: {"accept": True})
    harness.aws.handlers[harness.function] = lambda _: {"status": "ok"}
    harness.aws.lose("invoke")
    probe = canary_with({"kind": "probe", "requests": [{}]})
    hook = {"hooks": {"before_traffic": "smoke"}, **ALL_AT_ONCE}
    handle = await harness.begin(
        artifact=harness.package("three"), **(hook if kind == "hook" else probe)
    )
    await harness.wait_for_phase("awaiting_approval")
    [failure] = await explain_abort(harness, releases, handle)
    assert failure.endswith("; a person decides")


@pytest.mark.parametrize("code", ["TooManyRequestsException", "ReadTimeoutError"])
async def test_hook_that_failed_for_good_is_the_cause(
    harness: Harness, releases: ReleaseClient, code: str
) -> None:
    harness.aws.hook("smoke", lambda _: {"accept": True})
    harness.aws.fail("invoke", code, times=None)
    hooks = {"before_traffic": "smoke", "on_lost": "roll_back"}
    await harness.release(artifact=harness.package("three"), hooks=hooks, **ALL_AT_ONCE)
    explanation = await releases.explain(make_target(harness))
    assert explanation.stopped_by is StopCause.HOOK
    [answer] = [line.text for line in explanation.lines if line.kind is LineKind.ANSWERED]
    assert answer.partition("it refuses: ")[2] in {"it could not be invoked", "it did not answer"}

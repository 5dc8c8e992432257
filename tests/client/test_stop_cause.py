"""What stopped a release: probes beyond those that may fail."""

from __future__ import annotations

from tests.client.releases import make_target
from tests.harness import Harness
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

"""The assessment of a candidate: what its metrics and stable's come to, by rules."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from workflows.domain.evidence import Evidence, Proportion, SequentialTest
from workflows.domain.formatting import format_estimate, format_number
from workflows.domain.measurement import COMPLETE, Measure, Measurements
from workflows.domain.rules import Limit, NotWorse, Rules

_MAX_SHOWN_E_VALUE: Final = 1e4
_MAX_WITH_DECIMALS: Final = 100
"""An e-value from here on is shown as a whole number."""


class Verdict(StrEnum):
    """The result of an assessment."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    UNMEASURABLE = "unmeasurable"
    PENDING = "pending"


@dataclass(frozen=True)
class Finding:
    """The verdict of one rule, with the reason as a sentence with its numbers.

    ``evidence`` is there for a rule that compares the candidate with stable.
    """

    rule: str
    verdict: Verdict
    reason: str
    evidence: Evidence | None = None


@dataclass(frozen=True)
class Assessment:
    """The verdict of all rules together."""

    verdict: Verdict
    findings: tuple[Finding, ...]

    @property
    def reason(self) -> str:
        """The findings that the verdict rests on, as one line."""
        return "; ".join(
            finding.reason for finding in self.findings if finding.verdict is self.verdict
        )


class EvidenceCache:
    """The sequential tests of one release, kept between its assessments.

    Each contrast is bet on once instead of at every assessment. Those that every rule has bet on
    need not be kept: see :meth:`drop_contrasts`.
    """

    def __init__(
        self,
        tests: Iterable[tuple[Measure, SequentialTest]] = (),
        dropped: Mapping[Measure, int] | None = None,
    ) -> None:
        """Begin, or go on with the :attr:`tests` and :attr:`dropped` of another cache."""
        self._tests: dict[tuple[Measure, float], SequentialTest] = {
            (measure, test.margin): test for measure, test in tests
        }
        self.dropped: dict[Measure, int] = dict(dropped or {})
        """How many contrasts of each measure are not kept any more."""

    @property
    def tests(self) -> list[tuple[Measure, SequentialTest]]:
        """The state of each test, with what it measures."""
        return [(measure, test) for (measure, _), test in self._tests.items()]

    def drop_contrasts(self, measurements: Measurements) -> Measurements:
        """Return the measurements without contrasts; each rule must have bet on them before."""
        for measure, contrasts in measurements.contrasts.items():
            self.dropped[measure] = self.dropped.get(measure, 0) + len(contrasts)
        return replace(measurements, contrasts={})

    def update_test(self, rule: NotWorse, measurements: Measurements) -> SequentialTest:
        """Bet on the contrasts that are new, and return the test with its evidence.

        The result is the same as that of a test of all contrasts from the beginning.
        """
        contrasts = measurements.contrasts.get(rule.metric, ())
        test = self._tests.get((rule.metric, rule.margin)) or SequentialTest(
            rule.margin, measurements.baseline.get(rule.metric) or Proportion()
        )
        known = max(0, test.contrast_count - self.dropped.get(rule.metric, 0))
        self._tests[rule.metric, rule.margin] = test = functools.reduce(
            SequentialTest.with_contrast, contrasts[known:], test
        )
        return test


def assess(
    rules: Rules,
    measurements: Measurements,
    *,
    deadline: datetime,
    cache: EvidenceCache | None = None,
) -> Assessment:
    """Assess a candidate by rules.

    At ``deadline``, rules that are still pending become inconclusive. ``cache`` is that of earlier
    assessments of the same release.

    One rule:

    - a *limit* has **failed** when its last ``minutes`` measured minutes are all out of bounds, and
      **passed** when they are not. With fewer minutes measured it is **pending**. Its verdict is
      about now: a limit that is passed may be broken a minute later;
    - a rule *relative to stable* has **failed** when the evidence of harm has ever reached (number
      of such rules) / ``alpha``. It has **passed** when the evidence of "not worse by the margin"
      is ``1/alpha``; else it is **pending**. Both at once is a failure;
    - ``min_invocations`` is **pending** until so many invocations of the candidate were measured.

    All together, the first of these that is true:

    1. **failed**: a rule failed. That stays so if CloudWatch stops answering later;
    2. **unmeasurable**: the last poll was anything but Complete. Missing data is neither zero
       errors nor a pass;
    3. **passed**: every rule passed;
    4. **pending**: a rule is pending, or there is none, and there is time before the deadline;
    5. **inconclusive**: the same, and the deadline has passed.
    """
    findings = (
        *(_check_limit(limit, measurements) for limit in rules.limits),
        *(
            _compare(rule, rules, (cache or EvidenceCache()).update_test(rule, measurements))
            for rule in rules.not_worse
        ),
        *_check_invocations(rules, measurements),
    )
    verdicts = {finding.verdict for finding in findings}
    if Verdict.FAILED in verdicts:
        return Assessment(Verdict.FAILED, findings)
    if measurements.status != COMPLETE:
        unmeasurable = Finding(
            "measurable", Verdict.UNMEASURABLE, f"CloudWatch answered {measurements.status}"
        )
        return Assessment(Verdict.UNMEASURABLE, (*findings, unmeasurable))
    if verdicts == {Verdict.PASSED}:
        return Assessment(Verdict.PASSED, findings)
    if measurements.at is None or measurements.at < deadline:
        return Assessment(Verdict.PENDING, findings)
    overdue = tuple(
        Finding(finding.rule, Verdict.INCONCLUSIVE, finding.reason, finding.evidence)
        if finding.verdict is Verdict.PENDING
        else finding
        for finding in findings
    )
    return Assessment(Verdict.INCONCLUSIVE, overdue)


def _check_limit(limit: Limit, measurements: Measurements) -> Finding:
    values = [
        value
        for _, minute in sorted(measurements.candidate.items())
        if (value := limit.read_value(minute)) is not None
    ][-limit.minutes :]
    if len(values) < limit.minutes:
        reason = f"{limit}: {len(values)} of {limit.minutes} minutes measured"
        return Finding(str(limit), Verdict.PENDING, reason)
    reason = f"{limit}: {', '.join(f'{value:.4g}' for value in values)}"
    is_passed = any(map(limit.is_within_bounds, values))
    return Finding(str(limit), Verdict.PASSED if is_passed else Verdict.FAILED, reason)


def _compare(rule: NotWorse, rules: Rules, test: SequentialTest) -> Finding:
    evidence, counts = test.evidence, _format_counts(test.evidence)
    not_worse = _format_e_value(evidence.not_worse)
    if evidence.worse >= rules.harm_threshold:
        verdict = Verdict.FAILED
        certainty = (
            f"evidence of harm {_format_e_value(evidence.worse)}, "
            f"{rules.harm_threshold:g} stop a release"
        )
    elif evidence.not_worse >= rules.pass_threshold:
        verdict = Verdict.PASSED
        certainty = f"evidence of that {not_worse}, {rules.pass_threshold:g} are enough"
    else:
        verdict = Verdict.PENDING
        certainty = _describe_missing(test.estimate_missing_requests(rules.pass_threshold))
        if evidence.candidate.total or evidence.stable.total:
            certainty += (
                f" (evidence of that {not_worse} of {rules.pass_threshold:g}, "
                f"of harm {_format_e_value(evidence.harm)} of {rules.harm_threshold:g})"
            )
        else:
            counts = "nothing measured yet"
    return Finding(str(rule), verdict, f"{rule}: {counts}; {certainty}", evidence)


def _describe_missing(requests: float | None) -> str:
    """Say how many more requests a comparison needs."""
    if requests is None:
        return "requests to both versions are needed"
    return (
        f"about {format_estimate(requests)} more requests of the candidate are needed, "
        "if it does as well as stable"
    )


def _check_invocations(rules: Rules, measurements: Measurements) -> Iterator[Finding]:
    if rules.min_invocations:
        is_reached = measurements.invocations >= rules.min_invocations
        yield Finding(
            "min_invocations",
            Verdict.PASSED if is_reached else Verdict.PENDING,
            f"{format_number(measurements.invocations)} of {rules.min_invocations} "
            "invocations measured",
        )


def _format_counts(evidence: Evidence) -> str:
    candidate, stable = (
        f"{format_number(proportion.hits)} of {format_number(proportion.total)}"
        for proportion in (evidence.candidate, evidence.stable)
    )
    return f"{candidate} against {stable}"


def _format_e_value(e: float) -> str:
    if e >= _MAX_SHOWN_E_VALUE:
        return "over 10000"
    return f"{e:.2g}" if e < _MAX_WITH_DECIMALS else f"{e:.0f}"

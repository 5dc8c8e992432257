"""Assesses a candidate by rules, from what was measured of it and of stable."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from workflows.domain.evidence import SequentialTest, Evidence, Proportion
from workflows.domain.formatting import format_number
from workflows.domain.measurement import COMPLETE, Measure, Measurements
from workflows.domain.rules import Limit, NotWorse, Rules


class Verdict(StrEnum):
    """What a judgement comes to."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    UNMEASURABLE = "unmeasurable"
    PENDING = "pending"


@dataclass(frozen=True)
class Finding:
    """What one rule says, and why, as a sentence with its numbers. ``evidence`` is there for a rule that compares."""

    rule: str
    verdict: Verdict
    reason: str
    evidence: Evidence | None = None


@dataclass(frozen=True)
class Assessment:
    """What all rules together say."""

    verdict: Verdict
    findings: tuple[Finding, ...]

    @property
    def reason(self) -> str:
        """The findings that the outcome rests on, as one line."""
        return "; ".join(
            finding.reason for finding in self.findings if finding.verdict is self.verdict
        )


class EvidenceCache:
    """The bets of relative rules, kept from one judgement to the next, so that each contrast is bet on once. Only saves time."""

    def __init__(self) -> None:
        """Nothing is bet yet."""
        self._bets: dict[tuple[Measure, float], SequentialTest] = {}

    def evidence(self, rule: NotWorse, seen: Measurements) -> Evidence:
        """What the bets of a rule stand at: the same as of bets that are made anew."""
        contrasts = seen.contrasts.get(rule.metric, ())
        bets = self._bets.get((rule.metric, rule.margin)) or SequentialTest(
            rule.margin, seen.baseline.get(rule.metric) or Proportion()
        )
        self._bets[rule.metric, rule.margin] = bets = functools.reduce(
            SequentialTest.with_contrast, contrasts[bets.turn :], bets
        )
        return bets.evidence


def assess(
    rules: Rules, seen: Measurements, *, deadline: datetime, cache: EvidenceCache | None = None
) -> Assessment:
    """Judge a candidate by what was measured. ``until`` is when the time for it is over; ``ledger`` is of earlier judgements of the same release.

    One rule:

    - a *limit* has **failed** when its last ``minutes`` measured minutes are all out of bounds, and **passed** when they are not; with fewer
      minutes measured it is **pending**. It speaks of now: a limit that is passed may be broken a minute later;
    - a rule *relative to stable* has **failed** when the evidence of harm has ever reached (number of such rules) / ``alpha``, and
      **passed** when the evidence of "not worse by the margin" is ``1/alpha``; else it is **pending**. Both at once is a failure;
    - ``min_invocations`` is **pending** until so many invocations of the candidate were measured.

    All together, the first of these that is true:

    1. **failed**: a rule failed. What was seen is not unseen because CloudWatch stopped answering;
    2. **unmeasurable**: the last look was anything but Complete. Silence is neither zero errors nor a pass;
    3. **pending**: a rule is pending, and there is time;
    4. **inconclusive**: a rule is pending, and the time is over;
    5. **passed**: every rule passed. Without rules there is nothing to pass: **inconclusive**.
    """
    findings = (
        *(_limited(limit, seen) for limit in rules.limits),
        *(
            _compared(rule, rules, (cache or EvidenceCache()).evidence(rule, seen))
            for rule in rules.not_worse
        ),
        *_enough(rules, seen),
    )
    outcomes = {finding.verdict for finding in findings}
    if Verdict.FAILED in outcomes:
        return Assessment(Verdict.FAILED, findings)
    if seen.status != COMPLETE:
        silent = Finding("measurable", Verdict.UNMEASURABLE, f"CloudWatch answered {seen.status}")
        return Assessment(Verdict.UNMEASURABLE, (*findings, silent))
    if outcomes == {Verdict.PASSED}:
        return Assessment(Verdict.PASSED, findings)
    if seen.at is None or seen.at < deadline:
        return Assessment(Verdict.PENDING, findings)
    late = tuple(
        Finding(finding.rule, Verdict.INCONCLUSIVE, finding.reason, finding.evidence)
        if finding.verdict is Verdict.PENDING
        else finding
        for finding in findings
    )
    return Assessment(Verdict.INCONCLUSIVE, late)


def _limited(limit: Limit, seen: Measurements) -> Finding:
    values = [
        value
        for _, point in sorted(seen.candidate.items())
        if (value := limit.value(point)) is not None
    ][-limit.minutes :]
    if len(values) < limit.minutes:
        return Finding(
            str(limit),
            Verdict.PENDING,
            f"{limit}: {len(values)} of {limit.minutes} minutes measured",
        )
    told = f"{limit}: {', '.join(f'{value:.4g}' for value in values)}"
    if any(map(limit.is_within_bounds, values)):
        return Finding(str(limit), Verdict.PASSED, told)
    return Finding(str(limit), Verdict.FAILED, told)


def _compared(rule: NotWorse, rules: Rules, found: Evidence) -> Finding:
    if found.worse >= rules.harm_threshold:
        outcome, sure = (
            Verdict.FAILED,
            f"evidence of harm {_number(found.worse)}, {rules.harm_threshold:g} stop a release",
        )
    elif found.not_worse >= rules.pass_threshold:
        outcome, sure = (
            Verdict.PASSED,
            f"evidence of that {_number(found.not_worse)}, {rules.pass_threshold:g} are enough",
        )
    else:
        sure = f"evidence of that {_number(found.not_worse)} of {rules.pass_threshold:g}, of harm {_number(found.harm)} of {rules.harm_threshold:g}"
        outcome = Verdict.PENDING
    told = f"{rule}: {_counted(found)}; {sure}"
    return Finding(str(rule), outcome, told, found)


def _enough(rules: Rules, seen: Measurements) -> Iterator[Finding]:
    if rules.min_invocations:
        outcome = Verdict.PASSED if seen.invocations >= rules.min_invocations else Verdict.PENDING
        yield Finding(
            "min_invocations",
            outcome,
            f"{format_number(seen.invocations)} of {rules.min_invocations} invocations measured",
        )


def _counted(found: Evidence) -> str:
    candidate, stable = found.candidate, found.stable
    return f"{format_number(candidate.hits)} of {format_number(candidate.total)} against {format_number(stable.hits)} of {format_number(stable.total)}"


def _number(value: float) -> str:
    if value >= 1e4:  # noqa: PLR2004 - a number to read
        return "over 10000"
    return f"{value:.2g}" if value < 100 else f"{value:.0f}"  # noqa: PLR2004 - the same

"""The ramp that widens with the evidence: small doses of traffic, each as large as what was learnt from those before it allows.

CloudWatch tells of a minute about a minute after it is over. A weight that simply stays exposes callers all that time, and teaches nothing any
sooner. So traffic goes to the candidate in *doses*: a share of one minute's requests, sent within that minute, and then nothing until CloudWatch
has told how they fared. A version that fails meets few; a good one with much traffic is through in two to four doses.

The size of a dose is a stake. The first is ``from`` percent of a minute's requests. With evidence for "not worse than stable by the margin" of
e (1: none; see :mod:`~workflows.domain.evidence`) the next is ``factor`` times e times as large. With no evidence it is the first again, and with
evidence against it smaller, down to half.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field

from workflows.domain.assessment import Assessment, Verdict
from workflows.domain.evidence import Evidence
from workflows.domain.formatting import format_duration
from workflows.domain.inputs import Duration, Input
from workflows.domain.measurement import COMPLETE, MINUTE, Measurements
from workflows.domain.rules import Alpha, Margin, NotWorse, Rules

MAX_PERCENT: Final = 50
"""Percent of the traffic that a dose takes at most: a comparison needs stable's requests as well."""

_SHORTEST: Final = timedelta(seconds=12)
"""What must be left of a minute for a dose to begin in it; changing an alias takes a second or two."""

_PATIENCE: Final = timedelta(minutes=3)
"""How long after its minute a dose is waited for. If nothing was told by then, nobody called the candidate."""


class Adaptive(Input):
    """``{"from": 1, "factor": 2, "margin": 0.025, "max_duration": "PT2H"}``: widen as the evidence allows, and ask a person if it does not come."""

    model_config = ConfigDict(populate_by_name=True)

    kind: Literal["adaptive"] = "adaptive"
    start: Annotated[int, Field(alias="from", strict=True, ge=1, le=MAX_PERCENT)] = 1
    factor: float = Field(default=2, ge=1, le=100)
    margin: Margin = 0.025
    max_duration: Duration = timedelta(hours=2)
    alpha: Alpha = 0.01

    @property
    def rules(self) -> Rules:
        """What the candidate is judged by, if nothing else is said."""
        return Rules(not_worse=(NotWorse(margin=self.margin),), alpha=self.alpha)

    def __str__(self) -> str:
        return (
            f"{self.start}% of a minute's requests, then {self.factor:g} times that for each 1 of evidence, at most {MAX_PERCENT}% of the traffic; 100% when "
            f"errors are surely not {100 * self.margin:g} points above stable's (alpha {self.alpha:g}); a person after {format_duration(self.max_duration)}"
        )


class RampAction(StrEnum):
    """What a ramp does next."""

    SEND = "send"
    WAIT = "wait"
    PROMOTE = "promote"
    ROLL_BACK = "roll_back"
    HOLD = "hold"


@dataclass(frozen=True)
class Dose:
    """Traffic for the candidate: this percent of it, within one minute of CloudWatch's."""

    percent: int
    start: datetime
    end: datetime

    @property
    def minute(self) -> datetime:
        """The minute that CloudWatch counts it in."""
        return self.start.replace(second=0, microsecond=0)


@dataclass(frozen=True)
class Ramp:
    """A ramp under way: when it began, how long CloudWatch's minutes take to settle, and the dose that was sent last."""

    began: datetime
    settle: timedelta = timedelta()
    dose: Dose | None = None

    def with_dose(self, dose: Dose) -> Ramp:
        """The same ramp, with one more dose sent."""
        return replace(self, dose=dose)

    @property
    def patience(self) -> datetime | None:
        """When the last dose is waited for no longer."""
        return self.dose.minute + MINUTE + self.settle + _PATIENCE if self.dose else None


@dataclass(frozen=True)
class RampDecision:
    """What to do now: have ``percent`` of the traffic on the candidate.

    To be asked again with ``ramp`` and what was measured by then: as soon as CloudWatch tells more, and at ``again`` if it does not. After PROMOTE and ROLL_BACK there is nothing more to ask. HOLD leaves the candidate without
    traffic and waits for a person.
    """

    action: RampAction
    percent: int
    reason: str
    review_at: datetime
    ramp: Ramp


def decide_next_action(
    adaptive: Adaptive, *, assessment: Assessment, measurements: Measurements, ramp: Ramp, now: datetime
) -> RampDecision:
    """The next move of a ramp: the first of these that applies.

    1. a rule failed: roll back, whatever else is under way;
    2. every rule passed: promote;
    3. ``max_duration`` is over: hold, for a person to decide;
    4. a dose is under way: let it end;
    5. CloudWatch did not answer completely: no traffic for the candidate until it does;
    6. CloudWatch has not told of the last dose: no traffic until it has, for at most three minutes;
    7. too little is left of this minute: begin with the next;
    8. send the next dose.

    Without traffic for the candidate nothing gets worse while it waits.
    """
    over = ramp.began + adaptive.max_duration
    if assessment.verdict is Verdict.FAILED:
        return RampDecision(RampAction.ROLL_BACK, 0, assessment.reason, now, ramp)
    if assessment.verdict is Verdict.PASSED:
        return RampDecision(RampAction.PROMOTE, 100, assessment.reason, now, ramp)
    if now >= over:
        reason = f"no certainty within {format_duration(adaptive.max_duration)}: {assessment.reason}"
        return RampDecision(RampAction.HOLD, 0, reason, now, ramp)
    advice = _traffic(adaptive, assessment, measurements, ramp, now)
    return replace(advice, review_at=min(advice.review_at, over))


def _traffic(
    adaptive: Adaptive, assessment: Assessment, measurements: Measurements, ramp: Ramp, now: datetime
) -> RampDecision:
    """Rules 4 to 8."""
    dose, patience = ramp.dose, ramp.patience
    if dose is not None and now < dose.end:
        return RampDecision(
            RampAction.SEND, dose.percent, f"{dose.percent}% until {dose.end:%H:%M:%S}", dose.end, ramp
        )
    if measurements.status != COMPLETE:
        return RampDecision(RampAction.WAIT, 0, assessment.reason, ramp.began + adaptive.max_duration, ramp)
    if dose is not None and patience is not None and now < patience and not _told(dose, measurements):
        return RampDecision(
            RampAction.WAIT,
            0,
            f"waiting for what CloudWatch tells of {dose.minute:%H:%M}",
            patience,
            ramp,
        )
    left = now.replace(second=0, microsecond=0) + MINUTE - now
    if left < _SHORTEST:
        return RampDecision(RampAction.WAIT, 0, "the next dose begins with the next minute", now + left, ramp)
    size, because = _size(
        adaptive, [finding.evidence for finding in assessment.findings if finding.evidence]
    )
    percent = min(MAX_PERCENT, max(1, int(size * (MINUTE / left))))
    ends = now + min(left, MINUTE * (size / percent))
    reason = f"{percent}% for {format_duration(ends - now)}, {min(size, MAX_PERCENT):.2g}% of a minute's requests: {because}"
    return RampDecision(RampAction.SEND, percent, reason, ends, ramp.with_dose(Dose(percent, now, ends)))


def _told(dose: Dose, measurements: Measurements) -> bool:
    return all((measure, dose.minute) in measurements.counted for measure in measurements.measures)


def _size(adaptive: Adaptive, found: list[Evidence]) -> tuple[float, str]:
    """How much to send, in percent of a minute's requests, and why. The rule with the least evidence decides."""
    e = min((one.not_worse for one in found), default=1.0)
    if e > 1:
        return adaptive.start * adaptive.factor * e, f"the evidence for it is {e:.2g}"
    if any(one.harm > 1 for one in found):
        return adaptive.start * max(
            e, 0.5
        ), f"the evidence is against it ({max(one.harm for one in found):.2g})"
    return float(adaptive.start), "no evidence yet" if e == 1 else f"the evidence for it is {e:.2g}"

"""The adaptive ramp: doses of traffic that grow with the evidence.

CloudWatch publishes a minute about a minute after it has ended. A weight that simply stays exposes
callers during all of that time and yields no result sooner. So the candidate receives traffic in
*doses*: a share of one minute's requests, sent within that minute. Then it receives nothing until
CloudWatch has published the result. A version that fails serves few requests. A good version with
much traffic is promoted after two to four doses.

The evidence decides the size of a dose. The first dose is ``from`` percent of a minute's requests.
With an e-value of e for "not worse than stable by the margin", the next dose is ``factor`` times e
times as large. An e-value of 1 means no evidence, see :mod:`~workflows.domain.evidence`. Without
evidence, the next dose is as large as the first. With evidence against the candidate it is smaller,
down to half of the first.
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
"""The most that a dose takes: a comparison needs stable's requests, too."""

_MIN_DOSE_DURATION: Final = timedelta(seconds=12)
"""A dose starts only if this much of its minute is left.

Changing an alias takes a second or two.
"""

_METRICS_TIMEOUT: Final = timedelta(minutes=3)
"""How long the ramp waits for a dose's metrics, after its minute has settled.

Without metrics by then, the candidate was not invoked.
"""


class Adaptive(Input):
    """A step that raises the candidate's traffic as the evidence allows.

    Such as ``{"from": 1, "factor": 2, "margin": 0.025, "max_duration": "PT2H"}``. If the evidence
    is not sufficient within ``max_duration``, a person decides.
    """

    model_config = ConfigDict(populate_by_name=True)

    kind: Literal["adaptive"] = "adaptive"
    start: Annotated[int, Field(alias="from", strict=True, ge=1, le=MAX_PERCENT)] = 1
    factor: float = Field(default=2, ge=1, le=100)
    margin: Margin = 0.025
    max_duration: Duration = timedelta(hours=2)
    alpha: Alpha = 0.01

    @property
    def rules(self) -> Rules:
        """The rules that the candidate is assessed by, where the release names no others."""
        return Rules(not_worse=(NotWorse(margin=self.margin),), alpha=self.alpha)

    def __str__(self) -> str:
        return (
            f"{self.start}% of a minute's requests, then {self.factor:g} times that for each 1 of "
            f"evidence, at most {MAX_PERCENT}% of the traffic; 100% when errors are surely not "
            f"{100 * self.margin:g} points above stable's (alpha {self.alpha:g}); "
            f"a person after {format_duration(self.max_duration)}"
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
    """``percent`` of the traffic for the candidate, within one minute."""

    percent: int
    start: datetime
    end: datetime

    @property
    def minute(self) -> datetime:
        """The start of the minute in which CloudWatch counts it."""
        return self.start.replace(second=0, microsecond=0)


@dataclass(frozen=True)
class Ramp:
    """A ramp in progress, with the dose that was sent last.

    ``settle`` is how long the numbers of a minute may stay incomplete after its end.
    """

    started_at: datetime
    settle: timedelta = timedelta()
    dose: Dose | None = None

    def with_dose(self, dose: Dose) -> Ramp:
        """The same ramp, after one more dose."""
        return replace(self, dose=dose)

    @property
    def metrics_deadline(self) -> datetime | None:
        """When the ramp stops waiting for the last dose's metrics; None without a dose."""
        return self.dose.minute + MINUTE + self.settle + _METRICS_TIMEOUT if self.dose else None


@dataclass(frozen=True)
class RampDecision:
    """What to do now: route ``percent`` of the traffic to the candidate.

    The next decision takes ``ramp``. It is due as soon as CloudWatch publishes more, and at
    ``review_at`` otherwise.
    PROMOTE and ROLL_BACK are final. HOLD leaves the candidate without traffic until a person
    decides.
    """

    action: RampAction
    percent: int
    reason: str
    review_at: datetime
    ramp: Ramp


def decide_next_action(
    adaptive: Adaptive,
    *,
    assessment: Assessment,
    measurements: Measurements,
    ramp: Ramp,
    now: datetime,
) -> RampDecision:
    """Decide the next action of a ramp, by the first of these rules that applies.

    1. a rule failed: roll back, also while a dose is being sent;
    2. every rule passed: promote;
    3. ``max_duration`` is over: hold until a person decides;
    4. a dose is being sent: let it end;
    5. the last poll of CloudWatch was not Complete: no traffic for the candidate until one is;
    6. CloudWatch has not published the last dose: no traffic until it has, for at most three
       minutes after the dose's minute has settled;
    7. too little is left of this minute: start with the next;
    8. send the next dose.

    While the candidate has no traffic, waiting does no harm.
    """
    deadline = ramp.started_at + adaptive.max_duration
    if assessment.verdict is Verdict.FAILED:
        return RampDecision(RampAction.ROLL_BACK, 0, assessment.reason, now, ramp)
    if assessment.verdict is Verdict.PASSED:
        return RampDecision(RampAction.PROMOTE, 100, assessment.reason, now, ramp)
    if now >= deadline:
        reason = (
            f"no certainty within {format_duration(adaptive.max_duration)}: {assessment.reason}"
        )
        return RampDecision(RampAction.HOLD, 0, reason, now, ramp)
    decision = _decide_traffic(adaptive, assessment, measurements, ramp, now)
    return replace(decision, review_at=min(decision.review_at, deadline))


def _decide_traffic(
    adaptive: Adaptive,
    assessment: Assessment,
    measurements: Measurements,
    ramp: Ramp,
    now: datetime,
) -> RampDecision:
    """Rules 4 to 8."""
    dose, metrics_deadline = ramp.dose, ramp.metrics_deadline
    if dose is not None and now < dose.end:
        reason = f"{dose.percent}% until {dose.end:%H:%M:%S}"
        return RampDecision(RampAction.SEND, dose.percent, reason, dose.end, ramp)
    if measurements.status != COMPLETE:
        deadline = ramp.started_at + adaptive.max_duration
        return RampDecision(RampAction.WAIT, 0, assessment.reason, deadline, ramp)
    if (
        dose is not None
        and metrics_deadline is not None
        and now < metrics_deadline
        and not _is_measured(dose, measurements)
    ):
        reason = f"waiting for CloudWatch's metrics of {dose.minute:%H:%M}"
        return RampDecision(RampAction.WAIT, 0, reason, metrics_deadline, ramp)
    left = now.replace(second=0, microsecond=0) + MINUTE - now
    if left < _MIN_DOSE_DURATION:
        reason = "the next dose begins with the next minute"
        return RampDecision(RampAction.WAIT, 0, reason, now + left, ramp)
    size, why = _size_dose(
        adaptive, [finding.evidence for finding in assessment.findings if finding.evidence]
    )
    percent = min(MAX_PERCENT, max(1, int(size * (MINUTE / left))))
    end = now + min(left, MINUTE * (size / percent))
    reason = (
        f"{percent}% for {format_duration(end - now)}, "
        f"{min(size, MAX_PERCENT):.2g}% of a minute's requests: {why}"
    )
    next_ramp = ramp.with_dose(Dose(percent, now, end))
    return RampDecision(RampAction.SEND, percent, reason, end, next_ramp)


def _is_measured(dose: Dose, measurements: Measurements) -> bool:
    return all((measure, dose.minute) in measurements.counted for measure in measurements.measures)


def _size_dose(adaptive: Adaptive, found: list[Evidence]) -> tuple[float, str]:
    """The size in percent of a minute's requests, and the reason.

    The rule with the least evidence decides.
    """
    e = min((evidence.not_worse for evidence in found), default=1.0)
    if e > 1:
        return adaptive.start * adaptive.factor * e, f"the evidence for it is {e:.2g}"
    if any(evidence.harm > 1 for evidence in found):
        harm = max(evidence.harm for evidence in found)
        return adaptive.start * max(e, 0.5), f"the evidence is against it ({harm:.2g})"
    return float(adaptive.start), "no evidence yet" if e == 1 else f"the evidence for it is {e:.2g}"

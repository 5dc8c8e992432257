"""The strategy of a release: steps in order, or a preset that stands for them.

After the last step all traffic goes to the candidate. So ``Canary10Percent5Minutes`` is two steps:
a weight of 10 percent, and a bake of five minutes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Final, Literal, Self, cast

from pydantic import BeforeValidator, Field, StrictBool, model_validator

from workflows.domain.adaptive import Adaptive
from workflows.domain.formatting import format_duration
from workflows.domain.inputs import Duration, Input, Percent
from workflows.domain.probe import Probe
from workflows.domain.rules import Rules
from workflows.domain.suggestion import ask_whether_meant

_ALL: Final = 100
_MIN_EXTENSION: Final = timedelta(minutes=10)
_MAX_PROBE_STEPS: Final = 10

_CODEDEPLOY: Final = re.compile(r"(CodeDeployDefault\.)?(Lambda)?", re.ASCII | re.IGNORECASE)
"""What CodeDeploy's own names begin with, in its API and in its console."""

_CANARY: Final = re.compile(
    r"Canary([1-9]\d?)Percent([1-9]\d{0,4})Minutes?", re.ASCII | re.IGNORECASE
)
_LINEAR: Final = re.compile(
    r"Linear([1-9]\d?)PercentEvery([1-9]\d{0,4})Minutes?", re.ASCII | re.IGNORECASE
)
_OTHER_UNIT: Final = re.compile(r"second|hour|day|week", re.IGNORECASE)


class SetWeight(Input):
    """Route this share of the traffic to the candidate."""

    kind: Literal["set_weight"] = "set_weight"
    percent: Percent


OnNoData = Literal["hold", "pass", "fail"]
"""What to do when the time is over and CloudWatch has not reported enough.

Wait for a person, go on all the same, or roll back.
"""


class _TimedStep(Input):
    """A step of a fixed duration, extended if too little was measured by its end.

    It ends at most ``max_duration`` after its start.
    """

    duration: Duration
    max_duration: Duration | None = None
    on_no_data: OnNoData | None = None

    @model_validator(mode="after")
    def _check_max_duration(self) -> Self:
        if self.max_duration is not None and self.max_duration < self.duration:
            raise ValueError("max_duration: shorter than duration")
        return self

    @property
    def effective_max_duration(self) -> timedelta:
        """``max_duration``; by default twice the duration, at least ten minutes more."""
        return self.max_duration or self.duration + max(self.duration, _MIN_EXTENSION)

    @property
    def effective_on_no_data(self) -> OnNoData:
        """``on_no_data``, or by default ``hold``: a person decides."""
        return self.on_no_data or "hold"


class Bake(_TimedStep):
    """Keep the weight for a duration, while the guards watch. A pause does not count.

    With ``min_invocations``, or with metrics as guards, it lasts until so much was measured.
    """

    kind: Literal["bake"] = "bake"
    min_invocations: Annotated[int, Field(strict=True, ge=1)] | None = None


class Analysis(Rules, _TimedStep):
    """Assess the candidate by rules.

    The release is rolled back when a rule fails. The step passes when all rules pass: at the end of
    ``duration``, or with ``early`` before that.
    """

    kind: Literal["analysis"] = "analysis"
    early: StrictBool = False

    @model_validator(mode="after")
    def _check_criteria(self) -> Self:
        if not self.has_criteria:
            raise ValueError("an analysis needs rules: limits, not_worse or both")
        return self

    @property
    def summary(self) -> str:
        """The rules, in a line."""
        return Rules.__str__(self)


class Approval(Input):
    """Wait until a person approves; rolled back at the time-out.

    Without a time-out it waits without limit.
    """

    kind: Literal["approval"] = "approval"
    timeout: Duration | None = None


Step = Annotated[
    SetWeight | Bake | Approval | Analysis | Adaptive | Probe, Field(discriminator="kind")
]


def _check_probe_steps(steps: object) -> object:
    """Refuse too many probes before their expectations are validated: that is slow."""
    if _count_probes(steps) > _MAX_PROBE_STEPS:
        raise ValueError(f"more than {_MAX_PROBE_STEPS} of them are probes")
    return steps


def _count_probes(steps: object) -> int:
    listed: Sequence[object] = (
        cast("Sequence[object]", steps) if isinstance(steps, list | tuple) else ()
    )
    kinds = [
        cast("Mapping[str, object]", step).get("kind")
        if isinstance(step, Mapping)
        else getattr(step, "kind", None)
        for step in listed
    ]
    return kinds.count("probe")


class Steps(Input):
    """The steps of a strategy, in order."""

    steps: Annotated[tuple[Step, ...], Field(max_length=500), BeforeValidator(_check_probe_steps)]

    @model_validator(mode="after")
    def _check_traffic(self) -> Self:
        percent = 0
        for number, step in enumerate(self.steps):
            match step:
                case SetWeight():
                    percent = step.percent
                case Analysis() if percent == 0 or (step.not_worse and percent == _ALL):
                    receivers = "both versions" if step.not_worse else "the candidate"
                    raise ValueError(
                        f"steps.{number}: an analysis needs traffic on {receivers}: "
                        "set a weight before it"
                    )
                case _:
                    pass
        return self

    @property
    def is_weighted(self) -> bool:
        """Whether the alias will route to two versions at once."""
        return any(
            isinstance(step, Adaptive) or (isinstance(step, SetWeight) and 0 < step.percent < _ALL)
            for step in self.steps
        )

    def __str__(self) -> str:
        return ", ".join([*map(_summarize_step, self.steps), "100%"])


def _summarize_step(step: Step) -> str:
    match step:
        case SetWeight(percent=percent):
            return f"{percent}%"
        case Bake(duration=duration):
            return format_duration(duration)
        case Analysis(duration=duration):
            return f"analysis for {format_duration(duration)}"
        case Adaptive():
            return "adaptive"
        case Approval(timeout=timeout):
            return f"approval within {format_duration(timeout)}" if timeout else "approval"
        case Probe():
            return f"probe {step.summary}"


def parse_preset(name: str) -> Steps:
    """Return the steps that a preset stands for, in any case. Another name is a ``ValueError``.

    Every Lambda preset of AWS CodeDeploy is one, as CodeDeploy and as SAM spell it:
    https://docs.aws.amazon.com/codedeploy/latest/userguide/deployment-configurations.html
    """
    prefix = _CODEDEPLOY.match(name)
    name = name[prefix.end() :] if prefix else name
    if name.casefold() == "allatonce":
        return Steps(steps=())
    if name.casefold() == "adaptive":
        return Steps(steps=(Adaptive(),))
    if found := _CANARY.fullmatch(name):
        percents = [int(found[1])]
    elif found := _LINEAR.fullmatch(name):
        percents = list(range(int(found[1]), _ALL, int(found[1])))
    else:
        raise ValueError(
            f"no such preset{_ask_for_preset(name)}: there are AllAtOnce, Adaptive, "
            "Canary<P>Percent<N>Minutes and Linear<P>PercentEvery<N>Minutes (P from 1 to 99, N "
            "from 1)"
        )
    bake = Bake(duration=timedelta(minutes=int(found[2])))
    return Steps(
        steps=tuple(step for percent in percents for step in (SetWeight(percent=percent), bake))
    )


def _ask_for_preset(name: str) -> str:
    """Ask for the preset that is most like a name, with its numbers; empty without one."""
    numbers = [int(digits) for digits in re.findall(r"[0-9]{1,5}", name)][:2]
    percent, minutes = (*numbers, *(10, 5)[len(numbers) :])
    known = ["AllAtOnce", "Adaptive"]
    if 0 < percent < _ALL and minutes and not _OTHER_UNIT.search(name):
        plural = "" if minutes == 1 else "s"
        known += [
            f"Canary{percent}Percent{minutes}Minute{plural}",
            f"Linear{percent}PercentEvery{minutes}Minute{plural}",
        ]
    return ask_whether_meant(name, known).replace("; did", " (did").replace("?", "?)")


def _expand_strategy(value: object) -> object:
    if isinstance(value, str):
        return parse_preset(value)
    if not isinstance(value, Mapping):
        return value
    given = cast("Mapping[str, object]", value)
    if "adaptive" in given:
        return _expand_adaptive(given)
    for key in given if "steps" not in given else ():
        if question := ask_whether_meant(key, ["adaptive"]):
            raise ValueError(f"{key}: there is no such key{question}")
    return given


def _expand_adaptive(value: Mapping[str, object]) -> object:
    """Expand ``{"adaptive": {…}}`` to one step; other keys stay, and are refused."""
    given = value["adaptive"]
    if not isinstance(given, Mapping):
        raise ValueError('adaptive: not an object: {"adaptive": {}} is Adaptive')  # noqa: TRY004 - pydantic reports only ValueErrors
    step = {**cast("Mapping[str, object]", given), "kind": "adaptive"}
    return {**{key: other for key, other in value.items() if key != "adaptive"}, "steps": [step]}


Strategy = Annotated[Steps, BeforeValidator(_expand_strategy)]
"""Steps, the name of a preset, or ``{"adaptive": {…}}``."""

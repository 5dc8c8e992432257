"""How traffic moves to the candidate: steps, one after the other; presets are only another spelling of them.

After the last step everything goes to the candidate, so ``Canary10Percent5Minutes`` is two steps: 10 percent, and five minutes of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Literal, Self, cast

from pydantic import BeforeValidator, Field, StrictBool, model_validator

from workflows.domain.adaptive import Adaptive
from workflows.domain.formatting import format_duration
from workflows.domain.inputs import Duration, Input, Percent
from workflows.domain.probe import Probe
from workflows.domain.rules import Rules


class SetWeight(Input):
    """Send this share of the traffic to the candidate."""

    kind: Literal["set_weight"] = "set_weight"
    percent: Percent


OnNoData = Literal["hold", "pass", "fail"]
"""What to do when the time is over and CloudWatch has not told enough: wait for a person, go on all the same, or roll back."""

_MORE = timedelta(minutes=10)


class _Patient(Input):
    """A step that lasts for so long, and for longer if too little was measured by then: at most until ``max_duration`` after its beginning."""

    duration: Duration
    max_duration: Duration | None = None
    on_no_data: OnNoData | None = None

    @model_validator(mode="after")
    def _not_backwards(self) -> Self:
        if self.max_duration is not None and self.max_duration < self.duration:
            raise ValueError("max_duration: shorter than duration")
        return self

    @property
    def effective_max_duration(self) -> timedelta:
        """How long it may last: if nothing is said, twice its duration, and ten minutes more than it at least."""
        return self.max_duration or self.duration + max(self.duration, _MORE)

    @property
    def effective_on_no_data(self) -> OnNoData:
        """What silence means: a person decides, if nothing is said."""
        return self.on_no_data or "hold"


class Bake(_Patient):
    """Stay as it is for so long, guards watching. A pause does not use it up.

    With ``min_invocations``, or with metrics as guards, it lasts until so much was measured.
    """

    kind: Literal["bake"] = "bake"
    min_invocations: Annotated[int, Field(strict=True, ge=1)] | None = None


class Analysis(Rules, _Patient):
    """Judge the candidate by rules: rolled back when one fails; passed when all pass, at the end of ``duration``, or before that with ``early``."""

    kind: Literal["analysis"] = "analysis"
    early: StrictBool = False

    @model_validator(mode="after")
    def _some_rule(self) -> Self:
        if not self.has_criteria:
            raise ValueError("an analysis needs rules: limits, not_worse or both")
        return self

    @property
    def summary(self) -> str:
        """What it judges, in a line."""
        return Rules.__str__(self)


class Approval(Input):
    """Wait until a person approves; rolled back when nobody has within the time-out (none: waits for ever)."""

    kind: Literal["approval"] = "approval"
    timeout: Duration | None = None


Step = Annotated[
    SetWeight | Bake | Approval | Analysis | Adaptive | Probe, Field(discriminator="kind")
]

_MOST_PROBES = 10


def _few_probes(steps: object) -> object:
    """Steps of which few are probes. Looked at before anything else: what probes expect takes a while to read."""
    if _probes(steps) > _MOST_PROBES:
        raise ValueError(f"more than {_MOST_PROBES} of them are probes")
    return steps


def _probes(steps: object) -> int:
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
    """A strategy: steps in order; all traffic to the candidate after the last."""

    steps: Annotated[tuple[Step, ...], Field(max_length=500), BeforeValidator(_few_probes)]

    @model_validator(mode="after")
    def _something_to_compare(self) -> Self:
        percent = 0
        for number, step in enumerate(self.steps):
            match step:
                case SetWeight():
                    percent = step.percent
                case Analysis() if percent == 0 or (step.not_worse and percent == _ALL):
                    raise ValueError(
                        f"steps.{number}: an analysis needs traffic on {'both versions' if step.not_worse else 'the candidate'}: set a weight before it"
                    )
                case _:
                    pass
        return self

    @property
    def is_weighted(self) -> bool:
        """Whether the alias will send traffic to two versions at once."""
        return any(
            isinstance(step, Adaptive) or (isinstance(step, SetWeight) and 0 < step.percent < _ALL)
            for step in self.steps
        )

    def __str__(self) -> str:
        return ", ".join([*map(_words, self.steps), "100%"])


_ALL = 100


def _words(step: Step) -> str:
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


_CANARY = re.compile(r"Canary([1-9]\d?)Percent([1-9]\d{0,4})Minutes?", re.ASCII)
_LINEAR = re.compile(r"Linear([1-9]\d?)PercentEvery([1-9]\d{0,4})Minutes?", re.ASCII)


def parse_preset(name: str) -> Steps:
    """The steps that a preset's name stands for; every Lambda preset of AWS CodeDeploy is one. An unknown name is a ``ValueError``."""
    if name == "AllAtOnce":
        return Steps(steps=())
    if name == "Adaptive":
        return Steps(steps=(Adaptive(),))
    if found := _CANARY.fullmatch(name):
        percents = [int(found[1])]
    elif found := _LINEAR.fullmatch(name):
        percents = list(range(int(found[1]), 100, int(found[1])))
    else:
        raise ValueError(
            "no such preset: there are AllAtOnce, Adaptive, Canary<P>Percent<N>Minutes and Linear<P>PercentEvery<N>Minutes (P from 1 to 99, N from 1)"
        )
    bake = Bake(duration=timedelta(minutes=int(found[2])))
    return Steps(
        steps=tuple(step for percent in percents for step in (SetWeight(percent=percent), bake))
    )


def _spelt_out(value: object) -> object:
    if isinstance(value, str):
        return parse_preset(value)
    if not isinstance(value, Mapping):
        return value
    given = cast("Mapping[str, object]", value)
    return _adaptive(given) if "adaptive" in given else given


def _adaptive(value: Mapping[str, object]) -> object:
    """``{"adaptive": {…}}``: one step of that kind. What else is there is left there, to be refused."""
    given = value["adaptive"]
    if not isinstance(given, Mapping):
        raise ValueError('adaptive: not an object: {"adaptive": {}} is Adaptive')  # noqa: TRY004 - what pydantic makes a problem of
    step = {**cast("Mapping[str, object]", given), "kind": "adaptive"}
    return {**{key: other for key, other in value.items() if key != "adaptive"}, "steps": [step]}


Strategy = Annotated[Steps, BeforeValidator(_spelt_out)]
"""Steps, the name of a preset, or ``{"adaptive": {…}}``."""

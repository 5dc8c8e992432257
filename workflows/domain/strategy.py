"""How traffic moves to the candidate: steps, one after the other; presets are only another spelling of them.

After the last step everything goes to the candidate, so ``Canary10Percent5Minutes`` is two steps: 10 percent, and five minutes of it.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from workflows.domain.words import Duration, Input, Percent, spoken


class SetWeight(Input):
    """Send this share of the traffic to the candidate."""

    kind: Literal["set_weight"] = "set_weight"
    percent: Percent


class Bake(Input):
    """Stay as it is for so long, guards watching. A pause does not use it up."""

    kind: Literal["bake"] = "bake"
    duration: Duration


class Approval(Input):
    """Wait until a person approves; rolled back when nobody has within the time-out (none: waits for ever)."""

    kind: Literal["approval"] = "approval"
    timeout: Duration | None = None


Step = Annotated[SetWeight | Bake | Approval, Field(discriminator="kind")]


class Steps(Input):
    """A strategy: steps in order; all traffic to the candidate after the last."""

    steps: tuple[Step, ...] = Field(max_length=500)

    @property
    def weighted(self) -> bool:
        """Whether the alias will send traffic to two versions at once."""
        return any(isinstance(step, SetWeight) and 0 < step.percent < 100 for step in self.steps)  # noqa: PLR2004 - percent

    def __str__(self) -> str:
        return ", ".join([*map(_words, self.steps), "100%"])


def _words(step: SetWeight | Bake | Approval) -> str:
    match step:
        case SetWeight(percent=percent):
            return f"{percent}%"
        case Bake(duration=duration):
            return spoken(duration)
        case Approval(timeout=timeout):
            return f"approval within {spoken(timeout)}" if timeout else "approval"


_CANARY = re.compile(r"Canary([1-9]\d?)Percent([1-9]\d{0,4})Minutes?", re.ASCII)
_LINEAR = re.compile(r"Linear([1-9]\d?)PercentEvery([1-9]\d{0,4})Minutes?", re.ASCII)


def preset(name: str) -> Steps:
    """The steps that a preset's name stands for; every Lambda preset of AWS CodeDeploy is one. An unknown name is a ``ValueError``."""
    if name == "AllAtOnce":
        return Steps(steps=())
    if found := _CANARY.fullmatch(name):
        percents = [int(found[1])]
    elif found := _LINEAR.fullmatch(name):
        percents = list(range(int(found[1]), 100, int(found[1])))
    else:
        raise ValueError(
            "no such preset: there are AllAtOnce, Canary<P>Percent<N>Minutes and Linear<P>PercentEvery<N>Minutes (P from 1 to 99, N from 1)"
        )
    bake = Bake(duration=timedelta(minutes=int(found[2])))
    return Steps(steps=tuple(step for percent in percents for step in (SetWeight(percent=percent), bake)))


def _spelt_out(value: object) -> object:
    return preset(value) if isinstance(value, str) else value


Strategy = Annotated[Steps, BeforeValidator(_spelt_out)]
"""Steps, or the name of a preset."""

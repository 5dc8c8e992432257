"""What people type, and how strictly it is read: the base of every input, durations, percentages and names of people."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, ClassVar, cast

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_SHORT = re.compile(r"(\d{1,9})([smhd])", re.ASCII)
_LONGEST = timedelta(days=365)


class Input(BaseModel):
    """Something a person or a program sends us: unknown keys are refused, and nothing of it is echoed in an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    failure_type: ClassVar[str] = "ReleaseRejected"
    """The failure type that a malformed one ends with (see :mod:`workflows.temporal.plugin`)."""

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, data: object) -> object:
        if isinstance(data, dict):
            return {
                key: value
                for key, value in cast("dict[object, object]", data).items()
                if value is not None
            }
        return data

    @model_serializer(mode="wrap")
    def _without_absent_keys(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in serialize(self).items() if value is not None}


def _duration(value: object) -> object:
    """ISO 8601 goes on to pydantic; ``30s``, ``5m``, ``2h`` and ``3d`` are ours. A bare number is refused: of what?"""
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str):
        if short := _SHORT.fullmatch(value):
            return timedelta(**{_UNITS[short[2]]: int(short[1])})
        if value.startswith("P"):
            return value
    raise ValueError(
        'not a duration: write ISO 8601 ("PT10M") or a number and a unit ("30s", "5m", "2h", "3d")'
    )


Duration = Annotated[
    timedelta, Field(ge=timedelta(seconds=1), le=_LONGEST), BeforeValidator(_duration)
]
"""From one second (Temporal's timers are no finer) to a year."""

_MILLISECONDS = re.compile(r"(\d{1,6})ms", re.ASCII)


def _latency(value: object) -> object:
    """A duration, or ``300ms``."""
    short = _MILLISECONDS.fullmatch(value) if isinstance(value, str) else None
    return timedelta(milliseconds=int(short[1])) if short else _duration(value)


Latency = Annotated[
    timedelta,
    Field(ge=timedelta(milliseconds=1), le=timedelta(minutes=15)),
    BeforeValidator(_latency),
]
"""How long a function may take to answer: from a millisecond to Lambda's longest, 15 minutes."""

Percent = Annotated[int, Field(strict=True, ge=0, le=100)]
"""Whole percent of an alias' traffic, 0 to 100."""

Person = Annotated[str, Field(max_length=200)]
Reason = Annotated[str, Field(max_length=1000)]

"""The base class of every input, and the types of its values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Final, Self, cast

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    WrapSerializer,
    model_serializer,
    model_validator,
)

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_SHORT_DURATION: Final = re.compile(r"(\d{1,9})([smhd])", re.ASCII)
_MILLISECONDS: Final = re.compile(r"(\d{1,6})ms", re.ASCII)
_CALENDAR: Final = re.compile(r"P(?:(\d+)Y)?(?:(\d+)M)?((?:\d+W)?(?:\d+D)?)(T[\d.HMS]+)?", re.ASCII)
"""A duration of ISO 8601: years, months, weeks and days, time."""

_MAX_DURATION: Final = timedelta(days=365)


RECORDED: Final = "recorded"
"""The key of pydantic's context for the input of a workflow that has begun already."""


class Input(BaseModel):
    """What a user or a program sends to a release.

    Unknown keys are refused. Errors do not repeat the values. A null is an absent key, and absent
    keys are not serialized.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    failure_type: ClassVar[str] = "ReleaseRejected"
    """The failure type of a malformed one (see :mod:`workflows.temporal.payloads`)."""

    _refusal: Exception | None = PrivateAttr(default=None)

    @property
    def refusal(self) -> Exception | None:
        """Why this version refuses it, which an earlier one may have begun a workflow with."""
        return self._refusal

    def with_refusal(self, refusal: Exception) -> Self:
        """Return a copy that has a ``refusal``."""
        copy = self.model_copy()
        copy._refusal = refusal  # noqa: SLF001 - it is our own
        return copy

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, data: object) -> object:
        if isinstance(data, dict):
            return {
                key: value
                for key, value in cast("dict[object, object]", data).items()
                if value is not None
            }
        return data

    @model_serializer(mode="wrap")
    def _drop_absent_keys(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in serialize(self).items() if value is not None}


def _parse_duration(value: object, info: ValidationInfo) -> object:
    """Parse ``30s``, ``5m``, ``2h`` and ``3d``; ISO 8601 is left to pydantic.

    A bare number is refused, since it has no unit. Months and years are, since ``P10M`` was meant
    to be ``PT10M``; but not in what is ``RECORDED``, which earlier versions have accepted.
    """
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str):
        if short := _SHORT_DURATION.fullmatch(value):
            return timedelta(**{_UNITS[short[2]]: int(short[1])})
        if value.startswith("P"):
            context: Mapping[str, object] = info.context or {}
            if not context.get(RECORDED):
                _refuse_months(value)
            return value
    raise ValueError(
        'not a duration: write ISO 8601 ("PT10M") or a number and a unit ("30s", "5m", "2h", "3d")'
    )


def _refuse_months(text: str) -> None:
    if not (found := _CALENDAR.fullmatch(text)):
        return
    years, months, days, time = found.groups(default="")
    if months and not years and not time:
        unit = "month" if months == "1" else "months"
        raise ValueError(f"{text} is {months} {unit}; did you mean P{days}T{months}M?")
    if months or years:
        raise ValueError("a duration has no months and years: write days, such as P30D or P365D")


def _write_duration(duration: timedelta, serialize: SerializerFunctionWrapHandler) -> str:
    """Write 365 days as such, where pydantic writes ``P1Y``, which is not read."""
    text: str = serialize(duration)
    return text.replace("P1Y", "P365D")


Duration = Annotated[
    timedelta,
    Field(ge=timedelta(seconds=1), le=_MAX_DURATION),
    BeforeValidator(_parse_duration),
    WrapSerializer(_write_duration, when_used="json"),
]
"""A duration from one second (Temporal's timers are no finer) to a year."""


def _parse_latency(value: object, info: ValidationInfo) -> object:
    """Parse a duration, or ``300ms``."""
    short = _MILLISECONDS.fullmatch(value) if isinstance(value, str) else None
    return timedelta(milliseconds=int(short[1])) if short else _parse_duration(value, info)


Latency = Annotated[
    timedelta,
    Field(ge=timedelta(milliseconds=1), le=timedelta(minutes=15)),
    BeforeValidator(_parse_latency),
]
"""How long a function may take to answer.

From a millisecond to 15 minutes, Lambda's maximum.
"""

Percent = Annotated[int, Field(strict=True, ge=0, le=100)]
"""Percent of an alias' traffic, a whole number from 0 to 100."""

Person = Annotated[str, Field(max_length=200)]
Reason = Annotated[str, Field(max_length=1000)]

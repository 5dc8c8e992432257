"""``guards`` of an input: what may stop a release at any time."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from workflows.domain.alarm_name import AlarmReference, name_of_alarm
from workflows.domain.inputs import Duration, Input
from workflows.domain.rules import Rules


def _distinct(references: tuple[str, ...]) -> tuple[str, ...]:
    by_name = dict[str, str]()
    for reference in references:
        by_name.setdefault(name_of_alarm(reference), reference)
    return tuple(by_name.values())


class MetricGuards(Rules):
    """Rules that hold throughout a release: it is stopped as soon as one fails."""

    @model_validator(mode="after")
    def _some_rule(self) -> Self:
        if not self.has_criteria:
            raise ValueError("name what is judged: limits, not_worse or both")
        return self


class GuardSettings(Input):
    """What may stop a release at any time."""

    alarms: Annotated[
        tuple[AlarmReference, ...], Field(max_length=100), AfterValidator(_distinct)
    ] = ()
    """Names or ARNs of CloudWatch alarms, metric or composite, in the function's region."""
    metrics: MetricGuards | None = None
    after: Annotated[Duration, Field(le=timedelta(days=14))] | None = None
    """How long guards go on, and stable stays ready, once all traffic is on the candidate."""
    on_no_data: Literal["note", "hold", "fail"] = "note"
    """What happens where an alarm has no data: it is noted, the release holds, or it fails."""
    on_foreign: Literal["end", "ask"] = "end"
    """What happens where another writer changed the routing: it ends, or a person chooses."""

    @property
    def alarm_names(self) -> tuple[str, ...]:
        """The alarms by their names."""
        return tuple(map(name_of_alarm, self.alarms))

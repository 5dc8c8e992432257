"""The history of alarms: which of them went off while no look could see it.

A look is a read of an alarm's state. Looks are seconds apart, so an alarm that goes off is found,
unless CloudWatch could not be read meanwhile, or no worker ran. The time of the last change of its
state tells then that something happened, and its history tells what.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, cast

from activities.errors import AwsError, Fault, classify_error
from activities.operation import Aws

_MAX_LOOKS: Final = 10_000
_MAX_CHANGES: Final = 100
"""AWS's largest page of a history."""

_PASSING: Final = {Fault.UNAVAILABLE, Fault.THROTTLED}

ALARM_KINDS: Final = ["MetricAlarm", "CompositeAlarm"]
"""All of AWS's. Without them it returns metric alarms only."""


@dataclass(frozen=True, slots=True)
class AlarmLook:
    """What a look saw of an alarm: its state, and when that had changed; None where unknown.

    ``went_off`` is when it had been red unseen, ``is_interrupted`` whether later looks failed.
    """

    state: str = ""
    changed: datetime | None = None
    went_off: datetime | None = None
    is_interrupted: bool = False


class AlarmHistory:
    """Finds alarms that went off unseen, from a release's looks at them.

    The looks are kept in this worker. After a restart, the first one counts as the first look.
    """

    def __init__(self, aws: Aws) -> None:
        """Read histories through ``aws``."""
        self._aws = aws
        self._looks = OrderedDict[tuple[str, datetime], AlarmLook]()

    def interrupt(self, names: Iterable[str], since: datetime) -> None:
        """Note that a look at these alarms failed."""
        for name in names:
            last = self._looks.get((name, since), AlarmLook())
            self._keep(name, since, replace(last, is_interrupted=True))

    async def find_unseen(
        self, name: str, *, state: str, changed: datetime | None, since: datetime
    ) -> datetime | None:
        """Return when an alarm, which is not red, went off after ``since`` unnoticed.

        ``changed`` is when its state changed last. Its history is read only after looks that
        failed, and before the first one. Where it cannot be read, an alarm that changed and is
        back at its state from before the failed looks counts as gone off at ``changed``.
        """
        last, look = self._looks.get((name, since)), AlarmLook(state, changed)
        has_seen = last is not None and (not last.is_interrupted or last.changed == changed)
        if last is not None and last.went_off is not None:
            went_off = last.went_off
        elif has_seen or changed is None or changed < since:
            went_off = None
        else:
            went_off = await self._read(name, since, last=last, look=look)
        self._keep(name, since, replace(look, went_off=went_off))
        return went_off

    def _keep(self, name: str, since: datetime, look: AlarmLook) -> None:
        self._looks[name, since] = look
        self._looks.move_to_end((name, since))
        while len(self._looks) > _MAX_LOOKS:
            self._looks.popitem(last=False)

    async def _read(
        self, name: str, since: datetime, *, last: AlarmLook | None, look: AlarmLook
    ) -> datetime | None:
        """Return when the alarm was in ALARM last, from ``since`` on, by its history."""
        parameters = {
            "AlarmName": name,
            "AlarmTypes": ALARM_KINDS,
            "HistoryItemType": "StateUpdate",
            "StartDate": since,
            "ScanBy": "TimestampDescending",
            "MaxRecords": _MAX_CHANGES,
        }
        items: list[dict[str, Any]] = []
        try:
            response = await self._aws.call("cloudwatch", "describe_alarm_history", parameters)
            items = response.get("AlarmHistoryItems", [])
        except AwsError as error:
            if classify_error(error) in _PASSING:
                raise
        if not items:  # denied, or not as new as the state
            was_like_this = last is not None and last.state in {look.state, ""}
            return look.changed if was_like_this else None
        return next((item["Timestamp"] for item in items if _is_about_alarm(item)), None)


def _is_about_alarm(item: Mapping[str, Any]) -> bool:
    """Whether a change of state is one to ALARM, or from it."""
    try:
        change: Any = json.loads(item.get("HistoryData") or "")
    except ValueError:
        return "ALARM" in str(item.get("HistorySummary", "")).split()
    states: Mapping[str, Any] = (
        cast("Mapping[str, Any]", change) if isinstance(change, dict) else {}
    )
    return any(_find_state(states.get(name)) == "ALARM" for name in ("oldState", "newState"))


def _find_state(state: object) -> object:
    if not isinstance(state, Mapping):
        return None
    return cast("Mapping[str, object]", state).get("stateValue")

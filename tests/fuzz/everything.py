"""An AWS in memory with every operation.

The fake's, or a sample of botocore's model.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from temporalio import activity

from tests.activities.model import response_shape, sample
from tests.fake_lambda import FakeLambda
from tests.fake_lambda.account import OPERATIONS, Answer
from tests.fake_lambda.service_model import check_answer

LONG = "🦄" * 1024
"""The longest key in S3 that our models accept, in characters of four bytes each."""

MANY = [f"{number:02}{'é' * 250}" for number in range(100)]
ALARMS = {"quiet": "OK", "loud": "ALARM", **dict.fromkeys(MANY, "OK")}


_RELEASE = re.compile(r"fuzzfunc-\d+")


class Spoiler(Protocol):
    """Spoils AWS's responses to the releases of one function."""

    def meet(self, service: str, operation: str, answer: Answer) -> Answer:
        """Return the response or a spoilt one, or raise an ``AwsError``."""
        ...


class Everything(FakeLambda):
    """Has hooks, alarms, a package and a parameter besides the functions that tests create."""

    def __init__(self) -> None:
        super().__init__()
        self.alarms |= ALARMS
        self.hook("hook-yes", lambda _: {"accept": True})
        self.hook("hook-no", lambda _: {"accept": False, "reason": "not today"})
        self.upload("three.zip", "three")
        self.upload(LONG, "four")
        self.parameters["/known"] = "resolved"
        self.spoilers: dict[str, Spoiler] = {}

    async def call(self, service: str, operation: str, parameters: Mapping[str, Any]) -> Answer:
        """Answer as the fake does, or spoilt where the function has a spoiler."""
        found = (
            _RELEASE.search(activity.info().workflow_id or "") if activity.in_activity() else None
        )
        spoiler = self.spoilers.get(found[0]) if found else None
        if spoiler is None:
            return await super().call(service, operation, parameters)
        answer = await super().call(service, operation, parameters)
        return spoiler.meet(service, operation, answer)

    def perform(self, service: str, operation: str, parameters: Mapping[str, Any]) -> Answer:
        if (service, operation) in OPERATIONS:
            return super().perform(service, operation, parameters)
        shape = response_shape(operation)
        answer: Answer = {} if shape is None else draw_settled(sample(shape))
        check_answer(service, operation, answer)
        return answer


def draw_settled(answer: Any) -> Any:
    """A sample without a change in progress.

    The first value of many enumerations is *Pending*.
    """
    match answer:
        case dict():
            return {
                name: _SETTLED.get(name, value) if isinstance(value, str) else draw_settled(value)
                for name, value in answer.items()
                if name != "NextMarker"
            }
        case list():
            return [draw_settled(value) for value in answer]
        case _:
            return answer


_SETTLED = {"State": "Active", "LastUpdateStatus": "Successful", "Status": "READY"}


def list_by_name(activities: Iterable[Callable[..., Any]]) -> dict[str, Callable[..., Any]]:
    """All activities by their names in Temporal."""
    return {getattr(each, "__temporal_activity_definition").name: each for each in activities}

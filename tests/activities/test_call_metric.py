"""The metric of calls to AWS, by operation and outcome."""

from __future__ import annotations

from typing import Any

import pytest
from temporalio.common import MetricCounter, MetricMeter
from temporalio.testing import ActivityEnvironment

from activities.aws import Connection
from activities.errors import AwsError
from tests.activities.stub import (
    BROKEN,
    Stub,
)


class Meter(MetricMeter):
    """Keeps what was counted."""

    def __init__(self) -> None:
        self.counted: list[tuple[str, dict[str, Any]]] = []
        self.attributes: dict[str, Any] = {}

    def with_additional_attributes(self, additional_attributes: Any) -> Meter:
        other = Meter()
        other.counted, other.attributes = (
            self.counted,
            self.attributes | dict(additional_attributes),
        )
        return other

    def create_counter(
        self, name: str, description: str | None = None, unit: str | None = None
    ) -> MetricCounter:
        del description, unit
        meter = self

        class Counter(MetricCounter):
            name, description, unit = "", None, None

            def add(self, value: int, additional_attributes: Any = None) -> None:
                del additional_attributes
                meter.counted += [(name, meter.attributes)] * value

            def with_additional_attributes(self, additional_attributes: Any) -> MetricCounter:
                raise NotImplementedError(additional_attributes)

        return Counter()

    def _unused(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError

    create_histogram = create_histogram_float = create_histogram_timedelta = _unused
    create_gauge = create_gauge_float = create_up_down_counter = _unused


async def test_requests_are_counted_by_operation_and_outcome(aws: Connection, stub: Stub) -> None:
    environment, meter = ActivityEnvironment(), Meter()
    environment.metric_meter = meter
    get = {"FunctionName": "checkout", "Name": "live"}
    await environment.run(aws.call, "lambda", "get_alias", get)
    stub.meets(BROKEN)
    with pytest.raises(AwsError, match="ServiceException"):
        await environment.run(aws.call, "lambda", "get_alias", get)
    counted = [
        (name, attributes["operation"], attributes["outcome"]) for name, attributes in meter.counted
    ]
    assert counted == [
        ("lambda_api_calls", "get_alias", "ok"),
        ("lambda_api_calls", "get_alias", "Unavailable"),
    ]

"""A probe: requests to the candidate itself, and what its answers must be like.

It is for a function with so little traffic that a bake would measure nothing. A probe needs no
traffic on the alias, so it may be the first step. It invokes the real function: a request must be
harmless or idempotent. Requests are recorded in histories: they must not hold secrets.
"""

from __future__ import annotations

import functools
import json
from datetime import timedelta
from typing import Annotated, Any, Final, Literal, Self, cast

import jsonpath
from pydantic import (
    AfterValidator,
    Field,
    JsonValue,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from workflows.domain.formatting import format_duration
from workflows.domain.inputs import Duration, Input, Latency

MAX_REQUESTS: Final = 100
"""Requests that one step sends.

Each takes eleven events of the history, which Temporal limits to 51,200:
https://docs.temporal.io/workflow-execution/limits
"""

MAX_REQUEST_BYTES: Final = 100_000
"""Bytes of JSON of one request, with its expectations."""

MAX_STEP_BYTES: Final = 256_000
"""Bytes of JSON of all requests of a step."""

MAX_SENT_BYTES: Final = 2_000_000
"""Bytes of JSON of all that a step sends.

The history holds a request once for each time that it is sent.
"""


@functools.lru_cache(maxsize=1024)
def _check_path(path: str) -> str:
    """Accept a path that selects at most one node.

    So a lookup takes no time, and the meaning of ``equals`` is unambiguous.
    """
    try:
        query = jsonpath.compile(path, strict=True)
    except jsonpath.JSONPathError:  # its text repeats the input
        raise ValueError("not a JSON path (RFC 9535), such as $.items[0].id") from None
    if not isinstance(query, jsonpath.JSONPath) or not query.singular_query():
        raise ValueError(
            "may select several places: only names and indices, such as $.items[0].id, name one "
            "(a singular query of RFC 9535)"
        )
    return path


def _check_finite(value: JsonValue) -> JsonValue:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        raise ValueError("contains a number that JSON cannot represent") from None
    return value


JsonPath = Annotated[
    str, Field(max_length=100, description="Such as $.items[0].id"), AfterValidator(_check_path)
]
Json = Annotated[JsonValue, AfterValidator(_check_finite)]


class Expectation(Input):
    """What one place of the answer must hold.

    A value that equals this one, or any value, or none: ``exists`` is true where there must be a
    value, and false where there must be none.
    """

    path: JsonPath
    equals: Json = None
    exists: Annotated[bool, Field(strict=True)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, data: object) -> object:
        """Override that of :class:`Input`: ``equals`` may be null."""
        if isinstance(data, dict):
            return {
                key: value
                for key, value in cast("dict[object, object]", data).items()
                if value is not None or key == "equals"
            }
        return data

    @model_serializer(mode="wrap")
    def _drop_absent_keys(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {
            key: value
            for key, value in serialize(self).items()
            if value is not None or (key == "equals" and self.test == "equals")
        }

    @model_validator(mode="after")
    def _check_test(self) -> Self:
        if ("equals" in self.model_fields_set) is (self.exists is not None):
            raise ValueError("needs one of equals and exists, and not both")
        return self

    @property
    def test(self) -> Literal["equals", "exists"]:
        """The key that is given."""
        return "equals" if self.exists is None else "exists"


class ProbeRequest(Input):
    """One request: its payload, and all that must be true of the answer.

    Without expectations, any answer that is no error of the function's will do. A function that
    isolates tenants is invoked for one of them, ``tenant_id``.
    """

    name: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    tenant_id: (
        Annotated[
            str,
            Field(
                min_length=1,
                max_length=256,
                pattern=r"^[a-zA-Z0-9._:/=+@ -]+$",
                description="letters, digits, spaces and ._:/=+@-",
            ),
        ]
        | None
    ) = None
    payload: Json = Field(default_factory=dict[str, JsonValue])
    expect: Annotated[tuple[Expectation, ...], Field(max_length=10)] = ()

    @property
    def size(self) -> int:
        """Bytes of JSON, with the expectations."""
        return len(self.model_dump_json().encode())


def _check_sizes(requests: tuple[ProbeRequest, ...]) -> tuple[ProbeRequest, ...]:
    if not requests:
        raise ValueError("at least one is needed")
    for number, request in enumerate(requests):
        if request.size > MAX_REQUEST_BYTES:
            raise ValueError(
                f"number {number} is larger than {MAX_REQUEST_BYTES} bytes, "
                "with all that is expected of it"
            )
    if sum(request.size for request in requests) > MAX_STEP_BYTES:
        raise ValueError(f"larger than {MAX_STEP_BYTES} bytes together")
    return requests


class Probe(Input):
    """Send requests to the candidate, one after the other.

    The candidate is rejected as soon as more than ``max_failures`` requests failed. A request fails
    if its answer takes longer than ``max_latency``, is an error of the function's, or is not as
    expected.

    - ``count``: how many requests are sent, in turn; without it, each request once.
    - ``every``: the time between an answer and the next request. Temporal's timers are no finer
      than a second, so the rate is at most one a second.

    A pause takes effect before the next request; a promotion skips the rest.
    """

    kind: Literal["probe"] = "probe"
    requests: Annotated[
        tuple[ProbeRequest, ...], Field(max_length=20), AfterValidator(_check_sizes)
    ]
    count: Annotated[int, Field(strict=True, ge=1, le=MAX_REQUESTS)] | None = None
    every: Duration = timedelta(seconds=1)
    max_latency: Latency = timedelta(seconds=30)
    max_failures: Annotated[int, Field(strict=True, ge=0, lt=MAX_REQUESTS)] = 0

    @field_validator("count")
    @classmethod
    def _check_count(cls, count: int | None, info: ValidationInfo) -> int | None:
        requests: tuple[ProbeRequest, ...] = info.data.get("requests", ())
        if count is not None and count < len(requests):
            raise ValueError(f"fewer than the {len(requests)} requests: each is sent at least once")
        if (
            count is not None
            and requests
            and sum(requests[number % len(requests)].size for number in range(count))
            > MAX_SENT_BYTES
        ):
            raise ValueError(f"more than {MAX_SENT_BYTES} bytes would be sent in all")
        return count

    @field_validator("max_failures")
    @classmethod
    def _check_max_failures(cls, most: int, info: ValidationInfo) -> int:
        requests: tuple[ProbeRequest, ...] = info.data.get("requests", ())
        if most >= (info.data.get("count") or len(requests) or MAX_REQUESTS):
            raise ValueError("as many as are sent: at least one of them has to succeed")
        return most

    @property
    def planned_requests(self) -> tuple[ProbeRequest, ...]:
        """All requests that the step sends, in order."""
        return tuple(
            self.requests[number % len(self.requests)] for number in range(self.request_count)
        )

    @property
    def request_count(self) -> int:
        """How many requests the step sends."""
        return len(self.requests) if self.count is None else self.count

    @property
    def min_duration(self) -> timedelta:
        """How long the step takes if the function answers at once."""
        return self.every * (self.request_count - 1)

    @property
    def summary(self) -> str:
        """``once``, or ``20 times, every 1 s``."""
        if self.request_count == 1:
            return "once"
        return f"{self.request_count} times, every {format_duration(self.every)}"

"""A probe: requests that are sent to the candidate itself, by its version, and what its answers have to be like.

For a function with little traffic, whose bakes would see nothing. A probe needs no traffic on the alias, so it may be the first step. It runs the
real function: a request has to be harmless, or know its own repetitions. Requests stand in the histories: no secrets in them.
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
"""Requests that one step sends: each takes eleven events of the history, which may have 51,200."""

MAX_REQUEST_BYTES: Final = 100_000
MAX_STEP_BYTES: Final = 256_000
MAX_SENT_BYTES: Final = 2_000_000
"""Bytes of JSON: of a request with all that is expected of it; of all requests of a step; and of all that it sends, which stands in the
history once for each time."""


@functools.lru_cache(maxsize=1024)
def _one_place(path: str) -> str:
    """A path that names at most one place: it takes no time to look there, and what ``equals`` means is plain."""
    try:
        query = jsonpath.compile(path, strict=True)
    except jsonpath.JSONPathError:  # says what was typed
        raise ValueError("not a JSON path (RFC 9535), such as $.items[0].id") from None
    if not isinstance(query, jsonpath.JSONPath) or not query.singular_query():
        raise ValueError(
            "may select several places: only names and indices, such as $.items[0].id, name one (a singular query of RFC 9535)"
        )
    return path


def _finite(value: JsonValue) -> JsonValue:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        raise ValueError("a number in it is none that JSON can write") from None
    return value


JsonPath = Annotated[
    str, Field(max_length=100, description="Such as $.items[0].id"), AfterValidator(_one_place)
]
Json = Annotated[JsonValue, AfterValidator(_finite)]


class Expectation(Input):
    """What is to be found at one place of the answer: a value that equals this one, or whether there is any."""

    path: JsonPath
    equals: Json = None
    exists: Annotated[bool, Field(strict=True)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, data: object) -> object:
        """But for ``equals``, which may be null."""
        if isinstance(data, dict):
            return {
                key: value
                for key, value in cast("dict[object, object]", data).items()
                if value is not None or key == "equals"
            }
        return data

    @model_serializer(mode="wrap")
    def _without_absent_keys(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {
            key: value
            for key, value in serialize(self).items()
            if value is not None or (key == "equals" and self.test == "equals")
        }

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if ("equals" in self.model_fields_set) is (self.exists is not None):
            raise ValueError("needs one of equals and exists, and not both")
        return self

    @property
    def test(self) -> Literal["equals", "exists"]:
        """Which of the two it is."""
        return "equals" if self.exists is None else "exists"


class ProbeRequest(Input):
    """One request: what the function is sent, and all that has to hold of its answer. Without expectations it only has to answer."""

    name: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    payload: Json = Field(default_factory=dict[str, JsonValue])
    expect: Annotated[tuple[Expectation, ...], Field(max_length=10)] = ()

    @property
    def size(self) -> int:
        """Bytes of JSON."""
        return len(self.model_dump_json().encode())


def _some_and_not_too_large(requests: tuple[ProbeRequest, ...]) -> tuple[ProbeRequest, ...]:
    if not requests:
        raise ValueError("at least one is needed")
    for number, request in enumerate(requests):
        if request.size > MAX_REQUEST_BYTES:
            raise ValueError(
                f"number {number} is larger than {MAX_REQUEST_BYTES} bytes, with all that is expected of it"
            )
    if sum(request.size for request in requests) > MAX_STEP_BYTES:
        raise ValueError(f"larger than {MAX_STEP_BYTES} bytes together")
    return requests


class Probe(Input):
    """Send requests to the candidate, one after the other, and refuse it as soon as more than ``max_failures`` of them failed.

    ``count`` of them, each as often as the others; without it each once. ``every``: how long after an answer the next is sent; Temporal's timers
    are no finer than a second, so that is the rate's limit, too. An answer fails that comes later than ``max_latency``, is an error of the function's,
    or is not as expected. A pause holds before the next request; a promotion skips the rest.
    """

    kind: Literal["probe"] = "probe"
    requests: Annotated[
        tuple[ProbeRequest, ...], Field(max_length=20), AfterValidator(_some_and_not_too_large)
    ]
    count: Annotated[int, Field(strict=True, ge=1, le=MAX_REQUESTS)] | None = None
    every: Duration = timedelta(seconds=1)
    max_latency: Latency = timedelta(seconds=30)
    max_failures: Annotated[int, Field(strict=True, ge=0, lt=MAX_REQUESTS)] = 0

    @field_validator("count")
    @classmethod
    def _each_at_least_once(cls, count: int | None, info: ValidationInfo) -> int | None:
        requests: tuple[ProbeRequest, ...] = info.data.get("requests", ())
        if count is not None and count < len(requests):
            raise ValueError(f"fewer than the {len(requests)} requests: each is sent at least once")
        if (
            count is not None
            and requests
            and sum(requests[number % len(requests)].size for number in range(count)) > MAX_SENT_BYTES
        ):
            raise ValueError(f"more than {MAX_SENT_BYTES} bytes would be sent in all")
        return count

    @field_validator("max_failures")
    @classmethod
    def _not_all_may_fail(cls, most: int, info: ValidationInfo) -> int:
        requests: tuple[ProbeRequest, ...] = info.data.get("requests", ())
        if most >= (info.data.get("count") or len(requests) or MAX_REQUESTS):
            raise ValueError("as many as are sent: at least one of them has to succeed")
        return most

    @property
    def planned_requests(self) -> tuple[ProbeRequest, ...]:
        """All that is sent, in order."""
        return tuple(self.requests[number % len(self.requests)] for number in range(self.request_count))

    @property
    def request_count(self) -> int:
        """How many requests are sent."""
        return len(self.requests) if self.count is None else self.count

    @property
    def min_duration(self) -> timedelta:
        """How long the step takes if the function answers at once."""
        return self.every * (self.request_count - 1)

    @property
    def summary(self) -> str:
        """``20 times, every 1 s``."""
        return (
            "once"
            if self.request_count == 1
            else f"{self.request_count} times, every {format_duration(self.every)}"
        )

"""Probes as values: their bounds, their refusals by path, and what they send."""

from __future__ import annotations

import contextlib
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from workflows.domain.inputs import Latency
from workflows.domain.probe import (
    MAX_REQUEST_BYTES,
    MAX_SENT_BYTES,
    MAX_STEP_BYTES,
    Expectation,
    Probe,
)
from workflows.domain.strategy import Steps

ONE: dict[str, Any] = {"payload": {"id": 1}, "expect": [{"path": "$.status", "equals": "ok"}]}


def probe(*requests: dict[str, Any], **keys: Any) -> Probe:
    return Probe.model_validate_json(json.dumps({"requests": requests or [ONE], **keys}))


def problems(*requests: Any, **keys: Any) -> dict[str, str]:
    """What is wrong, by path."""
    with pytest.raises(ValidationError, match="validation error") as refused:
        probe(*requests, **keys)
    return {
        ".".join(map(str, each["loc"])): each["msg"].removeprefix("Value error, ")
        for each in refused.value.errors()
    }


def test_default_is_each_request_once_a_second_and_no_failure() -> None:
    one = probe(ONE, {})
    assert one.planned_requests == one.requests
    assert (one.request_count, one.every, one.max_latency, one.max_failures) == (
        2,
        timedelta(seconds=1),
        timedelta(seconds=30),
        0,
    )
    assert one.requests[1].payload == {}


def test_requests_repeat_in_turn() -> None:
    one = probe({"payload": 1}, {"payload": 2}, {"payload": 3}, count=7, every="5s")
    assert [request.payload for request in one.planned_requests] == [1, 2, 3, 1, 2, 3, 1]
    assert one.min_duration == timedelta(seconds=30)


@pytest.mark.parametrize(
    ("requests", "keys", "path", "problem"),
    [
        ([{"payload": {}}] * 21, {}, "requests", "at most 20 items"),
        ([ONE], {"requests": []}, "requests", "at least one is needed"),
        ([ONE], {"count": 101}, "count", "less than or equal to 100"),
        ([ONE], {"count": 0}, "count", "greater than or equal to 1"),
        ([ONE], {"count": 2.5}, "count", "valid integer"),
        ([ONE, ONE], {"count": 1}, "count", "fewer than the 2 requests"),
        ([ONE], {"every": "PT0.5S"}, "every", "greater than or equal to 1 second"),
        ([ONE], {"max_latency": "16m"}, "max_latency", "less than or equal to 15 minutes"),
        ([ONE], {"max_latency": "0ms"}, "max_latency", "greater than or equal to"),
        ([ONE], {"max_latency": 2}, "max_latency", "not a duration"),
        ([ONE], {"max_failures": 1}, "max_failures", "at least one of them has to succeed"),
        (
            [ONE],
            {"max_failures": 20, "count": 20},
            "max_failures",
            "at least one of them has to succeed",
        ),
        ([ONE], {"max_failures": -1}, "max_failures", "greater than or equal to 0"),
        ([{**ONE, "name": "x" * 65}], {}, "requests.0.name", "at most 64 characters"),
        ([{**ONE, "expected": []}], {}, "requests.0.expected", "Extra inputs"),
        (
            [{"expect": [{"path": "$.a", "exists": True}] * 11}],
            {},
            "requests.0.expect",
            "at most 10 items",
        ),
        (
            [ONE, {"expect": [{"path": "$.a", "exists": 1}]}],
            {},
            "requests.1.expect.0.exists",
            "valid boolean",
        ),
        ([{"expect": [{"path": "$.a"}]}], {}, "requests.0.expect.0", "one of equals and exists"),
        (
            [{"expect": [{"path": "$.a", "equals": None, "exists": True}]}],
            {},
            "requests.0.expect.0",
            "and not both",
        ),
        ([{"expect": [{"equals": 1}]}], {}, "requests.0.expect.0.path", "Field required"),
    ],
)
def test_value_out_of_bounds_is_named_by_its_path(
    requests: list[Any], keys: dict[str, Any], path: str, problem: str
) -> None:
    found = problems(*requests, **keys)
    assert list(found) == [path]
    assert problem in found[path]


@pytest.mark.parametrize(
    "path",
    [
        "",
        "status",
        "$.",
        "$[",
        " $",
        "$ ",
        "$.a | $.b",
        "^.a",
        "$[~'a']",
        "$[01]",
        "$[99999999999999999999]",
        "$[?match(@.a",
        "@.a",
    ],
)
def test_invalid_path_is_refused_and_not_repeated(path: str) -> None:
    found = problems({"expect": [{"path": path, "exists": True}]})
    assert found == {
        "requests.0.expect.0.path": "not a JSON path (RFC 9535), such as $.items[0].id"
    }


@pytest.mark.parametrize(
    "path",
    ["$.*", "$..id", "$.items[?@.id == 1]", "$['a','b']", "$.items[1:2]", "$[?count(@..*) > 1]"],
)
def test_path_that_may_select_several_places_is_refused(path: str) -> None:
    assert (
        "may select several places"
        in problems({"expect": [{"path": path, "exists": True}]})["requests.0.expect.0.path"]
    )


def test_path_has_at_most_a_hundred_characters() -> None:
    assert (
        "at most 100"
        in problems({"expect": [{"path": "$." + "a" * 99, "exists": True}]})[
            "requests.0.expect.0.path"
        ]
    )


@pytest.mark.parametrize(
    "path",
    [
        "$",
        "$.status",
        "$.items[0].id",
        "$[-1]",
        "$['a b']['c']",
        '$["\\u00e9"].x',
        "$.größe",
        "$ .a [ 0 ]",
    ],
)
def test_path_names_a_place_by_names_and_indices(path: str) -> None:
    assert probe({"expect": [{"path": path, "exists": True}]}).requests[0].expect[0].path == path


@given(
    st.one_of(
        st.text(max_size=100),
        st.text("$.[]'\"?@*:,0123-() abc&|=!<\\u\n", max_size=60).map("${}".format),
    )
)
def test_path_of_any_text_is_accepted_or_refused(path: str) -> None:
    with contextlib.suppress(
        ValidationError
    ):  # whatever else is raised is a bug, and would leave a workflow retrying
        assert Expectation(path=path, exists=True).path == path


def test_null_that_is_expected_is_not_the_same_as_none_expected() -> None:
    document = b'{"path": "$.error", "equals": null}'
    expected = Expectation.model_validate_json(document)
    assert (expected.test, expected.equals) == ("equals", None)
    assert json.loads(expected.model_dump_json()) == json.loads(document)
    assert json.loads(Expectation(path="$.a", exists=True).model_dump_json()) == {
        "path": "$.a",
        "exists": True,
    }


@pytest.mark.parametrize("number", [b"1e999", b"NaN", b'[{"a": -1e999}]'])
@pytest.mark.parametrize(
    "place", [b'{"payload": %b}', b'{"expect": [{"path": "$.a", "equals": %b}]}']
)
def test_number_outside_of_json_is_refused(place: bytes, number: bytes) -> None:
    with pytest.raises(ValidationError, match="contains a number that JSON cannot represent"):
        Probe.model_validate_json(b'{"requests": [%b]}' % (place % number))


def test_request_has_at_most_100_kb_and_all_of_them_256() -> None:
    whole = {"payload": "x" * (MAX_REQUEST_BYTES - 30)}
    assert probe(whole, whole).requests
    assert problems({"payload": "x" * MAX_REQUEST_BYTES}) == {
        "requests": "number 0 is larger than 100000 bytes, with all that is expected of it"
    }
    assert (
        "number 1 is"
        in problems(ONE, {"expect": [{"path": "$.a", "equals": "é" * (MAX_REQUEST_BYTES // 2)}]})[
            "requests"
        ]
    )
    assert problems(whole, whole, whole) == {
        "requests": f"larger than {MAX_STEP_BYTES} bytes together"
    }


def test_step_sends_a_bounded_amount_in_all() -> None:
    large = {"payload": "x" * 50_000}
    assert probe(large, count=39).request_count == 39
    assert problems(large, count=40) == {
        "count": f"more than {MAX_SENT_BYTES} bytes would be sent in all"
    }


def test_strategy_has_few_probes() -> None:
    step = {"kind": "probe", "requests": [ONE]}
    assert len(Steps.model_validate({"steps": [step] * 10}).steps) == 10
    with pytest.raises(ValidationError, match="more than 10 of them are probes"):
        Steps.model_validate({"steps": [step] * 11})
    with pytest.raises(ValidationError, match="more than 10 of them are probes"):
        Steps(steps=(probe(),) * 11)


def test_probe_survives_json() -> None:
    expect = [
        {"path": "$.a", "equals": None},
        {"path": "$.b", "exists": False},
        {"path": "$.c", "equals": {"d": [None, 1.5, True]}},
    ]
    strategy = Steps(
        steps=(
            probe(
                {"name": "one", "payload": [None, {"a": None}], "expect": expect},
                count=3,
                max_latency="300ms",
            ),
        )
    )
    again = Steps.model_validate_json(strategy.model_dump_json())
    assert again == strategy
    assert again.model_dump_json() == strategy.model_dump_json()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("300ms", 0.3), ("1ms", 0.001), ("2s", 2), ("PT0.25S", 0.25), ("15m", 900)],
)
def test_latency_is_a_duration_or_milliseconds(text: str, seconds: float) -> None:
    assert TypeAdapter(Latency).validate_python(text) == timedelta(seconds=seconds)


def test_probe_reads_as_a_sentence() -> None:
    assert (
        str(Steps(steps=(probe(), probe(count=20, every="2m"))))
        == "probe once, probe 20 times, every 2 min, 100%"
    )

"""Answers of hooks: all but a clear yes is a no."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.domain.hook_answer import parse_hook_answer

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["accept", "reason", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)


def test_accept_true_is_a_yes() -> None:
    assert parse_hook_answer(b'{"accept": true}', function_error=None).accept
    assert parse_hook_answer(
        b'{"accept": true, "reason": "fine", "more": 1}', function_error=None
    ).accept


@given(anything)
def test_object_that_accepts_is_the_only_yes(answer: object) -> None:
    yes = (
        isinstance(answer, dict)
        and answer.get("accept") is True
        and isinstance(answer.get("reason", ""), str)
    )
    assert parse_hook_answer(json.dumps(answer).encode(), function_error=None).accept is yes


@given(st.binary())
def test_bytes_of_any_kind_are_no_yes_and_no_error(answer: bytes) -> None:
    assert not parse_hook_answer(answer, function_error=None).accept


@given(anything)
def test_function_error_never_accepts(answer: object) -> None:
    assert not parse_hook_answer(json.dumps(answer).encode(), function_error="Unhandled").accept


@pytest.mark.parametrize(
    ("answer", "error", "reason"),
    [
        (b'{"accept": false, "reason": "no schema"}', None, "no schema"),
        (b'{"accept": false}', None, "it gave no reason"),
        (b"null", None, "it gave no answer"),
        (None, None, "it gave no answer"),
        (b"{}", None, 'its answer is not of the form {"accept": true|false, "reason": "…"}'),
        (b'{"accept": true}', "Unhandled", "it failed (Unhandled)"),
    ],
)
def test_refusal_has_a_reason(answer: bytes | None, error: str | None, reason: str) -> None:
    assert parse_hook_answer(answer, function_error=error).reason == reason


def test_reason_is_cut_to_what_a_line_holds() -> None:
    assert (
        len(
            parse_hook_answer(
                json.dumps({"accept": False, "reason": "x" * 4000}).encode(), function_error=None
            ).reason
        )
        == 500
    )

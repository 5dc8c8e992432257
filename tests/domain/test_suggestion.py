"""A near miss is asked about, and nothing else is."""

from __future__ import annotations

import pytest

from workflows.domain.suggestion import ask_whether_meant, suggest

MEMBERS = ["MemorySize", "Environment", "TracingConfig", "Timeout", "KMSKeyArn"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("MemorySise", "MemorySize"),
        ("memory_size", "MemorySize"),
        ("memory", "MemorySize"),
        ("timeout", "Timeout"),
        ("KmsKeyArn", "KMSKeyArn"),
        ("Enviroment", "Environment"),
        ("env", None),
        ("RevisionId", None),
        ("", None),
        (512, None),
        ("x" * 100_000, None),
    ],
)
def test_word_like_a_known_one_is_that(typed: object, meant: str | None) -> None:
    assert suggest(typed, MEMBERS) == meant


def test_nothing_is_asked_where_nothing_is_like_it() -> None:
    assert ask_whether_meant("Timeuot", MEMBERS) == "; did you mean Timeout?"
    assert ask_whether_meant("Colour", MEMBERS) == ""

"""Malformed JSON, and ways to spoil a good document."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

MARK = "hunter2"
"""Part of every hostile text.

A refusal that contains it has repeated its input.
"""


@dataclass(frozen=True)
class Raw:
    """These bytes in the place of a value."""

    token: bytes

    def __repr__(self) -> str:
        return f"Raw({self.token[:40]!r}, {len(self.token)} bytes)"


@dataclass(frozen=True)
class Twice:
    """The two values of a duplicate key, in order."""

    first: Any
    second: Any


def encode_document(value: Any) -> bytes:
    """Encode a document as JSON."""
    match value:
        case Raw():
            return value.token
        case dict():
            members = [(key, each) for key, given in value.items() for each in _each(given)]
            return (
                b"{"
                + b",".join(
                    json.dumps(str(key)).encode() + b":" + encode_document(each)
                    for key, each in members
                )
                + b"}"
            )
        case list() | tuple():
            return b"[" + b",".join(map(encode_document, value)) + b"]"
        case Twice():
            return encode_document(value.second)
        case str():
            return json.dumps(value, ensure_ascii=len(value) % 2 == 0).encode(
                errors="surrogatepass"
            )
        case _:
            return json.dumps(value).encode()


def _each(given: Any) -> tuple[Any, ...]:
    return (given.first, given.second) if isinstance(given, Twice) else (given,)


TOKENS = tuple(
    Raw(token)
    for token in (
        b"NaN",
        b"-Infinity",
        b"Infinity",
        b"1e999",
        b"-0",
        b"1E400",
        b"9" * 5000,
        b"0." + b"3" * 5000,
        b"01",
        b"+1",
        b"nul",
        b"",
        b"'" + MARK.encode() + b"'",
        b'"' + MARK.encode() + b'\\ud800"',
        b'"\\udc00' + MARK.encode() + b'"',
        b'"' + MARK.encode() + b'\xff\xfe"',
        b'"' + MARK.encode() + b"\xed\xa0\x80" + b'"',
        b'"' + MARK.encode() + b'\x00\n"',
        b"[" * 5000,
        b"[" * 300 + b"]" * 300,
        b'{"a":' * 300 + b"1" + b"}" * 300,
        b'{"kind":' * 2000,
        b"/* " + MARK.encode() + b" */ 1",
    )
)

TEXTS = st.one_of(
    st.sampled_from(
        [
            "",
            " ",
            "\x00",
            "\u202e",
            "\ufeff",
            "𝕏",
            "é" * 300,
            "🦄" * 260,
            "{{resolve:",
            "{{resolve:ssm:/x}}",
            "' OR 1=1",
            "$LATEST",
            "live:1",
            "%s%n",
            "../..",
            "P9999999999999D",
            "-PT5M",
            "PT-5M",
            "P-5D",
            "999999999d",
            "0s",
            "1s",
            "PT1e9S",
            "PT0.5S",
        ]
    ).map(lambda text: text),
    st.text(max_size=20),
    st.sampled_from([200, 1_000, 10_000, 100_000]).map(lambda size: "x" * size),
).map(lambda text: f"{MARK}{text}" if len(text) % 3 == 0 else text)

NUMBERS = st.one_of(
    st.sampled_from(
        [0, -1, 1, 2**31, -(2**63), 2**63, 2**64, 10**18, 10**300, 0.5, -0.0, 1e-320, 1.0, 140, 101]
    ),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
)

HOSTILE = st.one_of(
    TEXTS,
    NUMBERS,
    st.sampled_from(TOKENS),
    st.none(),
    st.booleans(),
    st.recursive(
        st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
        lambda inner: st.one_of(
            st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)
        ),
        max_leaves=8,
    ),
    st.sampled_from(
        [
            [],
            {},
            [[]],
            [{}],
            {"": {}},
            {"kind": MARK},
            {"kind": [MARK]},
            {MARK: MARK},
            [MARK] * 2000,
            {f"k{n}": n for n in range(2000)},
        ]
    ),
)
"""Any document."""

Way = tuple[str | int, ...]


def list_paths(value: Any, way: Way = ()) -> list[Way]:
    """The paths of all places in a document, its root first."""
    found = [way]
    inner = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for step, each in inner:
        found += list_paths(each, (*way, step))
    return found


_BEYOND: dict[type, st.SearchStrategy[Any]] = {
    int: st.sampled_from([-1, 0, 101, 10**7, -(2**31), 2**63, 10**40, 0.5, 10.0]),
    str: st.sampled_from(
        [
            "",
            MARK,
            f"{MARK}-{'x' * 2000}",
            "$LATEST",
            "0",
            "-PT1H",
            "P400D",
            "999999999d",
            "Canary0Percent0Minutes",
            " ",
            "a b",
        ]
    ),
}
"""Values of the right type and out of range."""


@st.composite
def spoilt_documents(
    draw: st.DrawFn,
    good: st.SearchStrategy[Any],
    hostile: st.SearchStrategy[Any] = HOSTILE,
    most: int = 3,
) -> Any:
    """A good document with one to three mistakes."""
    document = copy.deepcopy(draw(good))
    for _ in range(draw(st.integers(1, most))):
        document = _spoil(document, draw(st.sampled_from(list_paths(document))), draw, hostile)
    return document


def _spoil_root(document: Any, draw: st.DrawFn, hostile: st.SearchStrategy[Any]) -> Any:
    """Replace the whole document, mostly by one with an extra key."""
    if isinstance(document, dict) and draw(st.booleans()):
        return {**document, draw(TEXTS): copy.deepcopy(draw(hostile))}
    match draw(st.integers(0, 9)):
        case 0:
            return [document]
        case 1 | 2:
            return copy.deepcopy(draw(hostile))
        case _:
            return document


def _spoil(document: Any, way: Way, draw: st.DrawFn, hostile: st.SearchStrategy[Any]) -> Any:
    """Add a mistake at the end of this path."""
    if not way:
        return _spoil_root(document, draw, hostile)
    holder, last = document, way[-1]
    for step in way[:-1]:
        holder = holder[step]
    match draw(
        st.sampled_from(
            [
                "other",
                "other",
                "beyond",
                "beyond",
                "drop",
                "null",
                "extra",
                "twice",
                "wrapped",
                "text",
            ]
        )
    ):
        case "drop":
            del holder[last]
        case "null":
            holder[last] = None
        case "extra" if isinstance(holder[last], dict):
            holder[last][draw(TEXTS)] = copy.deepcopy(draw(hostile))
        case "twice" if isinstance(holder, dict):
            holder[last] = Twice(
                *(draw(st.permutations([holder[last], copy.deepcopy(draw(hostile))])))
            )
        case "wrapped":
            holder[last] = [holder[last]]
        case "beyond" if isinstance(holder[last], str | int | float):
            holder[last] = draw(_BEYOND[str] if isinstance(holder[last], str) else _BEYOND[int])
        case "text":
            holder[last] = str(holder[last])
        case _:
            holder[last] = copy.deepcopy(draw(hostile))
    return document

r"""Escape sequences: the ways in which a message may spell a text that it repeats.

JSON (``\"``, ``\/``, ``\n``, ``\u00fc``), URLs (``%22``, ``+``), Python (``\xfc``), HTML
(``&quot;``), and several of them at once: JSON in JSON, JSON in a URL.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

_MAX_LEVELS: Final = 3
"""How often a text may be escaped: JSON in JSON in a URL."""

_CONTROLS: Final = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}

_BACKSLASH: Final = re.compile(
    r"\\u(?P<high>[dD][89abAB][0-9a-fA-F]{2})\\u(?P<low>[dD][c-fC-F][0-9a-fA-F]{2})"
    r"|\\(?:u(?P<u>[0-9a-fA-F]{4})|U(?P<U>[0-9a-fA-F]{8}))"
    r"|(?P<bytes>(?:\\x[0-9a-fA-F]{2})+)"
    r"|\\(?P<control>[nrtbfv0])"
    r"|\\(?P<other>[^a-zA-Z0-9])",
    re.DOTALL,
)
_PERCENT: Final = re.compile(r"(?:%[0-9a-fA-F]{2})+")
_FORM: Final = re.compile(r"\+|(?:%[0-9a-fA-F]{2})+")
_ENTITY: Final = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{2,8});")
_CUT_SEQUENCE: Final = re.compile(
    r"(?:\\u[dD][0-9a-fA-F]{3})?\\(?:[uU][0-9a-fA-F]{0,7}|x[0-9a-fA-F]?)?"
    r"|\\u[dD][0-9a-fA-F]{3}"
    r"|(?:%[0-9a-fA-F]{2}){0,3}%[0-9a-fA-F]{0,2}"
)
"""What is left of a sequence that was cut: ``\\ud83d\\ude``, ``\\``, ``%E2%8``."""

_STARTERS: Final = frozenset("\\%&")

_WHITESPACE: Final = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class SpelledText:
    """A text, and for each of its characters the place in the message that spells it."""

    text: str
    places: Sequence[tuple[int, int]]

    def place(self, start: int, end: int) -> tuple[int, int]:
        """Return where the message spells the characters from ``start`` to before ``end``."""
        return self.places[start][0], self.places[end - 1][1]

    def substitute(self, pattern: re.Pattern[str], decode: _Decoder) -> SpelledText:
        """Replace each match of a pattern by what it stands for."""
        text, places, at = "", list[tuple[int, int]](), 0
        for match in pattern.finditer(self.text):
            decoded = decode(match)
            text += self.text[at : match.start()] + decoded
            places += self.places[at : match.start()]
            places += [self.place(match.start(), match.end())] * len(decoded)
            at = match.end()
        return SpelledText(text + self.text[at:], [*places, *self.places[at:]])


_Decoder = Callable[["re.Match[str]"], str]


def iterate_readings(message: str) -> Iterator[SpelledText]:
    """Yield a message as it is, and as it reads without one, two and three levels of escapes.

    Each run of whitespace is one space in it.
    """
    places = [(index, index + 1) for index in range(len(message))]
    readings, known = [SpelledText(message, places)], {message}
    for level in range(_MAX_LEVELS + 1):
        for reading in readings:
            yield reading.substitute(_WHITESPACE, lambda _: " ")
        if level == _MAX_LEVELS:
            return
        decoded = [
            reading.substitute(pattern, decode)
            for reading in readings
            for pattern, decode in _DECODERS
        ]
        readings = list[SpelledText]()
        for reading in decoded:
            if reading.text not in known:
                known.add(reading.text)
                readings.append(reading)


def has_escapes(message: str) -> bool:
    """Whether a message may spell a text in more characters than it has."""
    return not _STARTERS.isdisjoint(message)


def find_end_of_cut(message: str, end: int) -> int:
    """Return where a text that was cut at ``end`` ends, with half an escape sequence after it."""
    if message[end : end + 1] not in _STARTERS:
        return end
    match = _CUT_SEQUENCE.match(message, end)
    return match.end() if match else end


def fold_whitespace(text: str) -> str:
    """Return a text as :func:`iterate_readings` spells it: without whitespace at its ends."""
    return _WHITESPACE.sub(" ", text).strip()


def _decode_backslash(match: re.Match[str]) -> str:
    match match.lastgroup:
        case "low":
            return bytes.fromhex(match["high"] + match["low"]).decode("utf-16-be")
        case "u" | "U" as group:
            return _to_character(int(match[group], 16), match[0])
        case "bytes":
            return _parse_bytes(match).decode("latin-1")
        case "control":
            return _CONTROLS[match["control"]]
        case _:
            return match["other"]


def _decode_backslash_of_bytes(match: re.Match[str]) -> str:
    r"""Read ``\xc3\xbc`` as Python's bytes have it: one character in UTF-8."""
    if match.lastgroup != "bytes":
        return _decode_backslash(match)
    return _parse_bytes(match).decode(errors="replace")


def _parse_bytes(match: re.Match[str]) -> bytes:
    return bytes.fromhex(match["bytes"].replace("\\x", ""))


def _to_character(code: int, spelled: str) -> str:
    """Return the character of a code; what it is spelled as where there is none."""
    is_character = code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF  # noqa: PLR2004 - Unicode's
    return chr(code) if is_character else spelled


def _decode_percent(match: re.Match[str]) -> str:
    return " " if match[0] == "+" else unquote(match[0])


_DECODERS: Final[Sequence[tuple[re.Pattern[str], _Decoder]]] = (
    (_BACKSLASH, _decode_backslash),
    (_BACKSLASH, _decode_backslash_of_bytes),
    (_PERCENT, _decode_percent),
    (_FORM, _decode_percent),
    (_ENTITY, lambda match: html.unescape(match[0])),
)

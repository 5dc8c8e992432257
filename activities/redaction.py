"""Keeps confidential parts of a request out of error messages.

Error messages end up in histories, logs and on screens. AWS repeats parts of a request when it
refuses it: a validation error quotes the value, an environment over 4 KB is repeated as JSON, and a
refused signature quotes the whole canonical request with its session token. An unreachable address
is named with its signed query.

A value is hidden however it is spelled (:mod:`activities.escape_sequences`), and so is what is left
of it where AWS cuts it off. Not hidden: fewer than eight characters of a longer value, and parts
from the middle of a line of it.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from activities.escape_sequences import (
    SpelledText,
    find_end_of_cut,
    fold_whitespace,
    has_escapes,
    iterate_readings,
)

_CONFIDENTIAL_MEMBERS: Final = {"Variables", "Payload", "InvokeArgs", "ClientContext", "ZipFile"}

_MAX_ECHO_BYTES: Final = 10_000
"""Larger binary values are not searched for: AWS does not repeat them."""

_MIN_CHARACTERS_WITHIN_WORDS: Final = 6
"""Values of this length are redacted within words, too.

A shorter one, like an environment's ``1``, is redacted only where it stands alone.
"""

_MIN_PREFIX_CHARACTERS: Final = 8
"""So many characters of a value are hidden where AWS cuts the rest of it off."""

_MAX_MESSAGE_CHARACTERS: Final = 50_000

_MAX_JSON_LEVELS: Final = 4

_CONFIGURATION_OPERATIONS: Final = {"create_function", "update_function_configuration"}
"""AWS repeats their environment as JSON or in braces: nothing from the first brace on is kept."""

_ARN_HEAD: Final = re.compile(r"arn:[\w-]*:[\w-]*:[\w-]*:\d*:")
"""What many ARNs begin with: a value is not cut off where it has no more in common with a text."""

_QUOTED_VALUE: Final = re.compile(r"\bValue\s+(['\"]).*?\1\s+(?=at\s+['\"])", re.DOTALL)
_URL_QUERY: Final = re.compile(r"(https?://[^\s\"'?<>]+)\?[^\s\"'<>]*")
_CANONICAL_REQUEST: Final = re.compile(
    r"(signature we calculated does not match).*", re.DOTALL | re.IGNORECASE
)
_VALIDATION_PROBLEM: Final = re.compile(
    r"^(?P<problem>Missing required parameter|Unknown parameter|Invalid \w+ for parameter)"
    r"(?: in \S+|) ?:? ?(?P<name>[\"\w.\[\]$-]+)",
    re.MULTILINE,
)


def redact(message: str, request: Mapping[str, Any], *, operation: str = "") -> str:
    """Return an error message in one line, without the request's confidential values.

    ``operation`` is the one that was requested.
    """
    message = _QUOTED_VALUE.sub("Value ", message[:_MAX_MESSAGE_CHARACTERS])
    message = _CANONICAL_REQUEST.sub(r"\1", _URL_QUERY.sub(r"\1", message))
    values = {fold_whitespace(value) for value in _iterate_confidential(request)} - {""}
    message = _hide(message, values)
    if operation in _CONFIGURATION_OPERATIONS:
        kept, brace, _ = message.partition("{")
        message = f"{kept}…" if brace else kept
    return " ".join(message.split())


def _hide(message: str, values: set[str]) -> str:
    """Return a message with an ellipsis in each place that spells one of the values."""
    places = sorted(
        place
        for reading in (iterate_readings(message) if values else ())
        for value in values
        for place in _find_places(message, reading, value)
    )
    text, at = "", 0
    for start, end in places:
        if start > at or not text:
            text += message[at:start] + "…"
        at = max(at, end)
    return text + message[at:]


def _find_places(message: str, reading: SpelledText, value: str) -> Iterator[tuple[int, int]]:
    """Yield where a value is spelled, or so much of its beginning that it has to be hidden.

    The message's characters count there: half a value has more of them where it is escaped.
    """
    head = _ARN_HEAD.match(value)
    shortest = _MIN_PREFIX_CHARACTERS + (head.end() if head else 0)
    first = value[:1] if has_escapes(message) else value[:shortest]
    start = reading.text.find(first)
    while start >= 0:
        length = _count_common(reading.text, start, value)
        place = reading.place(start, start + length)
        if length == len(value):
            is_hidden = length >= _MIN_CHARACTERS_WITHIN_WORDS or _stands_alone(
                reading.text, start, start + length
            )
        else:
            place = place[0], find_end_of_cut(message, place[1])
            is_hidden = place[1] - place[0] >= shortest
        if is_hidden:
            yield place
        start = reading.text.find(first, start + 1)


def _count_common(text: str, start: int, value: str) -> int:
    """Return how many characters of a value stand in a text from ``start`` on; the first does."""
    if text[start + 1 : start + 2] != value[1:2]:
        return 1
    least, most = 0, len(value)
    while least < most:
        middle = (least + most + 1) // 2
        if text.startswith(value[:middle], start):
            least = middle
        else:
            most = middle - 1
    return least


def _stands_alone(text: str, start: int, end: int) -> bool:
    return not re.match(r"\w", text[end : end + 1]) and not re.match(
        r"\w", text[max(start - 1, 0) : start]
    )


def summarize_validation_report(report: str) -> str:
    """Return the names of the parameters that botocore refuses, without values."""
    problems = [
        f"{match['problem']} {match['name'].strip(chr(34))}"
        for match in _VALIDATION_PROBLEM.finditer(report)
    ]
    return "; ".join(problems) or "a parameter is not of the right type"


def _iterate_confidential(value: Any, *, is_confidential: bool = False) -> Iterator[str]:
    """Yield the confidential texts in a request's parameters."""
    match value:
        case Mapping():
            for name, inner in cast("Mapping[str, Any]", value).items():
                yield from _iterate_confidential(
                    inner, is_confidential=is_confidential or name in _CONFIDENTIAL_MEMBERS
                )
        case bytes() if is_confidential and len(value) <= _MAX_ECHO_BYTES:
            yield from _iterate_confidential(value.decode(errors="replace"), is_confidential=True)
        case str() if is_confidential:
            yield value
            yield from (line for line in value.splitlines() if len(line) >= _MIN_PREFIX_CHARACTERS)
            yield from _iterate_json_texts(value)
            yield from _iterate_json_texts(_decode_base64(value))
        case _:
            return


def _decode_base64(text: str) -> str:
    """Return what a text is in base64, as a client context is; nothing where it is not."""
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError):
        return ""


def _iterate_json_texts(text: str, *, level: int = 0) -> Iterator[str]:
    """Yield the texts and numbers within a text that is JSON, as they are spelled in it.

    Payloads are JSON, and many secrets are. AWS may repeat one text of them alone.
    """
    if level == _MAX_JSON_LEVELS or not text.lstrip().startswith(("{", "[", '"')):
        return
    try:
        document: Any = json.loads(
            text, parse_int=str, parse_float=str, object_pairs_hook=_list_values
        )
    except (ValueError, RecursionError):
        return
    pending: list[Any] = [document]
    while pending:
        value = pending.pop()
        if isinstance(value, list):
            pending += cast("Any", value)
        elif isinstance(value, str):
            yield value
            yield from _iterate_json_texts(value, level=level + 1)


def _list_values(members: list[tuple[str, Any]]) -> list[Any]:
    """Return the values of a JSON object, those of a repeated name included."""
    return [value for _, value in members]

"""Keeps confidential parts of a request out of error messages.

Error messages end up in histories, logs and on screens. AWS repeats parts of a request when it
refuses it: a validation error quotes the value, and a refused signature quotes the whole canonical
request with its session token. An unreachable address is named with its signed query.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

_CONFIDENTIAL_MEMBERS: Final = {"Variables", "Payload", "InvokeArgs", "ClientContext", "ZipFile"}

_MAX_ECHO_BYTES: Final = 10_000
"""Larger binary values are not searched for: AWS does not repeat them."""

_MIN_CHARACTERS_WITHIN_WORDS: Final = 6
"""Values of this length are redacted within words, too.

A shorter one, like an environment's ``1``, is redacted only where it stands alone.
"""

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


def redact(message: str, request: Mapping[str, Any]) -> str:
    """Return an error message in one line, without the request's confidential values."""
    message = _QUOTED_VALUE.sub("Value ", message)
    message = _CANONICAL_REQUEST.sub(r"\1", _URL_QUERY.sub(r"\1", message))
    for value in sorted(set(_iterate_confidential(request)), key=len, reverse=True):
        pattern = re.escape(value)
        if len(value) < _MIN_CHARACTERS_WITHIN_WORDS:
            pattern = rf"(?<!\w){pattern}(?!\w)"
        message = re.sub(pattern, "…", message)
    return " ".join(message.split())


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
        case str() if is_confidential and value.strip():
            yield value
            yield from _iterate_json_texts(value)
        case _:
            return


def _iterate_json_texts(text: str) -> Iterator[str]:
    """Yield the texts within a text that is JSON.

    Payloads are JSON, and many secrets are. AWS may repeat one text of them alone.
    """
    if not text.lstrip().startswith(("{", "[")):
        return
    try:
        document: Any = json.loads(text)
    except (ValueError, RecursionError):
        return
    pending: list[Any] = [document]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            pending += cast("dict[str, Any]", value).values()
        elif isinstance(value, list):
            pending += cast("Any", value)
        elif isinstance(value, str) and value.strip():
            yield value

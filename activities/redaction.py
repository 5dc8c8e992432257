"""Keeps what we sent in confidence out of error messages: they end up in histories, logs and on screens.

AWS likes to repeat the request when it refuses it: a validation error quotes the value, a refused signature quotes the whole
canonical request with its session token, an unreachable address is named with its signed query.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

_CONFIDENTIAL: Final = {"Variables", "Payload", "InvokeArgs", "ClientContext", "ZipFile"}
_LONGEST_ECHO: Final = 10_000

_QUOTED: Final = re.compile(r"\bValue\s+(['\"]).*?\1\s+(?=at\s+['\"])", re.DOTALL)
_QUERY: Final = re.compile(r"(https?://[^\s\"'?<>]+)\?[^\s\"'<>]*")
_CANONICAL: Final = re.compile(
    r"(signature we calculated does not match).*", re.DOTALL | re.IGNORECASE
)
_PARAMETER: Final = re.compile(
    r"^(?P<what>Missing required parameter|Unknown parameter|Invalid \w+ for parameter)(?: in \S+|) ?:? ?(?P<name>[\"\w.\[\]$-]+)",
    re.MULTILINE,
)


def redact(message: str, sent: Mapping[str, Any]) -> str:
    """An error message in one line, without anything confidential of the request that it answers."""
    message = _CANONICAL.sub(r"\1", _QUERY.sub(r"\1", _QUOTED.sub("Value ", message)))
    for value in sorted(set(_confidential(sent)), key=len, reverse=True):
        message = re.sub(
            rf"(?<!\w){re.escape(value)}(?!\w)" if len(value) < _UNMISTAKABLE else re.escape(value),
            "…",
            message,
        )
    return " ".join(message.split())


_UNMISTAKABLE: Final = 6
"""From this length on a value is replaced within words, too; a shorter one (an environment's ``1``) only where it stands alone."""


def summarize_validation_report(report: str) -> str:
    """What botocore's parameter validation complains about, by parameter: its own report quotes the values."""
    found = [
        f"{match['what']} {match['name'].strip(chr(34))}" for match in _PARAMETER.finditer(report)
    ]
    return "; ".join(found) or "a parameter is not of the right type"


def _confidential(sent: Any, *, within: bool = False) -> Iterator[str]:
    match sent:
        case Mapping():
            for name, value in cast("Mapping[str, Any]", sent).items():
                yield from _confidential(value, within=within or name in _CONFIDENTIAL)
        case bytes() if within and len(sent) <= _LONGEST_ECHO:
            yield from _confidential(sent.decode(errors="replace"), within=True)
        case str() if within and sent.strip():
            yield sent
            yield from _texts(sent)
        case _:
            return


def _texts(sent: str) -> Iterator[str]:
    """The texts within a text that is JSON, as payloads are and many a secret is: a part may be repeated without the rest."""
    if not sent.lstrip().startswith(("{", "[")):
        return
    try:
        inner: Any = json.loads(sent)
    except (ValueError, RecursionError):
        return
    waiting: list[Any] = [inner]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            waiting += cast("dict[str, Any]", each).values()
        elif isinstance(each, list):
            waiting += cast("Any", each)
        elif isinstance(each, str) and each.strip():
            yield each

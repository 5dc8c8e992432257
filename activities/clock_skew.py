"""Clock skew: how far this machine's clock is from AWS's.

AWS refuses a request that was signed more than five minutes ago, or in the future. A virtual
machine that was suspended sends such requests until its clock is set. The refusal holds both
clocks: in its text, or in its ``Date`` header, which is AWS's clock at the time of the response.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

from activities.advice import CLOCK_PHRASE

SKEW_CODES: Final = frozenset(
    {
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "RequestTimeTooSkewed",
        "RequestExpired",
        "AuthFailure",
    }
)
"""Codes that AWS sends for a wrong clock, and some of them for a wrong secret as well."""

_MIN_SKEW: Final = timedelta(minutes=2)
"""Less than that is no reason for a refusal: AWS allows five minutes."""

_CLOCKS: Final = re.compile(
    r"(?:Signature expired|Signature not yet current): (?P<ours>\d{8}T\d{6}Z) is (?:now earlier|"
    r"still later) than \d{8}T\d{6}Z \((?P<theirs>\d{8}T\d{6}Z) [+-] \d+ min\.?\)",
    re.IGNORECASE,
)


def describe_clock_skew(code: str, message: str, *, date: str, now: datetime) -> str | None:
    """Return by how many minutes this machine's clock is off, as a clause; None: it is not.

    ``date`` is the response's ``Date`` header, empty without one; ``now`` this machine's time.
    """
    if code not in SKEW_CODES:
        return None
    if match := _CLOCKS.search(message):
        ours, theirs = (_parse_timestamp(match[name]) for name in ("ours", "theirs"))
    else:
        ours, theirs = now.astimezone(UTC), _parse_date(date)
    if ours is None or theirs is None or abs(ours - theirs) < _MIN_SKEW:
        return None
    minutes = round(abs(ours - theirs) / timedelta(minutes=1))
    side = "behind" if ours < theirs else "ahead of"
    return (
        f"{CLOCK_PHRASE} {minutes} minutes {side} AWS's ({_format_time(ours)} here,"
        f" {_format_time(theirs)} there)"
    )


def take_clock(operation: str, metadata: Mapping[str, Any]) -> dict[str, str]:
    """Return AWS's clock as the member ``Date`` of the answer that has to give it; else none.

    That is GetCallerIdentity's, the call that every worker may make.
    """
    if operation != "get_caller_identity":
        return {}
    return {"Date": str(metadata.get("HTTPHeaders", {}).get("date", ""))}


def _parse_timestamp(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:  # a date that no calendar has
        return None


def _parse_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _format_time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%SZ}"

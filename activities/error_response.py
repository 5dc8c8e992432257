"""Error responses over HTTP, from AWS or from a proxy, as ``AwsError``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from activities.clock_skew import describe_clock_skew
from activities.errors import AwsError
from activities.redaction import redact

_RATE_EXCEEDED_REASON: Final = "CallerRateLimitExceeded"
_PROXY_AUTHENTICATION_REQUIRED: Final = 407
_MAX_CODE_CHARACTERS: Final = 100
_MAX_RETRY_AFTER_SECONDS: Final = 300.0


def parse_error_response(
    operation: str, response: Mapping[str, Any], request: Mapping[str, Any]
) -> AwsError:
    """Return an error response, as botocore parsed it, as an AwsError.

    Confidential values of the request are redacted. The code is ``Http<status>`` where the response
    has no code of AWS's.
    """
    error, metadata = response["Error"], response.get("ResponseMetadata", {})
    status = int(metadata.get("HTTPStatusCode", 0))
    code = redact(str(error.get("Code", "")), request)[:_MAX_CODE_CHARACTERS]
    given = str(error.get("Message", ""))
    message = redact(given, request, operation=operation)
    if not code or code.isdigit():
        code, message = f"Http{status}", f"HTTP {status} without an error code of AWS's"
    if reason := response.get("Reason"):
        message = f"{message} [{redact(str(reason), request)[:_MAX_CODE_CHARACTERS]}]"
    date = str(metadata.get("HTTPHeaders", {}).get("date", ""))
    if skew := describe_clock_skew(code, given, date=date, now=datetime.now(UTC)):
        message = f"{message}: {skew}"
    return AwsError(
        operation, code, message, status=status, retry_after=_read_retry_after(response, metadata)
    )


def _read_retry_after(response: Mapping[str, Any], metadata: Mapping[str, Any]) -> float | None:
    """Return the seconds to wait that AWS requests, in the body or in a header."""
    text = str(
        response.get("retryAfterSeconds")
        or metadata.get("HTTPHeaders", {}).get("retry-after")
        or ""
    )
    # The header may also be a date, which nothing here needs.
    if not re.fullmatch(r"\d+(\.\d+)?", text):
        return None
    return min(float(text), _MAX_RETRY_AFTER_SECONDS)


def is_about_call_rate(response: Mapping[str, Any]) -> bool:
    """Whether a throttle is for the rate of calls, not a function's concurrency.

    AWS Lambda gives the reason of a ``TooManyRequestsException``; other services give none.
    """
    return bool(response.get("Reason", _RATE_EXCEEDED_REASON) == _RATE_EXCEEDED_REASON)


def is_proxy_login(failure: object) -> bool:
    """Whether aiohttp could not reach AWS because a proxy asks for credentials (HTTP 407)."""
    return getattr(failure, "status", None) == _PROXY_AUTHENTICATION_REQUIRED

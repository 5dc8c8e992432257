"""Bodies of HTTP responses: read up to a limit, and checked for JSON."""

from __future__ import annotations

import json
from typing import Any, Final

from activities.errors import AwsError

_CHUNK_BYTES: Final = 1 << 16
_FIRST_STATUS_OF_NO_SUCCESS: Final = 300

PARSER_ERRORS: Final = (
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    RuntimeError,
)
"""Raised by botocore's parsers for a member of another type than AWS's model has.

RuntimeError is for a time that no calendar has."""


async def read_bounded(operation: str, stream: Any, limit: int) -> bytes:
    """Read a stream to its end; AwsError ``ResponseTooLarge`` above ``limit`` bytes."""
    content = bytearray()
    while chunk := await stream.read(_CHUNK_BYTES):
        content += chunk
        if len(content) > limit:
            raise AwsError(
                operation, "ResponseTooLarge", f"the answer is larger than {limit} bytes"
            )
    return bytes(content)


def is_malformed_json(body: Any, status: int, output_shape: Any) -> bool:
    """Whether the body of a success should be JSON and is not.

    An empty body is right where ``output_shape``, botocore's, has no member in it. Streams, which
    botocore does not read, are not checked.
    """
    if not isinstance(body, bytes) or status >= _FIRST_STATUS_OF_NO_SUCCESS:
        return False
    if not body and not _has_body(output_shape):
        return False
    try:
        json.loads(body)
    except ValueError:
        return True
    return False


def _has_body(shape: Any) -> bool:
    """Whether a response has members that are neither headers nor the status."""
    return shape is not None and any(
        "location" not in member.serialization for member in shape.members.values()
    )

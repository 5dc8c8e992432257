"""Clock skew: named in minutes, from AWS's text or from the Date header of its response."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from activities.aws import Connection
from activities.clock_skew import describe_clock_skew
from activities.errors import Fault, classify_error, to_activity_failure
from tests.activities.adapter import refused
from tests.activities.stub import Answer, Stub

NOW = datetime(2026, 11, 27, 10, 0, tzinfo=UTC)
MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS"
    " Secret Access Key and signing method. The Canonical String for this request should have been"
)
EXPIRED = (
    "Signature expired: 20261127T100000Z is now earlier than 20261127T100700Z (20261127T101200Z - 5"
    " min.)"
)
EARLY = (
    "Signature not yet current: 20261127T100000Z is still later than 20261127T094500Z"
    " (20261127T094000Z + 5 min.)"
)


def describe(code: str, message: str, *, ahead: timedelta | None = None) -> str | None:
    """What is found where AWS's clock is ahead of ours by so much, by its Date header."""
    date = "" if ahead is None else format_datetime(NOW + ahead, usegmt=True)
    return describe_clock_skew(code, message, date=date, now=NOW)


@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        ("InvalidSignatureException", EXPIRED, "12 minutes behind AWS's"),
        ("SignatureDoesNotMatch", EXPIRED, "12 minutes behind AWS's"),
        ("InvalidSignatureException", EARLY, "20 minutes ahead of AWS's"),
    ],
)
def test_text_of_aws_holds_both_clocks(code: str, message: str, expected: str) -> None:
    found = describe(code, message)
    assert found is not None
    assert expected in found
    assert "2026-11-27 10:00:00Z here" in found


@pytest.mark.parametrize(
    ("code", "minutes", "expected"),
    [
        ("RequestTimeTooSkewed", 17, "17 minutes behind"),
        ("RequestTimeTooSkewed", -90, "90 minutes ahead of"),
        ("InvalidSignatureException", 6, "6 minutes behind"),
        ("RequestExpired", 60 * 24, "1440 minutes behind"),
    ],
)
def test_date_of_the_response_is_awss_clock(code: str, minutes: int, expected: str) -> None:
    found = describe(code, MISMATCH, ahead=timedelta(minutes=minutes))
    assert found is not None
    assert expected in found


@pytest.mark.parametrize(
    ("code", "ahead"),
    [
        ("InvalidSignatureException", timedelta(seconds=40)),
        ("InvalidSignatureException", None),
        ("ExpiredTokenException", timedelta(hours=1)),
        ("ValidationException", timedelta(hours=1)),
    ],
)
def test_clock_that_is_not_the_cause_is_not_named(code: str, ahead: timedelta | None) -> None:
    assert describe(code, MISMATCH, ahead=ahead) is None


@pytest.mark.parametrize("date", ["yesterday", "Fri, 99 Nov 2026 10:00:00 GMT", "0"])
def test_date_that_is_none_is_ignored(date: str) -> None:
    assert describe_clock_skew("RequestTimeTooSkewed", "", date=date, now=NOW) is None


@pytest.mark.parametrize("message", [EXPIRED.replace("1127T", "1327T"), "Signature expired: …"])
def test_text_without_two_times_is_ignored(message: str) -> None:
    assert describe("InvalidSignatureException", message) is None


# --- Over HTTP ----------------------------------------------------------------------------------


def answer(code: str, message: str, *, ahead: timedelta) -> Answer:
    """A refusal from an AWS whose clock is ahead of this machine's."""
    date = format_datetime(datetime.now(UTC) + ahead, usegmt=True)
    return Answer(403, code, message, headers={"Date": date})


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("InvalidSignatureException", MISMATCH),
        ("SignatureDoesNotMatch", MISMATCH),
        ("RequestTimeTooSkewed", "The difference between the request time and the current time …"),
        ("InvalidSignatureException", EXPIRED),
    ],
)
async def test_refusal_names_the_skew_in_minutes(
    aws: Connection, stub: Stub, code: str, message: str
) -> None:
    stub.meets(answer(code, message, ahead=timedelta(minutes=12)))
    error = await refused(aws)
    assert (error.code, classify_error(error)) == (code, Fault.DENIED)
    assert "this machine's clock is 12 minutes behind AWS's (" in error.message
    failure = to_activity_failure(error, attempt=1, once=False)
    assert "Set this machine's clock: chronyc makestep" in failure.message
    assert not failure.non_retryable


async def test_refusal_of_a_wrong_secret_names_no_clock(aws: Connection, stub: Stub) -> None:
    stub.meets(answer("InvalidSignatureException", MISMATCH, ahead=timedelta()))
    error = await refused(aws)
    assert "clock" not in error.message
    failure = to_activity_failure(error, attempt=1, once=False)
    assert "AWS_SECRET_ACCESS_KEY" in failure.message

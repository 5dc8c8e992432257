"""Faults that pass, forwards: a release waits for them, and says what to do where it cannot."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.harness import ALL_AT_ONCE, CANARY, Harness

PASSING = [
    ("ExpiredTokenException", "The security token included in the request is expired"),
    ("NoCredentialsError", "Unable to locate credentials"),
    ("CredentialRetrievalError", "Error when retrieving credentials from custom-process"),
    ("Http407", "HTTP 407 without an error code of AWS's"),
    ("InvalidSignatureException", "Signature expired"),
    ("RequestTimeTooSkewed", "The difference between the request time and the current time"),
]
WRITES = ["update_function_code", "publish_version", "update_alias"]
GUARDED: dict[str, Any] = {"guards": {"alarms": ["latency"]}}


@pytest.fixture(autouse=True)
def latency(harness: Harness) -> None:
    harness.aws.alarms["latency"] = "OK"


@pytest.mark.parametrize(("code", "message"), PASSING)
@pytest.mark.parametrize("operation", WRITES)
async def test_write_waits_for_what_is_between_it_and_aws(
    harness: Harness, operation: str, code: str, message: str
) -> None:
    harness.aws.fail(operation, code, message, times=15)  # five minutes
    end = await harness.release(artifact=harness.package("three"), **ALL_AT_ONCE)
    assert end.kind == "Completed", end
    assert harness.aws.routing(harness.function) == ("3", {})


@pytest.mark.parametrize("operation", ["get_alias", *WRITES])
async def test_permission_that_takes_effect_late_stops_no_release(
    harness: Harness, operation: str
) -> None:
    harness.aws.fail(operation, "AccessDeniedException", f"no {operation}", times=3)
    end = await harness.release(artifact=harness.package("three"), **ALL_AT_ONCE)
    assert end.kind == "Completed", end


@pytest.mark.parametrize(("code", "message"), PASSING)
async def test_one_fault_after_a_long_quiet_watch_stops_no_release(
    harness: Harness, code: str, message: str
) -> None:
    outage = harness.aws.fail("describe_alarms", code, message, skip=60)
    strategy = "Canary10Percent12Minutes"
    end = await harness.release(artifact=harness.package("three"), strategy=strategy, **GUARDED)
    assert end.kind == "Completed", end
    assert outage.met == 1


async def test_outage_of_everything_in_the_bake_is_waited_for(harness: Harness) -> None:
    handle = await harness.begin_until("baking", **GUARDED, **CANARY)
    outage = harness.aws.fail("*", "ExpiredTokenException", "expired", times=None)
    await harness.fast_forward(timedelta(minutes=4))
    outage.stop()
    end = await harness.finish(handle)
    assert end.kind == "Completed", end


@pytest.mark.parametrize(
    ("code", "message", "advice"),
    [
        ("ExpiredTokenException", "expired", "Renew the worker's credentials"),
        ("Http407", "HTTP 407 without an error code of AWS's", "HTTPS_PROXY"),
        (
            "AccessDeniedException",
            "User: u is not authorized to perform: lambda:PublishVersion on resource: f",
            "Allow the worker's role lambda:PublishVersion",
        ),
        ("CodeStorageExceededException", "Code storage limit exceeded.", "delete old versions"),
        ("KMSAccessDeniedException", "Lambda was unable to decrypt …", "kms:Decrypt"),
    ],
)
async def test_release_that_is_stopped_says_what_to_do(
    harness: Harness, code: str, message: str, advice: str
) -> None:
    harness.aws.fail("publish_version", code, message, times=None)
    end = await harness.release(artifact=harness.package("three"), **ALL_AT_ONCE)
    assert end.kind == "ReleaseRolledBack", end
    assert advice in end.text
    assert harness.aws.routing(harness.function) == ("2", {})

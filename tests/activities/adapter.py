"""What tests of the adapter over HTTP have in common: credentials, rates, time-outs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from activities.aws import Connection, connect
from activities.errors import AwsError
from activities.limits.rate import Rates
from activities.transport import Timeouts
from tests.activities.stub import Slow
from tests.fake_lambda.account import ACCOUNT

REGION = "eu-west-1"
UNLIMITED = Rates(1000, 1000, 1000, 1000, 1000)
SHORT_TIMEOUT = 1.5
"""Seconds. Only tests of time-outs use it: a busy machine may pause for nearly as long."""

TOO_LATE = Slow(60)
"""A response that comes after every time-out of these tests."""

_UNSET = (
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_SESSION_TOKEN",
)


def set_credentials(environment: pytest.MonkeyPatch) -> None:
    """Credentials that open nothing, and no configuration files."""
    for name in _UNSET:
        environment.delenv(name, raising=False)
    environment.setenv("AWS_EC2_METADATA_DISABLED", "true")
    environment.setenv("AWS_CONFIG_FILE", "/nowhere")
    environment.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    environment.setenv("AWS_ACCESS_KEY_ID", ACCOUNT)
    environment.setenv("AWS_SECRET_ACCESS_KEY", "test")


@asynccontextmanager
async def connect_to(environment: pytest.MonkeyPatch, url: str) -> AsyncIterator[Connection]:
    """An adapter of the test's own, for another address."""
    environment.setenv("AWS_ENDPOINT_URL", url)
    timeouts = Timeouts(connect=SHORT_TIMEOUT, read=SHORT_TIMEOUT)
    async with connect(REGION, timeouts=timeouts) as aws:
        yield aws


async def refused(
    aws: Connection, operation: str = "get_alias", service: str = "lambda", **parameters: Any
) -> AwsError:
    """The error of a call that has to fail."""
    with pytest.raises(AwsError, match=f"^{operation}: ") as caught:
        await aws.call(
            service, operation, parameters or {"FunctionName": "checkout", "Name": "live"}
        )
    return caught.value

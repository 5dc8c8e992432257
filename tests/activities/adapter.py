"""What tests of the adapter over HTTP have in common: credentials, rates, time-outs."""

from __future__ import annotations

import pytest

from activities.limits.rate import Rates
from tests.fake_lambda.account import ACCOUNT

REGION = "eu-west-1"
UNLIMITED = Rates(1000, 1000, 1000, 1000, 1000)
SHORT_TIMEOUT = 0.5
"""Seconds. Only tests of time-outs use it: a busy machine may pause for as long."""

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

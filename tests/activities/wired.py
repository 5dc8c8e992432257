"""The adapter over real HTTP, in front of a Lambda that keeps everything in memory and fails on request.

For a test module that says ``pytest_plugins = ["tests.activities.wired"]``.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from activities.aws import Connection, Timeouts, connect
from activities.limits.rate import Limits, Rates
from tests.activities.stub import Stub
from tests.activities.tiny_lambda import ACCOUNT, REGION, ROLE, TinyLambda

UNLIMITED = Rates(1000, 1000, 1000, 1000, 1000)
HASTE = 0.5
"""Seconds. A machine that is busy with other tests may pause for a while, too: what is not about time-outs uses the patient one."""


def credentials(environment: pytest.MonkeyPatch) -> None:
    """Credentials that open nothing, and nobody's configuration files."""
    for name in (
        "AWS_PROFILE",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_ENDPOINT_URL",
        "AWS_SESSION_TOKEN",
    ):
        environment.delenv(name, raising=False)
    environment.setenv("AWS_EC2_METADATA_DISABLED", "true")
    environment.setenv("AWS_CONFIG_FILE", "/nowhere")
    environment.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    environment.setenv("AWS_ACCESS_KEY_ID", ACCOUNT)
    environment.setenv("AWS_SECRET_ACCESS_KEY", "test")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    credentials(monkeypatch)
    return monkeypatch


@pytest.fixture(scope="session")
async def stub() -> AsyncIterator[Stub]:
    async with Stub(TinyLambda()) as stub:
        yield stub


@pytest.fixture
def tiny(stub: Stub) -> TinyLambda:
    """A Lambda with one function, ``checkout``, its version 1 and its alias ``live``."""
    lambda_ = TinyLambda()
    lambda_.create_function(
        {"FunctionName": "checkout", "Role": ROLE, "Code": {"ZipFile": base64.b64encode(b"one")}}
    )
    lambda_.publish_version({"FunctionName": "checkout"})
    lambda_.create_alias({"FunctionName": "checkout", "Name": "live", "FunctionVersion": "1"})
    lambda_.code_url = stub.url
    stub.handler = lambda_
    return lambda_


@pytest.fixture(scope="session")
async def connections(stub: Stub) -> AsyncIterator[tuple[Connection, Connection]]:
    """A patient adapter and a hasty one, for all tests: botocore takes a while to load its models."""
    async with AsyncExitStack() as stack:
        with pytest.MonkeyPatch.context() as environment:
            credentials(environment)
            environment.setenv("AWS_ENDPOINT_URL", stub.url)
            patient = await stack.enter_async_context(connect(REGION))
            hasty = await stack.enter_async_context(
                connect(REGION, timeouts=Timeouts(connect=5, read=HASTE, invoke=HASTE))
            )
            for service, kind in (
                ("lambda", "read"),
                ("lambda", "invoke"),
                ("ssm", "read"),
                ("secretsmanager", "read"),
                ("cloudwatch", "read"),
            ):
                await patient.open_client(service, kind)
                await hasty.open_client(service, kind)
        yield patient, hasty


@pytest.fixture
async def aws(
    connections: tuple[Connection, Connection], stub: Stub, tiny: TinyLambda
) -> Connection:
    """The adapter in front of a fresh Lambda."""
    return await _fresh(connections[0], stub, tiny)


@pytest.fixture
async def hasty(
    connections: tuple[Connection, Connection], stub: Stub, tiny: TinyLambda
) -> Connection:
    """The same, but it waits for an answer for half a second only."""
    return await _fresh(connections[1], stub, tiny)


async def _fresh(connection: Connection, stub: Stub, tiny: TinyLambda) -> Connection:
    assert stub.handler is tiny
    await stub.forget()
    connection._limits = Limits(UNLIMITED)
    return connection

"""The fake Lambda behind the port itself, and behind the adapter over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from activities.aws import Connection, connect
from activities.limits.rate import Limits
from activities.transport import Timeouts
from tests.activities.adapter import REGION, SHORT_TIMEOUT, UNLIMITED, set_credentials
from tests.activities.stub import Stub
from tests.fake_lambda import FakeLambda
from tests.fake_lambda.http import FakeLambdaServer

_CLIENTS = (
    ("lambda", "read"),
    ("lambda", "invoke"),
    ("ssm", "read"),
    ("secretsmanager", "read"),
    ("cloudwatch", "read"),
    ("sts", "read"),
    ("s3", "read"),
)


@pytest.fixture
def port() -> FakeLambda:
    """An AWS without HTTP, with nothing in it."""
    return FakeLambda(region=REGION)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Credentials for connections that a test opens itself."""
    set_credentials(monkeypatch)
    return monkeypatch


@pytest.fixture(scope="session")
async def stub() -> AsyncIterator[Stub]:
    """The server in front of which the adapter works, with an AWS of each test's own."""
    async with Stub(FakeLambdaServer(FakeLambda(region=REGION))) as stub:
        yield stub


@pytest.fixture
def fake(stub: Stub) -> FakeLambda:
    """The AWS behind the stub: one function, ``checkout``, with version 1 behind ``live``.

    It answers that it is well.
    """
    fake = FakeLambda(region=REGION)
    fake.create("checkout")
    fake.handlers["checkout"] = lambda _: {"ok": True}
    fake.package_url = stub.url
    stub.handler = FakeLambdaServer(fake)
    return fake


@pytest.fixture(scope="session")
async def connections(stub: Stub) -> AsyncIterator[tuple[Connection, Connection]]:
    """A patient adapter and a hasty one, for all tests: botocore loads its models slowly."""
    async with AsyncExitStack() as stack:
        with pytest.MonkeyPatch.context() as environment:
            set_credentials(environment)
            environment.setenv("AWS_ENDPOINT_URL", stub.url)
            short = Timeouts(connect=5, read=SHORT_TIMEOUT, invoke=SHORT_TIMEOUT)
            patient = await stack.enter_async_context(connect(REGION))
            hasty = await stack.enter_async_context(connect(REGION, timeouts=short))
            for service, kind in _CLIENTS:
                await patient.open_client(service, kind)
                await hasty.open_client(service, kind)
        yield patient, hasty


@pytest.fixture
async def aws(
    connections: tuple[Connection, Connection], stub: Stub, fake: FakeLambda
) -> Connection:
    """The adapter in front of a fresh Lambda."""
    return await _reset(connections[0], stub, fake)


@pytest.fixture
async def hasty(
    connections: tuple[Connection, Connection], stub: Stub, fake: FakeLambda
) -> Connection:
    """The same with a time-out of half a second."""
    return await _reset(connections[1], stub, fake)


async def _reset(connection: Connection, stub: Stub, fake: FakeLambda) -> Connection:
    assert isinstance(stub.handler, FakeLambdaServer)
    assert stub.handler.aws is fake
    await stub.reset()
    connection._limits = Limits(UNLIMITED)
    return connection

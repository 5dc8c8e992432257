"""What the tests of the local Lambda are written in: clients, packages, functions, and refusals."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import itertools
import json
import time
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any, TypeVar

import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import ClientError

ROLE = "arn:aws:iam::000000000000:role/lambda"
ECHO = "def handler(event, context):\n    return {'version': context.function_version, 'arn': context.invoked_function_arn}\n"
FAIL = "def handler(event, context):\n    raise ValueError('broken')\n"

_T = TypeVar("_T")
_numbers = itertools.count(1)


def build_package(source: str = ECHO, *, padding: bytes = b"") -> bytes:
    """A zip with one module, ``index``."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("index.py"), source)
        if padding:
            archive.writestr(zipfile.ZipInfo("padding"), padding)
    return buffer.getvalue()


class Clients:
    """Clients of one account that send every request exactly once."""

    def __init__(self, url: str, account: str, stack: AsyncExitStack) -> None:
        self.url = url
        self._account = account
        self._stack = stack
        self._made: dict[str, Any] = {}

    async def of(self, service: str) -> Any:
        """The client of a service."""
        if service not in self._made:
            made = get_session().create_client(
                service,
                endpoint_url=self.url,
                region_name="us-east-1",
                aws_access_key_id=self._account,
                aws_secret_access_key="test",
                config=AioConfig(
                    parameter_validation=False,
                    retries={"total_max_attempts": 1},
                    connect_timeout=5,
                    read_timeout=30,
                    s3={"addressing_style": "path"},
                ),
            )
            self._made[service] = await self._stack.enter_async_context(made)
        return self._made[service]


@asynccontextmanager
async def open_clients(url: str, account: str = "test") -> AsyncIterator[Clients]:
    async with AsyncExitStack() as stack:
        yield Clients(url, account, stack)


class LocalHarness:
    """A Lambda client, and the few things every test does with it."""

    def __init__(self, all_clients: Clients, lambda_client: Any) -> None:
        self.clients = all_clients
        self.client = lambda_client

    @classmethod
    async def of(cls, all_clients: Clients) -> LocalHarness:
        return cls(all_clients, await all_clients.of("lambda"))

    async def function(
        self, source: str = ECHO, *, name: str | None = None, versions: int = 0, **more: Any
    ) -> str:
        """A function that is ready, with so many different versions."""
        name = name or f"function-{next(_numbers)}"
        request = {
            "Runtime": "python3.11",
            "Handler": "index.handler",
            "Role": ROLE,
            "Code": {"ZipFile": build_package(source)},
            **more,
        }
        await self.client.create_function(FunctionName=name, **request)
        await self.settled(name)
        for at in range(versions):
            await self.version(name, source + f"# {at}\n")
        return name

    async def version(self, name: str, source: str = ECHO, **settings: Any) -> str:
        """One more version, ready to be invoked."""
        await self.client.update_function_code(FunctionName=name, ZipFile=build_package(source))
        await self.settled(name)
        if settings:
            await self.client.update_function_configuration(FunctionName=name, **settings)
            await self.settled(name)
        number: str = (await self.client.publish_version(FunctionName=name))["Version"]
        await self.settled(name, Qualifier=number)
        return number

    async def settled(self, name: str, **qualifier: str) -> dict[str, Any]:
        """The function's configuration once it has come to rest."""

        async def look() -> dict[str, Any] | None:
            config: dict[str, Any] = (
                await self.client.get_function(FunctionName=name, **qualifier)
            )["Configuration"]
            return (
                config
                if config["State"] == "Active" and config.get("LastUpdateStatus") == "Successful"
                else None
            )

        return await wait_until(look)

    async def latest(self, name: str) -> dict[str, Any]:
        config: dict[str, Any] = await self.client.get_function_configuration(FunctionName=name)
        return config

    async def numbers(self, name: str) -> list[str]:
        """The published versions."""
        listed = await self.client.list_versions_by_function(FunctionName=name)
        return [one["Version"] for one in listed["Versions"] if one["Version"] != "$LATEST"]

    async def invoke(
        self, name: str, payload: Any = None, **more: Any
    ) -> tuple[dict[str, Any], Any]:
        """The answer of an invocation, and its payload."""
        answer = await self.client.invoke(
            FunctionName=name, Payload=json.dumps(payload or {}), **more
        )
        content = await answer["Payload"].read()
        return answer, json.loads(content) if content else None

    def arn(self, name: str, qualifier: str | None = None) -> str:
        return f"arn:aws:lambda:us-east-1:000000000000:function:{name}" + (
            f":{qualifier}" if qualifier else ""
        )


async def wait_until(look: Callable[[], Awaitable[_T | None]], seconds: float = 10.0) -> _T:
    """What ``look`` finds, as soon as it finds something."""
    deadline = time.monotonic() + seconds
    while True:
        found = await look()
        if found:
            return found
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


@contextmanager
def raises_client_error(code: str, status: int, *words: str) -> Iterator[dict[str, Any]]:
    """The block is refused by AWS with this code and status, in these words."""
    seen: dict[str, Any] = {}
    with pytest.raises(ClientError) as caught:
        yield seen
    seen.update(caught.value.response)
    found = (
        caught.value.response["Error"]["Code"],
        caught.value.response["ResponseMetadata"]["HTTPStatusCode"],
    )
    assert found == (code, status), caught.value
    for word in words:
        assert word in caught.value.response["Error"]["Message"]


def compute_sha256(content: bytes) -> str:
    return base64.b64encode(hashlib.sha256(content).digest()).decode()

"""The harness of the local Lambda's tests: clients, functions, errors."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import itertools
import json
import re
import subprocess
import time
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import ClientError

ROLE = "arn:aws:iam::000000000000:role/lambda"
ECHO = """
def handler(event, context):
    return {'version': context.function_version, 'arn': context.invoked_function_arn}
"""
FAIL = """
def handler(event, context):
    raise ValueError('broken')
"""

IGNORING_SIGINT = ["sh", "-c", 'trap "" INT; exec "$0" "$@"']
"""Prefix of a command that inherits SIGINT as ignored, as from a script's ``make test &``."""

_T = TypeVar("_T")
_numbers = itertools.count(1)


def build_package(source: str = ECHO, *, padding: bytes = b"") -> bytes:
    """Build a zip with one module, ``index``."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("index.py"), source)
        if padding:
            archive.writestr(zipfile.ZipInfo("padding"), padding)
    return buffer.getvalue()


class Clients:
    """Clients of one account, which do not retry."""

    def __init__(self, url: str, account: str, stack: AsyncExitStack) -> None:
        self.url = url
        self._account = account
        self._stack = stack
        self._clients: dict[str, Any] = {}

    async def get(self, service: str) -> Any:
        """Return the client of a service."""
        if service not in self._clients:
            client = get_session().create_client(
                service,
                endpoint_url=self.url,
                region_name="us-east-1",
                aws_access_key_id=self._account,
                aws_secret_access_key="test",
                config=AioConfig(
                    parameter_validation=False,
                    retries={"total_max_attempts": 1},
                    connect_timeout=30,
                    read_timeout=60,
                    s3={"addressing_style": "path"},
                ),
            )
            self._clients[service] = await self._stack.enter_async_context(client)
        return self._clients[service]


@asynccontextmanager
async def open_clients(url: str, account: str = "test") -> AsyncIterator[Clients]:
    async with AsyncExitStack() as stack:
        yield Clients(url, account, stack)


class LocalHarness:
    """A Lambda client, and what most tests do with it."""

    def __init__(self, clients: Clients, client: Any) -> None:
        self.clients = clients
        self.client = client

    @classmethod
    async def connect(cls, clients: Clients) -> LocalHarness:
        return cls(clients, await clients.get("lambda"))

    async def create_function(
        self, source: str = ECHO, *, name: str | None = None, versions: int = 0, **more: Any
    ) -> str:
        """Create a function with so many versions, and wait until it has settled."""
        name = name or f"function-{next(_numbers)}"
        request = {
            "Runtime": "python3.11",
            "Handler": "index.handler",
            "Role": ROLE,
            "Code": {"ZipFile": build_package(source)},
            **more,
        }
        await self.client.create_function(FunctionName=name, **request)
        await self.wait_until_settled(name)
        for at in range(versions):
            await self.publish_version(name, source + f"# {at}\n")
        return name

    async def publish_version(self, name: str, source: str = ECHO, **settings: Any) -> str:
        """Publish another version, and wait until it can be invoked."""
        await self.client.update_function_code(FunctionName=name, ZipFile=build_package(source))
        await self.wait_until_settled(name)
        if settings:
            await self.client.update_function_configuration(FunctionName=name, **settings)
            await self.wait_until_settled(name)
        number: str = (await self.client.publish_version(FunctionName=name))["Version"]
        await self.wait_until_settled(name, Qualifier=number)
        return number

    async def wait_until_settled(self, name: str, **qualifier: str) -> dict[str, Any]:
        """Wait until a function or version has settled, and return its configuration."""

        async def read_settled() -> dict[str, Any] | None:
            found = await self.client.get_function(FunctionName=name, **qualifier)
            config: dict[str, Any] = found["Configuration"]
            settled = ("Active", "Successful")
            return config if (config["State"], config.get("LastUpdateStatus")) == settled else None

        return await wait_until(read_settled)

    async def read_latest(self, name: str) -> dict[str, Any]:
        config: dict[str, Any] = await self.client.get_function_configuration(FunctionName=name)
        return config

    async def list_versions(self, name: str) -> list[str]:
        """List the numbers of the published versions."""
        listed = await self.client.list_versions_by_function(FunctionName=name)
        return [one["Version"] for one in listed["Versions"] if one["Version"] != "$LATEST"]

    async def invoke(
        self, name: str, payload: Any = None, **more: Any
    ) -> tuple[dict[str, Any], Any]:
        """Invoke a function; returns the response and its parsed payload."""
        response = await self.client.invoke(
            FunctionName=name, Payload=json.dumps(payload or {}), **more
        )
        content = await response["Payload"].read()
        return response, json.loads(content) if content else None

    def build_arn(self, name: str, qualifier: str | None = None) -> str:
        suffix = f":{qualifier}" if qualifier else ""
        return f"arn:aws:lambda:us-east-1:000000000000:function:{name}{suffix}"


class FrozenHarness(LocalHarness):
    """A local Lambda where no change settles, with functions that have settled.

    What holds during a change is tested on it: no test has to be faster than the change.
    """

    EMPTY = tuple(f"empty-{number}" for number in range(4))
    """Functions without versions."""
    VERSIONED = "versioned"
    """A function with version 1."""
    PROVISIONED = "provisioned"
    """A function with version 1, which has two provisioned."""
    ALIASED = "aliased"
    """A function with versions 1 and 2, and one provisioned for alias ``live`` on version 1."""
    QUEUE = "arn:aws:sqs:us-east-1:000000000000:frozen"
    """A queue that is mapped to the last empty function."""

    mapping = ""
    """The id of that mapping."""

    @classmethod
    async def prepare(cls, harness: LocalHarness) -> str:
        """Create the functions where changes do settle; returns the mapping's id."""
        for name in cls.EMPTY:
            await harness.create_function(name=name)
        for name, versions in ((cls.VERSIONED, 1), (cls.PROVISIONED, 1), (cls.ALIASED, 2)):
            await harness.create_function(name=name, versions=versions)
        await harness.client.create_alias(
            FunctionName=cls.ALIASED, Name="live", FunctionVersion="1"
        )
        for name, qualifier, wanted in ((cls.PROVISIONED, "1", 2), (cls.ALIASED, "live", 1)):
            await harness.client.put_provisioned_concurrency_config(
                FunctionName=name, Qualifier=qualifier, ProvisionedConcurrentExecutions=wanted
            )
        await (await harness.clients.get("sqs")).create_queue(QueueName="frozen")
        mapping = await harness.client.create_event_source_mapping(
            FunctionName=cls.EMPTY[-1], EventSourceArn=cls.QUEUE
        )
        return str(mapping["UUID"])


async def wait_until(probe: Callable[[], Awaitable[_T | None]], seconds: float = 60.0) -> _T:
    """Call ``probe`` until it returns something true, and return that."""
    deadline = time.monotonic() + seconds
    while True:
        found = await probe()
        if found:
            return found
        assert time.monotonic() < deadline, f"nothing was found in {seconds:g} s"
        await asyncio.sleep(0.02)


@contextmanager
def raises_client_error(code: str, status: int, *texts: str) -> Iterator[dict[str, Any]]:
    """Expect an error of AWS with this code and status, and these texts.

    Yields a dictionary, which is filled with the response after the block.
    """
    response: dict[str, Any] = {}
    with pytest.raises(ClientError, match=rf"\({re.escape(code)}\)") as caught:
        yield response
    response.update(caught.value.response)
    found = (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"])
    assert found == (code, status), caught.value
    for text in texts:
        assert text in response["Error"]["Message"]


def compute_sha256(content: bytes) -> str:
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


def is_alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


async def wait_until_dead(*pids: int) -> None:
    async def are_dead() -> bool:
        return not any(map(is_alive, pids))

    await wait_until(are_dead)


def list_children(pid: int) -> list[int]:
    """List the children of a process."""
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    )
    return [int(one) for one in listed.stdout.split()]

"""The connection of a worker to Temporal: certificates that are renewed, namespaces that go."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import trustme
from google.protobuf.duration_pb2 import Duration
from temporalio.api.operatorservice.v1 import DeleteNamespaceRequest
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment

from activities.limits.sharing import list_pollers
from tests.activities.stub import Stub
from tests.fake_lambda import FakeLambda
from tests.fake_lambda.http import FakeLambdaServer
from tests.test_worker_account import PATIENCE, Workers
from workflows.temporal.plugin import LambdaReleases

QUEUE = "renewed"


@pytest.fixture
async def workers(temporal: WorkflowEnvironment, tmp_path: Path) -> AsyncIterator[Workers]:
    async with AsyncExitStack() as stack:
        yield Workers(temporal, tmp_path, stack)


class TlsProxy:
    """Speaks TLS before a Temporal server, and wants a client certificate of one authority."""

    def __init__(self, upstream: str, authority: trustme.CA) -> None:
        self._host, _, port = upstream.rpartition(":")
        self._port = int(port)
        self._own = authority.issue_cert("localhost", "127.0.0.1")
        self._server: asyncio.Server | None = None
        self._open = set[asyncio.Task[None]]()
        self.port = 0

    async def start(self, clients: trustme.CA) -> None:
        """Serve clients with a certificate of ``clients``; end all connections of before."""
        await self.stop()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._own.configure_cert(context)
        clients.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
        context.set_alpn_protocols(["h2"])
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        there, back = await asyncio.open_connection(self._host, self._port)
        try:
            with contextlib.suppress(OSError, ssl.SSLError):
                await asyncio.wait(
                    [
                        asyncio.ensure_future(_pipe(reader, back)),
                        asyncio.ensure_future(_pipe(there, writer)),
                    ],
                    return_when=asyncio.FIRST_COMPLETED,
                )
        finally:
            self._open.discard(task)
            back.close()
            writer.close()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, ssl.SSLError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()


async def test_renewed_client_certificate_is_used_by_the_running_worker(
    workers: Workers, tmp_path: Path
) -> None:
    server, first, second = trustme.CA(), trustme.CA(), trustme.CA()
    proxy = TlsProxy(workers.temporal.client.service_client.config.target_host, server)
    await proxy.start(first)
    workers.stack.push_async_callback(proxy.stop)
    certificate, key, root = (tmp_path / name for name in ("cert.pem", "key.pem", "ca.pem"))
    server.cert_pem.write_to_path(root)

    def issue(authority: trustme.CA) -> None:
        issued = authority.issue_cert("worker")
        key.write_bytes(issued.private_key_pem.bytes())
        certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))

    issue(first)
    aws = FakeLambda()
    aws.create("checkout", "one", "two")
    aws.upload("three.zip", "three")
    stub = await workers.stack.enter_async_context(Stub(FakeLambdaServer(aws)))
    process = workers.start(
        "renewed",
        QUEUE,
        AWS_ENDPOINT_URL=stub.url,
        TEMPORAL_ADDRESS=f"localhost:{proxy.port}",
        TEMPORAL_TLS="true",
        TEMPORAL_TLS_CLIENT_CERT_PATH=str(certificate),
        TEMPORAL_TLS_CLIENT_KEY_PATH=str(key),
        TEMPORAL_TLS_SERVER_CA_CERT_PATH=str(root),
    )
    await workers.wait_until_polling(QUEUE)

    await proxy.start(second)  # the old certificate is of no use from now on
    await asyncio.sleep(3)
    assert not process.has_exited
    issue(second)
    handle = await workers.temporal.client.start_workflow(
        "Release",
        {
            "target": {"function": "checkout"},
            "artifact": {"kind": "s3", "bucket": "artifacts", "key": "three.zip"},
            "strategy": "AllAtOnce",
        },
        id="renewed",
        task_queue=QUEUE,
    )
    async with asyncio.timeout(PATIENCE):
        await handle.result()
    assert aws.routing("checkout") == ("3", {})
    assert "connected anew" in process.log.read_text()


async def test_namespace_that_is_deleted_ends_the_worker_in_one_line(workers: Workers) -> None:
    client, name = workers.temporal.client, "short-lived"
    await client.workflow_service.register_namespace(
        RegisterNamespaceRequest(
            namespace=name, workflow_execution_retention_period=Duration(seconds=86_400)
        )
    )
    aws = await workers.endpoint("123456789012")
    address = client.service_client.config.target_host
    there = await Client.connect(address, namespace=name, plugins=[LambdaReleases()])
    async with asyncio.timeout(PATIENCE):
        while True:
            with contextlib.suppress(RPCError):
                await list_pollers(there, "gone")
                break
            await asyncio.sleep(0.2)
    process = workers.start("gone", "gone", AWS_ENDPOINT_URL=aws, TEMPORAL_NAMESPACE=name)
    async with asyncio.timeout(PATIENCE):
        while not await list_pollers(there, "gone"):
            assert not process.has_exited, process.read_log_tail()
            await asyncio.sleep(0.1)
    await client.operator_service.delete_namespace(DeleteNamespaceRequest(namespace=name))
    text = await workers.read_refusal(process)
    assert "Traceback" not in process.log.read_text(), text
    assert len(process.log.read_text()) < 10_000
    assert text.splitlines()[-1].startswith("worker: "), text

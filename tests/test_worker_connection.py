"""The connection of a worker to Temporal: certificates that are renewed, namespaces that go."""

from __future__ import annotations

import asyncio
import contextlib
import json
from datetime import UTC, datetime
from pathlib import Path

import trustme
from google.protobuf.duration_pb2 import Duration
from temporalio.api.operatorservice.v1 import DeleteNamespaceRequest
from temporalio.api.workflowservice.v1 import ListWorkersRequest, RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

from activities.limits.sharing import list_pollers
from tests.activities.stub import Stub
from tests.fake_lambda import FakeLambda
from tests.fake_lambda.account import ACCOUNT, REGION
from tests.fake_lambda.http import FakeLambdaServer
from tests.tls_proxy import TlsProxy
from tests.worker_processes import PATIENCE, Workers
from workflows.temporal.plugin import LambdaReleases

QUEUE = "renewed"


async def wait_for_heartbeat(client: Client) -> None:
    """Wait until a worker of the queue sends heartbeats, by which workers share AWS's rate."""
    request = ListWorkersRequest(namespace="default", query=f'TaskQueue="{QUEUE}"', page_size=9)
    since = datetime.now(UTC)
    async with asyncio.timeout(PATIENCE):
        while True:
            found = await client.workflow_service.list_workers(request)
            sent = (each.worker_heartbeat.heartbeat_time for each in found.workers_info)
            if any(time.ToDatetime(tzinfo=UTC) > since for time in sent):
                return
            await asyncio.sleep(0.2)


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
    await wait_for_heartbeat(workers.temporal.client)


async def test_namespace_that_is_deleted_ends_the_worker_in_one_line(workers: Workers) -> None:
    client, name = workers.temporal.client, "short-lived"
    await client.workflow_service.register_namespace(
        RegisterNamespaceRequest(
            namespace=name, workflow_execution_retention_period=Duration(seconds=86_400)
        )
    )
    aws = await workers.endpoint(ACCOUNT)
    address = client.service_client.config.target_host
    there = await Client.connect(address, namespace=name, plugins=[LambdaReleases()])
    async with asyncio.timeout(PATIENCE):
        while True:
            with contextlib.suppress(RPCError):
                await list_pollers(there, "gone")
                break
            await asyncio.sleep(0.2)
    places = workers.directory / "workers.yaml"
    place = {"account": ACCOUNT, "region": REGION, "endpoint_url": aws}
    places.write_text(json.dumps({"places": [place]}))
    single = workers.start("gone", "gone", AWS_ENDPOINT_URL=aws, TEMPORAL_NAMESPACE=name)
    several = workers.start("gone-too", "", RELEASES_CONFIG=str(places), TEMPORAL_NAMESPACE=name)
    processes = {"gone": single, f"lambda-releases:{ACCOUNT}:{REGION}": several}
    async with asyncio.timeout(PATIENCE):
        for queue, process in processes.items():
            while not await list_pollers(there, queue):
                assert not process.has_exited, process.read_log_tail()
                await asyncio.sleep(0.1)
    await client.operator_service.delete_namespace(DeleteNamespaceRequest(namespace=name))
    for process in processes.values():
        text = await workers.read_refusal(process)
        assert "Traceback" not in process.log.read_text(), text
        assert len(process.log.read_text()) < 20_000
        assert text.splitlines()[-1].startswith("worker: "), text

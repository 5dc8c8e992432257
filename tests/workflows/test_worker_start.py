"""A worker that finds something amiss says so in a line and does not start."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment

ROOT = Path(__file__).parents[2]


async def test_a_search_attribute_of_another_type_is_refused_before_a_release_hangs_on_it(
    temporal: WorkflowEnvironment,
) -> None:
    client, double = temporal.client, IndexedValueType.INDEXED_VALUE_TYPE_DOUBLE
    retention = Duration(seconds=86_400)
    await client.workflow_service.register_namespace(
        RegisterNamespaceRequest(namespace="taken", workflow_execution_retention_period=retention)
    )
    request = AddSearchAttributesRequest(
        namespace="taken", search_attributes={"TrafficPercent": double}
    )
    async with asyncio.timeout(30):
        while True:
            try:
                await client.operator_service.add_search_attributes(request)
                break
            except RPCError:  # the namespace is not known everywhere yet
                await asyncio.sleep(0.2)
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "worker.py", cwd=ROOT, stderr=asyncio.subprocess.PIPE,
        env={
            **os.environ, "TEMPORAL_ADDRESS": client.service_client.config.target_host, "TEMPORAL_NAMESPACE": "taken",
            "AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
        },
    )  # fmt: skip
    async with asyncio.timeout(30):
        _, said = await worker.communicate()
    assert worker.returncode == 1
    assert (
        b"namespace taken uses search attributes of ours for something else: TrafficPercent (not of type Int)"
        in said
    )

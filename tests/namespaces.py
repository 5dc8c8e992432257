"""Namespaces of a test's own."""

from __future__ import annotations

import asyncio
import secrets

from google.protobuf.duration_pb2 import Duration
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

from workflows import search_attributes


async def create_namespace(client: Client, name: str) -> str:
    """Create a namespace with the search attributes of releases; return its name, once it is known.

    Temporal knows a new one in each of its parts some seconds later.
    """
    namespace = f"{name}-{secrets.token_hex(3)}"
    await client.workflow_service.register_namespace(
        RegisterNamespaceRequest(
            namespace=namespace, workflow_execution_retention_period=Duration(seconds=86_400)
        )
    )
    request = AddSearchAttributesRequest(
        namespace=namespace,
        search_attributes=search_attributes.TYPES,
    )
    async with asyncio.timeout(120):
        while True:
            try:
                await client.operator_service.add_search_attributes(request)
            except RPCError:
                await asyncio.sleep(0.2)
            else:
                return namespace

"""Deployments of Worker Versioning: which build of a worker gets new releases."""

from __future__ import annotations

from temporalio.api.deployment.v1 import RoutingConfig
from temporalio.api.workflowservice.v1 import DescribeWorkerDeploymentRequest
from temporalio.client import Client


async def read_routing(client: Client, name: str) -> RoutingConfig:
    """Read which builds of a deployment get new releases. Raises ``RPCError``."""
    request = DescribeWorkerDeploymentRequest(namespace=client.namespace, deployment_name=name)
    answer = await client.workflow_service.describe_worker_deployment(request)
    return answer.worker_deployment_info.routing_config


def make_current_command(namespace: str, name: str, build_id: str) -> str:
    """Return the command that gives a build the new releases."""
    return (
        "temporal worker deployment set-current-version "
        f"--namespace {namespace} --deployment-name {name} --build-id {build_id}"
    )

"""Checks Temporal itself: the server, the namespace, and its search attributes."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, GetSystemInfoRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.check_result import CheckResult, CheckState
from workflows import search_attributes
from workflows.domain.formatting import format_duration
from workflows.temporal.search_attribute_registration import is_searchable

_TIMEOUT: Final = timedelta(seconds=5)
_ATTRIBUTES: Final = "search attributes"
_SHORT_RETENTION: Final = timedelta(days=1)


async def check_server(client: Client) -> CheckResult:
    """Return where Temporal answers, and in which version. Raises ``RPCError``."""
    info = await client.workflow_service.get_system_info(GetSystemInfoRequest(), timeout=_TIMEOUT)
    address = client.service_client.config.target_host
    text = f"answers at {address}, server {info.server_version or 'of unknown version'}"
    return CheckResult(check="temporal", state=CheckState.OK, text=text)


async def check_namespace(client: Client) -> CheckResult:
    """Return whether the namespace exists, and how long it keeps what has ended."""
    name = client.namespace
    try:
        answer = await client.workflow_service.describe_namespace(
            DescribeNamespaceRequest(namespace=name), timeout=_TIMEOUT
        )
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return CheckResult(
                check="namespace",
                state=CheckState.FAILED,
                text=f"there is no namespace {name}",
                remedy="set TEMPORAL_NAMESPACE, or create it: temporal operator namespace create "
                f"--namespace {name} --retention 30d",
            )
        text = f"{name} cannot be described: {error.message}"
        return CheckResult(check="namespace", state=CheckState.WARNING, text=text)
    retention = answer.config.workflow_execution_retention_ttl.ToTimedelta()
    if timedelta() < retention < _SHORT_RETENTION:
        return CheckResult(
            check="namespace",
            state=CheckState.WARNING,
            text=f"{name} keeps what has ended for {format_duration(retention)} only: history, "
            "explain and a rollback to the version before know no more than that",
            remedy=f"temporal operator namespace update --namespace {name} --retention 30d",
        )
    text = f"{name} keeps what has ended for {format_duration(retention)}"
    return CheckResult(check="namespace", state=CheckState.OK, text=text)


async def check_search_attributes(client: Client) -> CheckResult:
    """Return whether the namespace has every search attribute of releases, of its type."""
    wrong, missing = list[str](), list[str]()
    try:
        answer = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace), timeout=_TIMEOUT
        )
    except RPCError:  # not allowed, as on Temporal Cloud: a search shows whether it is known
        for name in search_attributes.TYPES:
            if not await _is_known(client, name):
                missing.append(name)
    else:
        types = answer.custom_attributes
        missing = [name for name in search_attributes.TYPES if name not in types]
        wrong = [
            name for name, kind in search_attributes.TYPES.items() if types.get(name, kind) != kind
        ]
    if wrong:
        return CheckResult(
            check=_ATTRIBUTES,
            state=CheckState.FAILED,
            text=f"{', '.join(wrong)}: of another type than releases need",
            remedy="use another namespace (TEMPORAL_NAMESPACE)",
        )
    if missing:
        commands = "; ".join(
            search_attributes.make_create_command(client.namespace, name) for name in missing
        )
        return CheckResult(
            check=_ATTRIBUTES,
            state=CheckState.FAILED,
            text=f"{', '.join(missing)} missing in namespace {client.namespace}",
            remedy=f"start a worker, which registers them where it may, or run: {commands}",
        )
    text = f"all {len(search_attributes.TYPES)} are registered"
    return CheckResult(check=_ATTRIBUTES, state=CheckState.OK, text=text)


async def _is_known(client: Client, name: str) -> bool:
    """Whether an attribute is known; one that cannot be checked counts as known."""
    try:
        return await is_searchable(client, name)
    except RPCError:
        return True

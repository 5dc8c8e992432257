"""The registration of search attributes, without which no release can run."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog
from temporalio.api.operatorservice.v1 import (
    AddSearchAttributesRequest,
    ListSearchAttributesRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from workflows import search_attributes

_MAX_CHECKS: Final = 60
_CHECK_INTERVAL_SECONDS: Final = 0.5
"""Between two checks.

A registration takes some seconds to reach every host of Temporal's.
"""

_MAX_LINE_CHARACTERS: Final = 300

log: structlog.stdlib.BoundLogger = structlog.get_logger("worker")


class NamespaceError(Exception):
    """A namespace that cannot be used; the message is one line."""


async def register_search_attributes(client: Client) -> None:
    """Register missing search attributes in the client's namespace; wait for them.

    A worker without the permission to register them only checks that they exist. Idempotent.
    Raises :class:`NamespaceError` if one has another type or stays missing.
    """
    checks = _MAX_CHECKS
    try:
        await _register_missing(client)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise NamespaceError(
                f"there is no namespace {client.namespace} (TEMPORAL_NAMESPACE)"
            ) from error
        log.warning("cannot register search attributes", reason=summarize_error(error))
        checks = 1
    unknown = list(search_attributes.TYPES)
    for _ in range(checks):
        if not (unknown := [name for name in unknown if not await _is_known(client, name)]):
            return
        await asyncio.sleep(_CHECK_INTERVAL_SECONDS)
    commands = "; ".join(
        search_attributes.make_create_command(client.namespace, name) for name in unknown
    )
    raise NamespaceError(
        f"namespace {client.namespace} lacks search attributes; "
        f"have an administrator run: {commands}"
    )


async def _register_missing(client: Client) -> None:
    listed = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    registered = listed.custom_attributes
    if conflicts := [
        name for name, kind in search_attributes.TYPES.items() if registered.get(name, kind) != kind
    ]:
        names = ", ".join(
            f"{name} (not of type {search_attributes.name_type(name)})" for name in conflicts
        )
        raise NamespaceError(
            f"namespace {client.namespace} uses search attributes of ours for something else: "
            f"{names}"
        )
    missing = {
        name: kind for name, kind in search_attributes.TYPES.items() if name not in registered
    }
    if missing:
        request = AddSearchAttributesRequest(namespace=client.namespace, search_attributes=missing)
        await client.operator_service.add_search_attributes(request)
        log.info("registered search attributes", names=sorted(missing))


async def _is_known(client: Client, name: str) -> bool:
    try:
        return await is_searchable(client, name)
    except RPCError as error:
        raise NamespaceError(
            f"cannot use namespace {client.namespace}: {summarize_error(error)}"
        ) from error


async def is_searchable(client: Client, name: str) -> bool:
    """Whether the namespace can be searched by an attribute. Raises ``RPCError``.

    It is checked by a search, which every Temporal server supports, Temporal Cloud too.
    """
    try:
        await client.count_workflows(f"{name} IS NOT NULL")
    except RPCError as error:
        if error.status is RPCStatusCode.INVALID_ARGUMENT:
            return False
        raise
    return True


def summarize_error(error: BaseException) -> str:
    """The first line of an error's message, or its type if it has none."""
    text = str(error) or type(error).__name__
    return text.splitlines()[0][:_MAX_LINE_CHARACTERS]

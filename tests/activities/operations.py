"""The operations under test, by name: the methods that carry them out."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.account import Account
from activities.aliases import Aliases
from activities.concurrency import ReservedConcurrency
from activities.event_source_mappings import EventSourceMappings
from activities.functions import Functions
from activities.invocations import Invocations
from activities.operation import Aws, OperationGroup, get_operation_policy
from activities.permissions import Permissions
from activities.shapes import Request
from activities.tags import Tags
from activities.versions import Versions
from tests.fake_lambda import FakeLambda

THIRTY = (
    "add_permission",
    "create_alias",
    "create_event_source_mapping",
    "create_function",
    "delete_alias",
    "delete_event_source_mapping",
    "delete_function",
    "delete_function_concurrency",
    "get_account_settings",
    "get_alias",
    "get_event_source_mapping",
    "get_function",
    "get_function_configuration",
    "get_policy",
    "invoke",
    "invoke_async",
    "list_aliases",
    "list_event_source_mappings",
    "list_functions",
    "list_tags",
    "list_versions_by_function",
    "publish_version",
    "put_function_concurrency",
    "remove_permission",
    "tag_resource",
    "untag_resource",
    "update_alias",
    "update_event_source_mapping",
    "update_function_code",
    "update_function_configuration",
)

GROUPS: tuple[type[OperationGroup], ...] = (
    Functions,
    Versions,
    Aliases,
    EventSourceMappings,
    Permissions,
    ReservedConcurrency,
    Tags,
    Invocations,
    Account,
)

METHODS: dict[str, tuple[type[OperationGroup], Callable[..., Coroutine[Any, Any, Any]]]] = {
    name: (group, method)
    for group in GROUPS
    for name, method in vars(group).items()
    if hasattr(method, "__operation_policy__")
}


def _hints(name: str) -> dict[str, Any]:
    return typing.get_type_hints(METHODS[name][1])


def request_of(name: str) -> type[Request] | None:
    """The model of an operation's request."""
    hint = _hints(name)["request"]
    found: type[Request] | None = next(
        (each for each in typing.get_args(hint) or (hint,) if each is not type(None)), None
    )
    return found


def answer_of(name: str) -> Any:
    """The model of an operation's answer; NoneType where there is none."""
    return _hints(name)["return"]


def bound(name: str, aws: Aws) -> Callable[..., Coroutine[Any, Any, Any]]:
    """An operation that speaks through this port."""
    group, _ = METHODS[name]
    method: Callable[..., Coroutine[Any, Any, Any]] = getattr(group(aws), name)
    assert get_operation_policy(method)
    return method


ATTEMPTED = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
"""When Temporal lets an attempt begin."""


async def on_attempt(
    number: int,
    method: Callable[..., Coroutine[Any, Any, Any]],
    *arguments: Any,
    heartbeat: list[Any] | None = None,
) -> Any:
    """Carry an operation out as Temporal does, as its so-manieth attempt.

    ``heartbeat`` holds the details of the last heartbeat, and then those of this attempt's last.
    """
    environment = ActivityEnvironment()
    details = heartbeat if heartbeat is not None else []
    environment.info = dataclasses.replace(
        environment.info,
        attempt=number,
        started_time=ATTEMPTED,
        heartbeat_details=tuple(details),
    )

    def keep(*given: Any) -> None:
        details[:] = given

    environment.on_heartbeat = keep
    return await environment.run(method, *arguments)


async def lose_response(
    port: FakeLambda, method: Callable[..., Coroutine[Any, Any, Any]], request: Request
) -> None:
    """A first attempt that is carried out, and whose response never comes."""
    port.lose(method.__name__)
    with pytest.raises(ApplicationError, match="no answer came in time"):
        await on_attempt(1, method, request)

"""Triggers: what is set up to invoke a function, and under which qualifier.

An alias moves the traffic of those that invoke it. What invokes the bare function gets what is in
``$LATEST``, at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator, Mapping
from typing import Annotated, Any, Final, Literal, cast

from pydantic import Field

from activities.errors import AwsError, Fault, classify_error
from activities.operation import READ, OperationGroup, operation
from activities.permissions import parse_principal, parse_statements
from activities.shapes import AliasName, FunctionName, Request, Response, parse_function_name

MAX_TRIGGERS: Final = 50
"""Triggers of one kind that are read and returned, at most."""

_MAX_CHARACTERS: Final = 200
_LATEST: Final = "$LATEST"
_RESTING_STATES: Final = {"Disabled", "Disabling", "Deleting"}
_INVOKING_ACTIONS: Final = ("lambda:invoke", "lambda:*", "*")

TriggerKind = Literal["event source mapping", "permission", "function URL"]


class FindTriggersRequest(Request):
    """The request of :meth:`Triggers.find_triggers`: a function, and the alias in question."""

    function_name: FunctionName
    name: AliasName


class Trigger(Response):
    """Something that may invoke a function.

    ``source`` is an event source, a principal (with the ARN that its permission is limited to) or
    an address. ``qualifier`` is None for the bare function.
    """

    kind: TriggerKind
    source: Annotated[str, Field(max_length=_MAX_CHARACTERS)]
    qualifier: str | None = None


class FindTriggersResponse(Response):
    """The triggers of the bare function and of the alias.

    ``unread`` are reasons why some of them could not be read.
    """

    triggers: list[Trigger]
    unread: list[str]


class Triggers(OperationGroup):
    """What is set up to invoke functions."""

    @operation(READ)
    async def find_triggers(self, request: FindTriggersRequest) -> FindTriggersResponse:
        """Find the triggers of a function and of one alias of it.

        Read only. What cannot be read is named in the response and is no failure. Event sources
        that are switched off are left out. AWS: ListEventSourceMappings, GetPolicy (two),
        ListFunctionUrlConfigs.
        """
        function, alias = request.function_name, request.name
        reads = (
            self._read_mappings(function),
            self._read_policy(function, None),
            self._read_policy(function, alias),
            self._read_urls(function),
        )
        results = await asyncio.gather(*map(_try, reads))
        triggers = [trigger for found, _ in results for trigger in found]
        if not any(trigger.qualifier == alias for trigger in triggers):
            # AWS does not say whether the list of a function has the mappings of its aliases.
            found, unread = await _try(self._read_mappings(f"{function}:{alias}"))
            results.append(([], unread))
            triggers += found
        return FindTriggersResponse(
            triggers=[trigger for trigger in triggers if trigger.qualifier in {None, alias}],
            unread=list(dict.fromkeys(reason for _, reason in results if reason)),
        )

    async def _read_mappings(self, function: str) -> list[Trigger]:
        page = await self.aws.call(
            "lambda",
            "list_event_source_mappings",
            {"FunctionName": function, "MaxItems": MAX_TRIGGERS},
        )
        return [
            _trigger("event source mapping", _find_source(found), found.get("FunctionArn"))
            for found in page.get("EventSourceMappings", [])
            if found.get("State") not in _RESTING_STATES
        ]

    async def _read_policy(self, function: str, qualifier: str | None) -> list[Trigger]:
        named = {"FunctionName": function} | ({"Qualifier": qualifier} if qualifier else {})
        answer = await self.aws.call("lambda", "get_policy", named)
        return [
            _trigger("permission", _describe_grantee(statement), statement.get("Resource"))
            for statement in parse_statements(str(answer.get("Policy")))[:MAX_TRIGGERS]
            if _is_invoking(statement) and _qualifier_of(statement.get("Resource")) == qualifier
        ]

    async def _read_urls(self, function: str) -> list[Trigger]:
        page = await self.aws.call(
            "lambda",
            "list_function_url_configs",
            {"FunctionName": function, "MaxItems": MAX_TRIGGERS},
        )
        return [
            _trigger("function URL", found.get("FunctionUrl"), found.get("FunctionArn"))
            for found in page.get("FunctionUrlConfigs", [])
        ]


async def _try(read: Awaitable[list[Trigger]]) -> tuple[list[Trigger], str | None]:
    """Return what a read finds, or why it could not; what does not exist is nothing."""
    try:
        return await read, None
    except AwsError as error:
        is_missing = classify_error(error) is Fault.NOT_FOUND
        return [], None if is_missing else str(error)[:_MAX_CHARACTERS]


def _trigger(kind: TriggerKind, source: object, arn: object) -> Trigger:
    return Trigger(
        kind=kind, source=str(source or "unnamed")[:_MAX_CHARACTERS], qualifier=_qualifier_of(arn)
    )


def _qualifier_of(arn: object) -> str | None:
    """Return the qualifier in a function's ARN; None for the bare function, which is $LATEST."""
    qualifier = parse_function_name(str(arn)).qualifier
    return None if qualifier == _LATEST else qualifier


def _find_source(mapping: Mapping[str, Any]) -> object:
    """Return the source that a mapping polls: an ARN, a topic or a queue of a broker, its UUID."""
    named = [*mapping.get("Topics", []), *mapping.get("Queues", [])]
    return mapping.get("EventSourceArn") or ", ".join(map(str, named)) or mapping.get("UUID")


def _is_invoking(statement: Mapping[str, Any]) -> bool:
    actions = statement.get("Action")
    listed = cast("list[object]", actions) if isinstance(actions, list) else [actions]
    return statement.get("Effect") == "Allow" and any(
        str(action).lower().startswith(_INVOKING_ACTIONS) for action in listed
    )


def _describe_grantee(statement: Mapping[str, Any]) -> str:
    """Return the principal of a statement, and the sources that a condition limits it to."""
    sources = ", ".join(_find_limits(statement.get("Condition")))
    principal = parse_principal(statement.get("Principal"))
    return f"{principal} ({sources})" if sources else principal


def _find_limits(condition: object) -> Iterator[str]:
    tests: Mapping[str, Any] = (
        cast("Mapping[str, Any]", condition) if isinstance(condition, Mapping) else {}
    )
    for test in tests.values():
        limits: Mapping[str, Any] = (
            cast("Mapping[str, Any]", test) if isinstance(test, Mapping) else {}
        )
        for key, value in limits.items():
            if key.lower() == "aws:sourcearn":
                yield str(value)

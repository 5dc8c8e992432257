"""Event source mappings: what Lambda polls to invoke a function with batches."""

from __future__ import annotations

from typing import Any, Final

from activities.errors import AwsError
from activities.event_source_mapping_models import (
    CreateEventSourceMappingRequest,
    DeleteEventSourceMappingRequest,
    EventSourceMappingConfiguration,
    GetEventSourceMappingRequest,
    ListEventSourceMappingsRequest,
    ListEventSourceMappingsResponse,
    UpdateEventSourceMappingRequest,
)
from activities.operation import READ, WRITE, OperationGroup, is_retry, operation
from activities.pagination import collect_items, iterate_pages
from activities.readback import (
    RESOURCE_CONFLICT,
    RESOURCE_NOT_FOUND,
    exists_error,
    find_differences,
)
from activities.shapes import parse_function_name

_IN_USE: Final = "ResourceInUseException"

_OPPOSITE_STATES: Final = {True: {"Disabled", "Disabling"}, False: {"Enabled", "Enabling"}}
"""The states that contradict ``Enabled`` of a request."""


class EventSourceMappings(OperationGroup):
    """Operations on event source mappings; without a guard: the last writer wins."""

    @operation(WRITE)
    async def create_event_source_mapping(
        self, request: CreateEventSourceMappingRequest
    ) -> EventSourceMappingConfiguration:
        """Let Lambda poll a source for a function; the mapping is Creating for a while.

        AWS generates the UUID. So a retry identifies its mapping by what is unique: the function
        (with its alias) and the source. A mapping of the two with the requested settings is ours:
        its UUID is returned. One that differs is not: ``Exists``, with its UUID and the names of
        the members that differ. Tags cannot be compared.

        ``Invalid`` also for an unknown function; one created a moment ago may still be unknown.
        AWS: CreateEventSourceMapping.
        """
        if is_retry() and (found := await self._find_existing(request)):
            return self._adopt_mapping(request, found)
        try:
            answer = await self.aws.call(
                "lambda", "create_event_source_mapping", request.parameters()
            )
        except AwsError as error:
            if error.code == RESOURCE_CONFLICT and (found := await self._find_existing(request)):
                return self._adopt_mapping(request, found)
            raise
        return EventSourceMappingConfiguration.model_validate(answer)

    @operation(WRITE)
    async def delete_event_source_mapping(
        self, request: DeleteEventSourceMappingRequest
    ) -> EventSourceMappingConfiguration:
        """Delete a mapping, which stops the polling permanently.

        Its state is Deleting for a while.

        Idempotent: success where it is being deleted, or does not exist (``Deleted``). While it is
        being changed, the deletion is retried. AWS: DeleteEventSourceMapping.
        """
        try:
            answer = await self.aws.call(
                "lambda", "delete_event_source_mapping", request.parameters()
            )
        except AwsError as error:
            if error.code not in {RESOURCE_NOT_FOUND, RESOURCE_CONFLICT, _IN_USE}:
                raise
            answer = (
                {"UUID": request.uuid, "State": "Deleted"}
                if error.code == RESOURCE_NOT_FOUND
                else await self._read_deleting(request, error)
            )
        return EventSourceMappingConfiguration.model_validate(answer)

    @operation(READ)
    async def get_event_source_mapping(
        self, request: GetEventSourceMappingRequest
    ) -> EventSourceMappingConfiguration:
        """Read a mapping by its UUID; ``NotFound`` where there is none.

        AWS: GetEventSourceMapping.
        """
        return EventSourceMappingConfiguration.model_validate(await self._read(request.uuid))

    @operation(READ)
    async def list_event_source_mappings(
        self, request: ListEventSourceMappingsRequest
    ) -> ListEventSourceMappingsResponse:
        """List up to 1,000 mappings. An unknown function has an empty list.

        AWS: ListEventSourceMappings.
        """
        mappings, marker = await collect_items(
            self.aws,
            "list_event_source_mappings",
            request,
            member="EventSourceMappings",
            item_type=EventSourceMappingConfiguration,
        )
        return ListEventSourceMappingsResponse(event_source_mappings=mappings, next_marker=marker)

    @operation(WRITE)
    async def update_event_source_mapping(
        self, request: UpdateEventSourceMappingRequest
    ) -> EventSourceMappingConfiguration:
        """Change settings, or move the mapping to another function or alias.

        Its position in a stream stays. Its state is Updating for a while. Idempotent, since the
        settings are absolute: a retry reads the mapping first and sends nothing if it has them.
        While it is being changed otherwise, the update is retried. AWS: UpdateEventSourceMapping.
        """
        if is_retry() and not _find_mapping_differences(
            request, found := await self._read(request.uuid)
        ):
            return EventSourceMappingConfiguration.model_validate(found)
        answer = await self.aws.call("lambda", "update_event_source_mapping", request.parameters())
        return EventSourceMappingConfiguration.model_validate(answer)

    async def _read(self, uuid: str) -> dict[str, Any]:
        return await self.aws.call("lambda", "get_event_source_mapping", {"UUID": uuid})

    async def _read_deleting(
        self, request: DeleteEventSourceMappingRequest, error: AwsError
    ) -> dict[str, Any]:
        """The mapping if it is being deleted already; else raises the given error."""
        found = await self._read(request.uuid)
        if found.get("State") != "Deleting":
            raise error
        return found

    async def _find_existing(
        self, request: CreateEventSourceMappingRequest
    ) -> dict[str, Any] | None:
        """The mapping of this function and this source, unless it is being deleted."""
        filter_ = (
            {"EventSourceArn": request.event_source_arn}
            if request.event_source_arn
            else {"FunctionName": request.function_name}
        )
        source = request.model_dump(
            by_alias=True,
            include={"topics", "queues", "self_managed_event_source"},
            exclude_none=True,
        )
        async for page in iterate_pages(self.aws, "list_event_source_mappings", filter_):
            for found in page["EventSourceMappings"]:
                is_mapped = _is_same_function(request.function_name, found.get("FunctionArn") or "")
                if (
                    is_mapped
                    and found.get("State") != "Deleting"
                    and not find_differences(source, found)
                ):
                    return dict(found)
        return None

    @staticmethod
    def _adopt_mapping(
        request: CreateEventSourceMappingRequest, found: dict[str, Any]
    ) -> EventSourceMappingConfiguration:
        """The given mapping, if it has the requested settings; else raises ``Exists``."""
        if differing := _find_mapping_differences(request, found):
            raise exists_error(
                "create_event_source_mapping",
                f"mapping {found['UUID']} of this source to {request.function_name}",
                differing,
            )
        return EventSourceMappingConfiguration.model_validate(found)


def _is_same_function(function: str, arn: str) -> bool:
    """Whether a name, partial ARN or ARN means this ARN.

    ``$LATEST`` is the default qualifier.
    """
    requested, actual = parse_function_name(function), parse_function_name(arn)
    return (
        requested.name == actual.name
        and (requested.qualifier or "$LATEST") == (actual.qualifier or "$LATEST")
        and requested.account in {None, actual.account}
        and requested.region in {None, actual.region}
    )


def _find_mapping_differences(
    request: CreateEventSourceMappingRequest | UpdateEventSourceMappingRequest,
    found: dict[str, Any],
) -> list[str]:
    requested = request.model_dump(
        by_alias=True, exclude={"uuid", "function_name", "enabled", "tags"}, exclude_none=True
    )
    differing = find_differences(requested, found)
    if request.function_name and not _is_same_function(
        request.function_name, found.get("FunctionArn") or ""
    ):
        differing.append("FunctionName")
    if request.enabled is not None and found.get("State") in _OPPOSITE_STATES[request.enabled]:
        differing.append("Enabled")
    return differing

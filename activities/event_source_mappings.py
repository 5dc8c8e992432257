"""Event source mappings: what Lambda polls on a function's behalf, and hands to it in batches."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, Field

from activities.errors import AwsError
from activities.event_sources import (
    DestinationConfig,
    DestinationConfigResponse,
    DocumentDBEventSourceConfig,
    DocumentDBEventSourceConfigResponse,
    EventSourceMappingLoggingConfig,
    EventSourceMappingLoggingConfigResponse,
    EventSourceMappingMetricsConfig,
    EventSourceMappingMetricsConfigResponse,
    FilterCriteria,
    FilterCriteriaError,
    FilterCriteriaResponse,
    KafkaEventSourceConfig,
    KafkaEventSourceConfigResponse,
    ProvisionedPollerConfig,
    ProvisionedPollerConfigResponse,
    ScalingConfig,
    ScalingConfigResponse,
    SelfManagedEventSource,
    SelfManagedEventSourceResponse,
    SourceAccessConfiguration,
    SourceAccessConfigurationResponse,
)
from activities.operation import READ, WRITE, OperationGroup, is_retry, operation
from activities.pagination import ListRequest, collect_items, iterate_pages
from activities.readback import RESOURCE_NOT_FOUND, RESOURCE_CONFLICT, find_differences, exists_error
from activities.shapes import (
    Arn,
    Boolean,
    NamespacedFunctionName,
    Request,
    ResourceArn,
    Response,
    TagValues,
    BoundedText,
    Uuid,
    Integer,
    parse_function_name,
)

_IN_USE: Final = "ResourceInUseException"


class _Mapped(Request):
    """What can be asked of a mapping at its creation and afterwards."""

    enabled: Boolean | None = None
    batch_size: (
        Annotated[Integer, Field(ge=1, le=10000, description="records at most in one invocation")]
        | None
    ) = None
    filter_criteria: FilterCriteria | None = None
    kms_key_arn: ResourceArn | None = None
    metrics_config: EventSourceMappingMetricsConfig | None = None
    logging_config: EventSourceMappingLoggingConfig | None = None
    scaling_config: ScalingConfig | None = None
    maximum_batching_window_in_seconds: Annotated[Integer, Field(ge=0, le=300)] | None = None
    parallelization_factor: (
        Annotated[Integer, Field(ge=1, le=10, description="batches at once of one shard")] | None
    ) = None
    destination_config: DestinationConfig | None = None
    maximum_record_age_in_seconds: (
        Annotated[Integer, Field(ge=-1, le=604800, description="-1: for ever")] | None
    ) = None
    bisect_batch_on_function_error: Boolean | None = None
    maximum_retry_attempts: (
        Annotated[Integer, Field(ge=-1, le=10000, description="-1: for ever")] | None
    ) = None
    tumbling_window_in_seconds: Annotated[Integer, Field(ge=0, le=900)] | None = None
    source_access_configurations: (
        Annotated[list[SourceAccessConfiguration], Field(max_length=23)] | None
    ) = None
    function_response_types: (
        Annotated[list[Literal["ReportBatchItemFailures"]], Field(max_length=1)] | None
    ) = None
    amazon_managed_kafka_event_source_config: KafkaEventSourceConfig | None = None
    self_managed_kafka_event_source_config: KafkaEventSourceConfig | None = None
    document_db_event_source_config: DocumentDBEventSourceConfig | None = None
    provisioned_poller_config: ProvisionedPollerConfig | None = None


class CreateEventSourceMappingRequest(_Mapped):
    """What may be asked of :meth:`EventSourceMappings.create_event_source_mapping`; ``FunctionName`` with an alias follows the alias."""

    function_name: NamespacedFunctionName
    event_source_arn: Arn | None = None
    starting_position: Literal["TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"] | None = None
    starting_position_timestamp: AwareDatetime | None = None
    tags: TagValues | None = None
    topics: (
        Annotated[
            list[
                Annotated[
                    str, Field(min_length=1, max_length=249, pattern=r"^[^.]([a-zA-Z0-9_.-]+)$")
                ]
            ],
            Field(min_length=1, max_length=1),
        ]
        | None
    ) = None
    queues: (
        Annotated[
            list[Annotated[str, Field(min_length=1, max_length=1000)]],
            Field(min_length=1, max_length=1),
        ]
        | None
    ) = None
    self_managed_event_source: SelfManagedEventSource | None = None


class UpdateEventSourceMappingRequest(_Mapped):
    """What may be asked of :meth:`EventSourceMappings.update_event_source_mapping`. An absent member stays as it is."""

    uuid: Uuid
    function_name: NamespacedFunctionName | None = None


class GetEventSourceMappingRequest(Request):
    """What may be asked of :meth:`EventSourceMappings.get_event_source_mapping`."""

    uuid: Uuid


class DeleteEventSourceMappingRequest(Request):
    """What may be asked of :meth:`EventSourceMappings.delete_event_source_mapping`."""

    uuid: Uuid


class ListEventSourceMappingsRequest(ListRequest):
    """What may be asked of :meth:`EventSourceMappings.list_event_source_mappings`: all, or those of a source, a function, or both."""

    event_source_arn: Arn | None = None
    function_name: NamespacedFunctionName | None = None


class EventSourceMappingConfiguration(Response):
    """A mapping: 33 members. ``state`` is Creating, Enabling, Enabled, Disabling, Disabled, Updating or Deleting, so far.

    ``Deleted`` is ours: the mapping was gone when it was to be deleted.
    """

    uuid: str = ""
    starting_position: str | None = None
    starting_position_timestamp: datetime | None = None
    batch_size: int | None = None
    maximum_batching_window_in_seconds: int | None = None
    parallelization_factor: int | None = None
    event_source_arn: str | None = None
    filter_criteria: FilterCriteriaResponse | None = None
    filter_criteria_error: FilterCriteriaError | None = None
    kms_key_arn: str | None = None
    metrics_config: EventSourceMappingMetricsConfigResponse | None = None
    logging_config: EventSourceMappingLoggingConfigResponse | None = None
    scaling_config: ScalingConfigResponse | None = None
    function_arn: str | None = None
    last_modified: datetime | None = None
    last_processing_result: BoundedText | None = None
    state: str | None = None
    state_transition_reason: BoundedText | None = None
    destination_config: DestinationConfigResponse | None = None
    topics: list[str] | None = None
    queues: list[str] | None = None
    source_access_configurations: list[SourceAccessConfigurationResponse] | None = None
    self_managed_event_source: SelfManagedEventSourceResponse | None = None
    maximum_record_age_in_seconds: int | None = None
    bisect_batch_on_function_error: bool | None = None
    maximum_retry_attempts: int | None = None
    tumbling_window_in_seconds: int | None = None
    function_response_types: list[str] | None = None
    amazon_managed_kafka_event_source_config: KafkaEventSourceConfigResponse | None = None
    self_managed_kafka_event_source_config: KafkaEventSourceConfigResponse | None = None
    document_db_event_source_config: DocumentDBEventSourceConfigResponse | None = None
    event_source_mapping_arn: str | None = None
    provisioned_poller_config: ProvisionedPollerConfigResponse | None = None


class ListEventSourceMappingsResponse(Response):
    """Mappings; ``next_marker`` where the list goes on: 1,000 mappings or 500 kB are answered at most."""

    next_marker: str | None = None
    event_source_mappings: list[EventSourceMappingConfiguration] = Field(
        default_factory=list[EventSourceMappingConfiguration]
    )


class EventSourceMappings(OperationGroup):
    """What can be done with event source mappings. AWS has no guard against two writers here: the last one wins."""

    @operation(WRITE)
    async def create_event_source_mapping(
        self, request: CreateEventSourceMappingRequest
    ) -> EventSourceMappingConfiguration:
        """Let Lambda poll a source for a function. The answer has the mapping's UUID; it is Creating for a while.

        AWS makes the UUID up, so a second time is recognised by what is unique: this function (with its alias) and this source. A
        mapping of the two that is as asked is ours, and its UUID is adopted; one that differs is somebody else's: ``Exists``, with
        its UUID and what differs. Tags cannot be compared.

        ``Invalid`` for an unknown function, too; and a function that was created a moment ago may be unknown. AWS:
        CreateEventSourceMapping.
        """
        if is_retry() and (found := await self._existing(request)):
            return self._ours(request, found)
        try:
            answer = await self.aws.call(
                "lambda", "create_event_source_mapping", request.parameters()
            )
        except AwsError as error:
            if error.code == RESOURCE_CONFLICT and (found := await self._existing(request)):
                return self._ours(request, found)
            raise
        return EventSourceMappingConfiguration.model_validate(answer)

    @operation(WRITE)
    async def delete_event_source_mapping(
        self, request: DeleteEventSourceMappingRequest
    ) -> EventSourceMappingConfiguration:
        """Stop polling, for good. Takes a while: the answer is Deleting.

        One that is being deleted, or gone (answered as ``Deleted``), is success, so a second time does no harm. One that is just being
        changed is tried again. AWS: DeleteEventSourceMapping.
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
                else await self._leaving(request, error)
            )
        return EventSourceMappingConfiguration.model_validate(answer)

    @operation(READ)
    async def get_event_source_mapping(
        self, request: GetEventSourceMappingRequest
    ) -> EventSourceMappingConfiguration:
        """A mapping by its UUID. ``NotFound`` where there is none. AWS: GetEventSourceMapping."""
        return EventSourceMappingConfiguration.model_validate(await self._read(request.uuid))

    @operation(READ)
    async def list_event_source_mappings(
        self, request: ListEventSourceMappingsRequest
    ) -> ListEventSourceMappingsResponse:
        """Mappings, over all of AWS's pages up to 1,000. An unknown function has none: an empty list, not ``NotFound``.

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
        """Change a mapping, or point it at another function or alias; its place in a stream stays. Takes a while: Updating.

        What is asked is absolute, so it may be sent again; tried again it is read first, and what is as asked is left alone. One that
        is just being changed is tried again. AWS: UpdateEventSourceMapping.
        """
        if is_retry() and not _differing(request, found := await self._read(request.uuid)):
            return EventSourceMappingConfiguration.model_validate(found)
        answer = await self.aws.call("lambda", "update_event_source_mapping", request.parameters())
        return EventSourceMappingConfiguration.model_validate(answer)

    async def _read(self, uuid: str) -> dict[str, Any]:
        return await self.aws.call("lambda", "get_event_source_mapping", {"UUID": uuid})

    async def _leaving(
        self, request: DeleteEventSourceMappingRequest, error: AwsError
    ) -> dict[str, Any]:
        """The mapping, if it is being deleted already; else the error, which says what it is busy with."""
        found = await self._read(request.uuid)
        if found.get("State") != "Deleting":
            raise error
        return found

    async def _existing(self, request: CreateEventSourceMappingRequest) -> dict[str, Any] | None:
        """The mapping of this function and this source, unless it is about to go."""
        by = (
            {"EventSourceArn": request.event_source_arn}
            if request.event_source_arn
            else {"FunctionName": request.function_name}
        )
        source = request.model_dump(
            by_alias=True,
            include={"topics", "queues", "self_managed_event_source"},
            exclude_none=True,
        )
        async for page in iterate_pages(self.aws, "list_event_source_mappings", by):
            for found in page["EventSourceMappings"]:
                mapped = _names(request.function_name, found.get("FunctionArn") or "")
                if mapped and found.get("State") != "Deleting" and not find_differences(source, found):
                    return dict(found)
        return None

    @staticmethod
    def _ours(
        request: CreateEventSourceMappingRequest, found: dict[str, Any]
    ) -> EventSourceMappingConfiguration:
        if differing := _differing(request, found):
            raise exists_error(
                "create_event_source_mapping",
                f"mapping {found['UUID']} of this source to {request.function_name}",
                differing,
            )
        return EventSourceMappingConfiguration.model_validate(found)


_OFF: Final = {True: {"Disabled", "Disabling"}, False: {"Enabled", "Enabling"}}


def _names(function: str, arn: str) -> bool:
    """Whether a name, partial ARN or ARN is that of this ARN; without a qualifier, ``$LATEST`` is meant."""
    asked, there = parse_function_name(function), parse_function_name(arn)
    return (
        asked.name == there.name
        and (asked.qualifier or "$LATEST") == (there.qualifier or "$LATEST")
        and asked.account in {None, there.account}
        and asked.region in {None, there.region}
    )


def _differing(
    request: CreateEventSourceMappingRequest | UpdateEventSourceMappingRequest,
    found: dict[str, Any],
) -> list[str]:
    asked = request.model_dump(
        by_alias=True, exclude={"uuid", "function_name", "enabled", "tags"}, exclude_none=True
    )
    differing = find_differences(asked, found)
    if request.function_name and not _names(request.function_name, found.get("FunctionArn") or ""):
        differing.append("FunctionName")
    if request.enabled is not None and found.get("State") in _OFF[request.enabled]:
        differing.append("Enabled")
    return differing

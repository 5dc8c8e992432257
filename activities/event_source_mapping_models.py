"""The requests and responses of the operations on event source mappings."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

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
from activities.pagination import ListRequest
from activities.shapes import (
    Arn,
    Boolean,
    BoundedText,
    Integer,
    NamespacedFunctionName,
    Request,
    ResourceArn,
    Response,
    TagValues,
    Uuid,
)


class _MappingSettings(Request):
    """The settings that a mapping is created with, and that can be updated."""

    enabled: Boolean | None = None
    batch_size: (
        Annotated[Integer, Field(ge=1, le=10000, description="most records in one invocation")]
        | None
    ) = None
    filter_criteria: FilterCriteria | None = None
    kms_key_arn: ResourceArn | None = None
    metrics_config: EventSourceMappingMetricsConfig | None = None
    logging_config: EventSourceMappingLoggingConfig | None = None
    scaling_config: ScalingConfig | None = None
    maximum_batching_window_in_seconds: Annotated[Integer, Field(ge=0, le=300)] | None = None
    parallelization_factor: (
        Annotated[Integer, Field(ge=1, le=10, description="concurrent batches of one shard")] | None
    ) = None
    destination_config: DestinationConfig | None = None
    maximum_record_age_in_seconds: (
        Annotated[Integer, Field(ge=-1, le=604800, description="-1: without limit")] | None
    ) = None
    bisect_batch_on_function_error: Boolean | None = None
    maximum_retry_attempts: (
        Annotated[Integer, Field(ge=-1, le=10000, description="-1: without limit")] | None
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


class CreateEventSourceMappingRequest(_MappingSettings):
    """A new mapping of a source to a function; with an alias it follows the alias.

    The request of ``EventSourceMappings.create_event_source_mapping``.
    """

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


class UpdateEventSourceMappingRequest(_MappingSettings):
    """The settings to change; an absent member stays unchanged.

    The request of ``EventSourceMappings.update_event_source_mapping``.
    """

    uuid: Uuid
    function_name: NamespacedFunctionName | None = None


class GetEventSourceMappingRequest(Request):
    """The request of ``EventSourceMappings.get_event_source_mapping``."""

    uuid: Uuid


class DeleteEventSourceMappingRequest(Request):
    """The request of ``EventSourceMappings.delete_event_source_mapping``."""

    uuid: Uuid


class ListEventSourceMappingsRequest(ListRequest):
    """All mappings, or those of a source, of a function, or of both.

    The request of ``EventSourceMappings.list_event_source_mappings``.
    """

    event_source_arn: Arn | None = None
    function_name: NamespacedFunctionName | None = None


class EventSourceMappingConfiguration(Response):
    """A mapping, as AWS describes it, in 33 members.

    ``state`` is Creating, Enabling, Enabled, Disabling, Disabled, Updating or Deleting; AWS may add
    others. ``Deleted`` is our own: the mapping to delete did not exist.
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
    """At most 1,000 mappings or 500 kB; ``next_marker`` is set if there are more."""

    next_marker: str | None = None
    event_source_mappings: list[EventSourceMappingConfiguration] = Field(
        default_factory=list[EventSourceMappingConfiguration]
    )

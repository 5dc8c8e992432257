"""The parts of an event source mapping: filters, destinations, brokers, pollers.

Each part exists twice: as a strict request, and as a lenient response of AWS's.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from activities.shapes import REGION, Arn, BoundedText, Integer, Request, Response

_Uri = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[ a-zA-Z0-9/*:_+=.@-]*$")]
_ARN = rf"arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9-])+:({REGION})?:([0-9]{{12}})?:(.*)"
_DestinationArn = Annotated[
    str,
    Field(
        max_length=350,
        pattern=rf"^(|kafka://([^.]([a-zA-Z0-9_.-]{{0,248}}))|{_ARN})$",
        description="an ARN, or kafka:// and a topic; an empty text removes it",
    ),
]
_HOST = r"[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]"
_Endpoint = Annotated[
    str, Field(min_length=1, max_length=300, pattern=rf"^(({_HOST})\.)*({_HOST}):[0-9]{{1,5}}$")
]


def _validate_collection_name(name: str) -> str:
    if name.startswith("system."):
        raise ValueError("a system collection has no change stream")
    return name


# --- Requests ---


class Filter(Request):
    """One filter: a pattern as JSON."""

    pattern: Annotated[str, Field(max_length=4096)] | None = None


class FilterCriteria(Request):
    """The filters: an event has to match one of them. Empty removes all filters."""

    filters: list[Filter] | None = None


class EventSourceMappingMetricsConfig(Request):
    """The metrics that the mapping publishes."""

    metrics: (
        Annotated[list[Literal["EventCount", "ErrorCount", "KafkaMetrics"]], Field(max_length=3)]
        | None
    ) = None


class EventSourceMappingLoggingConfig(Request):
    """The log level of the mapping."""

    system_log_level: Literal["DEBUG", "INFO", "WARN"] | None = None


class ScalingConfig(Request):
    """The most concurrent invocations of an SQS queue. Empty removes the limit."""

    maximum_concurrency: Annotated[Integer, Field(ge=2, le=1000)] | None = None


class Destination(Request):
    """``OnSuccess`` or ``OnFailure`` in AWS's model: where a record of it is sent."""

    destination: _DestinationArn | None = None


class DestinationConfig(Request):
    """Where records of discarded batches are sent."""

    on_success: Destination | None = None
    on_failure: Destination | None = None


class SourceAccessConfiguration(Request):
    """One credential or network setting for the source.

    AWS adds new types, so any is valid.
    """

    type: (
        Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Z][A-Z0-9_]*$")] | None
    ) = None
    uri: _Uri | None = None


class SelfManagedEventSource(Request):
    """A self-managed Kafka cluster: its bootstrap servers, ``host:port``."""

    endpoints: (
        Annotated[
            dict[
                Literal["KAFKA_BOOTSTRAP_SERVERS"],
                Annotated[list[_Endpoint], Field(min_length=1, max_length=10)],
            ],
            Field(min_length=1, max_length=2),
        ]
        | None
    ) = None


class KafkaSchemaRegistryAccessConfig(Request):
    """One credential for the schema registry."""

    type: (
        Literal["BASIC_AUTH", "CLIENT_CERTIFICATE_TLS_AUTH", "SERVER_ROOT_CA_CERTIFICATE"] | None
    ) = None
    uri: Arn | None = None


class KafkaSchemaValidationConfig(Request):
    """The part of a record that is validated against its schema."""

    attribute: Literal["KEY", "VALUE"] | None = None


class KafkaSchemaRegistryConfig(Request):
    """A schema registry, and what it is used for."""

    schema_registry_uri: (
        Annotated[str, Field(min_length=1, max_length=10000, pattern=r"^[a-zA-Z0-9/*:_+=.@-]*$")]
        | None
    ) = None
    event_record_format: Literal["JSON", "SOURCE"] | None = None
    access_configs: list[KafkaSchemaRegistryAccessConfig] | None = None
    schema_validation_configs: list[KafkaSchemaValidationConfig] | None = None


class KafkaEventSourceConfig(Request):
    """The consumer group and the schema registry.

    AWS's model has it twice, under the names ``AmazonManagedKafkaEventSourceConfig`` and
    ``SelfManagedKafkaEventSourceConfig``.
    """

    consumer_group_id: _Uri | None = None
    schema_registry_config: KafkaSchemaRegistryConfig | None = None


class DocumentDBEventSourceConfig(Request):
    """The database and collection to read, and whether whole documents are sent."""

    database_name: (
        Annotated[str, Field(min_length=1, max_length=63, pattern=r'^[^ /.$"]*$')] | None
    ) = None
    collection_name: (
        Annotated[
            str,
            Field(min_length=1, max_length=57, pattern=r"^[_a-zA-Z0-9][^$]*$"),
            AfterValidator(_validate_collection_name),
        ]
        | None
    ) = None
    full_document: Literal["UpdateLookup", "Default"] | None = None


class ProvisionedPollerConfig(Request):
    """How many pollers are kept ready."""

    minimum_pollers: Annotated[Integer, Field(ge=1, le=200)] | None = None
    maximum_pollers: Annotated[Integer, Field(ge=1, le=10000)] | None = None
    poller_group_name: Annotated[str, Field(max_length=128, pattern=r"^[a-zA-Z0-9_-]*$")] | None = (
        None
    )


# --- Responses ---


class FilterResponse(Response):
    """One filter."""

    pattern: BoundedText | None = None


class FilterCriteriaResponse(Response):
    """The events that reach the function."""

    filters: list[FilterResponse] | None = None


class FilterCriteriaError(Response):
    """Why AWS could not return the filters."""

    error_code: str | None = None
    message: BoundedText | None = None


class EventSourceMappingMetricsConfigResponse(Response):
    """The metrics that the mapping publishes."""

    metrics: list[str] | None = None


class EventSourceMappingLoggingConfigResponse(Response):
    """The log level of the mapping."""

    system_log_level: str | None = None


class ScalingConfigResponse(Response):
    """The most concurrent invocations that an SQS queue may cause."""

    maximum_concurrency: int | None = None


class DestinationResponse(Response):
    """Where a record is sent."""

    destination: str | None = None


class DestinationConfigResponse(Response):
    """Where records of discarded batches are sent."""

    on_success: DestinationResponse | None = None
    on_failure: DestinationResponse | None = None


class SourceAccessConfigurationResponse(Response):
    """One credential or network setting for the source; a secret by its ARN."""

    type: str | None = None
    uri: str | None = None


class SelfManagedEventSourceResponse(Response):
    """A self-managed Kafka cluster."""

    endpoints: dict[str, list[str]] | None = None


class KafkaSchemaRegistryAccessConfigResponse(Response):
    """One credential for the schema registry."""

    type: str | None = None
    uri: str | None = None


class KafkaSchemaValidationConfigResponse(Response):
    """The part of a record that is validated against its schema."""

    attribute: str | None = None


class KafkaSchemaRegistryConfigResponse(Response):
    """A schema registry, and what it is used for."""

    schema_registry_uri: str | None = None
    event_record_format: str | None = None
    access_configs: list[KafkaSchemaRegistryAccessConfigResponse] | None = None
    schema_validation_configs: list[KafkaSchemaValidationConfigResponse] | None = None


class KafkaEventSourceConfigResponse(Response):
    """The consumer group and the schema registry."""

    consumer_group_id: str | None = None
    schema_registry_config: KafkaSchemaRegistryConfigResponse | None = None


class DocumentDBEventSourceConfigResponse(Response):
    """The database and collection that are read."""

    database_name: str | None = None
    collection_name: str | None = None
    full_document: str | None = None


class ProvisionedPollerConfigResponse(Response):
    """How many pollers are kept ready."""

    minimum_pollers: int | None = None
    maximum_pollers: int | None = None
    poller_group_name: str | None = None

"""What an event source mapping is made of: filters, batches, destinations, brokers – as they are asked for, and as AWS answers them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from activities.shapes import REGION, Arn, Request, Response, BoundedText, Integer

_Uri = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[ a-zA-Z0-9/*:_+=.@-]*$")]
_ARN = rf"arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9-])+:({REGION})?:([0-9]{{12}})?:(.*)"
_DestinationArn = Annotated[
    str,
    Field(
        max_length=350,
        pattern=rf"^(|kafka://([^.]([a-zA-Z0-9_.-]{{0,248}}))|{_ARN})$",
        description="an ARN, or kafka:// and a topic; empty text takes it away",
    ),
]
_Host = r"[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]"
_Endpoint = Annotated[
    str, Field(min_length=1, max_length=300, pattern=rf"^(({_Host})\.)*({_Host}):[0-9]{{1,5}}$")
]


def _no_system_collection(name: str) -> str:
    if name.startswith("system."):
        raise ValueError("a collection of the system's has no change stream")
    return name


# ── What is asked ────────────────────────────────────────────────────────────────────────────────────────────────────


class Filter(Request):
    """One filter: a pattern in JSON."""

    pattern: Annotated[str, Field(max_length=4096)] | None = None


class FilterCriteria(Request):
    """Which events reach the function: those that any filter accepts. Empty takes all filters away."""

    filters: list[Filter] | None = None


class EventSourceMappingMetricsConfig(Request):
    """Which metrics the mapping publishes."""

    metrics: (
        Annotated[list[Literal["EventCount", "ErrorCount", "KafkaMetrics"]], Field(max_length=3)]
        | None
    ) = None


class EventSourceMappingLoggingConfig(Request):
    """How much the mapping logs."""

    system_log_level: Literal["DEBUG", "INFO", "WARN"] | None = None


class ScalingConfig(Request):
    """How many invocations at once an SQS queue may cause. Empty takes the bound away."""

    maximum_concurrency: Annotated[Integer, Field(ge=2, le=1000)] | None = None


class Destination(Request):
    """``OnSuccess`` and ``OnFailure`` of AWS's model: where a record of it goes."""

    destination: _DestinationArn | None = None


class DestinationConfig(Request):
    """Where records of what was discarded go."""

    on_success: Destination | None = None
    on_failure: Destination | None = None


class SourceAccessConfiguration(Request):
    """One credential, or one part of the network, by which the source is reached. AWS knows the types, and adds to them."""

    type: (
        Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Z][A-Z0-9_]*$")] | None
    ) = None
    uri: _Uri | None = None


class SelfManagedEventSource(Request):
    """A Kafka cluster of one's own: its bootstrap servers, ``host:port``."""

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
    """How the schema registry lets us in."""

    type: (
        Literal["BASIC_AUTH", "CLIENT_CERTIFICATE_TLS_AUTH", "SERVER_ROOT_CA_CERTIFICATE"] | None
    ) = None
    uri: Arn | None = None


class KafkaSchemaValidationConfig(Request):
    """Which part of a record is held against its schema."""

    attribute: Literal["KEY", "VALUE"] | None = None


class KafkaSchemaRegistryConfig(Request):
    """A schema registry, and what it is for."""

    schema_registry_uri: (
        Annotated[str, Field(min_length=1, max_length=10000, pattern=r"^[a-zA-Z0-9/*:_+=.@-]*$")]
        | None
    ) = None
    event_record_format: Literal["JSON", "SOURCE"] | None = None
    access_configs: list[KafkaSchemaRegistryAccessConfig] | None = None
    schema_validation_configs: list[KafkaSchemaValidationConfig] | None = None


class KafkaEventSourceConfig(Request):
    """``AmazonManagedKafkaEventSourceConfig`` and ``SelfManagedKafkaEventSourceConfig`` of AWS's model, which are the same."""

    consumer_group_id: _Uri | None = None
    schema_registry_config: KafkaSchemaRegistryConfig | None = None


class DocumentDBEventSourceConfig(Request):
    """Which database and collection is listened to, and whether whole documents come."""

    database_name: (
        Annotated[str, Field(min_length=1, max_length=63, pattern=r'^[^ /.$"]*$')] | None
    ) = None
    collection_name: (
        Annotated[
            str,
            Field(min_length=1, max_length=57, pattern=r"^[_a-zA-Z0-9][^$]*$"),
            AfterValidator(_no_system_collection),
        ]
        | None
    ) = None
    full_document: Literal["UpdateLookup", "Default"] | None = None


class ProvisionedPollerConfig(Request):
    """How many pollers stand ready."""

    minimum_pollers: Annotated[Integer, Field(ge=1, le=200)] | None = None
    maximum_pollers: Annotated[Integer, Field(ge=1, le=10000)] | None = None
    poller_group_name: Annotated[str, Field(max_length=128, pattern=r"^[a-zA-Z0-9_-]*$")] | None = (
        None
    )


# ── What AWS answers ─────────────────────────────────────────────────────────────────────────────────────────────────


class FilterResponse(Response):
    """One filter."""

    pattern: BoundedText | None = None


class FilterCriteriaResponse(Response):
    """Which events reach the function."""

    filters: list[FilterResponse] | None = None


class FilterCriteriaError(Response):
    """Why the filters could not be answered."""

    error_code: str | None = None
    message: BoundedText | None = None


class EventSourceMappingMetricsConfigResponse(Response):
    """Which metrics the mapping publishes."""

    metrics: list[str] | None = None


class EventSourceMappingLoggingConfigResponse(Response):
    """How much the mapping logs."""

    system_log_level: str | None = None


class ScalingConfigResponse(Response):
    """How many invocations at once an SQS queue may cause."""

    maximum_concurrency: int | None = None


class DestinationResponse(Response):
    """Where a record goes."""

    destination: str | None = None


class DestinationConfigResponse(Response):
    """Where records of what was discarded go."""

    on_success: DestinationResponse | None = None
    on_failure: DestinationResponse | None = None


class SourceAccessConfigurationResponse(Response):
    """One way by which the source is reached; a secret by its ARN."""

    type: str | None = None
    uri: str | None = None


class SelfManagedEventSourceResponse(Response):
    """A Kafka cluster of one's own."""

    endpoints: dict[str, list[str]] | None = None


class KafkaSchemaRegistryAccessConfigResponse(Response):
    """How the schema registry lets us in."""

    type: str | None = None
    uri: str | None = None


class KafkaSchemaValidationConfigResponse(Response):
    """Which part of a record is held against its schema."""

    attribute: str | None = None


class KafkaSchemaRegistryConfigResponse(Response):
    """A schema registry, and what it is for."""

    schema_registry_uri: str | None = None
    event_record_format: str | None = None
    access_configs: list[KafkaSchemaRegistryAccessConfigResponse] | None = None
    schema_validation_configs: list[KafkaSchemaValidationConfigResponse] | None = None


class KafkaEventSourceConfigResponse(Response):
    """The consumer group, and the schemas."""

    consumer_group_id: str | None = None
    schema_registry_config: KafkaSchemaRegistryConfigResponse | None = None


class DocumentDBEventSourceConfigResponse(Response):
    """Which database and collection is listened to."""

    database_name: str | None = None
    collection_name: str | None = None
    full_document: str | None = None


class ProvisionedPollerConfigResponse(Response):
    """How many pollers stand ready."""

    minimum_pollers: int | None = None
    maximum_pollers: int | None = None
    poller_group_name: str | None = None

"""The configuration of a Lambda function, as AWS returns it.

Environment values are secrets: :class:`EnvironmentResponse` is the only model that receives them,
and it keeps their names and nothing else.
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BeforeValidator, Field

from activities.shapes import BoundedText, Response

HIDDEN_VALUE: Final = "***"
"""Stands in place of every environment value that AWS returns."""


def _hide_value(_: object) -> str:
    return HIDDEN_VALUE


class ErrorDetail(Response):
    """Why AWS could not return a part of a configuration.

    AWS's model has one structure for each part: ``EnvironmentError``, ``ImageConfigError``,
    ``RuntimeVersionError``, …
    """

    error_code: str | None = None
    message: BoundedText | None = None


class EnvironmentResponse(Response):
    """The names of a function's environment variables; every value is ``***``."""

    variables: dict[str, Annotated[str, BeforeValidator(_hide_value)]] = Field(default_factory=dict)
    error: ErrorDetail | None = None


class VpcConfigResponse(Response):
    """The network of the function."""

    subnet_ids: list[str] = Field(default_factory=list)
    security_group_ids: list[str] = Field(default_factory=list)
    vpc_id: str | None = None
    ipv6_allowed_for_dual_stack: bool | None = None


class DeadLetterConfigResponse(Response):
    """The target of events that could not be processed."""

    target_arn: str | None = None


class TracingConfigResponse(Response):
    """Whether X-Ray samples the function: mode Active or PassThrough."""

    mode: str | None = None


class Layer(Response):
    """A layer's version, with its size in bytes."""

    arn: str | None = None
    code_size: int | None = None
    signing_profile_version_arn: str | None = None
    signing_job_arn: str | None = None


class S3FilesConfigResponse(Response):
    """How an S3 Files mount reads."""

    direct_s3_read: str | None = None


class FileSystemConfigResponse(Response):
    """A mounted file system."""

    arn: str | None = None
    local_mount_path: str | None = None
    s3_files_config: S3FilesConfigResponse | None = None


class ImageConfigValues(Response):
    """AWS's ``ImageConfig`` within a response."""

    entry_point: list[str] = Field(default_factory=list)
    command: list[str] = Field(default_factory=list)
    working_directory: str | None = None


class ImageConfigResponse(Response):
    """The start command of the container image."""

    image_config: ImageConfigValues | None = None
    error: ErrorDetail | None = None


class EphemeralStorageResponse(Response):
    """The size of ``/tmp``, in MB."""

    size: int | None = None


class SnapStartResponse(Response):
    """Whether snapshots are taken; ``OptimizationStatus`` On: this version has one."""

    apply_on: str | None = None
    optimization_status: str | None = None


class RuntimeVersionConfig(Response):
    """The exact runtime that the function runs on."""

    runtime_version_arn: str | None = None
    error: ErrorDetail | None = None


class LoggingConfigResponse(Response):
    """The format, the levels and the log group of the function's logs."""

    log_format: str | None = None
    application_log_level: str | None = None
    system_log_level: str | None = None
    log_group: str | None = None


class TenancyConfigResponse(Response):
    """Whether tenants share an execution environment."""

    tenant_isolation_mode: str | None = None


class LambdaManagedInstancesCapacityProviderConfigResponse(Response):
    """The managed instances that the function runs on."""

    capacity_provider_arn: str | None = None
    per_execution_environment_max_concurrency: int | None = None
    execution_environment_memory_gib_per_v_cpu: float | None = None


class CapacityProviderConfigResponse(Response):
    """The capacity that the function runs on, where it is not Lambda's own fleet."""

    lambda_managed_instances_capacity_provider_config: (
        LambdaManagedInstancesCapacityProviderConfigResponse | None
    ) = None


class DurableConfigResponse(Response):
    """Durable execution: days of retention, seconds of timeout."""

    kms_key_arn: str | None = None
    retention_period_in_days: int | None = None
    execution_timeout: int | None = None


class FunctionConfiguration(Response):
    """One version of a function, or ``$LATEST``; no member holds a secret.

    ``revision_id`` of ``$LATEST`` changes again when a change settles: read it afterwards, never
    take it from the response to a change. ``last_update_status`` may be absent, which means *in
    progress* for a version that was just published.
    """

    function_name: str = ""
    function_arn: str = ""
    runtime: str | None = None
    role: str = ""
    handler: str | None = None
    code_size: int | None = Field(default=None, description="bytes")
    description: str = ""
    timeout: int | None = Field(default=None, description="seconds")
    memory_size: int | None = Field(default=None, description="MB")
    last_modified: str | None = Field(
        default=None, description="ISO 8601, as 2026-11-22T10:05:00.000+0000"
    )
    code_sha256: str = Field(default="", description="base64 of the package's SHA-256")
    version: str = ""
    vpc_config: VpcConfigResponse | None = None
    dead_letter_config: DeadLetterConfigResponse | None = None
    environment: EnvironmentResponse | None = None
    kms_key_arn: str | None = None
    tracing_config: TracingConfigResponse | None = None
    master_arn: str | None = None
    revision_id: str = ""
    layers: list[Layer] | None = None
    state: str | None = Field(
        default=None,
        description="Pending, Active, Inactive, Failed, Deactivating, Deactivated,"
        " ActiveNonInvocable or Deleting, so far",
    )
    state_reason: BoundedText | None = None
    state_reason_code: str | None = None
    last_update_status: str | None = Field(
        default=None, description="Successful, Failed or InProgress, so far"
    )
    last_update_status_reason: BoundedText | None = None
    last_update_status_reason_code: str | None = None
    file_system_configs: list[FileSystemConfigResponse] | None = None
    signing_profile_version_arn: str | None = None
    signing_job_arn: str | None = None
    package_type: str | None = Field(default=None, description="Zip or Image")
    image_config_response: ImageConfigResponse | None = None
    architectures: list[str] | None = None
    ephemeral_storage: EphemeralStorageResponse | None = None
    snap_start: SnapStartResponse | None = None
    runtime_version_config: RuntimeVersionConfig | None = None
    logging_config: LoggingConfigResponse | None = None
    tenancy_config: TenancyConfigResponse | None = None
    capacity_provider_config: CapacityProviderConfigResponse | None = None
    config_sha256: str | None = None
    durable_config: DurableConfigResponse | None = None

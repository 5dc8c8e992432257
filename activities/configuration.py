"""What a Lambda function is set to: the settings as they are asked for, and the configuration as AWS answers it.

A function's environment values are secrets. They may be *asked*; :class:`EnvironmentResponse` is the one door by which they
could come back, and it lets their names through and nothing else.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field

from activities.shapes import (
    REGION,
    Description,
    Boolean,
    Double,
    Request,
    ResourceArn,
    Response,
    RoleArn,
    BoundedText,
    Integer,
)

Runtime = Annotated[
    str,
    Field(
        max_length=64,
        pattern=r"^[a-z][a-z0-9.-]*$",
        description="python3.13, nodejs24.x, provided.al2023, …",
    ),
]
"""Checked for its form only, so that a runtime AWS adds tomorrow needs no release of ours; AWS refuses what does not exist."""

Architecture = Literal["x86_64", "arm64"]
Architectures = Annotated[list[Architecture], Field(min_length=1, max_length=1)]

LayerVersionArn = Annotated[
    str,
    Field(
        min_length=1,
        max_length=2048,
        pattern=rf"^((arn:(aws[a-zA-Z-]*)?:lambda:{REGION}:[0-9]{{12}}:layer:[a-zA-Z0-9_-]+:[0-9]+)"
        r"|(arn:[a-zA-Z0-9-]+:lambda:::awslayer:[a-zA-Z0-9_-]+))$",
    ),
]

# ── What is asked ────────────────────────────────────────────────────────────────────────────────────────────────────


class VpcConfig(Request):
    """The network a function runs in. Replaces the whole of it; empty lists take the function out of its VPC."""

    subnet_ids: (
        Annotated[
            list[Annotated[str, Field(max_length=1024, pattern=r"^subnet-[0-9a-z]*$")]],
            Field(max_length=16),
        ]
        | None
    ) = None
    security_group_ids: (
        Annotated[
            list[Annotated[str, Field(max_length=1024, pattern=r"^sg-[0-9a-zA-Z]*$")]],
            Field(max_length=5),
        ]
        | None
    ) = None
    ipv6_allowed_for_dual_stack: Boolean | None = None


class DeadLetterConfig(Request):
    """Where an asynchronous event goes that no attempt could process; empty text: nowhere."""

    target_arn: ResourceArn | None = None


class Environment(Request):
    """The environment variables of a function. Replaces all of them.

    A value may be a dynamic reference, ``{{resolve:ssm:/path}}`` or ``{{resolve:secretsmanager:name:SecretString:key}}``: it is
    resolved inside the activity that writes it. Any other value stands in the history as it was given.
    """

    variables: dict[Annotated[str, Field(pattern=r"^[a-zA-Z][a-zA-Z0-9_]+$")], str] | None = Field(
        default=None, repr=False
    )


class TracingConfig(Request):
    """Whether X-Ray samples the function's invocations."""

    mode: Literal["Active", "PassThrough"] | None = None


class S3FilesConfig(Request):
    """How an S3 Files mount reads."""

    direct_s3_read: Literal["ENABLED", "DISABLED", "AUTO"] | None = None


class FileSystemConfig(Request):
    """A file system's access point, mounted under ``/mnt``."""

    arn: Annotated[
        str,
        Field(
            max_length=256,
            pattern=rf"^(arn:aws[a-zA-Z-]*:elasticfilesystem:{REGION}:[0-9]{{12}}:access-point/fsap-[a-f0-9]{{17}}"
            r"|arn:aws[-a-z]*:s3files:[0-9a-z:-]+:file-system/fs-[0-9a-f]{17,40}/access-point/fsap-[0-9a-f]{17,40})$",
        ),
    ]
    local_mount_path: Annotated[str, Field(max_length=160, pattern=r"^/mnt/[a-zA-Z0-9._-]+$")]
    s3_files_config: S3FilesConfig | None = None


class ImageConfig(Request):
    """What a container image starts with, over what its Dockerfile says."""

    entry_point: Annotated[list[str], Field(max_length=1500)] | None = None
    command: Annotated[list[str], Field(max_length=1500)] | None = None
    working_directory: Annotated[str, Field(max_length=1000)] | None = None


class EphemeralStorage(Request):
    """The size of ``/tmp``, in MB."""

    size: Annotated[Integer, Field(ge=512, le=32768)]


class SnapStart(Request):
    """Whether publishing a version takes a snapshot of it after its initialisation."""

    apply_on: Literal["PublishedVersions", "None"] | None = None


class LoggingConfig(Request):
    """The form, the detail and the place of the function's logs."""

    log_format: Literal["JSON", "Text"] | None = None
    application_log_level: Literal["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"] | None = None
    system_log_level: Literal["DEBUG", "INFO", "WARN"] | None = None
    log_group: (
        Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[._/#A-Za-z0-9-]+$")] | None
    ) = None


class TenancyConfig(Request):
    """Whether tenants share an execution environment."""

    tenant_isolation_mode: Literal["PER_TENANT"]


class LambdaManagedInstancesCapacityProviderConfig(Request):
    """The managed instances a function runs on; memory in GiB per vCPU."""

    capacity_provider_arn: Annotated[
        str,
        Field(
            min_length=1,
            max_length=140,
            pattern=rf"^arn:aws[a-zA-Z-]*:lambda:{REGION}:[0-9]{{12}}:capacity-provider:[a-zA-Z0-9_-]+$",
        ),
    ]
    per_execution_environment_max_concurrency: Annotated[Integer, Field(ge=1, le=1600)] | None = None
    execution_environment_memory_gib_per_v_cpu: Annotated[Double, Field(ge=2, le=8)] | None = None


class CapacityProviderConfig(Request):
    """What the function runs on, where that is not Lambda's own fleet."""

    lambda_managed_instances_capacity_provider_config: LambdaManagedInstancesCapacityProviderConfig


class DurableConfig(Request):
    """Durable execution: how long its record is kept (days), and how long it may take (seconds)."""

    kms_key_arn: ResourceArn | None = None
    retention_period_in_days: Annotated[Integer, Field(ge=1, le=90)] | None = None
    execution_timeout: Annotated[Integer, Field(ge=1, le=31622400)] | None = None


class FunctionSettings(Request):
    """The settings that a function can be created with and updated to, but for its role."""

    handler: Annotated[str, Field(max_length=128, pattern=r"^[^\s]+$")] | None = None
    description: Description | None = None
    timeout: (
        Annotated[
            Integer, Field(ge=1, le=5400, description="seconds; above 900 on managed instances only")
        ]
        | None
    ) = None
    memory_size: (
        Annotated[
            Integer, Field(ge=128, le=32768, description="MB; above 10240 on managed instances only")
        ]
        | None
    ) = None
    vpc_config: VpcConfig | None = None
    environment: Environment | None = None
    runtime: Runtime | None = None
    dead_letter_config: DeadLetterConfig | None = None
    kms_key_arn: ResourceArn | None = None
    tracing_config: TracingConfig | None = None
    layers: list[LayerVersionArn] | None = None
    file_system_configs: Annotated[list[FileSystemConfig], Field(max_length=1)] | None = None
    image_config: ImageConfig | None = None
    ephemeral_storage: EphemeralStorage | None = None
    snap_start: SnapStart | None = None
    logging_config: LoggingConfig | None = None
    capacity_provider_config: CapacityProviderConfig | None = None
    durable_config: DurableConfig | None = None


class ConfigurationChange(FunctionSettings):
    """New settings for ``$LATEST``. An absent one stays as it is."""

    role: RoleArn | None = None


# ── What AWS answers ─────────────────────────────────────────────────────────────────────────────────────────────────

HIDDEN_VALUE: Final = "***"
"""What stands in the place of every environment value that AWS answers."""


def _hide(_: object) -> str:
    return HIDDEN_VALUE


class ErrorDetail(Response):
    """Why AWS could not answer a part: ``EnvironmentError``, ``ImageConfigError``, ``RuntimeVersionError``, … of AWS's model."""

    error_code: str | None = None
    message: BoundedText | None = None


class EnvironmentResponse(Response):
    """The names of a function's environment variables. No value of one can be held here: each is ``***``."""

    variables: dict[str, Annotated[str, BeforeValidator(_hide)]] = Field(default_factory=dict)
    error: ErrorDetail | None = None


class VpcConfigResponse(Response):
    """The network the function runs in."""

    subnet_ids: list[str] = Field(default_factory=list)
    security_group_ids: list[str] = Field(default_factory=list)
    vpc_id: str | None = None
    ipv6_allowed_for_dual_stack: bool | None = None


class DeadLetterConfigResponse(Response):
    """Where events go that could not be processed."""

    target_arn: str | None = None


class TracingConfigResponse(Response):
    """Active or PassThrough."""

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
    """``ImageConfig`` of AWS's model, as it is answered."""

    entry_point: list[str] = Field(default_factory=list)
    command: list[str] = Field(default_factory=list)
    working_directory: str | None = None


class ImageConfigResponse(Response):
    """What the container image starts with."""

    image_config: ImageConfigValues | None = None
    error: ErrorDetail | None = None


class EphemeralStorageResponse(Response):
    """The size of ``/tmp``, in MB."""

    size: int | None = None


class SnapStartResponse(Response):
    """Whether snapshots are taken, and whether this version has one (``OptimizationStatus`` On)."""

    apply_on: str | None = None
    optimization_status: str | None = None


class RuntimeVersionConfig(Response):
    """The exact runtime that the function runs on."""

    runtime_version_arn: str | None = None
    error: ErrorDetail | None = None


class LoggingConfigResponse(Response):
    """The form, the detail and the place of the function's logs."""

    log_format: str | None = None
    application_log_level: str | None = None
    system_log_level: str | None = None
    log_group: str | None = None


class TenancyConfigResponse(Response):
    """Whether tenants share an execution environment."""

    tenant_isolation_mode: str | None = None


class LambdaManagedInstancesCapacityProviderConfigResponse(Response):
    """The managed instances the function runs on."""

    capacity_provider_arn: str | None = None
    per_execution_environment_max_concurrency: int | None = None
    execution_environment_memory_gib_per_v_cpu: float | None = None


class CapacityProviderConfigResponse(Response):
    """What the function runs on, where that is not Lambda's own fleet."""

    lambda_managed_instances_capacity_provider_config: (
        LambdaManagedInstancesCapacityProviderConfigResponse | None
    ) = None


class DurableConfigResponse(Response):
    """Durable execution: days of retention, seconds of time-out."""

    kms_key_arn: str | None = None
    retention_period_in_days: int | None = None
    execution_timeout: int | None = None


class FunctionConfiguration(Response):
    """One version of a function, or ``$LATEST``: 40 members, of which none holds a secret.

    ``revision_id`` of ``$LATEST`` changes again by itself when a change settles: read it afterwards, never take it from the answer
    to a change. ``last_update_status`` may be absent, which means *in progress* for a version just published.
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
        description="Pending, Active, Inactive, Failed, Deactivating, Deactivated, ActiveNonInvocable or Deleting, so far",
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

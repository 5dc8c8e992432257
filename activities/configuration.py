"""The settings of a Lambda function, as they are sent to AWS.

Environment values are secrets. They may be sent, but AWS's response with them is received by
:class:`~activities.configuration_response.EnvironmentResponse`, which keeps only their names.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from activities.shapes import (
    REGION,
    Boolean,
    Description,
    Double,
    Integer,
    Request,
    ResourceArn,
    RoleArn,
)

Runtime = Annotated[
    str,
    Field(
        max_length=64,
        pattern=r"^[a-z][a-z0-9.-]*$",
        description="python3.13, nodejs24.x, provided.al2023, …",
    ),
]
"""Checked for its form only, so that a new runtime of AWS's needs no release of this program."""

Architecture = Literal["x86_64", "arm64"]
Architectures = Annotated[list[Architecture], Field(min_length=1, max_length=1)]

LayerVersionArn = Annotated[
    str,
    Field(
        min_length=1,
        max_length=2048,
        pattern=rf"^((arn:(aws[a-zA-Z-]*)?:lambda:{REGION}:[0-9]{{12}}:layer:[a-zA-Z0-9_-]+:[0-9]+)"
        r"|(arn:[a-zA-Z0-9-]+:lambda:::awslayer:[a-zA-Z0-9_-]+))$",
        description="The ARN of a layer's version, "
        "such as arn:aws:lambda:eu-west-1:123456789012:layer:tools:3.",
    ),
]


class VpcConfig(Request):
    """The network of a function, replaced as a whole; empty lists: no VPC."""

    subnet_ids: (
        Annotated[
            list[
                Annotated[
                    str,
                    Field(max_length=1024, pattern=r"^subnet-[0-9a-z]*$", description="subnet-…"),
                ]
            ],
            Field(max_length=16),
        ]
        | None
    ) = None
    security_group_ids: (
        Annotated[
            list[
                Annotated[
                    str, Field(max_length=1024, pattern=r"^sg-[0-9a-zA-Z]*$", description="sg-…")
                ]
            ],
            Field(max_length=5),
        ]
        | None
    ) = None
    ipv6_allowed_for_dual_stack: Boolean | None = None


class DeadLetterConfig(Request):
    """The target of asynchronous events that were not processed; empty text: none."""

    target_arn: ResourceArn | None = None


class Environment(Request):
    """The environment variables of a function, replaced as a whole.

    A value may be a dynamic reference, ``{{resolve:ssm:/path}}`` or
    ``{{resolve:secretsmanager:name:SecretString:key}}``: it is resolved inside the activity that
    writes it. Any other value stands in the workflow's history as it was sent.
    """

    variables: dict[Annotated[str, Field(pattern=r"^[a-zA-Z][a-zA-Z0-9_]+$")], str] | None = Field(
        default=None,
        repr=False,
        description="A name begins with a letter, and has letters, digits and _, at least two.",
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
            pattern=rf"^(arn:aws[a-zA-Z-]*:elasticfilesystem:{REGION}:[0-9]{{12}}:access-point/"
            r"fsap-[a-f0-9]{17}"
            r"|arn:aws[-a-z]*:s3files:[0-9a-z:-]+:file-system/fs-[0-9a-f]{17,40}/access-point/"
            r"fsap-[0-9a-f]{17,40})$",
            description="The ARN of an access point.",
        ),
    ]
    local_mount_path: Annotated[
        str, Field(max_length=160, pattern=r"^/mnt/[a-zA-Z0-9._-]+$", description="/mnt/…")
    ]
    s3_files_config: S3FilesConfig | None = None


class ImageConfig(Request):
    """The start command of a container image; it overrides the image's own."""

    entry_point: Annotated[list[str], Field(max_length=1500)] | None = None
    command: Annotated[list[str], Field(max_length=1500)] | None = None
    working_directory: Annotated[str, Field(max_length=1000)] | None = None


class EphemeralStorage(Request):
    """The size of ``/tmp``, in MB."""

    size: Annotated[Integer, Field(ge=512, le=32768)]


class SnapStart(Request):
    """Whether publishing a version takes a snapshot of it after its initialization."""

    apply_on: Literal["PublishedVersions", "None"] | None = None


class LoggingConfig(Request):
    """The format, the levels and the log group of the function's logs."""

    log_format: Literal["JSON", "Text"] | None = None
    application_log_level: Literal["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"] | None = None
    system_log_level: Literal["DEBUG", "INFO", "WARN"] | None = None
    log_group: (
        Annotated[
            str,
            Field(
                min_length=1,
                max_length=512,
                pattern=r"^[._/#A-Za-z0-9-]+$",
                description="A log group's name.",
            ),
        ]
        | None
    ) = None


class TenancyConfig(Request):
    """Whether tenants share an execution environment."""

    tenant_isolation_mode: Literal["PER_TENANT"]


class LambdaManagedInstancesCapacityProviderConfig(Request):
    """The managed instances that a function runs on; memory in GiB per vCPU."""

    capacity_provider_arn: Annotated[
        str,
        Field(
            min_length=1,
            max_length=140,
            pattern=rf"^arn:aws[a-zA-Z-]*:lambda:{REGION}:[0-9]{{12}}:capacity-provider:"
            r"[a-zA-Z0-9_-]+$",
            description="The ARN of a capacity provider.",
        ),
    ]
    per_execution_environment_max_concurrency: Annotated[Integer, Field(ge=1, le=1600)] | None = (
        None
    )
    execution_environment_memory_gib_per_v_cpu: Annotated[Double, Field(ge=2, le=8)] | None = None


class CapacityProviderConfig(Request):
    """The capacity that the function runs on, where it is not Lambda's own fleet."""

    lambda_managed_instances_capacity_provider_config: LambdaManagedInstancesCapacityProviderConfig


class DurableConfig(Request):
    """Durable execution: retention of its record (days), and timeout (seconds)."""

    kms_key_arn: ResourceArn | None = None
    retention_period_in_days: Annotated[Integer, Field(ge=1, le=90)] | None = None
    execution_timeout: Annotated[Integer, Field(ge=1, le=31622400)] | None = None


class FunctionSettings(Request):
    """The settings that can be both created and updated, except the role."""

    handler: (
        Annotated[
            str,
            Field(
                max_length=128, pattern=r"^[^\s]+$", description="No spaces, such as app.handler."
            ),
        ]
        | None
    ) = None
    description: Description | None = None
    timeout: (
        Annotated[
            Integer,
            Field(ge=1, le=5400, description="seconds; above 900 on managed instances only"),
        ]
        | None
    ) = None
    memory_size: (
        Annotated[
            Integer,
            Field(ge=128, le=32768, description="MB; above 10240 on managed instances only"),
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
    """New settings for ``$LATEST``; absent ones stay unchanged."""

    role: RoleArn | None = None

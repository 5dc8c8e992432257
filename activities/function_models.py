"""Requests and responses of the operations on functions."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from activities.concurrency import FunctionConcurrency
from activities.configuration import (
    Architectures,
    ConfigurationChange,
    FunctionSettings,
    TenancyConfig,
)
from activities.configuration_response import ErrorDetail, FunctionConfiguration
from activities.pagination import ListRequest
from activities.shapes import (
    REGION,
    Blob,
    Boolean,
    BoundedText,
    FunctionName,
    NamespacedFunctionName,
    Qualifier,
    Request,
    ResourceArn,
    Response,
    RoleArn,
    TagValues,
    parse_function_name,
)


def _refuse_final_dot(bucket: str) -> str:
    # AWS's pattern forbids it by a lookbehind, which pydantic's regular expressions lack.
    if bucket.endswith("."):
        raise ValueError("a bucket's name does not end with a dot")
    return bucket


S3Bucket = Annotated[
    str,
    Field(min_length=3, max_length=63, pattern=r"^[0-9A-Za-z._-]*$"),
    AfterValidator(_refuse_final_dot),
]
S3Key = Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^.*$")]


class FunctionCode(Request):
    """The source of a function's code: a .zip (by value or in S3), or an image.

    A ``ZipFile`` is stored in the workflow's history, which holds at most 2 MB: name an object in
    S3 instead.
    """

    zip_file: Blob | None = Field(default=None, repr=False)
    s3_bucket: S3Bucket | None = None
    s3_key: S3Key | None = None
    s3_object_version: S3Key | None = None
    s3_object_storage_mode: Literal["COPY", "REFERENCE"] | None = Field(
        default=None,
        description="REFERENCE: the object must stay in S3 as long as any version made of it",
    )
    image_uri: str | None = None
    source_kms_key_arn: ResourceArn | None = None


class CreateFunctionRequest(FunctionSettings):
    """The input of ``create_function``."""

    function_name: FunctionName
    role: RoleArn
    code: FunctionCode
    publish: Boolean | None = None
    publish_to: Literal["LATEST_PUBLISHED"] | None = None
    package_type: Literal["Zip", "Image"] | None = None
    tags: TagValues | None = None
    code_signing_config_arn: (
        Annotated[
            str,
            Field(
                max_length=200,
                pattern=rf"^arn:(aws[a-zA-Z-]*)?:lambda:{REGION}:[0-9]{{12}}:code-signing-config:"
                r"csc-[a-z0-9]{17}$",
            ),
        ]
        | None
    ) = None
    architectures: Architectures | None = None
    tenancy_config: TenancyConfig | None = None


class UpdateFunctionCodeRequest(FunctionCode):
    """The input of ``update_function_code``."""

    function_name: FunctionName
    architectures: Architectures | None = None
    publish: Boolean | None = None
    publish_to: Literal["LATEST_PUBLISHED"] | None = None
    dry_run: Boolean | None = None
    revision_id: str | None = None


class UpdateFunctionConfigurationRequest(ConfigurationChange):
    """The input of ``update_function_configuration``; absent members stay unchanged."""

    function_name: FunctionName
    revision_id: str | None = None


class DeleteFunctionRequest(Request):
    """The input of ``delete_function``: a version, or with ``Confirm`` a function.

    ``Confirm`` is not a member of AWS's. Without a version AWS deletes the function with all its
    versions and aliases, so the caller has to repeat the function's name for that.
    """

    function_name: NamespacedFunctionName
    qualifier: Qualifier | None = None
    confirm: str | None = Field(
        default=None, description="the function's bare name, where no version is given"
    )

    def parameters(self) -> dict[str, Any]:
        """Return this request as botocore takes it: without ``Confirm``."""
        return {name: value for name, value in super().parameters().items() if name != "Confirm"}

    @model_validator(mode="after")
    def _require_version_or_confirm(self) -> Self:
        name, named = parse_function_name(self.function_name)[-2:]
        version = self.qualifier or named
        if version is None:
            if self.confirm != name:
                raise ValueError(
                    "without Qualifier all versions and aliases are deleted: repeat the function's"
                    " bare name as Confirm to do that"
                )
        elif not re.fullmatch(r"[0-9]+", version):
            raise ValueError(
                "only a published version can be deleted by Qualifier: $LATEST cannot, and aliases"
                " are deleted by delete_alias"
            )
        return self


class GetFunctionRequest(Request):
    """The input of ``get_function``; no ``Qualifier``: ``$LATEST``."""

    function_name: NamespacedFunctionName
    qualifier: Qualifier | None = None


class GetFunctionConfigurationRequest(Request):
    """The input of ``get_function_configuration``; no ``Qualifier``: ``$LATEST``."""

    function_name: NamespacedFunctionName
    qualifier: Qualifier | None = None


class ListFunctionsRequest(ListRequest):
    """The input of ``list_functions``: ``$LATEST`` of each, or every version.

    ``FunctionVersion`` ALL lists every version.
    """

    master_region: (
        Annotated[str, Field(min_length=1, max_length=50, pattern=rf"^(ALL|{REGION})$")] | None
    ) = None
    function_version: Literal["ALL"] | None = None


class DeleteFunctionResponse(Response):
    """The status of a deletion.

    204: deleted, or absent before. 202: deleted as soon as running invocations have ended.
    """

    status_code: int | None = None


class ResolvedS3Object(Response):
    """The S3 object that holds a function's code (``S3ObjectStorageMode`` REFERENCE)."""

    s3_bucket: str | None = None
    s3_key: str | None = None
    s3_object_version: str | None = None


class FunctionCodeLocation(Response):
    """The place of a function's code, without ``Location``, a presigned URL to it."""

    repository_type: str | None = None
    image_uri: str | None = None
    resolved_image_uri: str | None = None
    resolved_s3_object: ResolvedS3Object | None = None
    source_kms_key_arn: str | None = None
    error: ErrorDetail | None = None


class GetFunctionResponse(Response):
    """A function or one version: configuration, place of code, tags, concurrency."""

    configuration: FunctionConfiguration | None = None
    code: FunctionCodeLocation | None = None
    tags: dict[str, BoundedText] | None = None
    tags_error: ErrorDetail | None = None
    concurrency: FunctionConcurrency | None = None


class ListFunctionsResponse(Response):
    """At most 1,000 functions or 500 kB; ``next_marker`` where the list continues."""

    next_marker: str | None = None
    functions: list[FunctionConfiguration] = Field(default_factory=list[FunctionConfiguration])

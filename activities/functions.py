"""Functions: what they are made of, and what can be done with ``$LATEST``."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from activities.concurrency import FunctionConcurrency
from activities.configuration import Architectures, ErrorDetail, FunctionSettings, TenancyConfig
from activities.configuration import ConfigurationChange as ConfigurationChange  # noqa: PLC0414 - what update_function_configuration takes
from activities.configuration import FunctionConfiguration as FunctionConfiguration  # noqa: PLC0414 - what most operations here answer
from activities.dynamic_references import resolve_references
from activities.errors import AwsError
from activities.operation import READ, WRITE, OperationGroup, is_retry, operation
from activities.pagination import ListRequest, collect_items
from activities.readback import (
    PRECONDITION_FAILED,
    RESOURCE_NOT_FOUND,
    RESOURCE_CONFLICT,
    find_differences,
    exists_error,
    read_or_none,
    stale_error,
    not_settled_error,
)
from activities.shapes import (
    REGION,
    Blob,
    Boolean,
    FunctionName,
    NamespacedFunctionName,
    Qualifier,
    Request,
    ResourceArn,
    Response,
    RoleArn,
    TagValues,
    BoundedText,
    parse_function_name,
)


def _ends_without_a_dot(bucket: str) -> str:
    if bucket.endswith("."):
        raise ValueError("a bucket's name does not end with a dot")
    return bucket


S3Bucket = Annotated[
    str,
    Field(min_length=3, max_length=63, pattern=r"^[0-9A-Za-z._-]*$"),
    AfterValidator(_ends_without_a_dot),
]
S3Key = Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^.*$")]


class FunctionCode(Request):
    """Where a function's code comes from: a .zip (by value, or better in S3), or a container image.

    A ``ZipFile`` travels through the workflow's history, which holds at most 2 MB: name an object in S3 instead.
    """

    zip_file: Blob | None = Field(default=None, repr=False)
    s3_bucket: S3Bucket | None = None
    s3_key: S3Key | None = None
    s3_object_version: S3Key | None = None
    s3_object_storage_mode: Literal["COPY", "REFERENCE"] | None = Field(
        default=None,
        description="REFERENCE: the object must stay in S3 for as long as any version made of it",
    )
    image_uri: str | None = None
    source_kms_key_arn: ResourceArn | None = None


class CreateFunctionRequest(FunctionSettings):
    """What may be asked of :meth:`Functions.create_function`."""

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
                pattern=rf"^arn:(aws[a-zA-Z-]*)?:lambda:{REGION}:[0-9]{{12}}:code-signing-config:csc-[a-z0-9]{{17}}$",
            ),
        ]
        | None
    ) = None
    architectures: Architectures | None = None
    tenancy_config: TenancyConfig | None = None


class UpdateFunctionCodeRequest(FunctionCode):
    """What may be asked of :meth:`Functions.update_function_code`."""

    function_name: FunctionName
    architectures: Architectures | None = None
    publish: Boolean | None = None
    publish_to: Literal["LATEST_PUBLISHED"] | None = None
    dry_run: Boolean | None = None
    revision_id: str | None = None


class UpdateFunctionConfigurationRequest(ConfigurationChange):
    """What may be asked of :meth:`Functions.update_function_configuration`. An absent member stays as it is."""

    function_name: FunctionName
    revision_id: str | None = None


class DeleteFunctionRequest(Request):
    """What may be asked of :meth:`Functions.delete_function`: one version, or, with ``Confirm``, the function with all there is to it.

    ``Confirm`` is ours, AWS does not know it: without a version AWS deletes everything at once, so whoever means that says the
    function's name again.
    """

    function_name: NamespacedFunctionName
    qualifier: Qualifier | None = None
    confirm: str | None = Field(
        default=None, description="the function's bare name, where no version is given"
    )

    def parameters(self) -> dict[str, Any]:
        """This request as botocore takes it: without ``Confirm``."""
        return {name: value for name, value in super().parameters().items() if name != "Confirm"}

    @model_validator(mode="after")
    def _says_what_it_means(self) -> Self:
        name, named = parse_function_name(self.function_name)[-2:]
        version = self.qualifier or named
        if version is None:
            if self.confirm != name:
                raise ValueError(
                    "without Qualifier all versions and aliases go: repeat the function's bare name as Confirm if that is meant"
                )
        elif not re.fullmatch(r"[0-9]+", version):
            raise ValueError(
                "only a published version can be deleted by Qualifier: not $LATEST, and an alias by delete_alias"
            )
        return self


class GetFunctionRequest(Request):
    """What may be asked of :meth:`Functions.get_function`; without ``Qualifier`` about ``$LATEST``."""

    function_name: NamespacedFunctionName
    qualifier: Qualifier | None = None


class GetFunctionConfigurationRequest(Request):
    """What may be asked of :meth:`Functions.get_function_configuration`; without ``Qualifier`` about ``$LATEST``."""

    function_name: NamespacedFunctionName
    qualifier: Qualifier | None = None


class ListFunctionsRequest(ListRequest):
    """What may be asked of :meth:`Functions.list_functions`: ``$LATEST`` of each, or with ``FunctionVersion`` ALL every version."""

    master_region: (
        Annotated[str, Field(min_length=1, max_length=50, pattern=rf"^(ALL|{REGION})$")] | None
    ) = None
    function_version: Literal["ALL"] | None = None


class DeleteFunctionResponse(Response):
    """204: deleted, or gone before. 202: being deleted, once what still runs has ended."""

    status_code: int | None = None


class ResolvedS3Object(Response):
    """The object in S3 that a function's code stays in (``S3ObjectStorageMode`` REFERENCE)."""

    s3_bucket: str | None = None
    s3_key: str | None = None
    s3_object_version: str | None = None


class FunctionCodeLocation(Response):
    """Where a function's code is kept. ``Location``, a presigned URL to the code itself, is not let through."""

    repository_type: str | None = None
    image_uri: str | None = None
    resolved_image_uri: str | None = None
    resolved_s3_object: ResolvedS3Object | None = None
    source_kms_key_arn: str | None = None
    error: ErrorDetail | None = None


class GetFunctionResponse(Response):
    """A function, or one version of it: configuration, code's whereabouts, tags and reserved concurrency."""

    configuration: FunctionConfiguration | None = None
    code: FunctionCodeLocation | None = None
    tags: dict[str, BoundedText] | None = None
    tags_error: ErrorDetail | None = None
    concurrency: FunctionConcurrency | None = None


class ListFunctionsResponse(Response):
    """Functions; ``next_marker`` where the list goes on: 1,000 functions or 500 kB are answered at most."""

    next_marker: str | None = None
    functions: list[FunctionConfiguration] = Field(default_factory=list[FunctionConfiguration])


class Functions(OperationGroup):
    """What can be done with functions."""

    @operation(WRITE)
    async def create_function(self, request: CreateFunctionRequest) -> FunctionConfiguration:
        """Create a function. It starts Pending: let it settle before anything else, and read its RevisionId then.

        Tried again after a lost answer the function is there already. If all that was asked is so – settings with their environment
        values, tags, and the code as far as it can be known (the SHA-256 of a ZipFile, the URI of an image; of an object in S3
        only on a later attempt, where the rest speaks for it) – that is success; if not, it is somebody else's: ``Exists``, saying
        what differs, and it is left as it is.

        ``Invalid`` for what AWS does not accept; a role that AWS has not heard of yet is tried again. AWS: CreateFunction.
        """
        parameters = await self._resolved(request)
        if is_retry() and (found := await read_or_none(self._look(request.function_name))):
            return await self._created(request, parameters, found)
        try:
            answer = await self.aws.call("lambda", "create_function", parameters)
        except AwsError as error:
            if error.code == RESOURCE_CONFLICT and (
                found := await read_or_none(self._look(request.function_name))
            ):
                return await self._created(request, parameters, found)
            raise
        return FunctionConfiguration.model_validate(answer)

    @operation(WRITE)
    async def delete_function(self, request: DeleteFunctionRequest) -> DeleteFunctionResponse:
        """Delete one version, or with ``Confirm`` the function, all its versions and all its aliases.

        What is gone already is success (StatusCode 204), so a second time does no harm. ``Invalid``, before anything is sent, for
        ``$LATEST``, for an alias, and for everything without ``Confirm``. A version that an alias points at is refused by AWS. Event
        source mappings stay. AWS: DeleteFunction.
        """
        try:
            answer = await self.aws.call("lambda", "delete_function", request.parameters())
        except AwsError as error:
            if error.code != RESOURCE_NOT_FOUND:
                raise
            answer = {"StatusCode": 204}
        return DeleteFunctionResponse.model_validate(answer)

    @operation(READ)
    async def get_function(self, request: GetFunctionRequest) -> GetFunctionResponse:
        """A function, or one version of it. ``NotFound`` where there is none.

        AWS allows 100 of these a second, and 15 of all other reads and writes together: poll with this one. No environment value and
        no URL to the code is in the answer. AWS: GetFunction.
        """
        return GetFunctionResponse.model_validate(
            await self.aws.call("lambda", "get_function", request.parameters())
        )

    @operation(READ)
    async def get_function_configuration(
        self, request: GetFunctionConfigurationRequest
    ) -> FunctionConfiguration:
        """A function's configuration, or one version's, without environment values. ``NotFound`` where there is none.

        AWS: GetFunctionConfiguration.
        """
        return FunctionConfiguration.model_validate(
            await self.aws.call("lambda", "get_function_configuration", request.parameters())
        )

    @operation(READ)
    async def list_functions(self, request: ListFunctionsRequest) -> ListFunctionsResponse:
        """The functions of this account and region, over all of AWS's pages up to 1,000.

        AWS leaves ``State`` and ``LastUpdateStatus`` out of lists. AWS: ListFunctions.
        """
        functions, marker = await collect_items(
            self.aws, "list_functions", request, member="Functions", item_type=FunctionConfiguration
        )
        return ListFunctionsResponse(functions=functions, next_marker=marker)

    @operation(WRITE)
    async def update_function_code(
        self, request: UpdateFunctionCodeRequest
    ) -> FunctionConfiguration:
        """Replace the code of ``$LATEST``, on the condition that it is still as it was read (``RevisionId``).

        AWS goes on working on it after the answer: let it settle, and read code and revision then.

        Tried again, or told by AWS that the revision moved on, it looks at the function first. The code that was asked is there:
        success (that was we), and with ``Publish`` its version. Still the revision that was read: sent again. Anything else is
        ``Stale``, and the code that was found stays. A .zip is known by its SHA-256, an image by its URI; an object in S3 by what
        S3 says of it (HeadObject, which takes the s3:GetObject that AWS Lambda asks of us anyway: SHA-256 where S3 keeps one, else
        the size in bytes), and if S3 does not say, by nothing: then the end is ``Stale`` rather than a guess. Without a ``RevisionId`` there is no such guard, and it is sent again: same code, same result.

        A ``DryRun`` changes nothing and is simply sent. AWS: UpdateFunctionCode.
        """
        parameters = request.parameters()
        if is_retry() and not request.dry_run:
            found = await self._look(request.function_name)
            if _revision(found) != request.revision_id:
                if await self._holds(request, found):
                    return await self._already(request, found)
                if request.revision_id:
                    raise _foreign("update_function_code", request, found, ["the code"])
        try:
            answer = await self.aws.call("lambda", "update_function_code", parameters)
        except AwsError as error:
            if error.code != PRECONDITION_FAILED:
                raise
            found = await self._look(request.function_name)
            if await self._holds(request, found):
                return await self._already(request, found)
            raise _foreign("update_function_code", request, found, ["the code"]) from None
        return FunctionConfiguration.model_validate(answer)

    @operation(WRITE)
    async def update_function_configuration(
        self, request: UpdateFunctionConfigurationRequest
    ) -> FunctionConfiguration:
        """Change settings of ``$LATEST``, on the condition that it is still as it was read (``RevisionId``).

        AWS goes on working on it after the answer: let it settle, and read the revision then. Environment, VpcConfig and Layers are
        replaced as a whole. Dynamic references in environment values are resolved here; the values never leave this activity.

        Tried again, or told by AWS that the revision moved on, it reads the function first: all that was asked is so, values of the
        environment included – success (that was we); still the revision that was read – sent; anything else is ``Stale`` and
        names the settings that differ. Without a ``RevisionId`` there is no such guard: the last writer wins.

        AWS: UpdateFunctionConfiguration.
        """
        parameters = await self._resolved(request)
        asked = {
            name: value
            for name, value in parameters.items()
            if name not in {"FunctionName", "RevisionId"}
        }
        if is_retry():
            found = await self._look(request.function_name)
            if not (differing := find_differences(asked, _as_asked(found["Configuration"]))):
                return FunctionConfiguration.model_validate(found["Configuration"])
            if request.revision_id not in {None, _revision(found)}:
                raise _foreign("update_function_configuration", request, found, differing)
        try:
            answer = await self.aws.call("lambda", "update_function_configuration", parameters)
        except AwsError as error:
            if error.code != PRECONDITION_FAILED:
                raise
            found = await self._look(request.function_name)
            if differing := find_differences(asked, _as_asked(found["Configuration"])):
                raise _foreign("update_function_configuration", request, found, differing) from None
            answer = found["Configuration"]
        return FunctionConfiguration.model_validate(answer)

    async def _look(self, function: str) -> dict[str, Any]:
        return await self.aws.call("lambda", "get_function", {"FunctionName": function})

    async def _resolved(self, request: FunctionSettings) -> dict[str, Any]:
        """The request's parameters, with every dynamic reference in its environment resolved."""
        parameters = request.parameters()
        if variables := parameters.get("Environment", {}).get("Variables"):
            parameters["Environment"] = {"Variables": await resolve_references(self.aws, variables)}
        return parameters

    async def _created(
        self, request: CreateFunctionRequest, parameters: dict[str, Any], found: dict[str, Any]
    ) -> FunctionConfiguration:
        asked = {name: value for name, value in parameters.items() if name not in _NOT_ANSWERED}
        differing = find_differences(
            asked, {**_as_asked(found["Configuration"]), "Tags": found.get("Tags")}
        )
        if not _same_code(request.code, found, unknown=is_retry()):
            differing.append("Code")
        if differing:
            raise exists_error("create_function", f"function {request.function_name}", differing)
        return await self._already(request, found)

    async def _holds(self, request: UpdateFunctionCodeRequest, found: dict[str, Any]) -> bool:
        """Whether the function already has the code and the architecture that were asked."""
        if find_differences(
            request.model_dump(by_alias=True, include={"architectures"}, exclude_none=True),
            found["Configuration"],
        ):
            return False
        return _same_code(request, found, unknown=False) or await self._same_object(
            request, found["Configuration"]
        )

    async def _same_object(
        self, request: UpdateFunctionCodeRequest, configuration: dict[str, Any]
    ) -> bool:
        """Whether the function's code is what the object in S3 is, as far as S3 knows that without the object being fetched."""
        if not request.s3_bucket:
            return False
        version = {"VersionId": request.s3_object_version} if request.s3_object_version else {}
        try:
            stored = await self.aws.call(
                "s3",
                "head_object",
                {
                    "Bucket": request.s3_bucket,
                    "Key": request.s3_key,
                    "ChecksumMode": "ENABLED",
                    **version,
                },
            )
        except AwsError:
            return False
        if (sha256 := stored.get("ChecksumSHA256")) and stored.get(
            "ChecksumType", "FULL_OBJECT"
        ) == "FULL_OBJECT":
            return bool(sha256 == configuration.get("CodeSha256"))
        return bool(
            stored.get("ContentLength") and stored["ContentLength"] == configuration.get("CodeSize")
        )

    async def _already(
        self, request: CreateFunctionRequest | UpdateFunctionCodeRequest, found: dict[str, Any]
    ) -> FunctionConfiguration:
        """What AWS would have answered: ``$LATEST`` as it is, or its version, which AWS answers again if nothing changed since."""
        configuration = found["Configuration"]
        if request.publish:
            asked = {
                "FunctionName": request.function_name,
                "CodeSha256": configuration["CodeSha256"],
            }
            to = {"PublishTo": request.publish_to} if request.publish_to else {}
            configuration = await self.aws.call("lambda", "publish_version", {**asked, **to})
        return FunctionConfiguration.model_validate(configuration)


_NOT_ANSWERED: Final = {"FunctionName", "Code", "CodeSigningConfigArn", "Publish", "PublishTo"}


def _revision(found: dict[str, Any]) -> str | None:
    revision: str | None = found["Configuration"].get("RevisionId")
    return revision


def _as_asked(configuration: dict[str, Any]) -> dict[str, Any]:
    """An answered configuration in the words in which it is asked for."""
    image: dict[str, Any] = configuration.get("ImageConfigResponse", {})
    layers: list[dict[str, str]] = configuration.get("Layers", [])
    return {
        **configuration,
        "ImageConfig": image.get("ImageConfig"),
        "Layers": [layer["Arn"] for layer in layers],
    }


def _same_code(code: FunctionCode, found: dict[str, Any], *, unknown: bool) -> bool:
    """Whether the function has this code; ``unknown`` where that cannot be told from what AWS Lambda answers."""
    if code.zip_file is not None:
        return bool(
            found["Configuration"].get("CodeSha256")
            == base64.b64encode(hashlib.sha256(code.zip_file).digest()).decode()
        )
    location: dict[str, Any] = found.get("Code", {})
    if code.image_uri is not None:
        return code.image_uri in {location.get("ImageUri"), location.get("ResolvedImageUri")}
    if stored := location.get("ResolvedS3Object"):
        asked = code.model_dump(
            by_alias=True, include={"s3_bucket", "s3_key", "s3_object_version"}, exclude_none=True
        )
        return not find_differences(asked, stored)
    return unknown


def _foreign(
    name: str,
    request: UpdateFunctionCodeRequest | UpdateFunctionConfigurationRequest,
    found: dict[str, Any],
    differing: list[str],
) -> Exception:
    if _revision(found) == request.revision_id:
        return not_settled_error(
            name,
            f"AWS refused revision {request.revision_id} of {request.function_name}, and still answers it",
        )
    return stale_error(
        name,
        f"{request.function_name} is at revision {_revision(found)} (modified {found['Configuration'].get('LastModified')}), and not as"
        f" it was read (revision {request.revision_id}); not as asked: {', '.join(differing)}",
    )

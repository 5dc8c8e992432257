"""Operations on functions: create, read, change, delete and list."""

from __future__ import annotations

from typing import Any, Final

from activities.configuration import FunctionSettings
from activities.configuration_response import FunctionConfiguration
from activities.dynamic_references import resolve_references
from activities.errors import AwsError
from activities.function_models import (
    CreateFunctionRequest,
    DeleteFunctionRequest,
    DeleteFunctionResponse,
    GetFunctionConfigurationRequest,
    GetFunctionRequest,
    GetFunctionResponse,
    ListFunctionsRequest,
    ListFunctionsResponse,
    UpdateFunctionCodeRequest,
    UpdateFunctionConfigurationRequest,
)
from activities.function_readback import (
    foreign_change_error,
    get_revision,
    has_requested_code,
    has_same_code,
    read_function,
    to_requested_form,
)
from activities.operation import READ, WRITE, Aws, OperationGroup, is_retry, operation
from activities.pagination import collect_items
from activities.readback import (
    PRECONDITION_FAILED,
    RESOURCE_CONFLICT,
    RESOURCE_NOT_FOUND,
    exists_error,
    find_differences,
    read_or_none,
)
from activities.reference_scope import ALL_REFERENCES, ReferenceScope

_NOT_IN_RESPONSES: Final = {"FunctionName", "Code", "CodeSigningConfigArn", "Publish", "PublishTo"}


class Functions(OperationGroup):
    """The operations on functions."""

    def __init__(self, aws: Aws, references: ReferenceScope = ALL_REFERENCES) -> None:
        """Resolve the dynamic references that are in the scope ``references``."""
        super().__init__(aws)
        self._references = references

    @operation(WRITE)
    async def create_function(self, request: CreateFunctionRequest) -> FunctionConfiguration:
        """Create a function.

        It is Pending at first: let it settle, and read its RevisionId then.

        On a retry after a lost response the function exists already. It is compared with the
        request: settings with their environment values, tags, and the code as far as it is known.
        The code of a ZipFile is known by its SHA-256, an image by its URI. The code of an S3 object
        counts as equal on a retry only. If all is equal, that is success. If not, it is another
        function: ``Exists``, which names the differences, and it is left unchanged.

        ``Invalid`` for a request that AWS does not accept. A role that has not propagated to AWS
        Lambda yet is retried. AWS: CreateFunction.
        """
        parameters = await self._resolve_environment(request)
        if is_retry() and (
            found := await read_or_none(read_function(self.aws, request.function_name))
        ):
            return await self._adopt_existing(request, parameters, found)
        try:
            response = await self.aws.call("lambda", "create_function", parameters)
        except AwsError as error:
            if error.code == RESOURCE_CONFLICT and (
                found := await read_or_none(read_function(self.aws, request.function_name))
            ):
                return await self._adopt_existing(request, parameters, found)
            raise
        return FunctionConfiguration.model_validate(response)

    @operation(WRITE)
    async def delete_function(self, request: DeleteFunctionRequest) -> DeleteFunctionResponse:
        """Delete one version, or with ``Confirm`` the whole function.

        A whole function includes its versions and aliases. A version or function that does not
        exist is success (StatusCode 204), so a retry does no harm. ``Invalid``, before anything is
        sent, for ``$LATEST``, for an alias, and for a whole function without ``Confirm``. AWS
        refuses to delete a version that an alias points at. Event source mappings stay. AWS:
        DeleteFunction.
        """
        try:
            response = await self.aws.call("lambda", "delete_function", request.parameters())
        except AwsError as error:
            if error.code != RESOURCE_NOT_FOUND:
                raise
            response = {"StatusCode": 204}
        return DeleteFunctionResponse.model_validate(response)

    @operation(READ)
    async def get_function(self, request: GetFunctionRequest) -> GetFunctionResponse:
        """Read a function, or one version of it. ``NotFound`` where it does not exist.

        AWS allows 100 of these calls a second, and 15 of all other control-plane calls together:
        poll with this one. The response has no environment values and no URL to the code. AWS:
        GetFunction.
        """
        return GetFunctionResponse.model_validate(
            await self.aws.call("lambda", "get_function", request.parameters())
        )

    @operation(READ)
    async def get_function_configuration(
        self, request: GetFunctionConfigurationRequest
    ) -> FunctionConfiguration:
        """Read the configuration of a function or of one version.

        It has no environment values. ``NotFound`` where it does not exist. AWS:
        GetFunctionConfiguration.
        """
        return FunctionConfiguration.model_validate(
            await self.aws.call("lambda", "get_function_configuration", request.parameters())
        )

    @operation(READ)
    async def list_functions(self, request: ListFunctionsRequest) -> ListFunctionsResponse:
        """List the functions of this account and region.

        Collects AWS's pages up to 1,000 functions. AWS leaves ``State`` and ``LastUpdateStatus``
        out of lists. AWS: ListFunctions.
        """
        functions, marker = await collect_items(
            self.aws,
            "list_functions",
            request,
            member="Functions",
            item_type=FunctionConfiguration,
        )
        return ListFunctionsResponse(functions=functions, next_marker=marker)

    @operation(WRITE)
    async def update_function_code(
        self, request: UpdateFunctionCodeRequest
    ) -> FunctionConfiguration:
        """Replace the code of ``$LATEST``, if ``RevisionId`` is still its revision.

        AWS continues to work on the update after its response: let it settle, and read code and
        revision then.

        On a retry, and where AWS refuses the revision, the function is read first. If it has the
        requested code, that is success of an earlier attempt (with ``Publish``: its version). If it
        still has the revision, the request is sent again. Anything else is ``Stale``, and the code
        that was found stays.

        A .zip is recognized by its SHA-256, an image by its URI. An S3 object is recognized by S3's
        metadata: its SHA-256 where S3 has one, else its size in bytes. HeadObject needs the
        permission s3:GetObject, which AWS Lambda requires of the caller anyway. Where S3 does not
        respond, the object is not recognized, and the result is ``Stale``. Without a ``RevisionId``
        there is no such guard, and the request is sent again: same code, same result.

        A ``DryRun`` changes nothing and is always sent. AWS: UpdateFunctionCode.
        """
        parameters = request.parameters()
        if is_retry() and not request.dry_run:
            found = await read_function(self.aws, request.function_name)
            if get_revision(found) != request.revision_id:
                if await has_requested_code(self.aws, request, found):
                    return await self._complete_publish(request, found)
                if request.revision_id:
                    raise foreign_change_error("update_function_code", request, found, ["the code"])
        try:
            response = await self.aws.call("lambda", "update_function_code", parameters)
        except AwsError as error:
            if error.code != PRECONDITION_FAILED:
                raise
            found = await read_function(self.aws, request.function_name)
            if await has_requested_code(self.aws, request, found):
                return await self._complete_publish(request, found)
            raise foreign_change_error(
                "update_function_code", request, found, ["the code"]
            ) from None
        return FunctionConfiguration.model_validate(response)

    @operation(WRITE)
    async def update_function_configuration(
        self, request: UpdateFunctionConfigurationRequest
    ) -> FunctionConfiguration:
        """Change settings of ``$LATEST``, if ``RevisionId`` is still its revision.

        AWS continues to work on the update after its response: let it settle, and read the revision
        then. Environment, VpcConfig and Layers are replaced as a whole. Dynamic references in
        environment values are resolved here; the values never leave this activity.

        On a retry, and where AWS refuses the revision, the function is read first. If all requested
        settings are there, environment values included, that is success of an earlier attempt. If
        it still has the revision, the request is sent. Anything else is ``Stale`` and names the
        settings that differ. Without a ``RevisionId`` there is no such guard: the last writer wins.

        AWS: UpdateFunctionConfiguration.
        """
        parameters = await self._resolve_environment(request)
        requested = {
            name: value
            for name, value in parameters.items()
            if name not in {"FunctionName", "RevisionId"}
        }
        if is_retry():
            found = await read_function(self.aws, request.function_name)
            differences = find_differences(requested, to_requested_form(found["Configuration"]))
            if not differences:
                return FunctionConfiguration.model_validate(found["Configuration"])
            if request.revision_id not in {None, get_revision(found)}:
                raise foreign_change_error(
                    "update_function_configuration", request, found, differences
                )
        try:
            response = await self.aws.call("lambda", "update_function_configuration", parameters)
        except AwsError as error:
            if error.code != PRECONDITION_FAILED:
                raise
            found = await read_function(self.aws, request.function_name)
            differences = find_differences(requested, to_requested_form(found["Configuration"]))
            if differences:
                raise foreign_change_error(
                    "update_function_configuration", request, found, differences
                ) from None
            response = found["Configuration"]
        return FunctionConfiguration.model_validate(response)

    async def _resolve_environment(self, request: FunctionSettings) -> dict[str, Any]:
        """Return the request's parameters, with resolved dynamic references."""
        parameters = request.parameters()
        if variables := parameters.get("Environment", {}).get("Variables"):
            resolved = await resolve_references(
                self.aws, variables, function=parameters["FunctionName"], scope=self._references
            )
            parameters["Environment"] = {"Variables": resolved}
        return parameters

    async def _adopt_existing(
        self, request: CreateFunctionRequest, parameters: dict[str, Any], found: dict[str, Any]
    ) -> FunctionConfiguration:
        """Return an existing function as the one of an earlier attempt, if it is equal."""
        requested = {
            name: value for name, value in parameters.items() if name not in _NOT_IN_RESPONSES
        }
        differences = find_differences(
            requested, {**to_requested_form(found["Configuration"]), "Tags": found.get("Tags")}
        )
        if not has_same_code(request.code, found, if_unknown=is_retry()):
            differences.append("Code")
        if differences:
            raise exists_error("create_function", f"function {request.function_name}", differences)
        return await self._complete_publish(request, found)

    async def _complete_publish(
        self, request: CreateFunctionRequest | UpdateFunctionCodeRequest, found: dict[str, Any]
    ) -> FunctionConfiguration:
        """Return what the lost response held: ``$LATEST``, or its version.

        AWS publishes no second version of unchanged code and settings: it returns the existing one.
        """
        configuration = found["Configuration"]
        if request.publish:
            parameters = {
                "FunctionName": request.function_name,
                "CodeSha256": configuration["CodeSha256"],
            }
            if request.publish_to:
                parameters["PublishTo"] = request.publish_to
            configuration = await self.aws.call("lambda", "publish_version", parameters)
        return FunctionConfiguration.model_validate(configuration)

"""Operations on versions: immutable copies of ``$LATEST``, made by a publish."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from activities.configuration_response import FunctionConfiguration
from activities.errors import AwsError
from activities.operation import READ, WRITE, OperationGroup, is_retry, operation
from activities.pagination import ListRequest, collect_items, iterate_pages
from activities.readback import PRECONDITION_FAILED, read_or_none
from activities.shapes import Description, FunctionName, NamespacedFunctionName, Request, Response


class PublishVersionRequest(Request):
    """The input of ``publish_version``.

    ``CodeSha256`` is a guard that holds on retries, too: AWS publishes only this code. A unique
    ``Description`` (the id of a release) identifies the version of an earlier attempt.
    ``PublishTo`` replaces one mutable version instead, on managed instances; a release cannot use
    that.
    """

    function_name: FunctionName
    code_sha256: str | None = Field(
        default=None, description="base64 of the package's SHA-256, as get_function returns it"
    )
    description: Description | None = None
    revision_id: str | None = None
    publish_to: Literal["LATEST_PUBLISHED"] | None = None


class ListVersionsByFunctionRequest(ListRequest):
    """The input of ``list_versions_by_function``."""

    function_name: NamespacedFunctionName


class ListVersionsByFunctionResponse(Response):
    """``$LATEST``, then the oldest first; ``next_marker`` where the list continues."""

    next_marker: str | None = None
    versions: list[FunctionConfiguration] = Field(default_factory=list[FunctionConfiguration])


class Versions(OperationGroup):
    """The operations on versions."""

    @operation(WRITE)
    async def publish_version(self, request: PublishVersionRequest) -> FunctionConfiguration:
        """Publish ``$LATEST`` as an immutable version.

        ``CodeSha256`` and ``RevisionId`` guard what is published. Unchanged code and settings make
        no new version: AWS returns the existing one.

        Publishing changes the revision of ``$LATEST``, so after a lost response the same
        ``RevisionId`` would be refused. On a retry ``$LATEST`` is read. If it still has that
        revision, nothing was published, and the request is sent again unchanged. If not, or where
        AWS refuses the revision, all versions are searched for this code under this description;
        the newest one is the version of an earlier attempt, and is returned. Where there is none, a
        retry sends the request without the revision, guarded by ``CodeSha256`` alone, and a first
        attempt fails as ``Stale``. Without ``CodeSha256`` the revision is always sent, and the
        result may be ``Stale`` after a success of an earlier attempt.

        ``Stale`` where the code of ``$LATEST`` is not ``CodeSha256``. The version may be Pending:
        let it settle before it receives traffic. AWS: PublishVersion.
        """
        parameters = request.parameters()
        if is_retry() and not await self._is_at_revision(request):
            if published := await self._find_published(request):
                return published
            if request.code_sha256:
                parameters.pop("RevisionId", None)
        try:
            response = await self.aws.call("lambda", "publish_version", parameters)
        except AwsError as error:
            if error.code == PRECONDITION_FAILED and (
                published := await self._find_published(request)
            ):
                return published
            raise
        return FunctionConfiguration.model_validate(response)

    @operation(READ)
    async def list_versions_by_function(
        self, request: ListVersionsByFunctionRequest
    ) -> ListVersionsByFunctionResponse:
        """List the versions of a function, over all of AWS's pages up to 1,000.

        ``$LATEST`` comes first, then the oldest. AWS leaves ``State`` and ``LastUpdateStatus`` out
        of lists. AWS: ListVersionsByFunction.
        """
        versions, marker = await collect_items(
            self.aws,
            "list_versions_by_function",
            request,
            member="Versions",
            item_type=FunctionConfiguration,
        )
        return ListVersionsByFunctionResponse(versions=versions, next_marker=marker)

    async def _is_at_revision(self, request: PublishVersionRequest) -> bool:
        """Whether ``$LATEST`` has the request's revision: nothing was published."""
        if request.revision_id is None:
            return False
        latest = await self.aws.call(
            "lambda", "get_function", {"FunctionName": request.function_name}
        )
        return bool(latest["Configuration"].get("RevisionId") == request.revision_id)

    async def _find_published(self, request: PublishVersionRequest) -> FunctionConfiguration | None:
        """Find the newest version of this code under this description.

        Neither of the two alone distinguishes it from an earlier release's version.
        """
        if not request.code_sha256 or not request.description:
            return None
        newest: dict[str, Any] | None = None
        async for page in iterate_pages(
            self.aws, "list_versions_by_function", {"FunctionName": request.function_name}
        ):
            for version in page["Versions"]:
                is_match = (
                    version.get("CodeSha256") == request.code_sha256
                    and version.get("Description") == request.description
                )
                if (
                    is_match
                    and version["Version"].isdigit()
                    and (newest is None or int(version["Version"]) > int(newest["Version"]))
                ):
                    newest = version
        if newest is None:
            return None
        # Lists lack State and LastUpdateStatus: the version is read again by itself.
        qualified = {"FunctionName": request.function_name, "Qualifier": newest["Version"]}
        found = await read_or_none(self.aws.call("lambda", "get_function", qualified))
        return FunctionConfiguration.model_validate(found["Configuration"] if found else newest)

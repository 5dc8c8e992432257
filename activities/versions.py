"""Versions: what ``$LATEST`` was when it was published, unchanging from then on."""

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
    """What may be asked of :meth:`Versions.publish_version`.

    ``CodeSha256`` is the guard that lasts: AWS publishes only this code. A ``Description`` that nobody else uses (the id of a release)
    is how an earlier attempt's version is recognised. ``PublishTo`` republishes one changing version instead, on managed
    instances: no release can stand on that.
    """

    function_name: FunctionName
    code_sha256: str | None = Field(
        default=None, description="base64 of the package's SHA-256, as get_function answers it"
    )
    description: Description | None = None
    revision_id: str | None = None
    publish_to: Literal["LATEST_PUBLISHED"] | None = None


class ListVersionsByFunctionRequest(ListRequest):
    """What may be asked of :meth:`Versions.list_versions_by_function`."""

    function_name: NamespacedFunctionName


class ListVersionsByFunctionResponse(Response):
    """Versions, ``$LATEST`` and then the oldest first; ``next_marker`` where the list goes on."""

    next_marker: str | None = None
    versions: list[FunctionConfiguration] = Field(default_factory=list[FunctionConfiguration])


class Versions(OperationGroup):
    """What can be done with versions."""

    @operation(WRITE)
    async def publish_version(self, request: PublishVersionRequest) -> FunctionConfiguration:
        """Make an immutable version of what ``$LATEST`` holds, guarded by ``CodeSha256`` and, the first time, ``RevisionId``.

        Unchanged code and settings make no new version: AWS answers the one that there is.

        Publishing moves the revision of ``$LATEST``, so after a lost answer the same ``RevisionId`` would be refused. Tried again,
        or told that the revision moved on, it looks whether ``$LATEST`` is still at that revision (nothing happened: sent as
        asked), then through all versions for this code under this description: the newest is ours, and the answer. Found none, a
        later attempt asks again for this ``CodeSha256`` without the revision; a first attempt ends ``Stale``. Without
        ``CodeSha256`` the revision is never dropped, and the end may be ``Stale`` after a success of our own.

        ``Invalid`` where the code is not ``CodeSha256`` (any more). The version may still be Pending: let it settle before it
        takes traffic. AWS: PublishVersion.
        """
        parameters = request.parameters()
        if is_retry() and not await self._at_revision(request):
            if ours := await self._published(request):
                return ours
            if request.code_sha256:
                parameters.pop("RevisionId", None)
        try:
            answer = await self.aws.call("lambda", "publish_version", parameters)
        except AwsError as error:
            if error.code == PRECONDITION_FAILED and (ours := await self._published(request)):
                return ours
            raise
        return FunctionConfiguration.model_validate(answer)

    @operation(READ)
    async def list_versions_by_function(
        self, request: ListVersionsByFunctionRequest
    ) -> ListVersionsByFunctionResponse:
        """The versions of a function, ``$LATEST`` first, then the oldest first, over all of AWS's pages up to 1,000.

        AWS leaves ``State`` and ``LastUpdateStatus`` out of lists. AWS: ListVersionsByFunction.
        """
        versions, marker = await collect_items(
            self.aws,
            "list_versions_by_function",
            request,
            member="Versions",
            item_type=FunctionConfiguration,
        )
        return ListVersionsByFunctionResponse(versions=versions, next_marker=marker)

    async def _at_revision(self, request: PublishVersionRequest) -> bool:
        """Whether ``$LATEST`` is still as the request read it: then nothing was published since."""
        if request.revision_id is None:
            return False
        latest = await self.aws.call(
            "lambda", "get_function", {"FunctionName": request.function_name}
        )
        return bool(latest["Configuration"].get("RevisionId") == request.revision_id)

    async def _published(self, request: PublishVersionRequest) -> FunctionConfiguration | None:
        """The newest version of this code under this description. Neither alone tells ours from an earlier one."""
        if not request.code_sha256 or not request.description:
            return None
        newest: dict[str, Any] | None = None
        async for page in iterate_pages(
            self.aws, "list_versions_by_function", {"FunctionName": request.function_name}
        ):
            for version in page["Versions"]:
                same = (
                    version.get("CodeSha256") == request.code_sha256
                    and version.get("Description") == request.description
                )
                if (
                    same
                    and version["Version"].isdigit()
                    and (newest is None or int(version["Version"]) > int(newest["Version"]))
                ):
                    newest = version
        if newest is None:
            return None
        name = {"FunctionName": request.function_name, "Qualifier": newest["Version"]}
        answer = await read_or_none(self.aws.call("lambda", "get_function", name))
        return FunctionConfiguration.model_validate(answer["Configuration"] if answer else newest)

"""Tags on functions, event source mappings and other resources of Lambda."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from activities.operation import READ, WRITE, OperationGroup, operation
from activities.shapes import REGION, Request, Response, TagKey, TagValues

_HEX = "[0-9a-fA-F]"
_UUID = rf"{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}"
TaggableResource = Annotated[
    str,
    Field(
        min_length=1,
        max_length=10000,
        pattern=rf"^arn:(aws[a-zA-Z-]*):lambda:{REGION}:[0-9]{{12}}:"
        r"(function:[a-zA-Z0-9_-]+(:(\$LATEST|[a-zA-Z0-9_-]+))?"
        rf"|code-signing-config:csc-[a-z0-9]{{17}}|event-source-mapping:{_UUID}"
        r"|(capacity-provider|network-connector):[a-zA-Z0-9_-]{1,64})$",
        description="An ARN. AWS refuses the ARN of a version or an alias.",
    ),
]


class ListTagsRequest(Request):
    """The request of :meth:`Tags.list_tags`."""

    resource: TaggableResource


class TagResourceRequest(Request):
    """The request of :meth:`Tags.tag_resource`."""

    resource: TaggableResource
    tags: TagValues


class UntagResourceRequest(Request):
    """The request of :meth:`Tags.untag_resource`."""

    resource: TaggableResource
    tag_keys: list[TagKey]


class ListTagsResponse(Response):
    """All tags of a resource: AWS allows 50."""

    tags: dict[str, str] = Field(default_factory=dict)


class Tags(OperationGroup):
    """Operations on tags."""

    @operation(READ)
    async def list_tags(self, request: ListTagsRequest) -> ListTagsResponse:
        """Read the tags of a resource. AWS: ListTags."""
        return ListTagsResponse.model_validate(
            await self.aws.call("lambda", "list_tags", request.parameters())
        )

    @operation(WRITE)
    async def tag_resource(self, request: TagResourceRequest) -> None:
        """Add these tags, or set their values; other tags stay. Idempotent.

        ``Invalid`` beyond 50 tags, without any tag, and for the ARN of a version or alias.
        AWS: TagResource.
        """
        await self.aws.call("lambda", "tag_resource", request.parameters())

    @operation(WRITE)
    async def untag_resource(self, request: UntagResourceRequest) -> None:
        """Remove these tags. Idempotent: a tag that does not exist is ignored.

        AWS: UntagResource.
        """
        await self.aws.call("lambda", "untag_resource", request.parameters())

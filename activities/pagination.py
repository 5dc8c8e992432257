"""Lists that AWS gives page by page: collected, but never more than a workflow's history may hold."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any, Final, TypeVar

from pydantic import Field

from activities.errors import AwsError
from activities.operation import Aws
from activities.shapes import Request, Response, Integer

MAX_ITEMS: Final = 1_000
MAX_BYTES: Final = 500_000
"""A list ends with the page that reaches either. Temporal refuses a result of 2 MB, for ever; the last page needs room, too."""

_PAGE: Final = 50
"""AWS's own page of functions and versions; asked for, so that no page is larger."""

_Item = TypeVar("_Item", bound=Response)


class ListRequest(Request):
    """Which part of a list: from ``Marker`` on, about ``MaxItems`` of it.

    ``MaxItems`` counts what is answered, over as many of AWS's pages as that takes, and at most 1,000. Pages are never cut: a
    few more items may be answered, none is ever skipped.
    """

    marker: str | None = None
    max_items: Annotated[Integer, Field(ge=1, le=10000)] | None = None


async def iterate_pages(
    aws: Aws, operation: str, parameters: Mapping[str, Any]
) -> AsyncIterator[dict[str, Any]]:
    """AWS's answers, one page after another, to the end."""
    marker: str | None = parameters.get("Marker")
    while True:
        page = await aws.call(
            "lambda", operation, {**parameters, **({"Marker": marker} if marker else {})}
        )
        yield page
        before, marker = marker, page.get("NextMarker")
        if not marker:
            return
        if marker == before:
            raise AwsError(operation, "ResponseParserError", "a page is followed by itself")


async def collect_items(
    aws: Aws, operation: str, request: ListRequest, *, member: str, of: type[_Item]
) -> tuple[list[_Item], str | None]:
    """The items that were asked for, and the marker behind the last of them, or None where the list ends."""
    wanted = min(request.max_items or MAX_ITEMS, MAX_ITEMS)
    parameters = {**request.parameters(), "MaxItems": min(_PAGE, wanted)}
    items: list[_Item] = []
    size = 0
    async for answer in iterate_pages(aws, operation, parameters):
        found: list[dict[str, Any]] = answer.get(member, [])
        arrived = [of.model_validate(item) for item in found]
        items += arrived
        size += sum(len(item.model_dump_json()) for item in arrived)
        if len(items) >= wanted or size >= MAX_BYTES:
            return items, answer.get("NextMarker") or None
    return items, None

"""Lists that AWS returns page by page, bounded by what a history may hold."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any, Final, TypeVar

from pydantic import Field

from activities.errors import AwsError
from activities.operation import Aws
from activities.shapes import Integer, Request, Response

MAX_ITEMS: Final = 1_000
MAX_BYTES: Final = 500_000
"""A list ends with the page that reaches either limit.

Temporal refuses a result of 2 MB, and retries it without limit. The last page needs room, too.
"""

_PAGE_ITEMS: Final = 50
"""AWS's own page size for functions and versions; requested, so that no page is larger."""

_Item = TypeVar("_Item", bound=Response)


class ListRequest(Request):
    """A part of a list: from ``Marker`` on, about ``MaxItems`` items.

    ``MaxItems`` counts the items of the response, over as many pages of AWS's as that takes, and is
    at most 1,000. Pages are never cut: a few more items may be returned, none is skipped.
    """

    marker: str | None = None
    max_items: Annotated[Integer, Field(ge=1, le=10000)] | None = None


async def iterate_pages(
    aws: Aws, operation: str, parameters: Mapping[str, Any]
) -> AsyncIterator[dict[str, Any]]:
    """Yield AWS's pages, one after another, to the end of the list."""
    marker: str | None = parameters.get("Marker")
    while True:
        page = await aws.call(
            "lambda", operation, {**parameters, **({"Marker": marker} if marker else {})}
        )
        yield page
        previous, marker = marker, page.get("NextMarker")
        if not marker:
            return
        if marker == previous:
            raise AwsError(operation, "ResponseParserError", "a page's NextMarker is its own")


async def collect_items(
    aws: Aws, operation: str, request: ListRequest, *, member: str, item_type: type[_Item]
) -> tuple[list[_Item], str | None]:
    """Return the requested items, and the marker after the last of them.

    The marker is None at the end of the list. ``member`` is the name of the list in AWS's response.
    """
    limit = min(request.max_items or MAX_ITEMS, MAX_ITEMS)
    parameters = {**request.parameters(), "MaxItems": min(_PAGE_ITEMS, limit)}
    items: list[_Item] = []
    size = 0
    async for page in iterate_pages(aws, operation, parameters):
        found: list[dict[str, Any]] = page.get(member, [])
        parsed = [item_type.model_validate(item) for item in found]
        items += parsed
        size += sum(len(item.model_dump_json()) for item in parsed)
        if len(items) >= limit or size >= MAX_BYTES:
            return items, page.get("NextMarker") or None
    return items, None

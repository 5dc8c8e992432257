"""Tags: merged and removed, so that a second attempt does no harm."""

from __future__ import annotations

import pytest
from temporalio.exceptions import ApplicationError

from activities.tags import ListTagsRequest, TagResourceRequest, Tags, UntagResourceRequest
from tests.activities.operations import on_attempt
from tests.fake_lambda import FakeLambda

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:checkout"


async def test_tags_are_set_and_removed_and_a_second_time_changes_nothing(
    port: FakeLambda,
) -> None:
    port.create("checkout").tags = {"team": "shop", "old": "x"}
    tags = Tags(port)
    for operation in ("tag_resource", "untag_resource"):
        port.lose(operation)
    for attempt in (1, 2):
        for method, request in (
            (tags.tag_resource, TagResourceRequest(resource=ARN, tags={"release": "42"})),
            (tags.untag_resource, UntagResourceRequest(resource=ARN, tag_keys=["old"])),
        ):
            if attempt == 1:
                with pytest.raises(ApplicationError, match="no answer came in time"):
                    await on_attempt(attempt, method, request)
            else:
                assert await on_attempt(attempt, method, request) is None
    assert (await on_attempt(1, tags.list_tags, ListTagsRequest(resource=ARN))).tags == {
        "team": "shop",
        "release": "42",
    }

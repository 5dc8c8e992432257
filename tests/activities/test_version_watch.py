"""The watch over a version that a release may go back to."""

from __future__ import annotations

import pytest
from temporalio.exceptions import ApplicationError

from activities.version_watch import VersionWatch, WatchVersionRequest
from tests.fake_lambda import FakeLambda

FUNCTION = "checkout"
REQUEST = WatchVersionRequest(function_name=FUNCTION, version="1")


@pytest.fixture
def aws() -> FakeLambda:
    account = FakeLambda()
    account.create(FUNCTION, "one", "two")
    return account


async def test_version_that_is_there_is_looked_at_a_minute_later(aws: FakeLambda) -> None:
    with pytest.raises(ApplicationError, match="version 1 is there") as quiet:
        await VersionWatch(aws).watch_version(REQUEST)
    assert quiet.value.type == "NotReady"
    assert quiet.value.next_retry_delay is not None
    assert quiet.value.next_retry_delay.total_seconds() == 60


async def test_version_that_was_deleted_is_a_problem(aws: FakeLambda) -> None:
    aws.apply("delete_function", FunctionName=FUNCTION, Qualifier="1")
    assert (await VersionWatch(aws).watch_version(REQUEST)).problem == "was deleted"


async def test_version_whose_image_is_gone_is_a_problem(aws: FakeLambda) -> None:
    aws.functions[FUNCTION].versions["1"] |= {"State": "Failed", "StateReasonCode": "ImageDeleted"}
    found = await VersionWatch(aws).watch_version(REQUEST)
    assert found.problem == "cannot serve any more (State is Failed: ImageDeleted)"


async def test_version_that_may_not_be_read_is_no_problem(aws: FakeLambda) -> None:
    aws.fail("get_function", "AccessDeniedException", "no lambda:GetFunction")
    with pytest.raises(ApplicationError, match="AccessDenied"):
        await VersionWatch(aws).watch_version(REQUEST)

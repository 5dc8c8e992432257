"""Versions: a second attempt publishes no second version."""

from __future__ import annotations

from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.versions import PublishVersionRequest, Versions
from tests.activities.operations import lose_response, on_attempt
from tests.fake_lambda import FakeLambda, Function

RELEASE = "lambda-releases 0193"


@pytest.fixture
def versions(port: FakeLambda) -> Versions:
    port.create_unpublished("checkout")
    return Versions(port)


def checkout(port: FakeLambda) -> Function:
    return port.functions["checkout"]


def publish(port: FakeLambda, **members: Any) -> PublishVersionRequest:
    """To publish what is there now, on the condition that it stays so."""
    latest = checkout(port).latest
    given = {
        "code_sha256": latest["CodeSha256"],
        "revision_id": latest["RevisionId"],
        "description": RELEASE,
        **members,
    }
    return PublishVersionRequest(function_name="checkout", **given)


def change(port: FakeLambda, code: bytes = b"two") -> None:
    port.apply("update_function_code", FunctionName="checkout", ZipFile=code)
    port.settle("checkout")


async def test_version_published_under_a_lost_response_is_adopted(
    port: FakeLambda, versions: Versions
) -> None:
    request = publish(port)
    await lose_response(port, versions.publish_version, request)
    published = await on_attempt(2, versions.publish_version, request)
    assert (published.version, published.description) == ("1", RELEASE)
    assert port.count("publish_version") == 1


async def test_version_of_ours_is_found_after_latest_changed_again(
    port: FakeLambda, versions: Versions
) -> None:
    request = publish(port)
    await lose_response(port, versions.publish_version, request)
    change(port)
    assert (await on_attempt(2, versions.publish_version, request)).version == "1"
    assert len(checkout(port).versions) == 1


async def test_newest_version_of_a_description_is_ours_on_any_page(
    port: FakeLambda, versions: Versions
) -> None:
    for code in (b"two", b"one", b"two"):
        change(port, code)
        await on_attempt(1, versions.publish_version, publish(port))
    request = publish(port, revision_id="moved on")
    port.page_size = 1
    assert (await on_attempt(2, versions.publish_version, request)).version == "3"


async def test_version_of_other_code_is_not_ours(port: FakeLambda, versions: Versions) -> None:
    await on_attempt(1, versions.publish_version, publish(port))
    change(port)
    assert (
        await on_attempt(2, versions.publish_version, publish(port, revision_id="moved on"))
    ).version == "2"


async def test_first_attempt_that_never_arrived_is_sent_again(
    port: FakeLambda, versions: Versions
) -> None:
    request = publish(port)
    assert (await on_attempt(2, versions.publish_version, request)).version == "1"
    assert port.calls[-1].parameters["RevisionId"] == request.revision_id


async def test_older_version_is_not_ours_while_latest_is_unchanged(
    port: FakeLambda, versions: Versions
) -> None:
    await on_attempt(1, versions.publish_version, publish(port))
    port.apply("update_function_configuration", FunctionName="checkout", Timeout=9)
    port.settle("checkout")
    assert (await on_attempt(2, versions.publish_version, publish(port))).version == "2"


async def test_code_is_the_only_condition_where_no_version_is_found(
    port: FakeLambda, versions: Versions
) -> None:
    request = publish(port, revision_id="moved on")
    assert (await on_attempt(2, versions.publish_version, request)).version == "1"
    assert "RevisionId" not in port.calls[-1].parameters
    assert port.calls[-1].parameters["CodeSha256"] == request.code_sha256


async def test_other_code_is_never_published(port: FakeLambda, versions: Versions) -> None:
    request = publish(port)
    change(port)
    for attempt, fault in ((1, "Stale"), (2, "Stale")):
        with pytest.raises(ApplicationError, match=fault) as refused:
            await on_attempt(
                attempt, versions.publish_version, request.model_copy(update={"revision_id": None})
            )
        assert refused.value.type == fault
    assert checkout(port).versions == {}


async def test_first_attempt_after_a_foreign_change_is_stale(
    port: FakeLambda, versions: Versions
) -> None:
    request = publish(port, revision_id="moved on")
    with pytest.raises(ApplicationError, match="Stale") as stale:
        await on_attempt(1, versions.publish_version, request)
    assert (stale.value.type, stale.value.non_retryable) == ("Stale", True)
    assert checkout(port).versions == {}


async def test_refused_revision_after_our_own_success_is_success(
    port: FakeLambda, versions: Versions
) -> None:
    request = publish(port)
    await on_attempt(1, versions.publish_version, request)
    assert (await on_attempt(1, versions.publish_version, request)).version == "1"


async def test_revision_is_never_dropped_without_the_codes_hash(
    port: FakeLambda, versions: Versions
) -> None:
    request = publish(port, code_sha256=None, revision_id="moved on")
    with pytest.raises(ApplicationError, match="Stale") as stale:
        await on_attempt(2, versions.publish_version, request)
    assert stale.value.type == "Stale"
    assert checkout(port).versions == {}


async def test_unchanged_code_makes_no_new_version(port: FakeLambda, versions: Versions) -> None:
    await on_attempt(1, versions.publish_version, publish(port))
    assert (
        await on_attempt(1, versions.publish_version, publish(port, description="another"))
    ).version == "1"

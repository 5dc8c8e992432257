"""Lists over AWS's pages: whole, or as far as a history holds them."""

from __future__ import annotations

import pytest

from activities.aliases import Aliases, ListAliasesRequest
from activities.pagination import MAX_ITEMS
from activities.versions import ListVersionsByFunctionRequest, Versions
from tests.activities.operations import on_attempt
from tests.fake_lambda import FakeLambda


@pytest.fixture
def versions(port: FakeLambda) -> Versions:
    port.create_unpublished("checkout")
    return Versions(port)


async def test_list_of_versions_ends_with_a_marker_at_its_limit(
    port: FakeLambda, versions: Versions
) -> None:
    port.functions["checkout"].versions |= {
        str(number): {"FunctionName": "checkout", "Version": str(number)}
        for number in range(1, 1_500)
    }
    found = await on_attempt(
        1,
        versions.list_versions_by_function,
        ListVersionsByFunctionRequest(function_name="checkout"),
    )
    assert (len(found.versions), found.next_marker) == (MAX_ITEMS, str(MAX_ITEMS))
    rest = await on_attempt(
        1,
        versions.list_versions_by_function,
        ListVersionsByFunctionRequest(function_name="checkout", marker=found.next_marker),
    )
    assert ([rest.versions[0].version, rest.versions[-1].version], rest.next_marker) == (
        ["1000", "1499"],
        None,
    )


async def test_list_of_large_versions_ends_earlier(port: FakeLambda, versions: Versions) -> None:
    latest = {
        **port.functions["checkout"].latest,
        "Environment": {"Variables": {f"NAME_{number:03}": "x" for number in range(300)}},
    }
    port.functions["checkout"].versions |= {
        str(number): {**latest, "Version": str(number)} for number in range(1, 500)
    }
    found = await on_attempt(
        1,
        versions.list_versions_by_function,
        ListVersionsByFunctionRequest(function_name="checkout"),
    )
    assert found.next_marker is not None
    assert len(found.model_dump_json()) < 1_500_000


async def test_aliases_are_listed_over_all_pages_or_as_many_as_requested(port: FakeLambda) -> None:
    port.create("checkout", alias=None)
    port.page_size = 3
    for number in range(8):
        alias = {"Name": f"a{number}", "FunctionVersion": "1"}
        port.apply("create_alias", FunctionName="checkout", **alias)
    aliases = Aliases(port)
    everything = await on_attempt(
        1, aliases.list_aliases, ListAliasesRequest(function_name="checkout")
    )
    assert ([alias.name for alias in everything.aliases], everything.next_marker) == (
        [f"a{number}" for number in range(8)],
        None,
    )
    first = await on_attempt(
        1, aliases.list_aliases, ListAliasesRequest(function_name="checkout", max_items=2)
    )
    assert ([alias.name for alias in first.aliases], first.next_marker) == (["a0", "a1"], "2")
    rest = await on_attempt(
        1,
        aliases.list_aliases,
        ListAliasesRequest(function_name="checkout", marker=first.next_marker),
    )
    assert [alias.name for alias in rest.aliases] == [f"a{number}" for number in range(2, 8)]

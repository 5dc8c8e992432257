"""How an alias divides its traffic: whole percents become weights at AWS's door, and percents again on the way back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from workflows.domain.routing import Routing

percents = st.integers(0, 100)


@given(percents)
def test_a_percent_becomes_a_weight_and_a_percent_again(percent: int) -> None:
    routing = Routing.split(stable="7", candidate="8", percent=percent)
    assert routing.percent("8") == percent
    assert routing.percent("7") == 100 - percent


@given(percents)
def test_no_weight_is_left_where_one_version_has_it_all(percent: int) -> None:
    routing = Routing.split(stable="7", candidate="8", percent=percent)
    assert bool(routing.weights) is (percent not in {0, 100})
    assert all(0 < weight < 1 for weight in routing.weights.values())


@given(percents)
def test_without_a_stable_version_all_goes_to_the_candidate(percent: int) -> None:
    assert Routing.split(stable=None, candidate="8", percent=percent) == Routing(version="8")
    assert Routing.split(stable="8", candidate="8", percent=percent) == Routing(version="8")


@given(percents)
def test_a_routing_survives_the_way_to_json_and_back(percent: int) -> None:
    routing = Routing.split(stable="7", candidate="8", percent=percent)
    assert Routing.model_validate_json(routing.model_dump_json()) == routing


def test_a_routing_knows_whether_others_get_traffic() -> None:
    mixed = Routing(version="7", weights={"8": 0.1})
    assert mixed.is_limited_to("7", "8")
    assert mixed.is_limited_to("8", "7", None)
    assert not mixed.is_limited_to("7", None)
    assert not mixed.is_limited_to("8")


def test_a_version_that_is_not_there_gets_nothing() -> None:
    assert Routing(version="7").percent("8") == 0
    assert Routing(version="7").percent(None) == 0


def test_a_routing_says_where_traffic_goes() -> None:
    assert str(Routing(version="7")) == "version 7"
    assert (
        str(Routing(version="7", weights={"8": 0.1}))
        == "version 7 with 0.1 of the traffic to version 8"
    )

"""Routing: percents become weights for AWS, and percents again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from workflows.domain.routing import Routing

percents = st.integers(0, 100)


@given(percents)
def test_percent_becomes_a_weight_and_a_percent_again(percent: int) -> None:
    routing = Routing.split(stable="7", candidate="8", percent=percent)
    assert routing.percent("8") == percent
    assert routing.percent("7") == 100 - percent


@given(percents)
def test_weights_are_empty_where_one_version_has_all_traffic(percent: int) -> None:
    routing = Routing.split(stable="7", candidate="8", percent=percent)
    assert bool(routing.weights) is (percent not in {0, 100})
    assert all(0 < weight < 1 for weight in routing.weights.values())


@given(percents)
def test_candidate_has_all_traffic_without_a_stable_version(percent: int) -> None:
    assert Routing.split(stable=None, candidate="8", percent=percent) == Routing(version="8")
    assert Routing.split(stable="8", candidate="8", percent=percent) == Routing(version="8")


@given(percents)
def test_routing_survives_json(percent: int) -> None:
    routing = Routing.split(stable="7", candidate="8", percent=percent)
    assert Routing.model_validate_json(routing.model_dump_json()) == routing


def test_routing_knows_whether_others_get_traffic() -> None:
    mixed = Routing(version="7", weights={"8": 0.1})
    assert mixed.is_limited_to("7", "8")
    assert mixed.is_limited_to("8", "7", None)
    assert not mixed.is_limited_to("7", None)
    assert not mixed.is_limited_to("8")


def test_missing_version_gets_no_traffic() -> None:
    assert Routing(version="7").percent("8") == 0
    assert Routing(version="7").percent(None) == 0


def test_routing_reads_as_where_traffic_goes() -> None:
    assert str(Routing(version="7")) == "version 7"
    assert str(Routing(version="7", weights={"8": 0.1})) == "version 7, 10% to version 8"

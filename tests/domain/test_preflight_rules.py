"""Refusals of preflight, from facts alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.domain.preflight_rules import (
    UNRESERVED_MINIMUM,
    FunctionBuild,
    PreflightFacts,
    ReleaseIntent,
    find_refusals,
)
from workflows.domain.routing import Routing

BUILD = FunctionBuild(
    code_sha256="abc", role="role", package_type="Zip", state="Active", last_update="Successful"
)
FACTS = PreflightFacts(
    latest=BUILD, source=BUILD, routing=Routing(version="7"), stable=BUILD, unreserved=1000
)
INTENT = ReleaseIntent(
    alias="live",
    is_weighted=True,
    writes_latest=True,
    configuration_only=False,
    image=False,
    package=True,
    clears_weights=False,
)


def refused(
    intent: ReleaseIntent = INTENT, facts: PreflightFacts = FACTS, **changes: Any
) -> list[str]:
    """The refusals, with changes to the intent or the facts."""
    mine = {name: value for name, value in changes.items() if hasattr(INTENT, name)}
    found = {name: value for name, value in changes.items() if name not in mine}
    return find_refusals(replace(intent, **mine), replace(facts, **found))


def test_ordinary_release_is_not_refused() -> None:
    assert refused() == []


def test_first_release_is_not_refused() -> None:
    assert refused(routing=None, stable=None) == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        (
            {"latest": replace(BUILD, last_update="InProgress")},
            "an update of the function is in progress",
        ),
        ({"latest": replace(BUILD, state="Pending")}, "an update of the function is in progress"),
        (
            {"writes_latest": False, "source": replace(BUILD, state="Failed")},
            "version: it cannot serve traffic",
        ),
        (
            {"writes_latest": False, "source": replace(BUILD, state="Pending")},
            "version: it cannot serve traffic",
        ),
        ({"image": True, "package": False}, "artifact: "),
        ({"latest": replace(BUILD, package_type="Image")}, "artifact: "),
        (
            {
                "configuration_only": True,
                "package": False,
                "latest": replace(BUILD, code_sha256="def"),
            },
            "configuration: ",
        ),
        ({"source": replace(BUILD, role="other")}, "strategy: "),
        ({"source": replace(BUILD, dead_letter="queue")}, "strategy: "),
        ({"routing": Routing(version="$LATEST")}, "target.alias: "),
        ({"routing": Routing(version="7", weights={"6": 0.1})}, "target.alias: "),
        ({"alias_provisioned": True}, "target.alias: "),
        (
            {"alias_provisioned": True, "is_weighted": False, "provisioned": 1},
            "concurrency.provisioned: ",
        ),
        ({"reserved": 950}, "concurrency.reserved: "),
        ({"alarms": {"errors": "OK"}}, "guards.alarms: there is no alarm latency"),
        ({"alarms": {"errors": "ALARM", "latency": "OK"}}, "guards.alarms: errors is in ALARM"),
    ],
)
def test_problem_is_one_refusal(changes: dict[str, Any], field: str) -> None:
    if "alarms" in changes:
        found = find_refusals(
            replace(INTENT, alarms=("errors", "latency")), replace(FACTS, alarms=changes["alarms"])
        )
    elif "reserved" in changes:
        found = find_refusals(replace(INTENT, reserved=changes["reserved"]), FACTS)
    else:
        found = refused(**changes)
    assert [line for line in found if line.startswith(field)] == found
    assert len(found) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"writes_latest": False, "latest": replace(BUILD, last_update="InProgress")},
        {"is_weighted": False, "source": replace(BUILD, role="other", dead_letter="queue")},
        {"is_weighted": False, "alias_provisioned": True},
        {"clears_weights": True, "routing": Routing(version="7", weights={"6": 0.1})},
        {"configuration_only": True, "package": False, "routing": None, "stable": None},
    ],
)
def test_irrelevant_fact_is_no_refusal(changes: dict[str, Any]) -> None:
    assert refused(**changes) == []


@given(
    wanted=st.integers(0, 2000),
    had=st.none() | st.integers(0, 900),
    unreserved=st.integers(100, 1000),
)
def test_reservation_is_refused_where_aws_would_refuse_it(
    wanted: int, had: int | None, unreserved: int
) -> None:
    found = find_refusals(
        replace(INTENT, reserved=wanted), replace(FACTS, reserved=had, unreserved=unreserved)
    )
    leaves = unreserved + (had or 0) - wanted
    assert bool(found) is (leaves < UNRESERVED_MINIMUM and wanted > (had or 0))


@given(
    wanted=st.integers(1, 100), stays=st.integers(0, 100), reserved=st.none() | st.integers(0, 100)
)
def test_provisioned_of_both_versions_fits_into_the_reservation(
    wanted: int, stays: int, reserved: int | None
) -> None:
    found = find_refusals(
        replace(INTENT, provisioned=wanted),
        replace(FACTS, version_provisioned=stays, reserved=reserved),
    )
    assert bool(found) is (reserved is not None and wanted + stays > reserved)


def test_refusals_name_every_problem() -> None:
    found = refused(
        source=replace(BUILD, role="other"),
        routing=Routing(version="7", weights={"6": 0.1}),
        image=True,
        package=False,
    )
    assert len(found) == 3

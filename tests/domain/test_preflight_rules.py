"""Refusals of preflight, from facts alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.domain.concurrency_rules import UNRESERVED_MINIMUM, compute_inherited
from workflows.domain.preflight_facts import FunctionBuild, PreflightFacts, ReleaseIntent
from workflows.domain.preflight_rules import find_notes, find_refusals
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
        *(
            (
                {"writes_latest": False, "source": replace(BUILD, state=state)},
                f"version: it cannot serve traffic, its State is {state}",
            )
            for state in ("Failed", "Deactivating", "Deactivated", "Deleting", "ActiveNonInvocable")
        ),
        ({"source": replace(BUILD, snap_start=True), "provisioned": 1}, "concurrency.provisioned"),
        (
            {"source": replace(BUILD, isolates_tenants=True), "provisioned": 1},
            "concurrency.provisioned",
        ),
        (
            {"source": replace(BUILD, snap_start=True), "version_provisioned": 1},
            "concurrency.provisioned: the candidate would get the 1",
        ),
        (
            {"source": replace(BUILD, snap_start=True, isolates_tenants=True)},
            "configuration.SnapStart",
        ),
        ({"signing_problem": "unsigned"}, "artifact: unsigned"),
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
        {"latest": replace(BUILD, last_update="InProgress")},
        {"latest": replace(BUILD, state="Pending")},
        {"writes_latest": False, "source": replace(BUILD, state="Inactive")},
        {"writes_latest": False, "source": replace(BUILD, state="Pending")},
        {"source": replace(BUILD, snap_start=True), "provisioned": 0, "version_provisioned": 1},
        {"is_weighted": False, "source": replace(BUILD, role="other", dead_letter="queue")},
        {"is_weighted": False, "alias_provisioned": True},
        {"is_weighted": False, "alias_provisioned": True, "provisioned": 0},
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


def test_provisioned_concurrency_fits_into_the_account() -> None:
    [found] = refused(provisioned=950, limit=1000)
    assert "950 are more than the account can give: at most 900" in found
    assert refused(provisioned=900, limit=1000) == []


def test_versions_that_keep_theirs_take_from_the_account() -> None:
    others: dict[str, Any] = {"limit": 1000, "unreserved": 500, "version_provisioned": 500}
    [found] = refused(provisioned=450, **others)
    assert "450, with 500 of the live version" in found
    assert "at most 400" in found
    assert refused(provisioned=400, **others) == []
    assert refused(provisioned=301, limit=1000, others_provisioned=600, unreserved=400) != []
    assert refused(provisioned=300, limit=1000, others_provisioned=600, unreserved=400) == []


def test_live_version_may_change_what_it_has_itself() -> None:
    live: dict[str, Any] = {"moves": False, "version_provisioned": 500, "unreserved": 500}
    assert refused(provisioned=900, limit=1000, **live) == []
    assert refused(provisioned=901, limit=1000, **live) != []


def test_small_account_keeps_all_that_it_has() -> None:
    [found] = refused(reserved=20, unreserved=50, limit=50)
    assert "AWS keeps 50 (at most 0 can be given): the account's limit is 50" in found
    [found] = refused(provisioned=1, unreserved=10, limit=10)
    assert "AWS keeps 10: the account's limit is 10" in found


def test_reservation_is_not_less_than_what_is_provisioned() -> None:
    [found] = refused_reservation(8, version_provisioned=4, others_provisioned=5)
    assert "8 are less than the 9 that are provisioned" in found
    assert refused_reservation(9, version_provisioned=4, others_provisioned=5) == []


def test_reservation_may_take_what_is_provisioned_without_one() -> None:
    account: dict[str, Any] = {"limit": 1000, "unreserved": 900, "version_provisioned": 100}
    assert refused_reservation(900, **account) == []
    [found] = refused_reservation(901, **account)
    assert "at most 900 can be given" in found


def refused_reservation(wanted: int, **found: Any) -> list[str]:
    return find_refusals(replace(INTENT, reserved=wanted), replace(FACTS, **found))


# --- what a person should know ---


def noted(
    intent: ReleaseIntent = INTENT, facts: PreflightFacts = FACTS, **changes: Any
) -> list[str]:
    """The notes, with changes to the intent or the facts."""
    mine = {name: value for name, value in changes.items() if hasattr(INTENT, name)}
    found = {name: value for name, value in changes.items() if name not in mine}
    return find_notes(replace(intent, **mine), replace(facts, **found))


def test_ordinary_release_has_no_notes() -> None:
    assert noted() == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"latest": replace(BUILD, last_update="InProgress")}, "the release waits for it"),
        (
            {"stable": replace(BUILD, state="Inactive", reason="Idle")},
            "live, cannot serve at the moment, nor after a rollback: its State is Inactive (Idle)",
        ),
        (
            {"writes_latest": False, "source": replace(BUILD, state="Inactive")},
            "it is woken and waited for before it gets traffic",
        ),
        (
            {
                "writes_latest": False,
                "source": replace(BUILD, state="Pending"),
                "even_if_inactive": True,
            },
            "it gets traffic at once, and its first invocations fail",
        ),
        ({"alias_provisioned": True, "is_weighted": False, "provisioned": 0}, "itself stays"),
        ({"version_provisioned": 5}, "The 5 provisioned on the live version are moved"),
        (
            {"version_provisioned": 5, "limit": 1000, "unreserved": 103},
            "the candidate gets 3 before any traffic",
        ),
        (
            {
                "version_provisioned": 5,
                "source": replace(BUILD, snap_start=True),
                "clears_weights": True,
            },
            "are not moved: AWS does not allow that together with SnapStart",
        ),
    ],
)
def test_fact_is_one_note(changes: dict[str, Any], words: str) -> None:
    facts = (
        {"facts": replace(FACTS, reserved=changes.pop("reserved"))} if "reserved" in changes else {}
    )
    [note] = noted(**facts, **changes)
    assert words in note


@pytest.mark.parametrize(
    "changes",
    [{"provisioned": 0}, {"provisioned": 3}, {"moves": False}, {"version_provisioned": 0}],
)
def test_nothing_is_inherited(changes: dict[str, Any]) -> None:
    mine = {name: value for name, value in changes.items() if hasattr(INTENT, name)}
    found = {"version_provisioned": 5} | {
        name: value for name, value in changes.items() if name not in mine
    }
    assert compute_inherited(replace(INTENT, **mine), replace(FACTS, **found)) is None


def test_refusals_name_every_problem() -> None:
    found = refused(
        source=replace(BUILD, role="other"),
        routing=Routing(version="7", weights={"6": 0.1}),
        image=True,
        package=False,
    )
    assert len(found) == 3

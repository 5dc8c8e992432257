"""What may be published with ``$LATEST``: refusals and notes, as text."""

from __future__ import annotations

from dataclasses import replace

import pytest

from workflows.domain.latest_rules import (
    LatestDifference,
    LatestFacts,
    LatestIntent,
    describe_differences,
    find_latest_notes,
    find_latest_refusals,
)

TIMEOUT = LatestDifference("Timeout", "3", "30")
TOKEN = LatestDifference("Environment.Variables.TOKEN")
CODE = LatestIntent(replaces_code=True, ships_latest=False)
SETTINGS = LatestIntent(replaces_code=False, ships_latest=False, settings=frozenset({"MemorySize"}))
LATEST = LatestIntent(replaces_code=False, ships_latest=True)
SAME = LatestFacts(live="7", code="one", live_code="one")
OTHER_CODE = replace(SAME, code="two")
OTHER_SETTINGS = replace(SAME, differences=(TIMEOUT, TOKEN))


@pytest.mark.parametrize("intent", [CODE, SETTINGS, LATEST])
def test_latest_that_equals_the_live_version_is_shipped(intent: LatestIntent) -> None:
    assert list(find_latest_refusals(intent, SAME)) == []
    assert list(find_latest_notes(intent, SAME)) == []


@pytest.mark.parametrize("intent", [CODE, SETTINGS])
def test_settings_that_were_not_requested_are_refused(intent: LatestIntent) -> None:
    (refusal,) = find_latest_refusals(intent, OTHER_SETTINGS)
    assert "version 7" in refusal
    assert "Timeout (3 live, 30 in $LATEST), the variable TOKEN" in refusal
    assert "include_latest: true" in refusal


@pytest.mark.parametrize(
    "settings", [{"Timeout", "Environment"}, {"Timeout", "Environment", "Layers"}]
)
def test_settings_that_were_requested_are_not_refused(settings: set[str]) -> None:
    intent = replace(CODE, settings=frozenset(settings))
    assert list(find_latest_refusals(intent, OTHER_SETTINGS)) == []


def test_one_of_two_settings_that_was_requested_leaves_the_other_refused() -> None:
    intent = replace(CODE, settings=frozenset({"Timeout"}))
    (refusal,) = find_latest_refusals(intent, OTHER_SETTINGS)
    assert "Timeout (" not in refusal
    assert "the variable TOKEN" in refusal


def test_foreign_code_is_refused_unless_it_is_replaced() -> None:
    assert list(find_latest_refusals(CODE, OTHER_CODE)) == []
    (refusal,) = find_latest_refusals(SETTINGS, OTHER_CODE)
    assert "other code (two)" in refusal


@pytest.mark.parametrize("intent", [LATEST, replace(SETTINGS, includes_latest=True)])
def test_accepted_differences_are_noted(intent: LatestIntent) -> None:
    facts = replace(OTHER_SETTINGS, code="two")
    assert list(find_latest_refusals(intent, facts)) == []
    assert [note.partition(" ")[0] for note in find_latest_notes(intent, facts)] == ["ships"] * 2


def test_code_that_would_be_lost_is_noted() -> None:
    facts = replace(OTHER_CODE, is_code_unpublished=True)
    (note,) = find_latest_notes(CODE, facts)
    assert "never published" in note


def test_environment_that_cannot_be_read_is_noted() -> None:
    (note,) = find_latest_notes(CODE, replace(SAME, unreadable="KMSAccessDenied"))
    assert "KMSAccessDenied" in note


def test_failed_update_is_refused_where_latest_is_the_artifact() -> None:
    facts = replace(SAME, failure="the image is gone")
    assert list(find_latest_refusals(CODE, facts)) == []
    (refusal,) = find_latest_refusals(LATEST, facts)
    assert "the image is gone" in refusal


@pytest.mark.parametrize("intent", [CODE, SETTINGS, LATEST])
def test_other_release_that_uses_latest_is_named(intent: LatestIntent) -> None:
    facts = replace(SAME, user="lambda:1:eu:checkout:beta")
    (refusal,) = find_latest_refusals(intent, facts)
    assert "lambda:1:eu:checkout:beta" in refusal


@pytest.mark.parametrize("intent", [CODE, SETTINGS])
def test_first_release_of_an_alias_has_nothing_to_compare_with(intent: LatestIntent) -> None:
    facts = LatestFacts(live=None, code="one", is_code_unpublished=True)
    assert list(find_latest_refusals(intent, facts)) == []
    assert list(find_latest_notes(intent, facts)) == []


def test_long_list_of_differences_is_cut() -> None:
    many = [LatestDifference(f"Environment.Variables.V{number}") for number in range(30)]
    assert describe_differences(many).endswith("the variable V19, 10 more")

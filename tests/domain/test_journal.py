"""The journal of the changes that a rollback undoes."""

from __future__ import annotations

from workflows.domain.journal import Journal
from workflows.domain.routing import Routing
from workflows.domain.target import Target

TARGET = Target(function="checkout")


def test_journal_of_a_later_version_can_be_read() -> None:
    assert Journal.model_validate({"target": {"function": "checkout"}, "later": 1}).is_empty


def test_journal_is_empty_until_a_change_may_have_to_be_undone() -> None:
    journal = Journal(target=TARGET, before=Routing(version="7"), candidate="8", reserved=3)
    assert journal.is_empty
    assert journal.stable == "7"
    for change in (
        {"shifting": True},
        {"reserving": True},
        {"provisioned": {"8": None}},
        {"latest": ("code",)},
    ):
        assert not journal.model_copy(update=change).is_empty


def test_journal_of_an_earlier_version_knows_nothing_of_what_was_found() -> None:
    journal = Journal.model_validate(
        {"target": {"function": "checkout"}, "latest": ["code"], "revision": "r1", "uploaded": "x"}
    )
    assert (journal.found, journal.written, journal.source, journal.settled) == (None, {}, {}, None)

"""The announcements of rollback activities."""

from __future__ import annotations

import pytest

from activities.limits import priority
from activities.limits.priority import RollbackAnnouncements


def test_announcement_is_consumed_once() -> None:
    announcements = RollbackAnnouncements()
    announcements.announce("ours")
    assert announcements.consume("ours")
    assert not announcements.consume("ours")


def test_announcement_is_not_for_the_worker_of_another_queue() -> None:
    announcements = RollbackAnnouncements()
    announcements.announce("ours")
    assert not announcements.consume("theirs")
    assert announcements.consume("ours")


def test_announcement_without_a_task_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    announcements, now = RollbackAnnouncements(), 10_000.0
    monkeypatch.setattr(priority.time, "monotonic", lambda: now)
    announcements.announce("ours")
    now += priority._ANNOUNCEMENT_SECONDS + 0.001
    assert not announcements.consume("ours")

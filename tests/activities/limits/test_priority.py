"""The announcements of rollback activities."""

from __future__ import annotations

import pytest

from activities.limits import priority
from activities.limits.priority import RollbackAnnouncements


def test_announcement_is_consumed_once() -> None:
    announcements = RollbackAnnouncements()
    announcements.announce()
    assert announcements.consume()
    assert not announcements.consume()


def test_announcement_without_a_task_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    announcements, now = RollbackAnnouncements(), 10_000.0
    monkeypatch.setattr(priority.time, "monotonic", lambda: now)
    announcements.announce()
    now += priority._ANNOUNCEMENT_SECONDS + 0.001
    assert not announcements.consume()

"""A release amid its canary, for tests of everything that shows one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from workflows.domain.status import Phase, ReleaseStatus, TrafficSplit
from workflows.domain.target import Target

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
BAKING = ReleaseStatus(
    phase=Phase.BAKING,
    note="10% to version 8 for 5 min",
    target=Target(function="checkout"),
    stable="7",
    candidate="8",
    routing=TrafficSplit(stable="7", canary="8", percent=10),
    step=1,
    steps=2,
    ends_at=NOW + timedelta(minutes=5),
)

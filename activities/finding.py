"""A finding: one thing that was looked at, whether it is in order, and what to do if not."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class FindingState(StrEnum):
    """Whether something is in order.

    ``WARNING``: not known, or wrong for some releases only. ``FAILED``: no release can succeed.
    """

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


class Finding(BaseModel):
    """What was looked at, what was found, and the remedy; empty where there is nothing to do."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    check: str
    state: FindingState
    text: str
    remedy: str = ""

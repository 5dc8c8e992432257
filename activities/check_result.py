"""The result of one check: whether something is in order, and what to do if not."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class CheckState(StrEnum):
    """Whether something is in order.

    ``WARNING``: not known, or wrong for some releases only. ``FAILED``: no release can succeed.
    """

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


class CheckResult(BaseModel):
    """What was looked at, what was found, and the remedy; empty where there is nothing to do."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    check: str
    state: CheckState
    text: str
    remedy: str = ""

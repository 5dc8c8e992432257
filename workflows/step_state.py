"""How far a release is in its current step, for the case that it continues in a new run."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from workflows.domain.adaptive import Ramp


class StepState(BaseModel):
    """The current step of a strategy, or the watch after its last.

    - ``number``: which step, from 1; one more than there are steps in the watch after them.
    - ``since``: when it began.
    - ``began``: the same by the release's clock, which stands still in pauses.
    - ``is_begun``: whether it is under way, and not only next.
    - ``held``: why a person has to decide, where the step waits for that.
    - ``is_approved``: whether a person has let it go on.
    - ``sent``, ``failed``: how many probes.
    - ``ramp``: the ramp of an ``Adaptive`` step.
    """

    model_config = ConfigDict(extra="ignore")

    number: int
    since: datetime
    began: datetime
    is_begun: bool = False
    held: str | None = None
    is_approved: bool = False
    sent: int = 0
    failed: int = 0
    ramp: Ramp | None = None

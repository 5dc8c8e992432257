"""How long failures in a row are retried, by operation policy and by cause.

Not attempts are counted but time: a watch that was quiet for a day has made thousands of attempts,
and one failure after them is the first one (:mod:`activities.failure_streak`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

AT_ONCE: Final = timedelta(0)
"""The limit of a failure that is final at once."""

FIVE_MINUTES: Final = timedelta(minutes=5)

SEVEN_SECONDS: Final = timedelta(seconds=7)

_HALF_MINUTE: Final = timedelta(seconds=30)
_TEN_MINUTES: Final = timedelta(minutes=10)

_LIMIT_WHILE_PROPAGATING: Final[dict[str, timedelta]] = {
    "cannot be assumed by lambda": FIVE_MINUTES,
    "execution role does not have permissions": FIVE_MINUTES,
    "ensure the role can perform": FIVE_MINUTES,
    "throttled by ec2": FIVE_MINUTES,
    "kms key is invalid for creategrant": FIVE_MINUTES,
    "because it is a replicated function": FIVE_MINUTES,
    "function does not exist": SEVEN_SECONDS,
}
"""The limit for each phrase of ``InvalidParameterValueException`` that passes.

AWS sends them while a new role, key or function has not propagated to all its services.
"""


@dataclass(frozen=True)
class RetryBudget:
    """How long failures of one kind may go on in a row; None is without limit.

    ``denied`` is for permissions, which take effect some seconds after a change (IAM is eventually
    consistent). ``passing`` is for what stands between this worker and AWS until a person or time
    mends it: credentials, the clock, a proxy's password. ``unanswered`` is for no response and for
    throttling. ``unknown`` is for a code that is not in the table.
    """

    denied: timedelta | None = _HALF_MINUTE
    passing: timedelta | None = _HALF_MINUTE
    unanswered: timedelta | None = None
    unknown: timedelta | None = timedelta(seconds=15)


READ_BUDGET: Final = RetryBudget()
"""Nothing has happened yet that would be worth a long wait."""

WRITE_BUDGET: Final = RetryBudget(passing=_TEN_MINUTES)
"""What is half done waits for credentials that are being renewed."""

WATCH_BUDGET: Final = RetryBudget(
    denied=_TEN_MINUTES, passing=_TEN_MINUTES, unanswered=_TEN_MINUTES, unknown=_TEN_MINUTES
)
"""A guard that cannot look does not stop a release at once, but a release is not unguarded long."""


UNLIMITED_BUDGET: Final = RetryBudget(denied=None, passing=None, unanswered=None, unknown=None)
"""For a caller that limits the attempts, and decides itself what happens after them."""


def find_propagation_limit(message: str) -> timedelta:
    """Return the limit for a message of ``InvalidParameterValueException``."""
    message = message.lower()
    return next(
        (limit for phrase, limit in _LIMIT_WHILE_PROPAGATING.items() if phrase in message), AT_ONCE
    )

"""Writes to ``$LATEST``, each conditional on what was read, and settled before the next."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from temporalio import activity

from activities.advice import find_advice
from activities.errors import AwsError, Fault, classify_error, find_time_limit
from activities.operation import Aws
from activities.published_versions import PublishedVersions
from activities.readback import PRECONDITION_FAILED, not_settled_error
from activities.restore_models import Leftover
from activities.retry_budget import AT_ONCE
from activities.settling import poll_until_settled, raise_if_failed

NAME: Final = "restore_latest"

SETTLE_SECONDS: Final = 90.0
"""How long one attempt waits for a change: a new network takes AWS a minute or more."""

_DENIED_PATIENCE: Final = timedelta(seconds=10)
"""How long a denied part is attempted again: permissions take some seconds to take effect."""

_DENIED_ACTION: Final = re.compile(r"to perform:? ([\w-]+:\w+)")
_OWN_ACTIONS: Final = "lambda:UpdateFunction"
_REFUSALS: Final = {Fault.INVALID, Fault.NOT_FOUND, Fault.EXHAUSTED, Fault.EXISTS}


class LatestWriter:
    """``$LATEST`` of one function: as it was read last, and conditional writes to it.

    ``versions`` are the published ones, where what is written is copied from. ``has_failed``: AWS
    could not apply the last change before, so what it reports may not be what it runs.
    ``is_untouched``: nobody has changed it since the release's last change had settled.
    """

    def __init__(
        self, aws: Aws, function: str, latest: Mapping[str, Any], *, settled: str | None = None
    ) -> None:
        """Write to ``function``, whose ``$LATEST`` was read as ``latest``.

        ``settled`` is its RevisionId after the release's last change, where that is known.
        """
        self.aws = aws
        self.function = function
        self.latest = latest
        self.versions = PublishedVersions(aws, function)
        self.has_failed = latest["Configuration"].get("LastUpdateStatus") == "Failed"
        revision = latest["Configuration"].get("RevisionId")
        self.is_untouched = settled is not None and revision == settled

    async def write(self, operation: str, parameters: Mapping[str, Any]) -> None:
        """Change ``$LATEST`` if it is still at the revision of ``latest``; wait until it settles.

        If it is not, the failure is retried, and the next attempt reads everything again. Raises
        what AWS refuses, and ``UpdateFailed`` where AWS cannot apply it.
        """
        revision = self.latest["Configuration"].get("RevisionId")
        condition = {"RevisionId": revision} if revision else {}
        request = {"FunctionName": self.function, **parameters, **condition}
        try:
            await self.aws.call("lambda", operation, request)
        except AwsError as error:
            if error.code == PRECONDITION_FAILED:
                raise not_settled_error(NAME, "$LATEST was changed after it was read") from None
            raise
        self.latest = await self._wait_until_settled(revision)
        raise_if_failed(NAME, self.latest["Configuration"])

    async def _wait_until_settled(self, superseded: str | None) -> Mapping[str, Any]:
        """Wait within this attempt: the next one would not know whether its change has failed."""
        clock = asyncio.get_running_loop().time
        end = clock() + SETTLE_SECONDS
        while True:
            try:
                return await poll_until_settled(
                    self.aws, self.function, None, NAME, superseded=superseded
                )
            except AwsError as error:
                is_ending = activity.in_activity() and activity.is_worker_shutdown()
                if classify_error(error) is not Fault.NOT_READY or is_ending or clock() >= end:
                    raise


def is_refusal(error: AwsError) -> bool:
    """Whether AWS refuses a part of a change for what it is.

    No repetition mends that, and other parts may be accepted. Not where the whole operation is
    denied: a person mends that, and the undo waits for it.
    """
    fault = classify_error(error)
    if fault is Fault.DENIED:
        action = _DENIED_ACTION.search(error.message)
        is_part = action is not None and not action[1].startswith(_OWN_ACTIONS)
        return is_part and has_waited(_DENIED_PATIENCE)
    return fault in _REFUSALS and find_time_limit(error) == AT_ONCE


def to_leftover(name: str, error: AwsError) -> Leftover:
    """Return what AWS refused, with its reason and what to do about it."""
    advice = find_advice(error.code, error.message)
    cause = f"{error.message.rstrip('.')} ({error.code})" + (f". {advice}" if advice else "")
    return Leftover(name=name, reason="refused", cause=cause)


def has_waited(patience: timedelta) -> bool:
    """Whether this activity was scheduled so long ago; true outside of an activity."""
    if not activity.in_activity():
        return True
    info = activity.info()
    return info.started_time - info.scheduled_time >= patience

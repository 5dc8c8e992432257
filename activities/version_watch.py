"""Watches over a version that a release may go back to: whether it is still there, and can serve.

Each poll is one attempt, and an attempt that finds the version ends in a benign failure, which
Temporal retries a minute later: a watch of weeks adds nothing to the history.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final

from pydantic import StringConstraints

from activities.cloudwatch.alarms import WATCH
from activities.errors import AwsError, Fault, classify_error
from activities.operation import OperationGroup, operation
from activities.shapes import FunctionName, Request, Response

POLL_INTERVAL: Final = timedelta(minutes=1)
"""Between two looks at a version."""


class WatchVersionRequest(Request):
    """The published version to watch."""

    function_name: FunctionName
    version: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,19}$")]


class WatchVersionResponse(Response):
    """What happened to the version, such as "was deleted"."""

    problem: str


class VersionWatch(OperationGroup):
    """The watch over a version, which only reads."""

    @operation(WATCH)
    async def watch_version(self, request: WatchVersionRequest) -> WatchVersionResponse:
        """Return as soon as a version is gone, or has failed.

        Until then each attempt ends in NotReady, every minute. Safe to repeat. AWS: GetFunction.
        """
        parameters = {"FunctionName": request.function_name, "Qualifier": request.version}
        try:
            found = await self.aws.call("lambda", "get_function", parameters)
        except AwsError as error:
            if classify_error(error) is not Fault.NOT_FOUND:
                raise
            return WatchVersionResponse(problem="was deleted")
        configuration = found["Configuration"]
        if configuration.get("State") == "Failed":
            reason = configuration.get("StateReasonCode") or "AWS gives no reason"
            return WatchVersionResponse(
                problem=f"cannot serve any more (State is Failed: {reason})"
            )
        what = f"version {request.version} is there"
        raise AwsError("watch_version", "Quiet", what, retry_after=POLL_INTERVAL.total_seconds())

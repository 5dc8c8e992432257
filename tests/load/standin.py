"""A Lambda and a CloudWatch that keep to AWS's limits: the benchmark's stand-in, and a 429 for whoever calls too often.

``python -m tests.load.standin`` prints ``ready <url>``. Beyond what :mod:`tests.bench.standin` does, it has alarms that
go off, and remembers every call. Its limits are token buckets that hold a third of a second's calls at most: how
large AWS's own are is not documented, and none is likely to be smaller.

    PUT /load/functions/<prefix>/<count>/<versions>   makes <prefix>-0 …, with so many versions, the first behind ``live``
    PUT /load/rate/<calls a second>                   15 is AWS's; GetFunction, GetPolicy and DescribeAlarms in proportion
    PUT /load/alarm/<name>/<state>                    an alarm, there from now on
    GET /load/functions/<prefix>                      how the functions are
    GET /load/calls                                   [when, operation, which, HTTP status, details] of every call
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

from tests.bench import standin
from tests.bench.pipeline import LIVE
from tests.bench.standin import Lambda

_OWN: Final = {"get_function": 100.0, "get_policy": 15.0, "describe_alarms": 9.0}
_CONTROL_PLANE: Final = 15.0
_HELD: Final = 1 / 3
"""Seconds of calls that a bucket holds when nobody has called for a while."""


@dataclass
class Allowance:
    """A token bucket: so many calls a second, and few at once."""

    per_second: float
    tokens: float = 1.0
    at: float = 0.0

    def take(self) -> bool:
        """Whether one more call is allowed now."""
        now = time.monotonic()
        self.tokens = min(
            max(1.0, self.per_second * _HELD), self.tokens + (now - self.at) * self.per_second
        )
        self.at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class LimitedLambda(Lambda):
    """Functions of several versions, alarms, and AWS's limits."""

    def __init__(self) -> None:
        """Nothing yet, at AWS's own rates."""
        super().__init__()
        self.alarms: dict[str, str] = {}
        self.log: list[tuple[float, str, str, int, Any]] = []
        self.limit(_CONTROL_PLANE)

    def limit(self, per_second: float) -> None:
        """Allow so many control-plane calls a second, and of the others in proportion."""
        self._others = Allowance(per_second)
        self._own = {
            name: Allowance(own * per_second / _CONTROL_PLANE) for name, own in _OWN.items()
        }

    def allowed(self, operation: str) -> bool:
        """Whether AWS would answer this call now."""
        return self._own.get(operation, self._others).take()

    def describe_alarms(self, asked: dict[str, Any]) -> dict[str, Any]:
        """CloudWatch's answer: it says nothing about an alarm that it does not know."""
        known = [name for name in asked["AlarmNames"] if name in self.alarms]
        told = [
            {
                "AlarmName": name,
                "StateValue": self.alarms[name],
                "StateReason": f"{name} is {self.alarms[name]}",
            }
            for name in known
        ]
        return {"MetricAlarms": told, "CompositeAlarms": []}

    def populate(self, prefix: str, count: int, versions: int) -> None:
        """Functions of so many versions, ``$LATEST`` as the last of them, the first one live."""
        packages = {
            str(number + 1): f"{prefix} {number + 1}".encode() for number in range(versions)
        }
        self.make(prefix, count)
        for number in range(count):
            at = self.functions[f"{prefix}-{number}"]
            at.code, at.versions = packages[str(versions)], dict(packages)


class _Door(standin._Http):
    """Lambda's and CloudWatch's HTTP, and ours."""

    def __init__(self, aws: LimitedLambda) -> None:
        super().__init__(aws)
        self._limited = aws

    def _answer(self, method: str, target: str, body: bytes) -> bytes:
        path = unquote(target.partition("?")[0])
        if target == "/":
            return self._look(json.loads(body))
        if path.startswith("/load/"):
            return standin._bytes(200, self._told(method, *path.split("/")[2:]))
        return super()._answer(method, target, body)

    def _told(self, *words: str) -> Any:
        """What the test asks, or what it tells."""
        match words:
            case "GET", "calls":
                return self._limited.log
            case "GET", "functions", prefix:
                return self._limited.told(prefix)
            case "PUT", "functions", prefix, count, versions:
                self._limited.populate(prefix, int(count), int(versions))
            case "PUT", "rate", per_second:
                self._limited.limit(float(per_second))
            case "PUT", "alarm", name, state:
                self._limited.alarms[name] = state
        return {}

    def _operate(self, operation: str, asked: dict[str, Any]) -> bytes:
        if self._limited.allowed(operation):
            answer = super()._operate(operation, asked)
        else:
            refusal = {
                "Type": "User",
                "message": "Rate exceeded",
                "Reason": "CallerRateLimitExceeded",
            }
            answer = standin._bytes(429, refusal, "TooManyRequestsException")
        function = asked["FunctionName"].rpartition(":function:")[2]
        alias = (
            self._limited.functions[function].aliases[LIVE] if operation == "update_alias" else {}
        )
        self._limited.log.append(
            (time.time(), operation, function, int(answer[9:12]), alias.get("FunctionVersion"))
        )
        return answer

    def _look(self, asked: dict[str, Any]) -> bytes:
        if self._limited.allowed("describe_alarms"):
            status, answer, code = 200, self._limited.describe_alarms(asked), None
        else:
            status, answer, code = (
                400,
                {"__type": "Throttling", "message": "Rate exceeded"},
                "Throttling",
            )
        firing = [
            alarm["AlarmName"]
            for alarm in answer.get("MetricAlarms", ())
            if alarm["StateValue"] == "ALARM"
        ]
        self._limited.log.append(
            (time.time(), "describe_alarms", str(len(asked["AlarmNames"])), status, firing)
        )
        return standin._bytes(status, answer, code)


async def main() -> None:
    """Serve on a free port until told to stop."""
    aws = LimitedLambda()
    server = await asyncio.get_running_loop().create_server(
        lambda: _Door(aws), "127.0.0.1", 0, backlog=4096
    )
    aws.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    sys.stdout.write(f"ready {aws.url}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())

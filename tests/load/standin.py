"""A Lambda and a CloudWatch that keep to AWS's rates, with 429 beyond them.

``python -m tests.load.standin`` prints ``ready <url>``. Beyond what :mod:`tests.bench.standin`
does, it has alarms that go off, and records every call. Its limits are token buckets that hold a
third of a second's calls at most: how large AWS's own are is not documented, and none is likely to
be smaller.

    PUT /load/functions/<prefix>/<count>/<versions>   makes <prefix>-0 …, the first version ``live``
    PUT /load/rate/<calls a second>                   15 is AWS's; the other limits in proportion
    PUT /load/alarm/<name>/<state>                    an alarm, there from now on
    GET /load/functions/<prefix>                      how the functions are
    GET /load/calls                                   every call: [time.time, operation, function or
                                                      number of alarms, HTTP status, details]
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

from tests.bench.pipeline import LIVE
from tests.bench.standin import HttpProtocol, StandIn, encode_response, run
from tests.fake_lambda.account import OPERATIONS, Answer, Parameters, parse_name

_OWN_RATES: Final = {"get_function": 100.0, "get_policy": 15.0, "describe_alarms": 9.0}
_CONTROL_PLANE_RATE: Final = 15.0
"""Calls a second, of all operations together that have no rate of their own."""
_HELD_SECONDS: Final = 1 / 3
"""Seconds of calls that a bucket holds when none has come for a while."""


@dataclass
class TokenBucket:
    """So many calls a second, and few at once."""

    per_second: float
    tokens: float = 1.0
    filled_at: float = 0.0

    def take(self) -> bool:
        """Take a token for one call, unless there is none."""
        now = time.monotonic()
        capacity = max(1.0, self.per_second * _HELD_SECONDS)
        self.tokens = min(capacity, self.tokens + (now - self.filled_at) * self.per_second)
        self.filled_at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class LimitedStandIn(StandIn):
    """Functions of several versions, alarms, and AWS's rates."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[tuple[float, str, str, int, Any]] = []
        self.limit(_CONTROL_PLANE_RATE)

    def limit(self, per_second: float) -> None:
        """Allow so many control-plane calls a second, and of the others in proportion."""
        self._others = TokenBucket(per_second)
        self._own = {
            name: TokenBucket(rate * per_second / _CONTROL_PLANE_RATE)
            for name, rate in _OWN_RATES.items()
        }

    def take_turn(self, operation: str) -> bool:
        """Whether AWS answers one more call of an operation now; counts it."""
        return self._own.get(operation, self._others).take()

    def describe_alarms(self, parameters: Parameters) -> Answer:
        """The alarms that were put here, and no others."""
        return OPERATIONS["cloudwatch", "describe_alarms"](self, parameters)


class LimitedProtocol(HttpProtocol):
    """Lambda's and CloudWatch's HTTP, with 429, and the load test's own."""

    aws: LimitedStandIn

    def answer(self, method: str, target: str, body: bytes) -> bytes:
        path = unquote(target.partition("?")[0])
        if path.startswith("/load/"):
            return encode_response(200, self._answer_load(method, *path.split("/")[2:]))
        return super().answer(method, target, body)

    def _answer_load(self, *parts: str) -> Any:
        match parts:
            case "GET", "calls":
                return self.aws.log
            case "GET", "functions", prefix:
                return self.aws.report(prefix)
            case "PUT", "functions", prefix, count, versions:
                packages = [f"{prefix} {number + 1}".encode() for number in range(int(versions))]
                self.aws.make(prefix, packages, count=int(count))
            case "PUT", "rate", per_second:
                self.aws.limit(float(per_second))
            case "PUT", "alarm", name, state:
                self.aws.alarms[name] = state
        return {}

    def answer_operation(self, operation: str, parameters: Parameters) -> bytes:
        if self.aws.take_turn(operation):
            answer = super().answer_operation(operation, parameters)
        else:
            refusal = {
                "Type": "User",
                "message": "Rate exceeded",
                "Reason": "CallerRateLimitExceeded",
            }
            answer = encode_response(429, refusal, "TooManyRequestsException")
        function, _, _ = parse_name(parameters["FunctionName"])
        live = None
        if operation == "update_alias":
            live = self.aws.functions[function].aliases[LIVE]["FunctionVersion"]
        self._record(operation, function, int(answer[9:12]), live)
        return answer

    def answer_alarms(self, parameters: Parameters) -> bytes:
        status, code = 200, None
        if self.aws.take_turn("describe_alarms"):
            answer = self.aws.describe_alarms(parameters)
        else:
            status, code = 400, "Throttling"
            answer = {"__type": code, "message": "Rate exceeded"}
        firing = [
            alarm["AlarmName"]
            for alarm in answer.get("MetricAlarms", ())
            if alarm["StateValue"] == "ALARM"
        ]
        self._record("describe_alarms", str(len(parameters["AlarmNames"])), status, firing)
        return encode_response(status, answer, code)

    def _record(self, operation: str, which: str, status: int, details: Any) -> None:
        self.aws.log.append((time.time(), operation, which, status, details))


async def main() -> None:
    """Serve on a free port until the process is stopped."""
    await run(LimitedStandIn(), LimitedProtocol)


if __name__ == "__main__":
    asyncio.run(main())

"""A proxy before the local Lambda.

It makes the schedule's faults, and writes the ledger.

Workers use :attr:`Proxy.url`. Foreign changes and the suite's own reads use
:attr:`Proxy.side_door`, where nothing goes wrong.
Writes to one function are delivered one at a time, so the order of the ledger is the order in which
Lambda carried them out.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, Self

import aiohttp
from aiohttp import web

from tests.activities.stub import BROKEN, Answer
from tests.chaos.ledger import Entry, Ledger, Who
from tests.chaos.schedule import READS, Meet, Outage, Window
from tests.fake_lambda.http import HttpRequest
from tests.survival.kill_proxy import forward_request

THROTTLED: Final = Answer(
    429, "TooManyRequestsException", "Rate exceeded", {"Reason": "CallerRateLimitExceeded"}
)
FOR_A_SECOND: Final = Answer(
    429,
    "TooManyRequestsException",
    "Rate exceeded",
    {"Reason": "CallerRateLimitExceeded", "retryAfterSeconds": "1"},
    {"Retry-After": "1"},
)
UNAVAILABLE: Final = Answer(
    503, "ServiceUnavailableException", "Service is unavailable, please try again."
)
EXPIRED: Final = Answer(
    403, "ExpiredTokenException", "The security token included in the request is expired"
)
_DURING: Final = {
    "throttled": THROTTLED,
    "unavailable": UNAVAILABLE,
    "expired": EXPIRED,
    "unrecognized": Answer(
        403,
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
    ),
    "denied": Answer(
        403,
        "AccessDeniedException",
        "User: arn:aws:sts::000000000000:assumed-role/releases/worker is not authorized to perform "
        "this because no identity-based policy allows it",
    ),
    "signature": Answer(
        403,
        "InvalidSignatureException",
        "Signature expired: 20261122T100000Z is now earlier than 20261122T101200Z "
        "(20261122T101700Z - 5 min.)",
        headers={"Date": "Sun, 22 Nov 2026 10:17:00 GMT"},
    ),
    "skewed": Answer(
        403,
        "RequestTimeTooSkewed",
        "The difference between the request time and the current time is too large.",
        headers={"Date": "Sun, 22 Nov 2026 10:17:00 GMT"},
    ),
    "proxy": Answer(
        407,
        body=b"<html><body>407 Proxy Authentication Required</body></html>",
        headers={"Content-Type": "text/html", "Proxy-Authenticate": 'Basic realm="corp"'},
    ),
}
"""The answers of windows and outages, by their kinds and faults."""

_INSTEAD: Final = {
    "429": THROTTLED,
    "429 for a second": FOR_A_SECOND,
    "500": BROKEN,
    "503": UNAVAILABLE,
    "500 after": BROKEN,
}
_FRESH: Final = 1.0
"""Seconds after a change in which a read may still return the state before it."""

_FUNCTION: Final = re.compile(rb"alarm-(f\d+)")
_SUCCESS: Final = range(200, 300)
_FORBIDDEN: Final = 403
Moment = Callable[[str, str, int, str], Awaitable[None]]


class Proxy:
    """``async with Proxy(endpoint, meets, ledger, outages=…, moment=…)``.

    ``moment`` is awaited before and after each write.
    """

    def __init__(
        self,
        endpoint: str,
        meets: tuple[Meet, ...],
        ledger: Ledger,
        *,
        outages: tuple[Outage, ...],
        moment: Moment,
    ) -> None:
        self.ledger = ledger
        self.met: Counter[str] = Counter()
        self._endpoint = endpoint
        self._moment = moment
        self._meets = {
            (meet.function, meet.operation, meet.occurrence): meet
            for meet in meets
            if meet.fault != "stale"
        }
        self._stale = [meet for meet in meets if meet.fault == "stale"]
        self._counts: Counter[tuple[str, str]] = Counter()
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._read: dict[tuple[str, str], list[tuple[float, web.Response]]] = defaultdict(list)
        self._changes: dict[str, list[float]] = defaultdict(list)
        self._targets: dict[str, str] = {}
        self._window: Window | None = None
        self._outages = {
            (outage.function, outage.operation, outage.occurrence): outage for outage in outages
        }
        self._ongoing: dict[str, tuple[Outage, float]] = {}
        """Outages by function, with their ends."""

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            auto_decompress=False, connector=aiohttp.TCPConnector(limit=0)
        )
        self._runners: list[web.ServerRunner] = []
        self.url, self.side_door = [await self._open(who) for who in ("release", "foreign")]
        return self

    async def __aexit__(self, *_: object) -> None:
        for runner in self._runners:
            await runner.cleanup()
        await self._session.close()

    async def _open(self, by: Who) -> str:
        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            return await (
                self._serve(request)
                if by == "release"
                else self._deliver(request, await _parse(request), by=by)
            )

        runner = web.ServerRunner(web.Server(handle, access_log=None), shutdown_timeout=1)
        await runner.setup()
        self._runners.append(runner)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    @asynccontextmanager
    async def during(self, window: Window) -> AsyncIterator[None]:
        """Every request meets the same fault while the block runs."""
        self.met[f"{window.kind} for a while"] += 1
        if window.kind == "refused":
            port, runner = self.url.rpartition(":")[2], self._runners[0]
            [site] = runner.sites
            await site.stop()
            for connection in list(runner.server.connections if runner.server else ()):
                if connection.transport is not None:
                    connection.transport.abort()
            yield
            await web.TCPSite(runner, "127.0.0.1", int(port), reuse_address=True).start()
        else:
            self._window = window
            yield
            self._window = None

    # --- one request ---

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        call = await _parse(request)
        operation, functions = _list_functions(call)
        function = functions[0]
        arrived = time.time()
        if self._window is not None:
            if self._window.kind == "sluggish":
                await asyncio.sleep(1 + len(call.body) % 3)
            else:
                self.met[f"a request {self._window.kind}"] += 1
                return self._instead(_DURING[self._window.kind], call, arrived, self._window.kind)
        if outage := self._find_outage(functions, operation):
            self.met[f"a request {outage.fault} in an outage"] += 1
            if outage.fault == "cut":
                self._write_down(call, arrived, "outage: cut")
                return _cut_connection(request)
            return self._instead(_DURING[outage.fault], call, arrived, f"outage: {outage.fault}")
        meet = None
        for name in functions:
            self._counts[name, operation] += 1
            meet = meet or self._meets.get((name, operation, self._counts[name, operation]))
        occurrence = self._counts[function, operation]
        await self._moment(function, operation, occurrence, "before")
        if meet is None:
            answer = self._as_it_was(call, operation, function, occurrence) or await self._deliver(
                request, call, arrived=arrived
            )
        else:
            self.met[f"{operation}: {meet.fault}"] += 1
            answer = await self._meet(meet, request, call, arrived)
        await self._moment(function, operation, occurrence, "after")
        return answer

    def _find_outage(self, functions: list[str], operation: str) -> Outage | None:
        """The outage that a request meets: one that goes on, or one that begins with it."""
        for name in functions:
            key = name, operation, self._counts[name, operation] + 1
            if (begins := self._outages.pop(key, None)) is not None:
                self.met["outages"] += 1
                self._ongoing[name] = begins, time.time() + begins.seconds
            if name in self._ongoing:
                outage, until = self._ongoing[name]
                if time.time() < until:
                    return outage
                del self._ongoing[name]
        return None

    async def _meet(
        self, meet: Meet, request: web.BaseRequest, call: HttpRequest, arrived: float
    ) -> web.StreamResponse:
        fault = meet.fault
        match fault:
            case "429" | "429 for a second" | "500" | "503":
                return self._instead(_INSTEAD[fault], call, arrived, fault)
            case "drop before":
                self._write_down(call, arrived, fault)
                return _cut_connection(request)
            case "late":
                await asyncio.sleep(meet.seconds)
            case "twice":
                await self._deliver(request, call, arrived=arrived, fault=fault)
            case _:
                pass
        answer = await self._deliver(request, call, arrived=arrived, fault=fault)
        if fault in {"slow", "overtaken"}:
            await asyncio.sleep(meet.seconds)
        if fault == "drop after":
            return _cut_connection(request)
        return _create_response(_INSTEAD[fault], call) if fault == "500 after" else answer

    async def _deliver(
        self,
        request: web.BaseRequest,
        call: HttpRequest,
        *,
        by: Who = "release",
        arrived: float = 0,
        fault: str = "",
    ) -> web.Response:
        operation, [function, *_] = _list_functions(call)
        if call.method == "GET" or operation in {"invoke", *READS}:
            answer = await forward_request(self._session, self._endpoint, request)
            if operation in READS:
                self._read[function, call.target].append((time.time(), answer))
                self._targets[call.target] = operation
            self._write_down(call, arrived, fault, by=by, request=request, answer=answer)
            return _copy_response(answer)
        async with self._locks[function]:
            await self._remember(function)
            answer = await forward_request(self._session, self._endpoint, request)
            self._write_down(call, arrived, fault, by=by, request=request, answer=answer)
            if answer.status in _SUCCESS:
                self._changes[function].append(time.time())
        return answer

    async def _remember(self, function: str) -> None:
        """Before a change, repeat the reads that will return the state before it."""
        due = {meet.operation for meet in self._stale if meet.function == function}
        for (name, target), answers in list(self._read.items()):
            if name == function and self._targets.get(target) in due:
                async with self._session.get(self._endpoint + target) as answer:
                    headers_kept = {
                        key: answer.headers[key]
                        for key in ("Content-Type", "x-amzn-errortype")
                        if key in answer.headers
                    }
                    answers.append(
                        (
                            time.time(),
                            web.Response(
                                status=answer.status, body=await answer.read(), headers=headers_kept
                            ),
                        )
                    )

    def _as_it_was(
        self, call: HttpRequest, operation: str, function: str, occurrence: int
    ) -> web.Response | None:
        """The response to this read from before the last change, where a stale read is due.

        It must be from after the change before that one.
        """
        before, last = [0.0, 0.0, *self._changes[function]][-2:]
        for meet in self._stale:
            if (
                (meet.function, meet.operation) == (function, operation)
                and occurrence >= meet.occurrence
                and time.time() < last + _FRESH
            ):
                answers = [
                    answer for at, answer in self._read[function, call.target] if before < at < last
                ]
                if answers:
                    self._stale.remove(meet)
                    self.met[f"{operation}: stale"] += 1
                    self._write_down(call, time.time(), "stale", answer=answers[-1])
                    return _copy_response(answers[-1])
        return None

    def _instead(
        self, answer: Answer, call: HttpRequest, arrived: float, fault: str
    ) -> web.Response:
        self._write_down(call, arrived, fault)
        return _create_response(answer, call)

    def _write_down(  # noqa: PLR0913 - what there is to know of a request
        self,
        call: HttpRequest,
        arrived: float,
        fault: str,
        *,
        by: Who = "release",
        request: web.BaseRequest | None = None,
        answer: web.Response | None = None,
    ) -> None:
        operation, functions = _list_functions(call)
        there = (
            request is not None
            and request.transport is not None
            and not request.transport.is_closing()
        )
        body = answer.body if answer is not None and isinstance(answer.body, bytes) else b""
        happened = answer is not None and answer.status in _SUCCESS
        for function in functions:
            self.ledger.add(
                Entry(
                    operation=operation,
                    function=function,
                    arrived=arrived or time.time(),
                    by=by,
                    parameters=_parameters(call, operation),
                    committed=time.time() if happened and fault != "stale" else None,
                    status=answer.status if answer is not None else None,
                    fault=fault,
                    answered=there and not fault.endswith("after") and fault != "slow",
                    result=_result(operation, body, function) if happened else {},
                )
            )


# --- reading what passes ---


async def _parse(request: web.BaseRequest) -> HttpRequest:
    headers = {name.lower(): value for name, value in request.headers.items()}
    return HttpRequest(request.method, request.path_qs, headers, await request.read())


def _list_functions(call: HttpRequest) -> tuple[str, list[str]]:
    """The operation and its functions; an empty name where it is about none of ours.

    One poll of alarms serves several functions.
    """
    operation = {"DescribeAlarms": "describe_alarms", "SetAlarmState": "set_alarm_state"}.get(
        call.operation, call.operation
    )
    if operation == "describe_alarms":
        return operation, [name.decode() for name in _FUNCTION.findall(call.body)] or [""]
    found_path = re.match(r"/\d{4}-\d\d-\d\d/functions/([^/?]+)", call.path)
    function = found_path[1].rpartition(":function:")[2].partition(":")[0] if found_path else ""
    if operation == "invoke":  # a hook: it is about the function under release
        function = str(_json(call.body).get("target", {}).get("function", function))
    return operation, [function]


_TOLD: Final = (
    "FunctionVersion",
    "RoutingConfig",
    "RevisionId",
    "Qualifier",
    "CodeSha256",
    "Description",
    "MemorySize",
    "S3Key",
    "Timeout",
    "StatementId",
    "ReservedConcurrentExecutions",
    "ProvisionedConcurrentExecutions",
)


def _parameters(call: HttpRequest, operation: str) -> dict[str, Any]:
    if operation == "invoke":
        return {
            "hook": call.path.split("/")[3],
            "hook_kind": _json(call.body).get("hook"),
            "candidate": _json(call.body).get("candidate"),
        }
    if operation in READS:
        return {"target": call.target}
    if call.method == "GET" or not call.path.startswith("/20"):
        return {}
    found = call.parameters
    told = {name: found[name] for name in _TOLD if name in found}
    alias = found.get("Name")
    return {**told, "alias": alias} if alias else told


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _result(operation: str, body: bytes, function: str) -> dict[str, Any]:
    answer = _json(body)
    if operation == "describe_alarms":
        states = {
            alarm["AlarmName"]: alarm["StateValue"] for alarm in answer.get("MetricAlarms", ())
        }
        return {"firing": states.get(f"alarm-{function}") == "ALARM"}
    if operation in {"update_alias", "create_alias", "get_alias"}:
        weights = (answer.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
        return {
            "version": answer["FunctionVersion"],
            "weights": {name: weight for name, weight in weights.items() if weight},
            "revision": answer["RevisionId"],
        }
    if operation == "invoke":
        return {"answer": answer}
    if operation == "get_function":
        answer = answer["Configuration"]
    return {
        name: answer[name]
        for name in (
            "Version",
            "CodeSha256",
            "MemorySize",
            "Timeout",
            "Description",
            "RevisionId",
            "LastUpdateStatus",
        )
        if name in answer
    }


def _create_response(answer: Answer, call: HttpRequest) -> web.Response:
    """An error response, in Lambda's format or in S3's or CloudWatch's."""
    made = answer.response
    if not call.path.startswith("/20") and answer.body is None:
        status = made.status if call.method == "HEAD" and made.status == _FORBIDDEN else 503
        return web.Response(status=status)
    return web.Response(
        status=made.status,
        body=made.body,
        headers={"Content-Type": "application/json", **made.headers},
    )


def _copy_response(answer: web.Response) -> web.Response:
    """Copy a response, since aiohttp can send each only once."""
    return web.Response(status=answer.status, body=answer.body, headers=answer.headers)


def _cut_connection(request: web.BaseRequest) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)

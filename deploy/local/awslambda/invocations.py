"""Invoke a function, and what every invocation – asked for, queued, or caused by an event – passes through."""

from __future__ import annotations

import json
import re
import time
from contextvars import ContextVar
from typing import Any, Final

from deploy.local.awslambda import capacity, metrics, records, routing, upstream
from deploy.local.awslambda.calls import Call
from deploy.local.awslambda.records import LATEST, arn
from deploy.local.awslambda.refusals import RefusalError, in_state, payload_too_large
from deploy.local.awslambda.upstream import Answer, Record

_LIMITS: Final = {"RequestResponse": 6_291_456, "Event": 1_048_576}
_INVOKE_ASYNC_LIMIT: Final = 262_144

_aliased: ContextVar[dict[str, str]] = ContextVar("the alias behind the version that was drawn")
"""ministack is told the version; this remembers, by that version's ARN, the ARN of the alias the caller named."""


async def invoke(call: Call) -> Answer:
    """Run a function. An alias with weights runs either version; the answer's headers say which."""
    kind = call.headers.get("x-amz-invocation-type") or "RequestResponse"
    limit = _LIMITS.get(kind)
    if limit is not None and len(call.body) > limit:
        raise payload_too_large(len(call.body), kind, limit)
    return await _run(call, _event(call.body), dict(call.headers))


async def invoke_async(call: Call) -> Answer:
    """The predecessor of Invoke with type Event: same effect, smaller payload."""
    if len(call.body) > _INVOKE_ASYNC_LIMIT:
        raise payload_too_large(len(call.body), "Event", _INVOKE_ASYNC_LIMIT)
    await _run(call, _event(call.body), {**call.headers, "x-amz-invocation-type": "Event"})
    return 202, {}, b""


def _event(body: bytes) -> Any:
    try:
        return json.loads(body) if body else {}
    except ValueError as problem:
        raise RefusalError(
            "InvalidRequestContentException",
            f"Could not parse request body into json: {problem}",
            400,
        ) from None


async def _run(call: Call, event: Any, headers: dict[str, str]) -> Answer:
    record = records.function(call.function, call.qualifier)
    alias = record["aliases"].get(call.qualifier)
    number = routing.draw(alias) if alias else call.qualifier
    state = records.resolve(call.function, record, number)["config"]["State"]
    if state == "Pending":
        raise in_state(state)
    _aliased.set({arn(call.function, number): alias["AliasArn"]} if alias else {})
    return await upstream.invoke(call.function, event, headers, number, {})


def queue(function: Record, event: Any) -> None:
    """In ministack's place: run later, with retries as they are configured for the version or alias that was invoked."""
    config = _named(function)
    base = upstream.functions.get(config["FunctionName"]) or {}
    configured = (base.get("event_invoke_configs") or {}).get(_qualifier(config) or "")
    upstream.invoke_async({**function, "config": config, "event_invoke_config": configured}, event)


def execute(function: Record, event: Any) -> Record:
    """In ministack's place, and around it: the one point every invocation passes, in whatever way it came about.

    Here it gets the ARN it was invoked by and its function's reserved concurrency; and here it is counted.
    """
    config = _named(function)
    if upstream.belongs_elsewhere(config):
        return upstream.execute(function, event)  # comes back here, in the right account
    name, number = config["FunctionName"], config["Version"]
    base = upstream.functions.get(name) or {}
    started = time.time()
    result: Record = upstream.execute(
        {**function, "config": config, "concurrency": capacity.left_for(base, number)}, event
    )
    metrics.count(
        metrics.Invocation(
            function=name,
            qualifier=_qualifier(config),
            version=number,
            started=started,
            seconds=time.time() - started,
            failed=bool(result.get("error")),
            throttled=bool(result.get("throttle")),
        )
    )
    return _with_error_type(result)


def _named(function: Record) -> Record:
    config: Record = function.get("config") or function
    alias = _aliased.get({}).get(config["FunctionArn"])
    return {**config, "FunctionArn": alias} if alias else config


def _qualifier(config: Record) -> str | None:
    qualifier: str = config["FunctionArn"].partition(":function:")[2].partition(":")[2]
    return None if qualifier in ("", LATEST) else qualifier


_EXCEPTION: Final = re.compile(r"^(?:\w+\.)*(\w+)(?::|$)")


def _with_error_type(result: Record) -> Record:
    """Name the exception, which ministack calls Runtime.HandlerError whatever it was."""
    body = result.get("body")
    if isinstance(body, dict) and body.get("errorType") == "Runtime.HandlerError":
        last = (result.get("log") or "").rstrip().rpartition("\n")[2]
        if "Traceback" in result["log"] and (found := _EXCEPTION.match(last)):
            return {**result, "body": {**body, "errorType": found[1]}}
    return result

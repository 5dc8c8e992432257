"""Invoke a function, and what every invocation passes through."""

from __future__ import annotations

import json
import re
import time
from contextvars import ContextVar
from typing import Any, Final

from deploy.local.awslambda import capacity, metrics, ministack_api, records, routing
from deploy.local.awslambda.calls import Call
from deploy.local.awslambda.errors import LambdaError, invalid_state, payload_too_large
from deploy.local.awslambda.ministack_api import Record, Response
from deploy.local.awslambda.records import LATEST, build_arn

_PAYLOAD_LIMIT_BYTES: Final = {"RequestResponse": 6_291_456, "Event": 1_048_576}
_INVOKE_ASYNC_LIMIT_BYTES: Final = 262_144

_alias_arns: ContextVar[dict[str, str]] = ContextVar("the ARN of the invoked alias, by version ARN")
"""The ARN of the alias that was invoked, by the ARN of the version that ministack runs for it."""


async def invoke(call: Call) -> Response:
    """Invoke a function.

    An alias with weights runs either version, which a response header names.
    """
    kind = call.headers.get("x-amz-invocation-type") or "RequestResponse"
    limit = _PAYLOAD_LIMIT_BYTES.get(kind)
    if limit is not None and len(call.body) > limit:
        raise payload_too_large(len(call.body), kind, limit)
    return await _invoke(call, _parse_event(call.body), dict(call.headers))


async def invoke_async(call: Call) -> Response:
    """Queue an invocation by the predecessor of Invoke with type Event.

    Its payload limit is smaller.
    """
    if len(call.body) > _INVOKE_ASYNC_LIMIT_BYTES:
        raise payload_too_large(len(call.body), "Event", _INVOKE_ASYNC_LIMIT_BYTES)
    await _invoke(call, _parse_event(call.body), {**call.headers, "x-amz-invocation-type": "Event"})
    return 202, {}, b""


def _parse_event(body: bytes) -> Any:
    try:
        return json.loads(body) if body else {}
    except ValueError as problem:
        raise LambdaError(
            "InvalidRequestContentException",
            f"Could not parse request body into json: {problem}",
            400,
        ) from None


async def _invoke(call: Call, event: Any, headers: dict[str, str]) -> Response:
    record = records.get_function(call.function, call.qualifier)
    alias = record["aliases"].get(call.qualifier)
    number = routing.draw_version(alias) if alias else call.qualifier
    state = records.resolve_qualifier(call.function, record, number)["config"]["State"]
    if state != "Active":
        raise invalid_state(state)
    _alias_arns.set({build_arn(call.function, number): alias["AliasArn"]} if alias else {})
    return await ministack_api.invoke(call.function, event, headers, number, {})


def queue_event(function: Record, event: Any) -> None:
    """Queue an invocation, in place of ministack's function.

    It has the retries that are configured for the invoked version or alias.
    """
    config = _with_invoked_arn(function)
    base = ministack_api.functions.get(config["FunctionName"]) or {}
    configured = (base.get("event_invoke_configs") or {}).get(_get_qualifier(config) or "")
    ministack_api.invoke_async(
        {**function, "config": config, "event_invoke_config": configured}, event
    )


def execute_function(function: Record, event: Any) -> Record:
    """Run a function, in place of and around ministack's function.

    Every invocation passes here: requested, queued or caused by an event. It gets the ARN that it
    was invoked by and its function's reserved concurrency, and its metrics are recorded.
    """
    config = _with_invoked_arn(function)
    if ministack_api.is_other_scope(config):
        return ministack_api.execute(
            function, event
        )  # which calls this function in the right account
    name, number = config["FunctionName"], config["Version"]
    base = ministack_api.functions.get(name) or {}
    started = time.time()
    result: Record = ministack_api.execute(
        {**function, "config": config, "concurrency": capacity.get_available(base, number)}, event
    )
    metrics.record_invocation(
        metrics.Invocation(
            function=name,
            qualifier=_get_qualifier(config),
            version=number,
            started=started,
            seconds=time.time() - started,
            failed=bool(result.get("error")),
            throttled=bool(result.get("throttle")),
        )
    )
    return _with_error_type(result)


def _with_invoked_arn(function: Record) -> Record:
    config: Record = function.get("config") or function
    alias = _alias_arns.get({}).get(config["FunctionArn"])
    return {**config, "FunctionArn": alias} if alias else config


def _get_qualifier(config: Record) -> str | None:
    qualifier: str = config["FunctionArn"].partition(":function:")[2].partition(":")[2]
    return None if qualifier in ("", LATEST) else qualifier


_EXCEPTION: Final = re.compile(r"^(?:\w+\.)*(\w+)(?::|$)")


def _with_error_type(result: Record) -> Record:
    """Replace ministack's error type Runtime.HandlerError with the exception's name."""
    body = result.get("body")
    if isinstance(body, dict) and body.get("errorType") == "Runtime.HandlerError":
        last = (result.get("log") or "").rstrip().rpartition("\n")[2]
        if "Traceback" in result["log"] and (found := _EXCEPTION.match(last)):
            return {**result, "body": {**body, "errorType": found[1]}}
    return result

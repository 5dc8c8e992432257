"""The door: every request to Lambda comes in here, and goes to the module that knows its operation – or on to ministack."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from deploy.local.awslambda import (
    alarms,
    aliases,
    code,
    concurrency,
    functions,
    idle,
    invocations,
    mappings,
    metrics,
    permissions,
    provisioned,
    queries,
    routing,
    settling,
    tags,
    updates,
    upstream,
    versions,
)
from deploy.local.awslambda.calls import Call, parse, understand
from deploy.local.awslambda.refusals import RefusalError
from deploy.local.awslambda.upstream import Answer

_HANDLERS: Final[dict[str, Callable[[Call], Answer | Awaitable[Answer]]]] = {
    "CreateFunction": functions.create,
    "ListFunctions": functions.list_all,
    "GetFunction": functions.get,
    "GetFunctionConfiguration": functions.get_configuration,
    "DeleteFunction": functions.delete,
    "UpdateFunctionCode": updates.update_code,
    "UpdateFunctionConfiguration": updates.update_configuration,
    "PublishVersion": versions.publish_version,
    "ListVersionsByFunction": versions.list_versions,
    "CreateAlias": aliases.create,
    "ListAliases": aliases.list_all,
    "GetAlias": aliases.get,
    "UpdateAlias": aliases.update,
    "DeleteAlias": aliases.delete,
    "Invoke": invocations.invoke,
    "InvokeAsync": invocations.invoke_async,
    "AddPermission": permissions.add,
    "GetPolicy": permissions.get,
    "RemovePermission": permissions.remove,
    "PutFunctionConcurrency": concurrency.put,
    "GetFunctionConcurrency": concurrency.get,
    "DeleteFunctionConcurrency": concurrency.delete,
    "PutProvisionedConcurrencyConfig": provisioned.put,
    "GetProvisionedConcurrencyConfig": provisioned.get,
    "DeleteProvisionedConcurrencyConfig": provisioned.delete,
    "CreateEventSourceMapping": mappings.create,
    "ListEventSourceMappings": mappings.list_all,
    "GetEventSourceMapping": mappings.get,
    "UpdateEventSourceMapping": mappings.update,
    "DeleteEventSourceMapping": mappings.delete,
    "ListTags": tags.list_all,
    "TagResource": tags.tag,
    "UntagResource": tags.untag,
    "GetAccountSettings": concurrency.account_settings,
}

_FUNCTION_IN_PATH: Final = re.compile(
    r"(?P<before>/\d{4}-\d\d-\d\d/functions/)(?P<function>[^/]+)(?P<after>/.*)"
)


async def handle_request(
    method: str, path: str, headers: Mapping[str, str], body: bytes, query: Mapping[str, list[str]]
) -> Answer:
    """In ministack's place: answer one request to Lambda."""
    upstream.request_key.set(upstream.caller_key(headers, query))
    try:
        call = understand(method, path, headers, body, query)
        if call is None:
            return await upstream.handle_request(method, _bare(path), headers, body, query)
        answer = _HANDLERS[call.operation](call)
        return await answer if inspect.isawaitable(answer) else answer
    except RefusalError as refusal:
        return upstream.answer_error(
            refusal.code, refusal.message, refusal.status, {"Type": "User"}
        )


def _bare(path: str) -> str:
    """The path with the plain name of its function: ministack understands no partial ARNs."""
    found = _FUNCTION_IN_PATH.fullmatch(path)
    if found is None:
        return path
    name, qualifier = parse(found["function"])
    return found["before"] + (f"{name}:{qualifier}" if qualifier else name) + found["after"]


def install() -> None:
    """Put everything of ours in its place inside ministack. Once, before the first request."""
    upstream.replace("services.lambda_svc", "handle_request", handle_request)
    upstream.replace("services.lambda_svc", "_schedule_state_transition", settling.settle)
    upstream.replace(
        "services.lambda_svc", "_effective_func_record_for_qualifier", routing.record_for_qualifier
    )
    upstream.replace("services.lambda_svc", "_execute_function", invocations.execute)
    upstream.replace("services.lambda_svc", "invoke_async_with_retry", invocations.queue)
    upstream.replace("services.lambda_svc", "reap_idle_workers", idle.let_go)
    upstream.replace("services.lambda_svc", "_emit_lambda_metrics", metrics.silence)
    upstream.replace("services.lambda_svc", "serve_function_code", code.serve)
    upstream.replace("services.cloudwatch", "_evict_old_metrics", metrics.drop_old)
    upstream.replace("services.cloudwatch", "_evaluate_alarm", alarms.evaluate)
    upstream.replace("services.cloudwatch", "_put_metric_alarm", alarms.put)
    upstream.replace("services.cloudwatch", "_describe_alarms", alarms.describe)
    upstream.replace("services.cloudwatch", "_set_alarm_state", alarms.set_state)
    upstream.replace("services.cloudwatch", "_get_metric_data", queries.get_metric_data)

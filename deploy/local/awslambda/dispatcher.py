"""Passes each request to the module of its operation, or on to ministack."""

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
    event_source_mappings,
    functions,
    idle_environments,
    invocations,
    metric_queries,
    metrics,
    ministack_api,
    permissions,
    provisioned_concurrency,
    routing,
    settling,
    tags,
    updates,
    versions,
)
from deploy.local.awslambda.calls import Call, parse_call, parse_function_name
from deploy.local.awslambda.errors import LambdaError
from deploy.local.awslambda.ministack_api import Response

_HANDLERS: Final[dict[str, Callable[[Call], Response | Awaitable[Response]]]] = {
    "CreateFunction": functions.create_function,
    "ListFunctions": functions.list_functions,
    "GetFunction": functions.get_function,
    "GetFunctionConfiguration": functions.get_function_configuration,
    "DeleteFunction": functions.delete_function,
    "UpdateFunctionCode": updates.update_function_code,
    "UpdateFunctionConfiguration": updates.update_function_configuration,
    "PublishVersion": versions.publish_version,
    "ListVersionsByFunction": versions.list_versions,
    "CreateAlias": aliases.create_alias,
    "ListAliases": aliases.list_aliases,
    "GetAlias": aliases.get_alias,
    "UpdateAlias": aliases.update_alias,
    "DeleteAlias": aliases.delete_alias,
    "Invoke": invocations.invoke,
    "InvokeAsync": invocations.invoke_async,
    "AddPermission": permissions.add_permission,
    "GetPolicy": permissions.get_policy,
    "RemovePermission": permissions.remove_permission,
    "PutFunctionConcurrency": concurrency.put_function_concurrency,
    "GetFunctionConcurrency": concurrency.get_function_concurrency,
    "DeleteFunctionConcurrency": concurrency.delete_function_concurrency,
    "PutProvisionedConcurrencyConfig": provisioned_concurrency.put_config,
    "GetProvisionedConcurrencyConfig": provisioned_concurrency.get_config,
    "DeleteProvisionedConcurrencyConfig": provisioned_concurrency.delete_config,
    "CreateEventSourceMapping": event_source_mappings.create_mapping,
    "ListEventSourceMappings": event_source_mappings.list_mappings,
    "GetEventSourceMapping": event_source_mappings.get_mapping,
    "UpdateEventSourceMapping": event_source_mappings.update_mapping,
    "DeleteEventSourceMapping": event_source_mappings.delete_mapping,
    "ListTags": tags.list_tags,
    "TagResource": tags.tag_resource,
    "UntagResource": tags.untag_resource,
    "GetAccountSettings": concurrency.get_account_settings,
}

_FUNCTION_IN_PATH: Final = re.compile(
    r"(?P<before>/\d{4}-\d\d-\d\d/functions/)(?P<function>[^/]+)(?P<after>/.*)"
)


async def handle_request(
    method: str, path: str, headers: Mapping[str, str], body: bytes, query: Mapping[str, list[str]]
) -> Response:
    """Answer one request to Lambda, in place of ministack's function."""
    ministack_api.request_key.set(ministack_api.caller_key(headers, query))
    try:
        call = parse_call(method, path, headers, body, query)
        if call is None:
            return await ministack_api.handle_request(
                method, _simplify_path(path), headers, body, query
            )
        response = _HANDLERS[call.operation](call)
        return await response if inspect.isawaitable(response) else response
    except LambdaError as error:
        return ministack_api.error_response(
            error.code, error.message, error.status, {"Type": "User"}
        )


def _simplify_path(path: str) -> str:
    """Replace a partial ARN in the path, which ministack cannot read, by the name."""
    found = _FUNCTION_IN_PATH.fullmatch(path)
    if found is None:
        return path
    name, qualifier = parse_function_name(found["function"])
    return found["before"] + (f"{name}:{qualifier}" if qualifier else name) + found["after"]


def install_patches() -> None:
    """Replace ministack's functions: call this once, before the first request."""
    ministack_api.replace_function("services.lambda_svc", "handle_request", handle_request)
    ministack_api.replace_function(
        "services.lambda_svc", "_schedule_state_transition", settling.schedule_settled
    )
    ministack_api.replace_function(
        "services.lambda_svc", "_effective_func_record_for_qualifier", routing.record_for_qualifier
    )
    ministack_api.replace_function(
        "services.lambda_svc", "_execute_function", invocations.execute_function
    )
    ministack_api.replace_function(
        "services.lambda_svc", "invoke_async_with_retry", invocations.queue_event
    )
    ministack_api.replace_function(
        "services.lambda_svc", "reap_idle_workers", idle_environments.end_idle_environments
    )
    ministack_api.replace_function(
        "services.lambda_svc", "_emit_lambda_metrics", metrics.ignore_metrics
    )
    ministack_api.replace_function("services.lambda_svc", "serve_function_code", code.serve_package)
    ministack_api.replace_function(
        "services.cloudwatch", "_evict_old_metrics", metrics.drop_old_points
    )
    ministack_api.replace_function("services.cloudwatch", "_evaluate_alarm", alarms.evaluate_alarm)
    ministack_api.replace_function(
        "services.cloudwatch", "_put_metric_alarm", alarms.put_metric_alarm
    )
    ministack_api.replace_function(
        "services.cloudwatch", "_describe_alarms", alarms.describe_alarms
    )
    ministack_api.replace_function(
        "services.cloudwatch", "_set_alarm_state", alarms.set_alarm_state
    )
    ministack_api.replace_function(
        "services.cloudwatch", "_get_metric_data", metric_queries.get_metric_data
    )

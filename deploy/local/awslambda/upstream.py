"""The one ministack release the local Lambda is built on: every name of it that is called or replaced stands here.

The names are private to ministack, so nothing promises them to us. Hence one release exactly, and a refusal to start when a name is not
there: a patch that silently missed would let every test of the dangerous paths pass.

Import this module after :mod:`environment` has been entered. ministack has no types; what comes from here is ``Any``.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

from deploy.local.awslambda.environment import UnsupportedError

VERSION: Final = "1.5.33"

Answer: TypeAlias = tuple[int, dict[str, str], bytes]
"""What a handler returns: HTTP status, headers, body."""

Record: TypeAlias = dict[str, Any]
"""ministack's memory of a function or a version: ``config``, ``code_zip``, and for a function ``versions``, ``aliases`` …"""


def carried_out(answer: Answer) -> bool:
    """Whether ministack did what it was asked."""
    return answer[0] < 300  # noqa: PLR2004 - HTTP's


def _module(path: str) -> Any:
    return importlib.import_module(f"ministack.{path}")


def _name(module: str, name: str) -> Any:
    try:
        return getattr(_module(module), name)
    except AttributeError:
        raise UnsupportedError(
            f"ministack {VERSION} has no {module}.{name}: it cannot be added to"
        ) from None


def replace(module: str, name: str, ours: Callable[..., Any]) -> None:
    """Put our function in the place of ministack's; callers inside ministack look names up when they call."""
    _name(module, name)
    setattr(_module(module), name, ours)


def _verify() -> None:
    try:
        installed = importlib.metadata.version("ministack")
    except importlib.metadata.PackageNotFoundError:
        raise UnsupportedError(
            f"ministack is not installed: the local Lambda needs ministack=={VERSION}"
        ) from None
    if installed != VERSION:
        raise UnsupportedError(
            f"ministack {installed} is installed: the local Lambda adds to ministack=={VERSION} only"
        )


_verify()

_LAMBDA: Final = "services.lambda_svc"
_CLOUDWATCH: Final = "services.cloudwatch"

app = _name("app", "app")
workers = _name("core.lambda_runtime", "_workers")
workers_lock = _name("core.lambda_runtime", "_lock")
kill_workers = _name("core.lambda_runtime", "kill_workers")
stop_workers = _name("core.lambda_runtime", "reset")
acquire_worker = _name("core.lambda_runtime", "acquire_worker")
ensure_spawned = _name("core.lambda_runtime", "ensure_spawned")
release_worker = _name("core.lambda_runtime", "release_worker")
invalidate_worker = _name("core.lambda_runtime", "invalidate_worker")

account: Callable[[], str] = _name("core.responses", "get_account_id")
region: Callable[[], str] = _name("core.responses", "get_region")
new_id: Callable[[], str] = _name("core.responses", "new_uuid")
answer_json: Callable[..., Answer] = _name("core.responses", "json_response")
answer_error: Callable[..., Answer] = _name("core.responses", "error_response_json")
caller_key = _name("core.router", "extract_access_key_id")

handle_request: Callable[..., Awaitable[Answer]] = _name(_LAMBDA, "handle_request")
request_key = _name(_LAMBDA, "_request_access_key")
functions = _name(_LAMBDA, "_functions")
mappings = _name(_LAMBDA, "_esms")
now: Callable[[], str] = _name(_LAMBDA, "_now_iso")
create_function: Callable[..., Answer] = _name(_LAMBDA, "_create_function")
delete_function: Callable[..., Answer] = _name(_LAMBDA, "_delete_function")
update_code: Callable[..., Answer] = _name(_LAMBDA, "_update_code")
update_configuration: Callable[..., Answer] = _name(_LAMBDA, "_update_config")
reject_unreadable_zip = _name(_LAMBDA, "_reject_unreadable_zip")
fetch_from_s3: Callable[..., bytes | None] = _name(_LAMBDA, "_fetch_code_from_s3")
code_url: Callable[..., str] = _name(_LAMBDA, "_presigned_code_url")
stamp_snapstart = _name(_LAMBDA, "_stamp_snapstart_published_version")
provision_snapstart = _name(_LAMBDA, "_snapstart_provision_version_async")
schedule_state_transition = _name(_LAMBDA, "_schedule_state_transition")
create_alias: Callable[..., Answer] = _name(_LAMBDA, "_create_alias")
update_alias: Callable[..., Answer] = _name(_LAMBDA, "_update_alias")
invoke: Callable[..., Awaitable[Answer]] = _name(_LAMBDA, "_invoke")
invoke_async = _name(_LAMBDA, "invoke_async_with_retry")
execute: Callable[..., Record] = _name(_LAMBDA, "_execute_function")
belongs_elsewhere: Callable[[Record], bool] = _name(_LAMBDA, "_function_config_scope_mismatch")
record_for_qualifier: Callable[..., tuple[Record | None, Record | None]] = _name(
    _LAMBDA, "_effective_func_record_for_qualifier"
)
add_permission: Callable[..., Answer] = _name(_LAMBDA, "_add_permission")
create_mapping: Callable[..., Answer] = _name(_LAMBDA, "_create_esm")
update_mapping: Callable[..., Answer] = _name(_LAMBDA, "_update_esm")
delete_mapping: Callable[..., Answer] = _name(_LAMBDA, "_delete_esm")
shown_mapping = _name(_LAMBDA, "_esm_response")
list_tags: Callable[..., Answer] = _name(_LAMBDA, "_list_tags")
tag_resource: Callable[..., Answer] = _name(_LAMBDA, "_tag_resource")
untag_resource: Callable[..., Answer] = _name(_LAMBDA, "_untag_resource")

bucket_region: Callable[[str], str | None] = _name("services.s3", "bucket_region")
queues = _name("services.sqs", "_queues")
queue_url = _name("services.sqs", "_queue_url")

metrics = _name(_CLOUDWATCH, "_metrics")
metric_points = _name(_CLOUDWATCH, "_metric_bucket")
dimensions_key: Callable[[dict[str, str]], str] = _name(_CLOUDWATCH, "_dims_key")
statistics = _name(_CLOUDWATCH, "_calc_stats")
statistic: Callable[..., float | None] = _name(_CLOUDWATCH, "_stat_value")
samples = _name(_CLOUDWATCH, "_percentile_samples")
alarms = _name(_CLOUDWATCH, "_alarms")
evaluate_all_alarms = _name(_CLOUDWATCH, "_evaluate_all_alarms")
evaluate_parent_alarms = _name(_CLOUDWATCH, "_evaluate_parent_alarms")
record_alarm_history = _name(_CLOUDWATCH, "_record_history")
dispatch_alarm_actions = _name(_CLOUDWATCH, "_dispatch_alarm_actions")
put_metric_alarm: Callable[..., Answer] = _name(_CLOUDWATCH, "_put_metric_alarm")
describe_alarms: Callable[..., Answer] = _name(_CLOUDWATCH, "_describe_alarms")
set_alarm_state: Callable[..., Answer] = _name(_CLOUDWATCH, "_set_alarm_state")
get_metric_data: Callable[..., Answer] = _name(_CLOUDWATCH, "_get_metric_data")
answer_cloudwatch_error: Callable[..., Answer] = _name(_CLOUDWATCH, "_error")
answer_cbor: Callable[..., Answer] = _name(_CLOUDWATCH, "_cbor_ok")
cbor_result = _name(_CLOUDWATCH, "_cbor_metric_data_result")

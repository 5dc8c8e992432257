"""The names of ministack that are called or replaced, and its supported release.

The names are private to ministack and may change with any release. So exactly one release is
supported, and a missing name is an error at start: a patch that silently did nothing would let
every test of the dangerous paths pass.

Import this module only after ``environment.enter_environment``. ministack has no types, so its
names are ``Any`` here.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

from deploy.local.awslambda.environment import UnsupportedError

VERSION: Final = "1.5.33"

Response: TypeAlias = tuple[int, dict[str, str], bytes]
"""The result of a handler: HTTP status, headers, body."""

Record: TypeAlias = dict[str, Any]
"""ministack's record of a function or a version.

Members are ``config`` and ``code_zip``, and for a function ``versions``, ``aliases`` and others.
"""


def is_success(response: Response) -> bool:
    """Whether ministack carried the request out."""
    return response[0] < 300  # noqa: PLR2004 - HTTP's successful statuses


def _import(path: str) -> Any:
    return importlib.import_module(f"ministack.{path}")


def _find(module: str, name: str) -> Any:
    try:
        return getattr(_import(module), name)
    except AttributeError:
        raise UnsupportedError(
            f"ministack {VERSION} has no {module}.{name}: it is not supported"
        ) from None


def replace_function(module: str, name: str, replacement: Callable[..., Any]) -> None:
    """Replace a function of ministack, whose callers look it up by name at each call."""
    _find(module, name)
    setattr(_import(module), name, replacement)


def _check_version() -> None:
    try:
        installed = importlib.metadata.version("ministack")
    except importlib.metadata.PackageNotFoundError:
        raise UnsupportedError(
            f"ministack is not installed: the local Lambda needs ministack=={VERSION}"
        ) from None
    if installed != VERSION:
        raise UnsupportedError(
            f"ministack {installed} is installed: the local Lambda needs ministack=={VERSION}"
        )


_check_version()

_LAMBDA: Final = "services.lambda_svc"
_CLOUDWATCH: Final = "services.cloudwatch"

app = _find("app", "app")
workers = _find("core.lambda_runtime", "_workers")
workers_lock = _find("core.lambda_runtime", "_lock")
kill_workers = _find("core.lambda_runtime", "kill_workers")
stop_workers = _find("core.lambda_runtime", "reset")
acquire_worker = _find("core.lambda_runtime", "acquire_worker")
ensure_spawned = _find("core.lambda_runtime", "ensure_spawned")
release_worker = _find("core.lambda_runtime", "release_worker")
invalidate_worker = _find("core.lambda_runtime", "invalidate_worker")

account: Callable[[], str] = _find("core.responses", "get_account_id")
region: Callable[[], str] = _find("core.responses", "get_region")
new_id: Callable[[], str] = _find("core.responses", "new_uuid")
json_response: Callable[..., Response] = _find("core.responses", "json_response")
error_response: Callable[..., Response] = _find("core.responses", "error_response_json")
caller_key = _find("core.router", "extract_access_key_id")

handle_request: Callable[..., Awaitable[Response]] = _find(_LAMBDA, "handle_request")
request_key = _find(_LAMBDA, "_request_access_key")
functions = _find(_LAMBDA, "_functions")
mappings = _find(_LAMBDA, "_esms")
now: Callable[[], str] = _find(_LAMBDA, "_now_iso")
create_function: Callable[..., Response] = _find(_LAMBDA, "_create_function")
delete_function: Callable[..., Response] = _find(_LAMBDA, "_delete_function")
update_code: Callable[..., Response] = _find(_LAMBDA, "_update_code")
update_configuration: Callable[..., Response] = _find(_LAMBDA, "_update_config")
reject_unreadable_zip = _find(_LAMBDA, "_reject_unreadable_zip")
fetch_from_s3: Callable[..., bytes | None] = _find(_LAMBDA, "_fetch_code_from_s3")
code_url: Callable[..., str] = _find(_LAMBDA, "_presigned_code_url")
stamp_snapstart = _find(_LAMBDA, "_stamp_snapstart_published_version")
provision_snapstart = _find(_LAMBDA, "_snapstart_provision_version_async")
schedule_state_transition = _find(_LAMBDA, "_schedule_state_transition")
create_alias: Callable[..., Response] = _find(_LAMBDA, "_create_alias")
update_alias: Callable[..., Response] = _find(_LAMBDA, "_update_alias")
invoke: Callable[..., Awaitable[Response]] = _find(_LAMBDA, "_invoke")
invoke_async = _find(_LAMBDA, "invoke_async_with_retry")
execute: Callable[..., Record] = _find(_LAMBDA, "_execute_function")
is_other_scope: Callable[[Record], bool] = _find(_LAMBDA, "_function_config_scope_mismatch")
record_for_qualifier: Callable[..., tuple[Record | None, Record | None]] = _find(
    _LAMBDA, "_effective_func_record_for_qualifier"
)
add_permission: Callable[..., Response] = _find(_LAMBDA, "_add_permission")
create_mapping: Callable[..., Response] = _find(_LAMBDA, "_create_esm")
update_mapping: Callable[..., Response] = _find(_LAMBDA, "_update_esm")
delete_mapping: Callable[..., Response] = _find(_LAMBDA, "_delete_esm")
render_mapping = _find(_LAMBDA, "_esm_response")
list_tags: Callable[..., Response] = _find(_LAMBDA, "_list_tags")
tag_resource: Callable[..., Response] = _find(_LAMBDA, "_tag_resource")
untag_resource: Callable[..., Response] = _find(_LAMBDA, "_untag_resource")

bucket_region: Callable[[str], str | None] = _find("services.s3", "bucket_region")
queues = _find("services.sqs", "_queues")
queue_url = _find("services.sqs", "_queue_url")

metrics = _find(_CLOUDWATCH, "_metrics")
metric_points = _find(_CLOUDWATCH, "_metric_bucket")
dimensions_key: Callable[[dict[str, str]], str] = _find(_CLOUDWATCH, "_dims_key")
statistics = _find(_CLOUDWATCH, "_calc_stats")
statistic: Callable[..., float | None] = _find(_CLOUDWATCH, "_stat_value")
samples = _find(_CLOUDWATCH, "_percentile_samples")
alarms = _find(_CLOUDWATCH, "_alarms")
evaluate_all_alarms = _find(_CLOUDWATCH, "_evaluate_all_alarms")
evaluate_parent_alarms = _find(_CLOUDWATCH, "_evaluate_parent_alarms")
record_alarm_history = _find(_CLOUDWATCH, "_record_history")
dispatch_alarm_actions = _find(_CLOUDWATCH, "_dispatch_alarm_actions")
put_metric_alarm: Callable[..., Response] = _find(_CLOUDWATCH, "_put_metric_alarm")
describe_alarms: Callable[..., Response] = _find(_CLOUDWATCH, "_describe_alarms")
set_alarm_state: Callable[..., Response] = _find(_CLOUDWATCH, "_set_alarm_state")
get_metric_data: Callable[..., Response] = _find(_CLOUDWATCH, "_get_metric_data")
cloudwatch_error: Callable[..., Response] = _find(_CLOUDWATCH, "_error")
cbor_response: Callable[..., Response] = _find(_CLOUDWATCH, "_cbor_ok")
cbor_result = _find(_CLOUDWATCH, "_cbor_metric_data_result")

"""Tries the reads of a release, where IAM does not simulate what the worker may do.

Nothing is changed, and no secret is read: parameters and secrets are requested by a name that does
not exist.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from activities.errors import AwsError, Fault, classify_error
from activities.operation import Aws
from activities.permission_needs import Scope
from activities.permission_resources import EVERYTHING, PermissionResources

_PACKAGE_READS: Final = (("s3:GetObject", Scope.PACKAGE), ("s3:ListBucket", Scope.BUCKET))
_MISSING: Final = 404
_NO_NAME: Final = "lambda-releases-doctor"
_NO_DIGEST: Final = f"sha256:{'0' * 64}"
_A_MOMENT: Final = timedelta(minutes=5)


async def try_reads(aws: Aws, resources: PermissionResources) -> dict[tuple[str, Scope], bool]:
    """Return whether each read is allowed; what went wrong otherwise is left out."""
    reads = _start_reads(aws, resources)
    verdicts = await asyncio.gather(*map(_judge, reads.values()))
    found = {key: each for key, each in zip(reads, verdicts, strict=True) if each is not None}
    return {**found, **await _try_package(aws, resources)}


async def _try_package(
    aws: Aws, resources: PermissionResources
) -> Mapping[tuple[str, Scope], bool]:
    """Ask for an object that does not exist: S3 says so to those who may read and list."""
    for bucket in resources.arns.get(Scope.BUCKET) or ():
        place = {"Bucket": bucket.rpartition(":")[2], "Key": _NO_NAME}
        try:
            await aws.call("s3", "head_object", place)
        except AwsError as error:
            if error.status == _MISSING:
                return dict.fromkeys(_PACKAGE_READS, True)
    return {}


async def _judge(read: Awaitable[object]) -> bool | None:
    try:
        await read
    except AwsError as error:
        fault = classify_error(error)
        if fault is Fault.DENIED and not error.is_about_worker:
            return False
        return True if fault is Fault.NOT_FOUND else None
    return True


def _start_reads(
    aws: Aws, resources: PermissionResources
) -> Mapping[tuple[str, Scope], Awaitable[object]]:
    function = {"FunctionName": resources.function}
    alias = {**function, "Name": resources.alias}
    qualified = {**function, "Qualifier": resources.alias}
    one = {"MaxRecords": 1}
    reads: dict[tuple[str, Scope], Awaitable[object]] = {
        ("lambda:GetFunction", Scope.FUNCTION): aws.call("lambda", "get_function", function),
        ("lambda:GetAlias", Scope.FUNCTION): aws.call("lambda", "get_alias", alias),
        ("lambda:ListVersionsByFunction", Scope.FUNCTION): aws.call(
            "lambda", "list_versions_by_function", function
        ),
        ("lambda:ListProvisionedConcurrencyConfigs", Scope.FUNCTION): aws.call(
            "lambda", "list_provisioned_concurrency_configs", function
        ),
        ("lambda:GetProvisionedConcurrencyConfig", Scope.VERSION): aws.call(
            "lambda", "get_provisioned_concurrency_config", qualified
        ),
        ("lambda:GetAccountSettings", Scope.ANY): aws.call("lambda", "get_account_settings", {}),
        ("lambda:ListEventSourceMappings", Scope.ANY): aws.call(
            "lambda", "list_event_source_mappings", function
        ),
        ("lambda:GetPolicy", Scope.FUNCTION): aws.call("lambda", "get_policy", function),
        ("lambda:ListFunctionUrlConfigs", Scope.FUNCTION): aws.call(
            "lambda", "list_function_url_configs", function
        ),
        ("lambda:GetFunctionCodeSigningConfig", Scope.FUNCTION): aws.call(
            "lambda", "get_function_code_signing_config", function
        ),
        ("cloudwatch:DescribeAlarms", Scope.ANY): aws.call("cloudwatch", "describe_alarms", one),
        ("cloudwatch:DescribeAlarmHistory", Scope.ANY): aws.call(
            "cloudwatch", "describe_alarm_history", one
        ),
        ("cloudwatch:GetMetricData", Scope.ANY): aws.call(
            "cloudwatch", "get_metric_data", _make_metric_request(resources)
        ),
    }
    if name := _find_absent(resources, Scope.PARAMETER):
        names = {"Names": [f"/{name.partition(':parameter/')[2]}"]}
        reads["ssm:GetParameters", Scope.PARAMETER] = aws.call("ssm", "get_parameters", names)
    if name := _find_absent(resources, Scope.SECRET):
        secret = {"SecretId": name.partition(":secret:")[2]}
        reads["secretsmanager:GetSecretValue", Scope.SECRET] = aws.call(
            "secretsmanager", "get_secret_value", secret
        )
    if name := _find_absent(resources, Scope.IMAGE):
        image = {
            "registryId": name.split(":")[4],
            "repositoryName": name.partition(":repository/")[2],
            "imageIds": [{"imageDigest": _NO_DIGEST}],
        }
        reads["ecr:BatchGetImage", Scope.IMAGE] = aws.call("ecr", "batch_get_image", image)
    return reads


def _find_absent(resources: PermissionResources, scope: Scope) -> str:
    """Return the name of something that does not exist; empty where no resource is known."""
    first = next(iter(resources.arns.get(scope) or ()), "")
    return first.replace(EVERYTHING, _NO_NAME)


def _make_metric_request(resources: PermissionResources) -> dict[str, Any]:
    """Request one number, to learn whether it may be requested."""
    function, now = resources.function.rpartition(":")[2], datetime.now(UTC)
    metric = {
        "Namespace": "AWS/Lambda",
        "MetricName": "Invocations",
        "Dimensions": [
            {"Name": "FunctionName", "Value": function},
            {"Name": "Resource", "Value": f"{function}:{resources.alias}"},
            {"Name": "ExecutedVersion", "Value": resources.version},
        ],
    }
    query = {"Id": "invocations", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}
    return {"MetricDataQueries": [query], "StartTime": now - _A_MOMENT, "EndTime": now}

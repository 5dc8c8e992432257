"""A worker's diagnosis of itself: credentials, clock, and what it may do with a function.

It is the worker's role that counts, not that of whoever asks. Everything is read, nothing changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

from pydantic import Field
from temporalio import activity

from activities.advice import find_advice
from activities.check_result import CheckResult, CheckState
from activities.errors import AwsError, Fault, classify_error
from activities.operation import READ, Aws, OperationGroup, operation
from activities.permission_check import PermissionCheck
from activities.permission_resources import find_resources
from activities.product_version import read_product_version
from activities.reference_scope import ALL_REFERENCES, ReferenceScope
from activities.shapes import FunctionName, Qualifier, Request, Response

_POLICY: Final = replace(READ, start_to_close=timedelta(seconds=60))
"""A diagnosis makes up to twenty calls, each within the rate of the worker."""

_MAX_TEMPORAL_SKEW: Final = timedelta(seconds=10)
_MAX_AWS_SKEW: Final = timedelta(minutes=1)
"""AWS refuses a request whose time is five minutes off."""


class DiagnoseRequest(Request):
    """Which function, by any name, and which alias of it; none: only the worker itself.

    ``bucket`` is where the packages of its releases are.
    """

    function_name: FunctionName | None = None
    alias: Qualifier | None = None
    bucket: str | None = Field(default=None, min_length=3, max_length=63)


class DiagnoseResponse(Response):
    """What was found. ``version`` is the worker's own."""

    version: str
    account: str | None = None
    findings: list[CheckResult]


class WorkerDiagnosis(OperationGroup):
    """What a worker knows of itself."""

    def __init__(self, aws: Aws, references: ReferenceScope = ALL_REFERENCES) -> None:
        """``references`` is what dynamic references may name."""
        super().__init__(aws)
        self._references = references

    @operation(_POLICY)
    async def diagnose(self, request: DiagnoseRequest) -> DiagnoseResponse:
        """Check credentials, clock, function and permissions. What fails is a finding.

        AWS: GetCallerIdentity of STS, GetFunction, GetAlias, GetRole and SimulatePrincipalPolicy of
        IAM, or else the reads of a release.
        """
        findings = list(_check_temporal_clock())
        try:
            caller = await self.aws.call("sts", "get_caller_identity", {})
        except AwsError as error:
            findings.append(_describe_failure("credentials", error))
            return DiagnoseResponse(version=read_product_version(), findings=findings)
        arn = str(caller.get("Arn", ""))
        findings.append(_ok("credentials", f"the worker is {arn}"))
        findings += _check_aws_clock(str(caller.get("Date", "")))
        if request.function_name is not None:
            findings += await self._check_function(request.function_name, request, arn)
        return DiagnoseResponse(
            version=read_product_version(), account=caller.get("Account"), findings=findings
        )

    async def _check_function(
        self, name: str, request: DiagnoseRequest, caller: str
    ) -> list[CheckResult]:
        try:
            found = await self.aws.call("lambda", "get_function", {"FunctionName": name})
        except AwsError as error:
            return [_describe_failure("function", error)]
        configuration: dict[str, Any] = found.get("Configuration", {})
        configuration.setdefault("FunctionArn", name)
        arn, alias = str(configuration["FunctionArn"]), request.alias or "live"
        described, version = await self._describe_alias(arn, alias)
        resources = find_resources(
            found,
            alias=alias,
            version=version or "1",
            bucket=request.bucket,
            references=self._references,
        )
        check = PermissionCheck(self.aws, caller=caller, resources=resources)
        return [
            _ok("function", f"{arn} is {configuration.get('State', 'there')}"),
            described,
            *await check.run(),
        ]

    async def _describe_alias(self, function: str, alias: str) -> tuple[CheckResult, str | None]:
        try:
            found = await self.aws.call(
                "lambda", "get_alias", {"FunctionName": function, "Name": alias}
            )
        except AwsError as error:
            if classify_error(error) is not Fault.NOT_FOUND:
                return _describe_failure("alias", error), None
            text = f"there is no alias {alias} yet: the first release creates it"
            return _ok("alias", text), None
        version = str(found.get("FunctionVersion"))
        routing: dict[str, Any] = found.get("RoutingConfig") or {}
        weights = routing.get("AdditionalVersionWeights")
        shared = f", with weights {weights}" if weights else ""
        return _ok("alias", f"{alias} is version {version}{shared}"), version


def _check_temporal_clock() -> Iterator[CheckResult]:
    """Compare this machine's clock with Temporal's, which has just started this activity."""
    if not activity.in_activity():
        return
    yield describe_skew(
        "clock",
        datetime.now(UTC) - activity.info().started_time,
        clocks=("the worker's", "Temporal's"),
        at_most=_MAX_TEMPORAL_SKEW,
    )


def _check_aws_clock(date: str) -> Iterator[CheckResult]:
    """Compare this machine's clock with AWS's, by the ``Date`` header of an answer."""
    try:
        theirs = parsedate_to_datetime(date).replace(tzinfo=UTC)
    except ValueError:
        yield CheckResult(
            check="clock", state=CheckState.WARNING, text="AWS's clock is not known: no Date"
        )
        return
    clocks = ("the worker's", "AWS's")
    yield describe_skew("clock", datetime.now(UTC) - theirs, clocks=clocks, at_most=_MAX_AWS_SKEW)


def describe_skew(
    check: str, skew: timedelta, *, clocks: tuple[str, str], at_most: timedelta
) -> CheckResult:
    """Describe how far the first of two ``clocks`` is ahead of the second."""
    seconds = round(skew.total_seconds())
    ours, theirs = clocks
    if abs(skew) <= at_most:
        return _ok(check, f"{ours} clock and {theirs} agree, to {max(abs(seconds), 1)} s")
    side = "ahead of" if seconds > 0 else "behind"
    return CheckResult(
        check=check,
        state=CheckState.WARNING,
        text=f"{ours} clock is {abs(seconds)} s {side} {theirs}",
        remedy="set it by NTP (timedatectl set-ntp true)",
    )


def _describe_failure(check: str, error: AwsError) -> CheckResult:
    advice = find_advice(error.code, error.message) or classify_error(error).advice
    return CheckResult(check=check, state=CheckState.FAILED, text=str(error), remedy=advice)


def _ok(check: str, text: str) -> CheckResult:
    return CheckResult(check=check, state=CheckState.OK, text=text)

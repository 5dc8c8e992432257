"""Constraints: what limits a release of one function, read at once before anything is written.

Provisioned concurrency, the account's limits, and code signing take a call to AWS each, and few
functions have any. One activity reads those that matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import Field

from activities.account import AccountLimit, GetAccountSettingsResponse
from activities.errors import AwsError, Fault, classify_error
from activities.function_models import UpdateFunctionCodeRequest
from activities.operation import READ, OperationGroup, is_retry, operation
from activities.pagination import iterate_pages
from activities.shapes import Boolean, FunctionName, Qualifier, Request, Response

_LIST: Final = "ProvisionedConcurrencyConfigs"
_PASSING_FAULTS: Final = {Fault.UNAVAILABLE, Fault.THROTTLED}


class FindConstraintsRequest(Request):
    """What the release is about.

    - ``version``, ``alias``: those that matter to a worker that may not list all of them. The alias
      cannot have any provisioned concurrency where the version has.
    - ``is_needed``: what the version has must be known. Otherwise a worker without the permission
      to read it may go on.
    - ``account``: read the account's limits in any case. Otherwise they are read where the version
      has provisioned concurrency.
    - ``package``: the code that is to be uploaded, if it may have to be signed.
    """

    function_name: FunctionName
    version: Qualifier | None = None
    alias: Qualifier | None = None
    is_needed: Boolean = False
    account: Boolean = False
    package: UpdateFunctionCodeRequest | None = None


class ConstraintsResponse(Response):
    """What was found: concurrent executions, and whether code has to be signed.

    ``provisioned`` are by version or alias; one without any is absent. ``unread`` says what could
    not be read, and why. ``signing_problem`` is why AWS will not take the package.
    """

    provisioned: dict[str, int] = Field(default_factory=dict)
    unread: list[str] = Field(default_factory=list)
    concurrent_executions: int | None = None
    unreserved_concurrent_executions: int | None = None
    signing_problem: str | None = None


class Constraints(OperationGroup):
    """Reads of what limits a release."""

    @operation(READ)
    async def find_constraints(self, request: FindConstraintsRequest) -> ConstraintsResponse:
        """Read provisioned concurrency, the account's limits, and what code signing makes of code.

        A package is checked by a dry run of UpdateFunctionCode, and only for a function whose code
        signing configuration enforces signatures: nothing is changed.

        AWS: ListProvisionedConcurrencyConfigs or GetProvisionedConcurrencyConfig,
        GetAccountSettings, GetFunctionCodeSigningConfig, GetCodeSigningConfig, UpdateFunctionCode
        (DryRun).
        """
        provisioned, unread = await self._find_provisioned(request)
        limits = None
        if request.account or (request.version in provisioned):
            limits = await self._read_limits()
        problem = await self._check_signature(request.package) if request.package else None
        return ConstraintsResponse(
            provisioned=provisioned,
            unread=unread,
            concurrent_executions=limits.concurrent_executions if limits else None,
            unreserved_concurrent_executions=(
                limits.unreserved_concurrent_executions if limits else None
            ),
            signing_problem=problem,
        )

    async def _find_provisioned(
        self, request: FindConstraintsRequest
    ) -> tuple[dict[str, int], list[str]]:
        """Read what all versions and aliases have, with one call, or else what two of them have."""
        function, found = {"FunctionName": request.function_name}, dict[str, int]()
        try:
            async for page in iterate_pages(
                self.aws, "list_provisioned_concurrency_configs", function
            ):
                for config in page[_LIST]:
                    qualifier = str(config.get("FunctionArn", "")).rpartition(":")[2]
                    found[qualifier] = config.get("RequestedProvisionedConcurrentExecutions") or 0
        except AwsError as error:
            fault = classify_error(error)
            is_gone = fault is Fault.UNAVAILABLE and not is_retry()
            if fault is Fault.THROTTLED or is_gone or error.is_about_worker:
                raise
            return await self._read_both(request)
        return found, []

    async def _read_both(self, request: FindConstraintsRequest) -> tuple[dict[str, int], list[str]]:
        """Read what the version has, or else the alias, for a worker that may not list them."""
        for qualifier in (request.version, request.alias):
            if qualifier is None:
                continue
            try:
                count = await self._read_provisioned(request.function_name, qualifier)
            except AwsError as error:
                is_denied = classify_error(error) is Fault.DENIED and not error.is_about_worker
                if request.is_needed or qualifier == request.alias or not is_denied:
                    raise
                unread = f"What is provisioned on version {qualifier} is not moved: {error}"
                return {}, [unread]
            if count:
                return {qualifier: count}, []
        return {}, []

    async def _read_provisioned(self, function_name: str, qualifier: str) -> int:
        parameters = {"FunctionName": function_name, "Qualifier": qualifier}
        try:
            answer = await self.aws.call("lambda", "get_provisioned_concurrency_config", parameters)
        except AwsError as error:
            if error.code != "ProvisionedConcurrencyConfigNotFoundException":
                raise
            return 0
        return int(answer.get("RequestedProvisionedConcurrentExecutions") or 0)

    async def _read_limits(self) -> AccountLimit | None:
        answer = await self.aws.call("lambda", "get_account_settings", {})
        return GetAccountSettingsResponse.model_validate(answer).account_limit

    async def _check_signature(self, package: UpdateFunctionCodeRequest) -> str | None:
        """Return why AWS would not take a package; None also where that cannot be read.

        AWS checks the signature itself, with nothing changed: so a worker that may not read the
        function's code signing configuration only learns it later.
        """
        function = {"FunctionName": package.function_name}
        try:
            answer = await self.aws.call("lambda", "get_function_code_signing_config", function)
            arn = answer.get("CodeSigningConfigArn")
            if not arn:
                return None
            answer = await self.aws.call(
                "lambda", "get_code_signing_config", {"CodeSigningConfigArn": arn}
            )
        except AwsError as error:
            if classify_error(error) in _PASSING_FAULTS or error.is_about_worker:
                raise
            return None
        signing: Mapping[str, Any] = answer.get("CodeSigningConfig") or {}
        policies: Mapping[str, Any] = signing.get("CodeSigningPolicies") or {}
        if policies.get("UntrustedArtifactOnDeployment") != "Enforce":
            return None
        try:
            await self.aws.call(
                "lambda", "update_function_code", {**package.parameters(), "DryRun": True}
            )
        except AwsError as error:
            fault = classify_error(error)
            if fault in _PASSING_FAULTS or error.is_about_worker:
                raise
            if fault is Fault.DENIED:  # a role that may only plan: it is not the signature
                return None
            return f"{error}. The function's code signing configuration ({arn}) enforces signatures"
        return None

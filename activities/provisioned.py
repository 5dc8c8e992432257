"""Provisioned concurrency: environments that AWS keeps warm for one version.

It belongs to a version, or to an alias without weights. While a release shifts traffic it is
requested for the candidate *version*: AWS refuses to manage it on an alias that has weights
(https://docs.aws.amazon.com/lambda/latest/dg/provisioned-concurrency.html). AWS prepares it in
minutes; :mod:`activities.settling` waits for it.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from activities.errors import AwsError, Fault, classify_error
from activities.operation import READ, WRITE, OperationGroup, operation
from activities.shapes import BoundedText, FunctionName, Integer, Qualifier, Request, Response


class PutProvisionedConcurrencyConfigRequest(Request):
    """The environments to keep for a version or alias; ``$LATEST`` can have none."""

    function_name: FunctionName
    qualifier: Qualifier
    provisioned_concurrent_executions: Annotated[
        Integer, Field(ge=1, description="Environments to keep ready.")
    ]


class GetProvisionedConcurrencyConfigRequest(Request):
    """The version or alias to read."""

    function_name: FunctionName
    qualifier: Qualifier


class DeleteProvisionedConcurrencyConfigRequest(Request):
    """The version or alias that is to have no provisioned concurrency any more."""

    function_name: FunctionName
    qualifier: Qualifier


class ProvisionedConcurrencyConfig(Response):
    """The requested and the available environments.

    A failure to prepare them is reported here (``status`` is FAILED), not by an error.
    """

    requested_provisioned_concurrent_executions: int | None = None
    allocated_provisioned_concurrent_executions: int | None = None
    available_provisioned_concurrent_executions: int | None = None
    status: str | None = Field(default=None, description="IN_PROGRESS, READY or FAILED.")
    status_reason: BoundedText | None = None
    last_modified: str | None = None


class ProvisionedConcurrency(OperationGroup):
    """Operations on provisioned concurrency; without a guard: the last writer wins."""

    @operation(WRITE)
    async def put_provisioned_concurrency_config(
        self, request: PutProvisionedConcurrencyConfigRequest
    ) -> ProvisionedConcurrencyConfig:
        """Request warm environments, and return while AWS prepares them (IN_PROGRESS).

        Idempotent, since the number is absolute. ``Invalid`` for more than the function's reserved
        or the account's unreserved concurrency, and for ``$LATEST``. ``Invalid`` also where the
        version and an alias of it would both have some.
        """
        answer = await self.aws.call(
            "lambda", "put_provisioned_concurrency_config", request.parameters()
        )
        return ProvisionedConcurrencyConfig.model_validate(answer)

    @operation(READ)
    async def get_provisioned_concurrency_config(
        self, request: GetProvisionedConcurrencyConfigRequest
    ) -> ProvisionedConcurrencyConfig:
        """Read how many warm environments are available.

        Where none were requested AWS returns an error; here it is a response without members.
        ``NotFound`` is for a function, version or alias that does not exist.
        AWS: GetProvisionedConcurrencyConfig.
        """
        try:
            answer = await self.aws.call(
                "lambda", "get_provisioned_concurrency_config", request.parameters()
            )
        except AwsError as error:
            if error.code != "ProvisionedConcurrencyConfigNotFoundException":
                raise
            answer = {}
        return ProvisionedConcurrencyConfig.model_validate(answer)

    @operation(WRITE)
    async def delete_provisioned_concurrency_config(
        self, request: DeleteProvisionedConcurrencyConfigRequest
    ) -> None:
        """Remove the warm environments.

        Idempotent: success where there are none, or where the version does not exist.
        """
        try:
            await self.aws.call(
                "lambda", "delete_provisioned_concurrency_config", request.parameters()
            )
        except AwsError as error:
            if classify_error(error) is not Fault.NOT_FOUND:
                raise

"""Provisioned concurrency: execution environments that are kept warm for one version, so that its first callers do not wait.

It belongs to a version, or to an alias without weights. While a release shifts traffic it is asked for on the candidate
*version*: AWS refuses to manage it on an alias that has weights. Preparing it takes minutes; :mod:`activities.settling` waits.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from activities.errors import AwsError, Fault, classify_error
from activities.operation import READ, WRITE, OperationGroup, operation
from activities.shapes import FunctionName, Qualifier, Request, Response, BoundedText, Integer


class PutProvisionedConcurrencyConfigRequest(Request):
    """So many environments for this version or alias; ``$LATEST`` can have none."""

    function_name: FunctionName
    qualifier: Qualifier
    provisioned_concurrent_executions: Annotated[
        Integer, Field(ge=1, description="Environments to keep ready.")
    ]


class GetProvisionedConcurrencyConfigRequest(Request):
    """Whose provisioned concurrency."""

    function_name: FunctionName
    qualifier: Qualifier


class DeleteProvisionedConcurrencyConfigRequest(Request):
    """Whose provisioned concurrency is to be given up."""

    function_name: FunctionName
    qualifier: Qualifier


class ProvisionedConcurrencyConfig(Response):
    """What was asked for and what is there. A failure to prepare it is told here (``FAILED``), not by an error."""

    requested_provisioned_concurrent_executions: int | None = None
    allocated_provisioned_concurrent_executions: int | None = None
    available_provisioned_concurrent_executions: int | None = None
    status: str | None = Field(default=None, description="IN_PROGRESS, READY or FAILED.")
    status_reason: BoundedText | None = None
    last_modified: str | None = None


class ProvisionedConcurrency(OperationGroup):
    """Warm environments of one version or alias. AWS has no lock on them: the last writer wins."""

    @operation(WRITE)
    async def put_provisioned_concurrency_config(
        self, request: PutProvisionedConcurrencyConfigRequest
    ) -> ProvisionedConcurrencyConfig:
        """Ask for so many warm environments; answers at once, while AWS prepares them (``IN_PROGRESS``).

        The number is absolute, so asking again changes nothing. Invalid when more than the function's reserved or the account's
        unreserved concurrency, for ``$LATEST``, and where the version and an alias on it would both have some.
        """
        answer = await self.aws.call(
            "lambda", "put_provisioned_concurrency_config", request.parameters()
        )
        return ProvisionedConcurrencyConfig.model_validate(answer)

    @operation(READ)
    async def get_provisioned_concurrency_config(
        self, request: GetProvisionedConcurrencyConfigRequest
    ) -> ProvisionedConcurrencyConfig:
        """How far the warm environments are.

        Where none were asked for AWS answers with an error; here that is an answer without members: nothing is amiss. NotFound is for a
        function, version or alias that does not exist. AWS: GetProvisionedConcurrencyConfig.
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
        """Give the warm environments up. Where there are none, or no such version any more, that is done already."""
        try:
            await self.aws.call(
                "lambda", "delete_provisioned_concurrency_config", request.parameters()
            )
        except AwsError as error:
            if classify_error(error) is not Fault.NOT_FOUND:
                raise

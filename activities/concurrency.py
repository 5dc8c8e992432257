"""Reserved concurrency: how many invocations of a function may run at once, taken out of the account's pool."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from activities.errors import AwsError
from activities.operation import READ, WRITE, OperationGroup, operation
from activities.readback import RESOURCE_NOT_FOUND
from activities.shapes import FunctionName, Request, Response, Integer


class PutFunctionConcurrencyRequest(Request):
    """What may be asked of :meth:`Concurrency.put_function_concurrency`."""

    function_name: FunctionName
    reserved_concurrent_executions: Annotated[
        Integer, Field(ge=0, description="invocations at once; 0 stops the function")
    ]


class DeleteFunctionConcurrencyRequest(Request):
    """What may be asked of :meth:`Concurrency.delete_function_concurrency`."""

    function_name: FunctionName


class GetFunctionConcurrencyRequest(Request):
    """What may be asked of :meth:`Concurrency.get_function_concurrency`."""

    function_name: FunctionName


class FunctionConcurrency(Response):
    """``ReservedConcurrency`` of AWS's model: the reserved number of invocations at once, or None where nothing is reserved."""

    reserved_concurrent_executions: int | None = None


class ReservedConcurrency(OperationGroup):
    """What can be done with reserved concurrency. It belongs to the function: all versions and aliases share it."""

    @operation(WRITE)
    async def put_function_concurrency(
        self, request: PutFunctionConcurrencyRequest
    ) -> FunctionConcurrency:
        """Reserve so many invocations at once for this function; no more than those will run.

        The number is absolute, so a second time does no harm; AWS has no guard here, and the last writer wins.

        ``Invalid`` where less than 100 would be left to the account, or less than the function's provisioned concurrency. AWS:
        PutFunctionConcurrency.
        """
        return FunctionConcurrency.model_validate(
            await self.aws.call("lambda", "put_function_concurrency", request.parameters())
        )

    @operation(WRITE)
    async def delete_function_concurrency(self, request: DeleteFunctionConcurrencyRequest) -> None:
        """Give the reservation back to the account: the function shares in what is left there.

        A second time does no harm, and a function that is gone reserves nothing: success. AWS: DeleteFunctionConcurrency.
        """
        try:
            await self.aws.call("lambda", "delete_function_concurrency", request.parameters())
        except AwsError as error:
            if error.code != RESOURCE_NOT_FOUND:
                raise

    @operation(READ)
    async def get_function_concurrency(
        self, request: GetFunctionConcurrencyRequest
    ) -> FunctionConcurrency:
        """How much is reserved; None where nothing is (0 is a stopped function). Beyond the thirty operations.

        AWS: GetFunctionConcurrency.
        """
        return FunctionConcurrency.model_validate(
            await self.aws.call("lambda", "get_function_concurrency", request.parameters())
        )

"""Reserved concurrency: concurrent invocations that are kept for one function."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from activities.errors import AwsError
from activities.operation import READ, WRITE, OperationGroup, operation
from activities.readback import RESOURCE_NOT_FOUND
from activities.shapes import FunctionName, Integer, Request, Response


class PutFunctionConcurrencyRequest(Request):
    """The request of :meth:`ReservedConcurrency.put_function_concurrency`."""

    function_name: FunctionName
    reserved_concurrent_executions: Annotated[
        Integer, Field(ge=0, description="concurrent invocations; 0 stops the function")
    ]


class DeleteFunctionConcurrencyRequest(Request):
    """The request of :meth:`ReservedConcurrency.delete_function_concurrency`."""

    function_name: FunctionName


class GetFunctionConcurrencyRequest(Request):
    """The request of :meth:`ReservedConcurrency.get_function_concurrency`."""

    function_name: FunctionName


class FunctionConcurrency(Response):
    """Reserved concurrent invocations, or None (``Concurrency`` in AWS's model)."""

    reserved_concurrent_executions: int | None = None


class ReservedConcurrency(OperationGroup):
    """Operations on reserved concurrency; a function's versions and aliases share it."""

    @operation(WRITE)
    async def put_function_concurrency(
        self, request: PutFunctionConcurrencyRequest
    ) -> FunctionConcurrency:
        """Reserve this many concurrent invocations; the function cannot exceed them.

        Idempotent, since the number is absolute. AWS has no guard here: the last writer wins.

        ``Invalid`` where less than 100 would be left to the account, or less than the function's
        provisioned concurrency. AWS: PutFunctionConcurrency.
        """
        return FunctionConcurrency.model_validate(
            await self.aws.call("lambda", "put_function_concurrency", request.parameters())
        )

    @operation(WRITE)
    async def delete_function_concurrency(self, request: DeleteFunctionConcurrencyRequest) -> None:
        """Remove the reservation; the function shares the unreserved concurrency.

        Idempotent. A function that does not exist reserves nothing: success.
        AWS: DeleteFunctionConcurrency.
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
        """Read the reservation; None where there is none (0 is a stopped function).

        Beyond the thirty operations. AWS: GetFunctionConcurrency.
        """
        return FunctionConcurrency.model_validate(
            await self.aws.call("lambda", "get_function_concurrency", request.parameters())
        )

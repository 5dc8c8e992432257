"""The account: its limits, and their usage, in this worker's region."""

from __future__ import annotations

from activities.operation import READ, OperationGroup, operation
from activities.shapes import Request, Response


class GetAccountSettingsRequest(Request):
    """The request of :meth:`Account.get_account_settings`: ``{}``, or no input."""


class AccountLimit(Response):
    """The account's limits: sizes in bytes, and concurrent executions."""

    total_code_size: int | None = None
    code_size_unzipped: int | None = None
    code_size_zipped: int | None = None
    concurrent_executions: int | None = None
    unreserved_concurrent_executions: int | None = None


class AccountUsage(Response):
    """The account's usage: bytes of code, and the number of functions."""

    total_code_size: int | None = None
    function_count: int | None = None


class GetAccountSettingsResponse(Response):
    """Limits and usage of one account in one region."""

    account_limit: AccountLimit | None = None
    account_usage: AccountUsage | None = None


class Account(OperationGroup):
    """Operations on the account."""

    @operation(READ)
    async def get_account_settings(
        self, request: GetAccountSettingsRequest | None = None
    ) -> GetAccountSettingsResponse:
        """Read the account's limits and usage in this region.

        Takes no input, or ``{}``. AWS: GetAccountSettings.
        """
        parameters = request.parameters() if request else {}
        return GetAccountSettingsResponse.model_validate(
            await self.aws.call("lambda", "get_account_settings", parameters)
        )

"""The account: its limits, and how much of them is used, in this worker's region."""

from __future__ import annotations

from activities.operation import READ, OperationGroup, operation
from activities.shapes import Request, Response


class GetAccountSettingsRequest(Request):
    """Nothing may be asked of :meth:`Account.get_account_settings`: ``{}``, or no input at all."""


class AccountLimit(Response):
    """What the account may have: sizes in bytes, executions at once."""

    total_code_size: int | None = None
    code_size_unzipped: int | None = None
    code_size_zipped: int | None = None
    concurrent_executions: int | None = None
    unreserved_concurrent_executions: int | None = None


class AccountUsage(Response):
    """What the account has: code in bytes, and the number of functions."""

    total_code_size: int | None = None
    function_count: int | None = None


class GetAccountSettingsResponse(Response):
    """Limits and usage of one account in one region."""

    account_limit: AccountLimit | None = None
    account_usage: AccountUsage | None = None


class Account(OperationGroup):
    """What can be asked about the account."""

    @operation(READ)
    async def get_account_settings(
        self, request: GetAccountSettingsRequest | None = None
    ) -> GetAccountSettingsResponse:
        """The account's limits and usage in this region. Takes no input, or ``{}``. AWS: GetAccountSettings."""
        parameters = request.parameters() if request else {}
        return GetAccountSettingsResponse.model_validate(
            await self.aws.call("lambda", "get_account_settings", parameters)
        )

"""Type-checked and never run: the result of ``call`` follows its operation.

A wrong request is a type error. Where mypy or pyright no longer reports it, its ignore comment is
unused, which both report as an error.
"""

from __future__ import annotations

from typing import assert_type

from activities.aliases import AliasConfiguration, Aliases, GetAliasRequest, UpdateAliasRequest
from activities.function_models import GetFunctionRequest, GetFunctionResponse
from activities.functions import Functions
from workflows.call import call


async def check_results_of_operations() -> None:
    """The type of a result is known."""
    alias = await call(
        Aliases.get_alias, GetAliasRequest(function_name="checkout", name="live"), summary=""
    )
    assert_type(alias, AliasConfiguration)
    function = await call(
        Functions.get_function, GetFunctionRequest(function_name="checkout"), summary=""
    )
    assert_type(function, GetFunctionResponse)


async def check_request_of_another_operation() -> None:
    """A request fits its own operation only."""
    request = GetAliasRequest(function_name="checkout", name="live")
    await call(Aliases.update_alias, request, summary="")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def check_request_without_required_members() -> None:
    """Required members are required.

    Only pyright checks this: pydantic's plugin for mypy does not follow generated aliases.
    """
    UpdateAliasRequest(function_name="checkout")  # pyright: ignore[reportCallIssue]

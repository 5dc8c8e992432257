"""Never run, only type-checked: what ``call`` answers follows from the operation, and a wrong request is refused.

Should mypy or pyright stop to refuse one, its ignore becomes superfluous, which both report as an error.
"""

from __future__ import annotations

from typing import assert_type

from activities.aliases import AliasConfiguration, Aliases, GetAliasRequest, UpdateAliasRequest
from activities.function_models import GetFunctionRequest, GetFunctionResponse
from activities.functions import Functions
from workflows.call import call


async def answers_follow_from_operations() -> None:
    """The type of an answer is known."""
    alias = await call(
        Aliases.get_alias, GetAliasRequest(function_name="checkout", name="live"), summary=""
    )
    assert_type(alias, AliasConfiguration)
    function = await call(
        Functions.get_function, GetFunctionRequest(function_name="checkout"), summary=""
    )
    assert_type(function, GetFunctionResponse)


async def a_request_of_another_operation_is_refused() -> None:
    """Requests fit their operation, and nothing else."""
    asked = GetAliasRequest(function_name="checkout", name="live")
    await call(Aliases.update_alias, asked, summary="")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def a_request_without_what_it_needs_is_refused() -> None:
    """Required members are required (by pyright; pydantic's plugin for mypy does not follow generated aliases)."""
    UpdateAliasRequest(function_name="checkout")  # pyright: ignore[reportCallIssue]

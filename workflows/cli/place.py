"""``--account`` and ``--region``: where a function is, for commands that take a TARGET."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Final, ParamSpec, TypeVar

import typer

from workflows.client.client import ReleaseClient
from workflows.client.errors import BadRequest
from workflows.client.lookup import parse_target
from workflows.domain.target import Target
from workflows.request import ReleaseRequest, RollbackRequest

_P = ParamSpec("_P")
_R = TypeVar("_R")
_Request = TypeVar("_Request", ReleaseRequest, RollbackRequest)

AccountOption = Annotated[
    str | None,
    typer.Option(
        "--account",
        metavar="ID",
        help="The AWS account of the function, where a name could mean several.",
        show_default=False,
    ),
]
RegionOption = Annotated[
    str | None,
    typer.Option(
        "--region",
        metavar="NAME",
        help="The AWS region of the function, where a name could mean several.",
        show_default=False,
    ),
]
_TARGET: Final = "target"
_OPTIONS: Final = {"account": AccountOption, "region": RegionOption}


async def locate_request(
    releases: ReleaseClient, request: _Request, *, account: str | None, region: str | None
) -> _Request:
    """Return a request whose target is an ARN, where an account or a region is given."""
    located = await locate_target(releases, request.target, account=account, region=region)
    return request.model_copy(update={"target": located})


async def locate_target(
    releases: ReleaseClient, target: Target, *, account: str | None, region: str | None
) -> Target:
    """Return a target by its ARN, where an account or a region is given."""
    if not account and not region:
        return target
    return await releases.places.locate(target, account=account, region=region)


def add_place_options(
    command: Callable[_P, Coroutine[Any, Any, _R]],
    connect: Callable[[], Coroutine[Any, Any, ReleaseClient]],
) -> Callable[_P, Coroutine[Any, Any, _R]]:
    """Add ``--account`` and ``--region`` to a command with a TARGET that has not got them."""
    signature = inspect.signature(command, eval_str=True)
    parameters = signature.parameters
    if _TARGET not in parameters or any(name in parameters for name in _OPTIONS):
        return command

    async def run(*args: Any, **values: Any) -> _R:
        place: dict[str, str | None] = {name: values.pop(name, None) for name in _OPTIONS}
        if given := [name for name, value in place.items() if value]:
            if not values.get(_TARGET):
                raise BadRequest([f"--{given[0]}: is of use with a TARGET only"])
            target = parse_target(values[_TARGET])
            located = await locate_target(await connect(), target, **place)
            values[_TARGET] = f"{located.function}:{located.alias}"
        return await command(*args, **values)

    run.__name__, run.__doc__ = command.__name__, command.__doc__
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, annotation in _OPTIONS.items()
    ]
    # Typer reads the signature by inspect, which reads this attribute first.
    run.__signature__ = signature.replace(parameters=[*parameters.values(), *options])  # type: ignore[attr-defined] # inspect's protocol, not in typeshed
    return run

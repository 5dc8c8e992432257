"""The format of a command's output: text for people, or JSON for programs."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any, Final, ParamSpec, TypeVar

import typer
from pydantic import TypeAdapter

_P = ParamSpec("_P")
_R = TypeVar("_R")

JsonOption = Annotated[bool, typer.Option("--json", help="As -o json.", hidden=True)]
"""Whether a command prints JSON. A command that takes it takes ``-o``, too."""


class OutputFormat(StrEnum):
    """The formats of a command's output."""

    TEXT = "text"
    JSON = "json"


_OUTPUT: Final = inspect.Parameter(
    "output",
    inspect.Parameter.KEYWORD_ONLY,
    default=OutputFormat.TEXT,
    annotation=Annotated[
        OutputFormat,
        typer.Option("--output", "-o", metavar="FORMAT", help="text or json."),
    ],
)


def add_output_option(command: Callable[_P, _R]) -> Callable[_P, _R]:
    """Add ``-o`` to a command with a parameter ``json``, which ``-o json`` sets."""
    signature = inspect.signature(command, eval_str=True)
    if "json" not in signature.parameters:
        return command

    def run(*args: Any, **flags: Any) -> Any:
        output = flags.pop(_OUTPUT.name, OutputFormat.TEXT)
        flags["json"] = flags.get("json", False) or output is OutputFormat.JSON
        return command(*args, **flags)

    run.__name__, run.__doc__ = command.__name__, command.__doc__
    parameters = [*signature.parameters.values(), _OUTPUT]
    # Typer reads the signature by inspect, which reads this attribute first.
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined] # inspect's protocol, not in typeshed
    return run


def print_json(value: object, kind: Any = None, *, indent: int | None = 2) -> None:
    """Print a value as JSON; ``kind`` is its type, where it is a list."""
    adapter = TypeAdapter(kind or type(value))
    typer.echo(adapter.dump_json(value, indent=indent).decode())

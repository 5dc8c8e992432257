"""Wrong usage of a command, in the words of who typed it.

Typer validates flags by pydantic, and prints pydantic's own messages.
"""

from __future__ import annotations

import re
import sys
from typing import Any, Final

import typer
from pydantic import ValidationError
from rich.console import Console
from typer.core import TyperGroup
from typer.exceptions import TyperException

from workflows.domain.input_words import describe_error
from workflows.domain.suggestion import ask_whether_meant

_QUOTED: Final = re.compile(r"'([^']*)'")


class CommandGroup(TyperGroup):
    """A group of commands, whose usage errors are in our words, and without a frame in a pipe."""

    def main(self, *args: Any, **options: Any) -> Any:
        """Run the command that the arguments name, and exit, as Typer does."""
        if not options.get("standalone_mode", True) or Console(stderr=True).is_terminal:
            return super().main(*args, **options)
        try:
            status = super().main(*args, **{**options, "standalone_mode": False})
        except TyperException as error:
            problem: Any = error  # of a class that Typer does not export: it shows itself
            problem.show()
            sys.exit(problem.exit_code)
        sys.exit(status or 0)

    def invoke(self, ctx: Any) -> Any:
        """Run the command, as Typer does."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            if isinstance(error.__cause__, ValidationError):
                error.message = _describe_value(error.__cause__)
            raise


def _describe_value(error: ValidationError) -> str:
    text = describe_error(error.errors()[0])
    value, *choices = _QUOTED.findall(text) or [""]
    return text.rstrip(".") + ask_whether_meant(value, choices)

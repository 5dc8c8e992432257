"""Wrong usage of a command, in the words of who typed it.

Typer validates flags by pydantic, and prints pydantic's own messages.
"""

from __future__ import annotations

import re
from typing import Any, Final

import typer
from pydantic import ValidationError
from typer.core import TyperGroup

from workflows.domain.input_words import describe_error
from workflows.domain.suggestion import ask_whether_meant

_QUOTED: Final = re.compile(r"'([^']*)'")


class CommandGroup(TyperGroup):
    """A group of commands, whose usage errors are in our words."""

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

"""Text in Markdown, whoever wrote it: names, messages of AWS, reasons."""

from __future__ import annotations

import re
from typing import Final

_SPECIAL: Final = re.compile(r"([\\`*_\[\]|~#$])")
_FENCE: Final = "~~~"


def escape(text: str) -> str:
    """One line of plain text: no markup, no table cells, no mention of a person."""
    line = " ".join(text.split())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(r"\\\1", line).replace("@", "@<!-- -->")


def quote_code(text: str) -> str:
    """One line between backticks."""
    return f"`{' '.join(text.replace('`', chr(39)).split())}`"


def fence(text: str) -> str:
    """Text as it is, in a block of code."""
    fence_ = _FENCE
    while fence_ in text:
        fence_ += "~"
    return f"{fence_}text\n{text.rstrip()}\n{fence_}"


def fold(title: str, body: str) -> str:
    """A part that is closed until somebody opens it."""
    return f"<details><summary>{escape(title)}</summary>\n\n{body}\n\n</details>"

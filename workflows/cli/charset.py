r"""Output where the terminal's encoding lacks a character: it is spelled with others.

``✓`` becomes ``+``. What has no such spelling is printed as ``\u00fc``, which JSON reads, too.
"""

from __future__ import annotations

import codecs
import io
import sys
from collections.abc import Sequence
from typing import Final

_ERRORS: Final = "spell"

_SPELLINGS: Final = {
    "…": "...",
    "·": "-",
    "∙": ".",
    "•": "-",
    "–": "-",
    "×": "x",
    "✓": "+",
    "✗": "x",
    "▶": ">",
    "»": ">>",
    "→": "->",
    "↩": "<-",
    "↻": "~",
    "●": "*",
    "■": "#",
    "█": "#",
    "░": ".",
}
_MAX_BASIC: Final = 0xFFFF
_USAGE: Final = 2


def spell_unencodable() -> None:
    """Let stdout and stderr spell what they cannot encode, instead of failing."""
    codecs.register_error(_ERRORS, _spell)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ERRORS)


def _spell(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(_SPELLINGS.get(character) or _escape(character) for character in text), error.end


def _escape(character: str) -> str:
    number = ord(character)
    if number <= _MAX_BASIC:
        return f"\\u{number:04x}"
    pair = character.encode("utf-16-be")
    return f"\\u{pair[:2].hex()}\\u{pair[2:].hex()}"


def refuse_unreadable_arguments(arguments: Sequence[str]) -> None:
    """Exit with a usage error if an argument is no text: bytes in another encoding."""
    for argument in arguments:
        if not argument.isprintable() and any(map(_is_surrogate, argument)):
            sys.stderr.write(f"releases: {argument}: not text in the encoding of this terminal\n")
            raise SystemExit(_USAGE)


def _is_surrogate(character: str) -> bool:
    return "\ud800" <= character <= "\udfff"

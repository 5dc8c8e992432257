"""The problems of a rejected request, out of its reasons and out of the details of its failure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, cast

from pydantic import ValidationError

from workflows.domain.status import InputProblem, ReleaseStatus
from workflows.domain.target import Target

WHOLE_INPUT: Final = "(input)"
"""The field of a problem that is not one of a single field."""

_REASON: Final = re.compile(
    r"((?:target|artifact|configuration|strategy|concurrency|hooks|guards|notify|version|again"
    r"|hotfix|include_latest|even_if_inactive|requested_by|reason)(?:\.[\w-]+)*): (.+)",
    re.ASCII | re.DOTALL,
)
"""``artifact.key: there is none``: how the reasons of a rejection name their field."""

_NOTE_LENGTH: Final = 1000


def split_reasons(reasons: Iterable[object]) -> tuple[InputProblem, ...]:
    """Return the reasons of a rejection, each with the field that it begins with."""
    return tuple(_split(str(reason)) for reason in reasons)


def _split(reason: str) -> InputProblem:
    if found := _REASON.fullmatch(reason):
        return InputProblem(field=found[1], problem=found[2])
    return InputProblem(field=WHOLE_INPUT, problem=reason)


def make_rejection(
    text: str, problems: Iterable[InputProblem], document: object = None
) -> ReleaseStatus:
    """Return the status of a request that was rejected before it was understood.

    ``document`` is what was requested, as far as it could be parsed.
    """
    return ReleaseStatus.rejected(
        f"Rejected: {text}"[:_NOTE_LENGTH], _read_target(document), tuple(problems)
    )


def _read_target(document: object) -> Target | None:
    """Return the target of a request that has other problems; None where that is one of them."""
    if not isinstance(document, Mapping):
        return None
    try:
        return Target.model_validate(cast("Mapping[str, object]", document).get("target")).bare
    except ValidationError:
        return None


def read_problems(details: Sequence[object]) -> tuple[InputProblem, ...]:
    """Return the problems in the details of a failure.

    That is a status; in a refused update, and in failures of before, a list of problems.
    """
    first = details[0] if details else ()
    if isinstance(first, ReleaseStatus):
        return first.problems
    if isinstance(first, Mapping):
        first = cast("Mapping[str, object]", first).get("problems", ())
    if not isinstance(first, list | tuple):
        return ()
    try:
        return tuple(InputProblem.model_validate(each) for each in cast("Sequence[object]", first))
    except ValidationError:
        return ()

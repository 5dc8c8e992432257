"""Puts ``$LATEST`` back as the release found it, and says what is not as it was."""

from __future__ import annotations

from itertools import groupby
from typing import Final

from activities.restore_latest import RestoreLatest
from activities.restore_models import (
    LatestBefore,
    Leftover,
    RestoreLatestRequest,
    RestoreLatestResponse,
)
from workflows.call import CallOptions, call
from workflows.domain.journal import Journal

_CAUSE_LENGTH: Final = 500
_REASONS: Final = {
    "foreign": "changed by another writer since, and left like that",
    "lost": "not as before",
}


async def put_back_latest(journal: Journal, options: CallOptions) -> str | None:
    """Put back what a release changed in ``$LATEST``; return, as text, what is not as it was."""
    version = journal.stable
    answer = await call(
        RestoreLatest.restore_latest,
        _to_request(journal, version),
        summary=f"Put {' and '.join(journal.latest)} of $LATEST back "
        + ("as before" if journal.found or version is None else f"to version {version}"),
        options=options,
    )
    return describe_leftovers(answer)


def _to_request(journal: Journal, version: str | None) -> RestoreLatestRequest:
    found = journal.found
    return RestoreLatestRequest(
        function_name=journal.function,
        version=version,
        parts=list(journal.latest),
        before=LatestBefore.model_validate(found.model_dump()) if found else None,
        description=journal.description,
        replacing=journal.candidate,
        written=journal.written,
        uploaded=journal.uploaded,
        source=journal.source,
        superseded=journal.revision,
        settled=journal.settled,
    )


def describe_leftovers(answer: RestoreLatestResponse) -> str | None:
    """Return what was put back and what was not, as text; None where all is as it was."""
    if not answer.leftovers:
        return None
    texts = [
        _describe(reason, cause, [leftover.name for leftover in leftovers])
        for (reason, cause), leftovers in groupby(
            sorted(answer.leftovers, key=_to_key), key=_to_key
        )
    ]
    if back := [*answer.restored, *answer.intact]:
        texts.insert(0, f"{_join(back)} of $LATEST {_is(back)} as before")
    return "; ".join(texts)


def _to_key(leftover: Leftover) -> tuple[str, str]:
    return leftover.reason, leftover.cause


def _describe(reason: str, cause: str, names: list[str]) -> str:
    cause = cause[:_CAUSE_LENGTH].rstrip(".")
    what = f"{_join(names)} of $LATEST"
    match reason:
        case "foreign":
            return f"{what} {_is(names)} {_REASONS[reason]} ({cause})"
        case "lost":
            return f"{what} {_is(names)} {_REASONS[reason]}: {cause}"
        case _:
            return f"{what} could not be put back: {cause}"


def _join(names: list[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _is(names: list[str]) -> str:
    return "are" if len(names) > 1 else "is"

"""Puts ``$LATEST`` back as the release found it, and says what is not as it was."""

from __future__ import annotations

from itertools import groupby
from typing import Final

from temporalio.exceptions import ActivityError, is_cancelled_exception

from activities.restore_latest import RestoreLatest
from activities.restore_models import (
    LatestBefore,
    Leftover,
    RestoreLatestRequest,
    RestoreLatestResponse,
)
from workflows.call import CallOptions, call
from workflows.domain.formatting import append_cause
from workflows.domain.journal import Journal
from workflows.domain.target import Place
from workflows.past_packages import find_past_package

_CAUSE_LENGTH: Final = 500
_REASONS: Final = {
    "foreign": "changed by another writer since, and left like that",
    "lost": "not as before",
}


async def put_back_latest(journal: Journal, options: CallOptions, cause: str) -> str | None:
    """Put back what a release changed in ``$LATEST``; return, as text, what is not as it was.

    A package that is too large to be sent back is taken from where an earlier release had it. The
    timeline names the ``cause``.
    """
    request = _to_request(journal)
    parts = " and ".join(journal.latest)
    place = "as before" if journal.found else f"to version {journal.stable}"
    summary = append_cause(f"Put {parts} of $LATEST back {place}", cause)
    answer = await call(RestoreLatest.restore_latest, request, summary=summary, options=options)
    large = next((each.version for each in answer.leftovers if each.reason == "too_large"), None)
    if large is not None and (package := await _find_package(journal.function, large)):
        request = request.model_copy(update={"package": package})
        summary = f"Put {parts} of $LATEST back, the package from S3"
        answer = await call(RestoreLatest.restore_latest, request, summary=summary, options=options)
    return describe_leftovers(answer)


async def _find_package(function: str, version: str) -> dict[str, str]:
    """Find where a version's package came from; empty where that is not known."""
    try:
        return await find_past_package(Place.from_arn(function), version)
    except (ActivityError, ValueError) as error:
        if is_cancelled_exception(error):
            raise
        return {}


def _to_request(journal: Journal) -> RestoreLatestRequest:
    found = journal.found
    return RestoreLatestRequest(
        function_name=journal.function,
        version=journal.stable,
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

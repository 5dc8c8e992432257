"""Checks what a release names and is to write: its package, its image, its references.

They are looked up by the activity that compares ``$LATEST``, at no cost of an event.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, cast

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from activities.artifact_lookup import IMAGE, PACKAGE, REFERENCES, LookupFinding
from activities.dynamic_references import INVALID_REFERENCE, REFERENCE_NOT_SERVED
from activities.function_models import UpdateFunctionCodeRequest
from workflows import actions
from workflows.call import code_of
from workflows.domain.artifact import Image, S3Package
from workflows.domain.target import Target
from workflows.request import ReleaseRequest

PENDING_UPLOAD_MEMO: Final = "pending_upload"
"""The memo of a ``Plan`` whose package is uploaded before the release, and is not there yet."""

REFERENCES_FIELD: Final = "configuration.Environment"

_FIELDS: Final = {PACKAGE: "artifact", IMAGE: "artifact.uri", REFERENCES: REFERENCES_FIELD}
_REFERENCE_CODES: Final = (REFERENCE_NOT_SERVED, INVALID_REFERENCE)
_REFERENCE_READS: Final = ("get_parameters", "get_secret_value")


def is_uploaded() -> bool:
    """Whether the package of the current workflow is to be in S3 by now."""
    return not workflow.memo_value(PENDING_UPLOAD_MEMO, default=False)


def find_named_code(request: ReleaseRequest, target: Target) -> UpdateFunctionCodeRequest | None:
    """Return the code that a request names, to be looked up.

    An image is looked up by its digest: a tag has to be resolved, and is missing then.
    """
    match request.artifact:
        case S3Package() as artifact if is_uploaded():
            return actions.make_code_request(target.function, artifact)
        case Image(uri=uri) as artifact if "@" in uri:
            return actions.make_code_request(target.function, artifact)
        case _:
            return None


def list_missing(lookups: Iterable[LookupFinding]) -> Iterator[str]:
    """List what is not there, as refusals that name the field."""
    for found in lookups:
        if found.is_missing:
            yield f"{_FIELDS.get(found.subject, found.subject)}: {found.problem}"


def list_unread(lookups: Iterable[LookupFinding]) -> Iterator[str]:
    """List what was not looked up, as notes."""
    if not is_uploaded():
        yield "The package is not uploaded yet, and was not looked at"
    for found in lookups:
        if not found.is_missing:
            yield f"The {found.subject} was not looked at, and may not be there: {found.problem}"


def is_about_references(error: ActivityError) -> bool:
    """Whether the failure of a comparison is about references: they could not be read."""
    cause = error.cause
    details = cause.details[0] if isinstance(cause, ApplicationError) and cause.details else None
    if not isinstance(details, Mapping):
        return False
    operation = cast("Mapping[str, object]", details).get("operation")
    return operation in _REFERENCE_READS or code_of(error) in _REFERENCE_CODES

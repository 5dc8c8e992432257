"""The input of a run that goes on with a release: the request, and what the run before knew."""

from __future__ import annotations

from typing import Any

from pydantic import JsonValue

from workflows.request import ReleaseRequest, RollbackRequest

Carried = dict[str, JsonValue]
"""What a run hands to the next one: a :class:`~workflows.carried_state.CarriedState`, as JSON."""


class ContinuedRelease(ReleaseRequest):
    """A release whose run before has handed over what it knew."""

    carried: Carried


class ContinuedRollback(RollbackRequest):
    """A rollback whose run before has handed over what it knew."""

    carried: Carried


def continue_request(
    request: ReleaseRequest | RollbackRequest, carried: Carried
) -> ContinuedRelease | ContinuedRollback:
    """Return the request for the next run of a release, which goes on with ``carried``."""
    is_release = isinstance(request, ReleaseRequest)
    model = ContinuedRelease if is_release else ContinuedRollback
    given: dict[str, Any] = {name: getattr(request, name) for name in request.model_fields_set}
    return model.model_construct(None, **{**given, "carried": carried})

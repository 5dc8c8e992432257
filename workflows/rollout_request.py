"""The input of ``Rollout``: that of the ``Release`` or ``Rollback`` which starts it.

Where its history became long, a ``Rollout`` continues in a new run, with what it knew as one more
key, ``carried``.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Discriminator, JsonValue, RootModel, Tag

from workflows.domain.inputs import Input
from workflows.request import ReleaseRequest, RollbackRequest, find_keys

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
    given = {name: getattr(request, name) for name in request.model_fields_set}
    return model.model_construct(**{**given, "carried": carried})


def find_request_kind(value: object) -> str:
    """Return whether the input of a ``Rollout`` is a ``release`` or a ``rollback``."""
    if isinstance(value, RollbackRequest):
        return "rollback"
    keys = find_keys(value)
    is_release = not keys or keys & {"artifact", "configuration", "strategy"}
    return "release" if is_release else "rollback"


def _find_tag(value: object) -> str:
    kind = find_request_kind(value)
    is_continued = isinstance(value, ContinuedRelease | ContinuedRollback)
    return f"continued_{kind}" if is_continued or "carried" in find_keys(value) else kind


class RolloutRequest(
    RootModel[
        Annotated[
            Annotated[ContinuedRelease, Tag("continued_release")]
            | Annotated[ContinuedRollback, Tag("continued_rollback")]
            | Annotated[ReleaseRequest, Tag("release")]
            | Annotated[RollbackRequest, Tag("rollback")],
            Discriminator(_find_tag),
        ]
    ]
):
    """The input of ``Rollout``: that of the ``Release`` or ``Rollback`` that starts it."""

    failure_type: ClassVar[str] = Input.failure_type

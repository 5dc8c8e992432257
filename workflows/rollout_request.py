"""The input of ``Rollout``: that of the ``Release`` or ``Rollback`` which starts it.

Where its history became long, a ``Rollout`` continues in a new run, with what it knew as one more
key, ``carried``.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Discriminator, RootModel, Tag

from workflows.domain.inputs import Input
from workflows.request import (
    ContinuedRelease,
    ContinuedRollback,
    ReleaseRequest,
    RollbackRequest,
    find_keys,
)


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

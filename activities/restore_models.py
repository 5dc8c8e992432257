"""The request and the response of ``restore_latest``."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field

from activities.shapes import (
    Boolean,
    BoundedText,
    Description,
    FunctionName,
    PublishedVersionNumber,
    Request,
    Response,
)

CODE: Final = "code"
"""The name of the code in a response, beside the names of settings."""

Part = Literal["code", "configuration"]

LeftoverReason = Literal["refused", "too_large", "foreign", "lost"]
"""Why a part of ``$LATEST`` is not as it was.

AWS refuses it; its package is larger than a request may be; another writer has changed it since; no
published version has what was there.
"""


def _all_parts() -> list[Part]:
    return ["code", "configuration"]


class LatestBefore(Request):
    """What ``$LATEST`` held before the release.

    ``settings`` are those that the release writes, each with its value before; of the environment
    the names of its variables alone. Its values are those of ``environment_version``, or of the
    version to copy from where that is not known. ``location`` names an image, or a package that
    Lambda references, as UpdateFunctionCode takes it. A published version has any other code.
    """

    code_sha256: str = ""
    architectures: list[str] = Field(default_factory=list)
    location: dict[str, str] = Field(default_factory=dict)
    settings: dict[str, Any] = Field(default_factory=dict)
    environment_version: PublishedVersionNumber | None = None
    is_environment_lost: Boolean = False


class RestoreLatestRequest(Request):
    """The function, and what to put back into its ``$LATEST``.

    ``before`` is what was there. Without it, ``version`` is copied; with it, ``version`` is where
    to copy from what no other version has. ``description`` is the function's own: a version's
    description is about the version, and is not copied.

    What tells the release's own content from another writer's: ``replacing`` is the version that
    was published from it, ``written`` are the settings that the release writes (of the environment
    the names of its variables), ``uploaded`` is the code (base64 of its SHA-256), ``source`` where
    that came from (as UpdateFunctionCode takes it), ``settled`` the RevisionId after the last
    change. ``superseded`` is the RevisionId from before the first change: at that revision nothing
    was changed, but a read may still return it for a moment.

    ``package`` is the S3 object, with its version, of a package that is too large to be sent back.
    """

    function_name: FunctionName
    version: PublishedVersionNumber | None = None
    parts: Annotated[list[Part], Field(min_length=1)] = Field(default_factory=_all_parts)
    before: LatestBefore | None = None
    description: Description | None = None
    replacing: PublishedVersionNumber | None = None
    written: dict[str, Any] = Field(default_factory=dict)
    uploaded: str | None = None
    source: dict[str, str] = Field(default_factory=dict)
    superseded: str | None = None
    settled: str | None = None
    package: dict[str, str] = Field(default_factory=dict)

    @property
    def has_known_content(self) -> bool:
        """Whether anything tells the release's own content from another writer's."""
        return bool(self.replacing or self.written or self.uploaded or self.source or self.settled)


class Leftover(Response):
    """A part of ``$LATEST`` that is not as it was: the code, or a setting; and why.

    ``version`` is the one whose package is too large.
    """

    name: str
    reason: str
    cause: BoundedText
    version: str | None = None


class RestoreLatestResponse(Response):
    """What was put back into ``$LATEST``, and what was not.

    ``restored`` names what this attempt has written, ``intact`` what was as before already: the
    code, and settings. The code before and after is ``$LATEST``'s, as base64 of its SHA-256.
    """

    restored: list[str] = Field(default_factory=list)
    intact: list[str] = Field(default_factory=list)
    leftovers: list[Leftover] = Field(default_factory=list)
    code_sha256_before: str
    code_sha256_after: str

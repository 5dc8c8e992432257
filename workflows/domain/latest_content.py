"""What ``$LATEST`` held before a release: what an undo puts back there."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, JsonValue


class LatestContent(BaseModel):
    """The content of ``$LATEST`` as preflight found it. No code and no secret.

    - ``code_sha256``, ``architectures``: what identifies the code (base64 of its SHA-256).
    - ``location``: the members of UpdateFunctionCode that name the code, where AWS knows it by
      name: an image by its digest, a package that Lambda references in S3. Empty for a package that
      Lambda has copied.
    - ``settings``: the value of each setting that the release changes, as
      UpdateFunctionConfiguration takes it. Of the environment the names of its variables alone.
    - ``environment_version``: the published version that has the same environment. None: unknown,
      or with ``is_environment_lost`` none has it.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    code_sha256: str = ""
    architectures: tuple[str, ...] = ()
    location: dict[str, str] = Field(default_factory=dict[str, str])
    settings: dict[str, JsonValue] = Field(default_factory=dict[str, JsonValue])
    environment_version: str | None = None
    is_environment_lost: bool = False

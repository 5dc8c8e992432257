"""Where the credentials of a connection to AWS come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

DEFAULT_SESSION_NAME: Final = "lambda-releases"


@dataclass(frozen=True)
class CredentialSource:
    """A profile of AWS's configuration files, or a role; with neither, botocore's own chain.

    The role is assumed with the credentials of botocore's chain, and anew before its session ends.
    CloudTrail shows ``session_name`` in the identity of each call, and ``session_tags`` with the
    start of a session; the role must allow ``sts:TagSession`` for them.
    """

    profile: str | None = None
    role_arn: str | None = None
    external_id: str | None = None
    session_name: str = DEFAULT_SESSION_NAME
    session_tags: Mapping[str, str] = field(default_factory=dict[str, str])

    def build_session_options(self) -> dict[str, Any]:
        """Build what AssumeRole takes beside the role."""
        options: dict[str, Any] = {"RoleSessionName": self.session_name}
        if self.external_id is not None:
            options["ExternalId"] = self.external_id
        if self.session_tags:
            options["Tags"] = [
                {"Key": key, "Value": value} for key, value in sorted(self.session_tags.items())
            ]
        return options


class StoredCredentials:
    """A chain of one: what botocore asks for the credentials of a session."""

    def __init__(self, credentials: object) -> None:
        """``credentials`` are an object of botocore's."""
        self._credentials = credentials

    async def load_credentials(self) -> object:
        """Return them, as a resolver of botocore's does."""
        return self._credentials

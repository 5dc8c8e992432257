"""The target of a release: an alias of a function, and where that function is."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from workflows.domain.inputs import Input

_FUNCTION: Final = re.compile(
    r"(?:(?:arn:[a-z-]+:lambda:[a-z0-9-]+:)?\d{12}:function:)?([a-zA-Z0-9-_]{1,64})", re.ASCII
)
_ARN: Final = re.compile(
    r"arn:[a-z-]+:lambda:([a-z0-9-]+):(\d{12}):function:([a-zA-Z0-9-_]+)(?::.*)?", re.ASCII
)
_ALIAS: Final = re.compile(r"(?!\d+$)[a-zA-Z0-9-_]+", re.ASCII)


def _check_function(value: str) -> str:
    if not _FUNCTION.fullmatch(value):
        raise ValueError(
            "not a function's name (letters, digits, - and _, at most 64), partial ARN or ARN; "
            "the alias goes into `alias`"
        )
    return value


def _check_alias(value: str) -> str:
    if not _ALIAS.fullmatch(value):
        raise ValueError(
            "not an alias' name: letters, digits, - and _, and not digits only (those are versions)"
        )
    return value


FunctionName = Annotated[str, Field(max_length=140), AfterValidator(_check_function)]
AliasName = Annotated[str, Field(min_length=1, max_length=128), AfterValidator(_check_alias)]


class Target(Input):
    """A function, by name, partial ARN or ARN, and the alias that its callers invoke."""

    function: FunctionName
    alias: AliasName = "live"

    @property
    def name(self) -> str:
        """The bare name of the function, from any of these forms."""
        return self.function.rsplit(":", 1)[-1]

    @property
    def bare(self) -> Target:
        """The same target, by the bare name of the function."""
        return Target(function=self.name, alias=self.alias)

    def __str__(self) -> str:
        return f"{self.name}:{self.alias}"


class Place(BaseModel):
    """A function with its account and region.

    With an alias, it determines the rollout id.
    """

    model_config = ConfigDict(frozen=True)

    account: str
    region: str
    function: str

    @classmethod
    def from_arn(cls, arn: str) -> Place:
        """Parse the ARN of a function. Anything else is a ``ValueError``."""
        if not (found := _ARN.fullmatch(arn)):
            raise ValueError(f"not the ARN of a function: {arn}")
        return cls(region=found[1], account=found[2], function=found[3])

    def rollout_id(self, alias: str) -> str:
        """The workflow id of the ``Rollout`` of an alias.

        Temporal runs at most one workflow of an id at a time. So the id prevents a second release
        of the alias, and it is the address for controls and history.
        """
        return f"lambda/{self.account}/{self.region}/{self.function}:{alias}"

"""What a release changes: one alias of one function, and the one id under which only one release of it can run."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from workflows.domain.inputs import Input

_FUNCTION = re.compile(
    r"(?:(?:arn:[a-z-]+:lambda:[a-z0-9-]+:)?\d{12}:function:)?([a-zA-Z0-9-_]{1,64})", re.ASCII
)
_ARN = re.compile(
    r"arn:[a-z-]+:lambda:([a-z0-9-]+):(\d{12}):function:([a-zA-Z0-9-_]+)(?::.*)?", re.ASCII
)
_ALIAS = re.compile(r"(?!\d+$)[a-zA-Z0-9-_]+", re.ASCII)


def _function(value: str) -> str:
    if not _FUNCTION.fullmatch(value):
        raise ValueError(
            "not a function's name (letters, digits, - and _, at most 64), partial ARN or ARN; the alias goes into `alias`"
        )
    return value


def _alias(value: str) -> str:
    if not _ALIAS.fullmatch(value):
        raise ValueError(
            "not an alias' name: letters, digits, - and _, and not digits only (those are versions)"
        )
    return value


FunctionName = Annotated[str, Field(max_length=140), AfterValidator(_function)]
AliasName = Annotated[str, Field(min_length=1, max_length=128), AfterValidator(_alias)]


class Target(Input):
    """A function, by name, partial ARN or ARN, and the alias that its callers use."""

    function: FunctionName
    alias: AliasName = "live"

    @property
    def name(self) -> str:
        """The bare name of the function, whatever form was typed."""
        return self.function.rsplit(":", 1)[-1]

    @property
    def bare(self) -> Target:
        """The same target by its bare name."""
        return Target(function=self.name, alias=self.alias)

    def __str__(self) -> str:
        return f"{self.name}:{self.alias}"


class Place(BaseModel):
    """Where a function lives. Together with an alias it makes the id that is lock, address and history of that alias."""

    model_config = ConfigDict(frozen=True)

    account: str
    region: str
    function: str

    @classmethod
    def from_arn(cls, arn: str) -> Place:
        """The place that a function's ARN names. Anything else is a ``ValueError``."""
        if not (found := _ARN.fullmatch(arn)):
            raise ValueError(f"not the ARN of a function: {arn}")
        return cls(region=found[1], account=found[2], function=found[3])

    def rollout_id(self, alias: str) -> str:
        """The workflow id of the ``Rollout`` of this alias: at most one such workflow runs at any time."""
        return f"lambda/{self.account}/{self.region}/{self.function}:{alias}"

"""The target of a release: an alias of a function, and where that function is."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from workflows.domain.inputs import Input
from workflows.domain.rollout_id import RolloutId

_FUNCTION: Final = re.compile(
    r"(?:(?:arn:[a-z-]+:lambda:([a-z0-9-]+):)?(\d{12}):function:)?[a-zA-Z0-9-_]{1,64}", re.ASCII
)
_ARN: Final = re.compile(
    r"arn:([a-z-]+):lambda:([a-z0-9-]+):(\d{12}):function:([a-zA-Z0-9-_]{1,64})(?::.*)?", re.ASCII
)
_MAX_ARN_CHARACTERS: Final = 140
_PARTITIONS: Final = {
    "cn-": "aws-cn",
    "us-gov-": "aws-us-gov",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
    "us-isof-": "aws-iso-f",
    "eu-isoe-": "aws-iso-e",
    "eusc-": "aws-eusc",
}
"""The partitions beside ``aws`` by how the names of their regions begin.

https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html
"""
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


FunctionName = Annotated[
    str, Field(max_length=_MAX_ARN_CHARACTERS), AfterValidator(_check_function)
]
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

    @property
    def account(self) -> str | None:
        """The account that it names; None for a bare name."""
        found = _FUNCTION.fullmatch(self.function)
        return found[2] if found else None

    @property
    def region(self) -> str | None:
        """The region that it names; None for a bare name or a partial ARN."""
        found = _FUNCTION.fullmatch(self.function)
        return found[1] if found else None

    @property
    def rollout_id(self) -> str:
        """The workflow id of its ``Rollout``. A target without an ARN is a ``ValueError``."""
        return Place.from_arn(self.function).rollout_id(self.alias)

    def at(self, place: Place) -> Target:
        """The same target, by the ARN of its function: no other account has it."""
        return Target(function=place.arn, alias=self.alias)

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
    partition: str = "aws"

    @classmethod
    def from_arn(cls, arn: str) -> Place:
        """Parse the ARN of a function. Anything else is a ``ValueError``."""
        if not (found := _ARN.fullmatch(arn)):
            raise ValueError(f"not the ARN of a function: {arn}")
        place = cls(partition=found[1], region=found[2], account=found[3], function=found[4])
        if len(place.arn) > _MAX_ARN_CHARACTERS:
            raise ValueError(f"not the ARN of a function: {arn}")
        return place

    @classmethod
    def in_region(cls, region: str, *, account: str, function: str) -> Place:
        """The place of a function in a region, whose name tells its partition."""
        partition = next(
            (name for begin, name in _PARTITIONS.items() if region.startswith(begin)), "aws"
        )
        return cls(account=account, region=region, function=function, partition=partition)

    @property
    def arn(self) -> str:
        """The unqualified ARN of the function."""
        return f"arn:{self.partition}:lambda:{self.region}:{self.account}:function:{self.function}"

    def rollout_id(self, alias: str) -> str:
        """The workflow id of the ``Rollout`` of an alias.

        Temporal runs at most one workflow of an id at a time. So the id prevents a second release
        of the alias, and it is the address for controls and history.
        """
        return str(RolloutId(self.account, self.region, self.function, alias))

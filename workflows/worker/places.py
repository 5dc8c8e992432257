"""The places of a worker: the AWS accounts and regions that one process serves, by a file.

``python worker.py --config workers.yaml``; ``docs/several-accounts.md`` explains the keys.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, cast

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from activities.credential_source import DEFAULT_SESSION_NAME, CredentialSource
from activities.identity import ServedAccount
from workflows.temporal.input_problems import list_problems

_MOST_OF_PROCESS: Final = 64 - len(DEFAULT_SESSION_NAME) - 1
"""Characters that are left in the name of a session."""

_NOT_IN_SESSION_NAMES: Final = re.compile(r"[^\w+=,.@-]", re.ASCII)
_LOCAL_SCHEMES: Final = ("http://", "https://")


class PlacesFileError(Exception):
    """The file of places is of no use; the message has a line for each problem."""


def _check_endpoint(value: str) -> str:
    if not value.startswith(_LOCAL_SCHEMES):
        raise ValueError("must be a URL, such as http://127.0.0.1:4566")
    return value


AccountId = Annotated[
    str, Field(pattern=r"^[0-9]{12}$", description="The id of an AWS account: twelve digits")
]
RegionName = Annotated[
    str,
    Field(
        pattern=r"^[a-z]{2,}(-[a-z]+)+-[0-9]$",
        description="The name of an AWS region, such as eu-west-1",
    ),
]
RoleArn = Annotated[
    str,
    Field(
        pattern=r"^arn:[a-z-]+:iam::[0-9]{12}:role/[\w+=,.@/-]+$",
        description="The ARN of an IAM role: arn:aws:iam::111111111111:role/releases",
    ),
]
ExternalId = Annotated[
    str,
    Field(
        min_length=2,
        max_length=1224,
        pattern=r"^[\w+=,.@:/-]*$",
        description="An external id: letters, digits and +=,.@:/-",
    ),
]
SessionName = Annotated[
    str,
    Field(
        min_length=2,
        max_length=64,
        pattern=r"^[\w+=,.@-]*$",
        description="The name of a session: letters, digits and +=,.@-",
    ),
]
TagKey = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[\w .:/=+@-]+$")]
TagValue = Annotated[str, Field(max_length=256, pattern=r"^[\w .:/=+@-]*$")]
QueueName = Annotated[str, Field(min_length=1, max_length=200)]


class WorkerPlace(BaseModel):
    """One account and region, with how to reach it.

    ``role_arn`` is assumed by the credentials of this process; without it and without ``profile``
    those are used as they are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    account: AccountId
    region: RegionName
    role_arn: RoleArn | None = None
    external_id: ExternalId | None = None
    session_name: SessionName | None = None
    session_tags: dict[TagKey, TagValue] = Field(
        default_factory=dict[TagKey, TagValue], max_length=50
    )
    profile: Annotated[str, Field(min_length=1)] | None = None
    task_queue: QueueName | None = None
    aws_rate: Annotated[float, Field(ge=0.1)] | None = None
    endpoint_url: Annotated[str, AfterValidator(_check_endpoint)] | None = None

    @model_validator(mode="after")
    def _check_credentials(self) -> WorkerPlace:
        if self.role_arn is not None:
            if self.profile is not None:
                raise ValueError("profile: cannot stand beside role_arn: choose one of them")
            if (found := self.role_arn.split(":")[4]) != self.account:
                raise ValueError(
                    f"role_arn: is a role of account {found}, and the place is in {self.account}"
                )
        for name in ("external_id", "session_name", "session_tags"):
            if getattr(self, name) and self.role_arn is None:
                raise ValueError(f"{name}: is of use with role_arn only")
        return self

    @property
    def served(self) -> ServedAccount:
        """The account and region."""
        return ServedAccount(self.account, self.region)

    @property
    def queue(self) -> str:
        """The task queue: that of the file, else the one that every client knows."""
        return self.task_queue or self.served.queue

    def make_source(self, process: str) -> CredentialSource:
        """Make the source of its credentials; by default sessions are named after ``process``."""
        name = _NOT_IN_SESSION_NAMES.sub("-", process)[-_MOST_OF_PROCESS:]
        return CredentialSource(
            profile=self.profile,
            role_arn=self.role_arn,
            external_id=self.external_id,
            session_name=self.session_name or f"{DEFAULT_SESSION_NAME}-{name}",
            session_tags=self.session_tags,
        )


class PlacesFile(BaseModel):
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    places: Annotated[list[WorkerPlace], Field(min_length=1)]


def read_places(
    path: Path | None, single: Mapping[str, str | None] | None = None
) -> tuple[WorkerPlace, ...]:
    """Read the places of a file, in YAML or JSON; none without one.

    ``single`` are the settings of a worker with one place, by name, which cannot stand beside it.
    Raises :class:`PlacesFileError` with every problem, each with its path in the file.
    """
    if path is None:
        return ()
    if given := [name for name, value in (single or {}).items() if value is not None]:
        raise PlacesFileError(
            f"{given[0]}: unset it beside RELEASES_CONFIG: each place of {path} has its own"
        )
    document = _load(path)
    try:
        found = PlacesFile.model_validate(document).places
    except ValidationError as error:
        data = json.dumps(document, default=str).encode()
        problems = [
            f"{problem['field']}: {problem['problem']}"
            for problem in list_problems(error, data, PlacesFile)
        ]
        raise PlacesFileError(_join(path, problems)) from None
    if problems := [*_list_repeated(found)]:
        raise PlacesFileError(_join(path, problems))
    return tuple(found)


def _join(path: Path, problems: list[str]) -> str:
    return "\nworker: ".join(f"{path}: {problem}" for problem in problems)


def _list_repeated(places: list[WorkerPlace]) -> Iterator[str]:
    """What two places may not share: an account with its region, and a task queue."""
    owners: dict[Hashable, list[int]] = defaultdict(list)
    for number, place in enumerate(places):
        owners[place.served].append(number)
        owners[place.queue].append(number)
    for shared, (first, *others) in owners.items():
        for number in others:
            if isinstance(shared, ServedAccount):
                yield f"places.{number}: {shared} is places.{first} already"
            elif places[first].served != places[number].served:
                yield f"places.{number}.task_queue: {shared} is that of places.{first} already"


class _StrictLoader(yaml.SafeLoader):
    """Refuses a key that stands twice, of which YAML's own loader silently takes the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        found = super().construct_mapping(node, deep=deep)
        if len(found) < len(node.value):
            names = [str(key.value) for key, _ in node.value]
            twice = next(name for name in names if names.count(name) > 1)
            mark = node.start_mark
            raise yaml.YAMLError(f"{twice} stands twice in what begins in line {mark.line + 1}")
        return found


def _load(path: Path) -> Mapping[str, object]:
    try:
        loaded: object = yaml.load(path.read_text(encoding="utf-8"), _StrictLoader)  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise PlacesFileError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise PlacesFileError(f"{path}: not text in UTF-8: {error.reason}") from None
    except yaml.YAMLError as error:
        raise PlacesFileError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(loaded, dict):
        raise PlacesFileError(f"{path}: must be a mapping with the key places")
    return cast("Mapping[str, object]", loaded)

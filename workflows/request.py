"""The inputs of ``Release`` and ``Rollback``.

Here the models of :mod:`workflows.domain` meet those of AWS (:mod:`activities`): ``configuration``
holds members of UpdateFunctionConfiguration under AWS's names, validated by the operation's own
model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self, cast

from pydantic import (
    BeforeValidator,
    Field,
    StrictBool,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from activities.cloudwatch.metrics import MAX_CUSTOM_METRICS
from activities.configuration import ConfigurationChange
from activities.shapes import FunctionName
from workflows.domain.input_words import describe_error
from workflows.domain.inputs import Input, Person, Reason
from workflows.domain.rules import NotWorse, Rules
from workflows.domain.strategy import Steps, Strategy, parse_preset
from workflows.domain.target import Target
from workflows.guard_settings import GuardSettings
from workflows.metric_mapping import all_rules, custom_metrics, metric_queries


def _read_number(value: object) -> object:
    """Take a version that was typed as a number, as YAML reads one without quotes."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


VersionNumber = Annotated[
    str,
    Field(
        pattern=r"^[1-9][0-9]{0,18}$",
        description="a published version's number, such as 7; $LATEST and aliases have none",
    ),
    BeforeValidator(_read_number),
]
"""A published version, as AWS writes it: digits in a string. A number is taken, too."""

Revision = Annotated[
    str,
    Field(
        min_length=1,
        max_length=128,
        pattern=r"^[^\x00-\x1f\x7f]+$",
        description="one line of at most 128 characters, such as a git commit",
    ),
]
"""What the code was built from, as people look for it: a git commit, a tag."""

Architecture = Literal["x86_64", "arm64"]
"""The instruction set that code is built for."""

_OTHER_KEYS: Final = (
    ("Architectures", "artifact.architecture"),
    ("SourceKMSKeyArn", "artifact.kms_key"),
    ("S3ObjectStorageMode", "artifact.storage_mode"),
    ("S3Bucket", "artifact.bucket"),
    ("S3Key", "artifact.key"),
    ("S3ObjectVersion", "artifact.object_version"),
    ("ImageUri", "artifact.uri"),
    ("ReservedConcurrentExecutions", "concurrency.reserved"),
    ("ProvisionedConcurrentExecutions", "concurrency.provisioned"),
)
"""What belongs to a function at AWS, and is no member of UpdateFunctionConfiguration."""


class S3Package(Input):
    """A .zip package in S3, in the function's region.

    Without ``object_version`` it is what the key holds when the release runs.
    """

    kind: Literal["s3"]
    bucket: Annotated[
        str,
        Field(
            min_length=3,
            max_length=63,
            pattern=r"^[0-9A-Za-z._-]+$",
            description="a bucket's name: letters, digits, dots, - and _",
        ),
    ]
    key: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    object_version: Annotated[str, StringConstraints(min_length=1, max_length=1024)] | None = None
    architecture: Architecture | None = None
    """What the code is built for; None: what the live version's is."""
    kms_key: (
        Annotated[
            str,
            Field(
                max_length=2048,
                pattern=r"^arn:aws[a-zA-Z-]*:kms:.+$",
                description="the ARN of a KMS key, such as "
                "arn:aws:kms:eu-west-1:123456789012:key/1a2b",
            ),
        ]
        | None
    ) = None
    """The ARN of the KMS key that encrypts the package; None: the live version's."""
    storage_mode: Literal["COPY", "REFERENCE"] | None = None
    """Whether Lambda copies the package or refers to it in S3; None: as AWS has it."""
    revision: Revision | None = None

    def __str__(self) -> str:
        version = f" ({self.object_version})" if self.object_version else ""
        return f"s3://{self.bucket}/{self.key}{version}{_name_revision(self.revision)}"


class Image(Input):
    """A container image in ECR."""

    kind: Literal["image"]
    uri: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    architecture: Architecture | None = None
    """What the image is built for; None: what the live version's is."""
    revision: Revision | None = None

    def __str__(self) -> str:
        return f"{self.uri}{_name_revision(self.revision)}"


class PublishedVersion(Input):
    """A version that was published before."""

    kind: Literal["version"]
    version: VersionNumber

    def __str__(self) -> str:
        return f"version {self.version}"


class Latest(Input):
    """What ``$LATEST`` holds when the release runs."""

    kind: Literal["latest"]
    revision: Revision | None = None

    def __str__(self) -> str:
        return f"$LATEST{_name_revision(self.revision)}"


def _name_revision(revision: str | None) -> str:
    return f", revision {revision}" if revision else ""


Artifact = Annotated[S3Package | Image | PublishedVersion | Latest, Field(discriminator="kind")]


class Concurrency(Input):
    """Concurrent executions: ``reserved`` for the function, ``provisioned`` for the candidate.

    Without ``provisioned`` the candidate gets what the stable version has; 0 takes it away.
    """

    reserved: Annotated[int, Field(strict=True, ge=0, le=1_000_000)] | None = None
    provisioned: Annotated[int, Field(strict=True, ge=0, le=1_000_000)] | None = None


class Hooks(Input):
    """Lambda functions that accept or refuse the candidate, before and after traffic moves.

    Named by name or ARN, with or without a qualifier. ``on_lost``: what happens where the answer of
    one was lost, so that it may have run.
    """

    before_traffic: FunctionName | None = None
    after_traffic: FunctionName | None = None
    on_lost: Literal["hold", "roll_back"] = "hold"


class AliasChange(Input):
    """What a release and a rollback have in common."""

    target: Target
    concurrency: Concurrency = Concurrency()
    hooks: Hooks = Hooks()
    guards: GuardSettings = GuardSettings()
    requested_by: Person = ""
    reason: Reason = ""
    hotfix: StrictBool | None = None
    """Act during an incident: red alarms and limits do not count, comparison with stable does."""
    even_if_inactive: StrictBool | None = None
    """Move traffic to a version that has to wake up."""

    @model_validator(mode="after")
    def _has_reason_for_hotfix(self) -> Self:
        if self.hotfix and not self.reason.strip():
            raise ValueError("reason: a hotfix must say why")
        return self

    def _check_metrics(self, strategy: Steps) -> None:
        """Refuse metrics that CloudWatch cannot be queried for."""
        metrics = custom_metrics(all_rules(strategy, self.guards.metrics))
        if len(metrics) > MAX_CUSTOM_METRICS:
            raise ValueError(
                f"limits: {len(metrics)} metrics of your own are more than the "
                f"{MAX_CUSTOM_METRICS} that one poll can read"
            )
        for metric in metrics:
            try:
                metric_queries([metric], {})
            except ValidationError as error:
                problem = describe_error(error.errors()[0])
                raise ValueError(f"limits: {metric}: {problem}") from None


class ReleaseRequest(AliasChange):
    """Make an artifact, a configuration or both live behind an alias, step by step."""

    artifact: Artifact | None = None
    configuration: ConfigurationChange | None = None
    strategy: Strategy = parse_preset("Canary10Percent5Minutes")
    again: StrictBool | None = None
    """Ship what was rolled back before."""
    include_latest: StrictBool | None = None
    """Ship what differs in ``$LATEST`` from the live version and was not requested."""

    @field_validator("configuration", mode="before")
    @classmethod
    def _refuse_other_settings(cls, value: object) -> object:
        """Name the key for what AWS sets by another operation than UpdateFunctionConfiguration."""
        members = find_keys(value)
        if hints := [f"{name} is set by {key}" for name, key in _OTHER_KEYS if name in members]:
            raise ValueError("; ".join(hints))
        return value

    @model_validator(mode="after")
    def _has_valid_metrics(self) -> Self:
        self._check_metrics(self.strategy)
        return self

    @model_validator(mode="after")
    def _has_reason_for_again(self) -> Self:
        if self.again and not self.reason.strip():
            raise ValueError("reason: releasing again what was rolled back must say why")
        return self

    @property
    def revision(self) -> str | None:
        """What the candidate is built from, if the request says so."""
        artifact = self.artifact
        return artifact.revision if isinstance(artifact, S3Package | Image | Latest) else None

    @property
    def judged_by(self) -> Rules | None:
        """The rules that guard the release throughout.

        A hotfix is only compared with stable: limits that are broken already would stop every fix.
        """
        given = self.guards.metrics
        if not self.hotfix:
            return given
        return Rules(
            not_worse=(given and given.not_worse) or (NotWorse(),),
            alpha=given.alpha if given else Rules().alpha,
        )

    @model_validator(mode="after")
    def _has_something_to_release(self) -> Self:
        if self.artifact is None and self.configuration is None:
            raise ValueError("nothing to release: give an artifact, a configuration or both")
        if isinstance(self.artifact, PublishedVersion) and self.configuration is not None:
            raise ValueError(
                "configuration: a published version cannot be configured; release it alone, "
                "or another kind of artifact"
            )
        if self.configuration is not None and not self.configuration.parameters():
            raise ValueError("configuration: empty; name what is to change")
        return self

    @property
    def summary(self) -> str:
        """What is released and how, in one line."""
        parts = [str(self.artifact)] if self.artifact else []
        if self.configuration is not None:
            parts.append(", ".join(sorted(self.configuration.parameters())))
        prefix = "Hotfix: " if self.hotfix else ""
        return f"{prefix}{' with '.join(parts)} → {self.target} ({self.strategy})"


class RollbackRequest(AliasChange):
    """Put an alias on ``version``, or on the version live before the current one, in one step."""

    version: VersionNumber | None = None

    @property
    def revision(self) -> None:
        """What a rollback goes back to was built before: its description says from what."""
        return None

    @model_validator(mode="after")
    def _has_valid_metrics(self) -> Self:
        self._check_metrics(self.strategy)
        return self

    @property
    def judged_by(self) -> Rules | None:
        """The rules that guard the rollback throughout; only comparison counts in a hotfix."""
        given = self.guards.metrics
        if not self.hotfix or given is None:
            return given
        return Rules(not_worse=given.not_worse, alpha=given.alpha) if given.not_worse else None

    @property
    def strategy(self) -> Steps:
        """The steps of a rollback: none, all traffic moves at once."""
        return Steps(steps=())

    @property
    def summary(self) -> str:
        """What is put back, in one line."""
        version = f"version {self.version}" if self.version else "the version before"
        return f"{'Hotfix: ' if self.hotfix else ''}{version} → {self.target}"


def find_keys(value: object) -> set[str]:
    """Return the keys of a JSON object; none of anything else."""
    return set(cast("Mapping[str, object]", value)) if isinstance(value, Mapping) else set[str]()

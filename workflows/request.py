"""The inputs of ``Release`` and ``Rollback``.

Here the models of :mod:`workflows.domain` meet those of AWS (:mod:`activities`): ``configuration``
holds members of UpdateFunctionConfiguration under AWS's names, validated by the operation's own
model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self, cast

from pydantic import (
    Field,
    JsonValue,
    StrictBool,
    ValidationError,
    field_validator,
    model_validator,
)

from activities.cloudwatch.metrics import MAX_CUSTOM_METRICS
from activities.configuration import ConfigurationChange
from activities.shapes import FunctionName
from workflows.domain.artifact import (
    Artifact,
    Image,
    Latest,
    PublishedVersion,
    S3Package,
    VersionNumber,
)
from workflows.domain.input_words import describe_error
from workflows.domain.inputs import Input, Person, Reason
from workflows.domain.rules import NotWorse, Rules
from workflows.domain.strategy import Steps, Strategy, parse_preset
from workflows.domain.target import Target
from workflows.guard_settings import GuardSettings
from workflows.metric_mapping import all_rules, custom_metrics, metric_queries

Carried = dict[str, JsonValue]
"""What a run hands to the next one: a :class:`~workflows.carried_state.CarriedState`, as JSON."""


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
    given: dict[str, Any] = {name: getattr(request, name) for name in request.model_fields_set}
    return model.model_construct(None, **{**given, "carried": carried})


def find_keys(value: object) -> set[str]:
    """Return the keys of a JSON object; none of anything else."""
    return set(cast("Mapping[str, object]", value)) if isinstance(value, Mapping) else set[str]()

"""The rules of preflight: every reason why a release must not start, as text.

Pure: the facts are values, so that a plan can be made, shown and tested without any call.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from workflows.domain.routing import Routing

UNRESERVED_MINIMUM: Final = 100
"""Concurrent executions that AWS keeps unreserved in an account.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
"""


@dataclass(frozen=True)
class FunctionBuild:
    """What decides whether two versions may share an alias; also of ``$LATEST``."""

    code_sha256: str | None = None
    role: str | None = None
    dead_letter: str | None = None
    package_type: str | None = None
    state: str | None = None
    last_update: str | None = None


@dataclass(frozen=True)
class PreflightFacts:
    """What preflight found in AWS.

    ``stable`` is the version that is live; ``source`` is what the candidate is made from.
    Concurrency is in concurrent executions. ``alarms`` are the states of alarms by their names.
    """

    latest: FunctionBuild
    source: FunctionBuild
    routing: Routing | None
    stable: FunctionBuild | None = None
    alias_provisioned: bool = False
    version_provisioned: int = 0
    reserved: int | None = None
    unreserved: int | None = None
    alarms: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class ReleaseIntent:
    """What is requested, as far as preflight needs it."""

    alias: str
    is_weighted: bool
    writes_latest: bool
    configuration_only: bool
    image: bool
    package: bool
    clears_weights: bool
    reserved: int | None = None
    provisioned: int | None = None
    alarms: tuple[str, ...] = ()
    hotfix: bool = False


def find_refusals(intent: ReleaseIntent, facts: PreflightFacts) -> list[str]:
    """Find every reason not to start; an empty list means that the release may start."""
    return [
        *_check_function(intent, facts),
        *_check_alias(intent, facts),
        *_check_concurrency(intent, facts),
        *_check_alarms(intent, facts),
    ]


def _check_function(intent: ReleaseIntent, facts: PreflightFacts) -> Iterator[str]:
    latest, source, stable = facts.latest, facts.source, facts.stable
    if intent.writes_latest and (latest.last_update == "InProgress" or latest.state == "Pending"):
        yield (
            f"an update of the function is in progress already (State {latest.state}, "
            f"LastUpdateStatus {latest.last_update}): wait for it"
        )
    if not intent.writes_latest and source.state in {"Pending", "Failed"}:
        yield f"version: it cannot serve traffic, its State is {source.state}"
    if intent.image and latest.package_type == "Zip":
        yield "artifact: the function takes .zip packages, not images"
    if intent.package and latest.package_type == "Image":
        yield "artifact: the function takes images, not .zip packages"
    if intent.configuration_only and stable and latest.code_sha256 != stable.code_sha256:
        yield (
            f"configuration: $LATEST holds other code ({latest.code_sha256}) than the live version "
            f"({stable.code_sha256}), which a release of configuration alone would ship: name the "
            'artifact, {"kind": "latest"} if that code is meant'
        )
    if intent.is_weighted and stable:
        if source.role != stable.role:
            yield (
                f"strategy: two versions with different roles ({stable.role}, {source.role}) "
                "cannot share an alias: use AllAtOnce"
            )
        if source.dead_letter != stable.dead_letter:
            yield (
                "strategy: two versions with different dead-letter targets "
                f"({stable.dead_letter}, {source.dead_letter}) cannot share an alias: use AllAtOnce"
            )


def _check_alias(intent: ReleaseIntent, facts: PreflightFacts) -> Iterator[str]:
    if facts.routing is None:
        return
    if facts.routing.version == "$LATEST":
        yield (
            f"target.alias: {intent.alias} points to $LATEST, which no rollback can restore: "
            "point it to a published version first"
        )
    if facts.routing.weights and not intent.clears_weights:
        yield (
            f"target.alias: {intent.alias} still has weights ({facts.routing}): another release "
            "did not finish; roll back or clear them first"
        )
    if facts.alias_provisioned and intent.is_weighted:
        yield (
            f"target.alias: {intent.alias} carries provisioned concurrency itself, which AWS does "
            "not allow with weights: put it on the version (`concurrency.provisioned`) and delete "
            "the alias' own, or use AllAtOnce"
        )
    if facts.alias_provisioned and intent.provisioned is not None:
        yield (
            f"concurrency.provisioned: {intent.alias} carries provisioned concurrency itself; "
            "a version it points to cannot have its own"
        )


def _check_concurrency(intent: ReleaseIntent, facts: PreflightFacts) -> Iterator[str]:
    reserved = facts.reserved if intent.reserved is None else intent.reserved
    if intent.reserved is not None and facts.unreserved is not None:
        left = facts.unreserved + (facts.reserved or 0) - intent.reserved
        if left < UNRESERVED_MINIMUM and intent.reserved > (facts.reserved or 0):
            most = max(0, facts.unreserved + (facts.reserved or 0) - UNRESERVED_MINIMUM)
            yield (
                f"concurrency.reserved: {intent.reserved} would leave {left} unreserved in the "
                f"account; AWS keeps {UNRESERVED_MINIMUM} (at most {most} can be given)"
            )
    if (
        intent.provisioned is not None
        and reserved is not None
        and intent.provisioned + facts.version_provisioned > reserved
    ):
        yield (
            f"concurrency.provisioned: {intent.provisioned}, with {facts.version_provisioned} of "
            "the live version that stay until the end, are more than the "
            f"{reserved} reserved for the function"
        )


def _check_alarms(intent: ReleaseIntent, facts: PreflightFacts) -> Iterator[str]:
    for name in intent.alarms:
        match facts.alarms.get(name):
            case None:
                yield f"guards.alarms: there is no alarm {name}"
            case "ALARM" if not intent.hotfix:
                yield (
                    f"guards.alarms: {name} is in ALARM already "
                    "(if the release mends that, set hotfix: true, and the reason)"
                )
            case _:
                pass

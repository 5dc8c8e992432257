"""The rules of preflight: every reason why a release must not start, as text.

Pure: the facts are values, so that a plan can be made, shown and tested without any call.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from workflows.domain.concurrency_rules import (
    UNRESERVED_MINIMUM,
    find_concurrency_notes,
    find_concurrency_refusals,
)
from workflows.domain.preflight_facts import FunctionBuild, PreflightFacts, ReleaseIntent

__all__ = [
    "UNRESERVED_MINIMUM",
    "FunctionBuild",
    "PreflightFacts",
    "ReleaseIntent",
    "find_notes",
    "find_refusals",
]

WAKING_STATES: Final = {"Inactive", "Pending"}
"""The states of a version that becomes Active by itself, or by an invocation."""


def find_refusals(intent: ReleaseIntent, facts: PreflightFacts) -> list[str]:
    """Find every reason not to start; an empty list means that the release may start."""
    return [
        *_check_running(intent, facts),
        *_check_function(intent, facts),
        *_check_tenants(intent, facts),
        *_check_alias(intent, facts),
        *find_concurrency_refusals(intent, facts),
        *_check_alarms(intent, facts),
    ]


def find_notes(intent: ReleaseIntent, facts: PreflightFacts) -> list[str]:
    """Find what a person should know, and what does not stop the release: a sentence each."""
    return [
        *_note_running(facts),
        *_note_states(intent, facts),
        *find_concurrency_notes(intent, facts),
        *_note_alarms(facts),
        *_note_missing_judge(intent, facts),
    ]


def is_update_in_progress(build: FunctionBuild) -> bool:
    """Whether AWS refuses every change of ``$LATEST`` because another one is in progress."""
    return build.last_update == "InProgress" or build.state == "Pending"


def is_being_released(facts: PreflightFacts) -> bool:
    """Whether another release has changed what was read, and is about to change it again."""
    return facts.running is not None and not facts.running.is_watched


def _check_running(intent: ReleaseIntent, facts: PreflightFacts) -> Iterator[str]:
    if facts.running and not facts.running.is_watched:
        yield (
            f"target.alias: {intent.target} is being released already: {facts.running.rollout} "
            f"(releases status {intent.target})"
        )


def _note_running(facts: PreflightFacts) -> Iterator[str]:
    if facts.running and facts.running.is_watched:
        yield (
            f"The last release is still watched ({facts.running.rollout}): its watch ends as a "
            "newer one begins"
        )


def _note_states(intent: ReleaseIntent, facts: PreflightFacts) -> Iterator[str]:
    source, stable = facts.source, facts.stable
    if intent.writes_latest and is_update_in_progress(facts.latest):
        yield "Somebody else's update of the function is in progress: the release waits for it"
    if stable and stable.state not in {None, "Active"} and facts.routing:
        yield (
            f"Version {facts.routing.version}, which is live, cannot serve at the moment, nor after"
            f" a rollback: its State is {_describe_state(stable)}"
        )
    if not intent.writes_latest and intent.moves and source.state in WAKING_STATES:
        what = f"The version's State is {_describe_state(source)}"
        wakes = "it is woken and waited for before it gets traffic"
        cold = "it gets traffic at once, and its first invocations fail"
        yield f"{what}: {cold if intent.even_if_inactive else wakes}"


def _describe_state(build: FunctionBuild) -> str:
    return f"{build.state} ({build.reason.rstrip('.')})" if build.reason else f"{build.state}"


def _check_function(intent: ReleaseIntent, facts: PreflightFacts) -> Iterator[str]:
    latest, source, stable = facts.latest, facts.source, facts.stable
    if not intent.writes_latest and source.state not in {None, "Active", *WAKING_STATES}:
        yield f"version: it cannot serve traffic, its State is {_describe_state(source)}"
    if source.snap_start and source.isolates_tenants:
        yield "configuration.SnapStart: AWS does not allow it on a function with tenant isolation"
    if facts.signing_problem:
        yield f"artifact: {facts.signing_problem}"
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


def _check_tenants(intent: ReleaseIntent, facts: PreflightFacts) -> Iterator[str]:
    if facts.source.isolates_tenants and not all(intent.tenants):
        yield "strategy: the function isolates tenants: each request of a probe needs a tenant_id"
    if not facts.source.isolates_tenants and any(intent.tenants):
        yield "strategy: the function does not isolate tenants: a probe must not name a tenant_id"


def _check_alias(intent: ReleaseIntent, facts: PreflightFacts) -> Iterator[str]:
    if facts.routing is None:
        return
    if not facts.routing.version.isdecimal():
        yield (
            f"target.alias: {intent.alias} points to {facts.routing.version}, which no rollback can"
            " restore: point it to a published version first"
        )
    # A release that runs has set them: they are gone at its end.
    has_leftovers = bool(facts.routing.weights) and not is_being_released(facts)
    if has_leftovers and not intent.clears_weights:
        yield (
            f"target.alias: {intent.alias} has weights ({facts.routing}) of a release that did not "
            "finish, or that another program is making; if none is, all traffic goes to version "
            f"{facts.routing.version} with `releases rollback {intent.target} "
            f"--to {facts.routing.version}`"
        )
    if facts.alias_provisioned and intent.is_weighted:
        yield (
            f"target.alias: {intent.alias} carries provisioned concurrency itself, which AWS does "
            "not allow with weights: put it on the version (`concurrency.provisioned`) and delete "
            "the alias' own, or use AllAtOnce"
        )
    if facts.alias_provisioned and intent.provisioned:
        yield (
            f"concurrency.provisioned: {intent.alias} carries provisioned concurrency itself; "
            "a version it points to cannot have its own"
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


def _note_alarms(facts: PreflightFacts) -> Iterator[str]:
    for name, state in facts.alarms.items():
        if state == "INSUFFICIENT_DATA":
            yield (
                f"Alarm {name} has no data (INSUFFICIENT_DATA): as long as that lasts, it guards "
                "nothing (`guards.on_no_data`)"
            )


def _note_missing_judge(intent: ReleaseIntent, facts: PreflightFacts) -> Iterator[str]:
    if intent.is_weighted and facts.routing is not None and not intent.is_judged:
        yield (
            "Nobody judges this release: it has no alarms, metrics, hooks, probes or approval, so "
            "all traffic moves to the new version, however that fails, unless a person stops it "
            "(`guards.alarms`, --alarm)"
        )

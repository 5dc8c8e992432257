"""``Plan``: what a release would do, found by reading only: objections, steps, calls to AWS.

Starts no ``Rollout`` and does not hold the alias, so it may run while a release does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from pydantic import BaseModel, ConfigDict
from temporalio import workflow

from workflows.domain.adaptive import Adaptive
from workflows.domain.artifact import Image, PublishedVersion, S3Package
from workflows.domain.formatting import format_duration
from workflows.domain.probe import Probe
from workflows.domain.routing import Routing
from workflows.domain.step_list import describe_step
from workflows.domain.strategy import Analysis, Bake, SetWeight, Step
from workflows.domain.target import Target
from workflows.latest_check import is_configured_first
from workflows.metric_mapping import is_measured
from workflows.preflight import PreflightResult, preflight
from workflows.preflight_reads import ReleaseRejected
from workflows.request import ReleaseRequest
from workflows.trigger_notes import find_trigger_notes


class ReleasePlan(BaseModel):
    """What a release would do.

    ``refusals`` are all the reasons why it must not begin; with one, the rest is incomplete.
    ``notes`` are what a person should know, and what does not stop the release.
    ``candidate`` is None where the release publishes it. ``calls`` counts the calls to AWS by
    operation, roughly: a read that is repeated until something settles counts once. ``at_least`` is
    how long bakes, analyses and probes take together; approvals come on top.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    target: Target
    account: str | None = None
    region: str | None = None
    rollout: str | None = None
    stable: str | None = None
    candidate: str | None = None
    routing: Routing | None = None
    refusals: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    calls: dict[str, int]
    at_least: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class PlannedAction:
    """One line of a plan, and the operations of AWS that it takes."""

    text: str
    operations: tuple[str, ...] = ()


@workflow.defn
class Plan:
    """Find out what a release would do, and change nothing."""

    @workflow.run
    async def run(self, request: ReleaseRequest) -> ReleasePlan:
        """Read what a release reads before it begins.

        Completes with ``refusals`` where the release would be rejected.
        """
        workflow.set_current_details(f"**Plan: {request.summary}**\n\n{request.reason}")
        try:
            found = await preflight(request)
        except ReleaseRejected as error:
            refusals = tuple(map(str, error.args))
            return ReleasePlan(target=request.target.bare, refusals=refusals, calls={})
        plan = outline(request, found)
        if not workflow.patched("notes-triggers"):
            return plan
        target, has_alias = request.target.at(found.place), found.routing is not None
        notes = await find_trigger_notes(target, has_alias=has_alias)
        return plan.model_copy(update={"notes": (*plan.notes, *notes)})


def outline(request: ReleaseRequest, found: PreflightResult) -> ReleasePlan:
    """Return the plan of a release that may begin."""
    live = found.routing.version if found.routing else None
    is_live = found.version is not None and found.routing == Routing(version=found.version)
    actions = list(_actions(request, found, is_live=is_live))
    takes_steps = live is not None and not is_live
    return ReleasePlan(
        target=found.target,
        account=found.place.account,
        region=found.place.region,
        rollout=found.place.rollout_id(found.target.alias),
        stable=live,
        candidate=found.version,
        routing=found.routing,
        notes=found.notes,
        steps=tuple(action.text for action in actions),
        calls=dict(Counter(name for action in actions for name in action.operations)),
        at_least=sum(_durations(request), timedelta()) if takes_steps else timedelta(),
    )


def _actions(
    request: ReleaseRequest, found: PreflightResult, *, is_live: bool
) -> Iterator[PlannedAction]:
    """What happens, in order."""
    hooks = request.hooks
    candidate = f"version {found.version}" if found.version else "the candidate"
    live = found.routing.version if found.routing else None
    if not isinstance(request.artifact, PublishedVersion):
        actions = [*_write_code(request), *_write_configuration(request, found)]
        yield from reversed(actions) if is_configured_first(request, found.findings) else actions
        text = "Publish the candidate, a new version (nothing more happens if nothing changed)"
        yield PlannedAction(text, ("publish_version", "settle_function"))
    yield from _provision(request, found, candidate)
    if is_live:
        yield PlannedAction(f"Nothing else: {candidate} is live already")
        return
    if hooks.before_traffic:
        yield _hook(hooks.before_traffic, "before_traffic", candidate)
    if live is None:
        text = f"First release: create {found.target} at {candidate}"
        yield PlannedAction(text, ("create_alias",))
    else:
        yield from _shift(request, candidate)
    if hooks.after_traffic:
        yield _hook(hooks.after_traffic, "after_traffic", candidate)
    if request.guards.after and live:
        length = format_duration(request.guards.after)
        text = f"Watch over {candidate} for {length}, version {live} ready"
        yield PlannedAction(text, _alarm_read(request))
    moves_provisioned = request.concurrency.provisioned is not None or found.inherited is not None
    if live and moves_provisioned and found.version_provisioned is not None:
        text = f"Release what is provisioned on version {live}"
        yield PlannedAction(text, ("delete_provisioned_concurrency_config",))


def _write_code(request: ReleaseRequest) -> Iterator[PlannedAction]:
    if isinstance(request.artifact, S3Package | Image):
        text = f"Put {request.artifact} into $LATEST"
        yield PlannedAction(text, ("update_function_code", "settle_function"))


def _write_configuration(
    request: ReleaseRequest, found: PreflightResult
) -> Iterator[PlannedAction]:
    if request.configuration is None:
        return
    before = found.latest.content.settings if found.latest.content else {}
    settings = ", ".join(
        f"{name} ({before[name]} → {value})"
        if isinstance(value, int) and isinstance(before.get(name), int)
        else name
        for name, value in sorted(request.configuration.parameters().items())
    )
    operations = ("update_function_configuration", "settle_function")
    yield PlannedAction(f"Configure $LATEST: {settings}", operations)


def _provision(
    request: ReleaseRequest, found: PreflightResult, candidate: str
) -> Iterator[PlannedAction]:
    wanted = request.concurrency
    if wanted.reserved is not None and wanted.reserved != found.reserved:
        text = f"Reserve {wanted.reserved} concurrent executions"
        yield PlannedAction(text, ("put_function_concurrency",))
    count = found.inherited if wanted.provisioned is None else wanted.provisioned
    if not count:
        return
    like_stable = ", as the live version has," if wanted.provisioned is None else ""
    yield PlannedAction(
        f"Provision {count} on {candidate}{like_stable} and wait until it is warm",
        (
            "get_provisioned_concurrency_config",
            "put_provisioned_concurrency_config",
            "settle_provisioned_concurrency",
        ),
    )


def _hook(function: str, name: str, candidate: str) -> PlannedAction:
    return PlannedAction(f"Ask {function} whether it accepts {candidate} ({name})", ("invoke",))


def _alarm_read(request: ReleaseRequest) -> tuple[str, ...]:
    return ("describe_alarms",) if request.guards.alarms else ()


def _shift(request: ReleaseRequest, candidate: str) -> Iterator[PlannedAction]:
    alarms = request.guards.alarm_names
    if alarms:
        text = f"From here on watch {', '.join(alarms)}: one in ALARM takes everything back"
        yield PlannedAction(text, ("watch_alarms",))
    if request.judged_by:
        text = f"From here on judge what CloudWatch measures: {request.judged_by}"
        yield PlannedAction(text)
    if is_measured(request.strategy, request.judged_by):
        yield PlannedAction(
            "Look at how the live version did in the hour before, "
            "and from here on at both versions side by side",
            ("get_metrics", "watch_metrics"),
        )
    percent = 0
    for step in request.strategy.steps:
        operations = _operations(step, alarm_read=_alarm_read(request))
        yield PlannedAction(describe_step(step, candidate), operations)
        percent = step.percent if isinstance(step, SetWeight) else percent
    if percent < 100:  # noqa: PLR2004 - a step of 100% has moved it all
        yield PlannedAction(f"All traffic to {candidate}", ("update_alias",))


def _operations(step: Step, *, alarm_read: tuple[str, ...]) -> tuple[str, ...]:
    match step:
        case SetWeight():
            return ("update_alias",)
        case Adaptive():
            return ("update_alias", "update_alias", *alarm_read)
        case Probe():
            return (*["probe_function"] * step.request_count, *alarm_read)
        case _:
            return alarm_read


def _durations(request: ReleaseRequest) -> Iterator[timedelta]:
    """What takes its time in any case."""
    for step in request.strategy.steps:
        match step:
            case Bake():
                yield step.duration
            case Analysis() if not step.early:
                yield step.duration
            case Probe():
                yield step.min_duration
            case _:
                pass
    if request.guards.after:
        yield request.guards.after

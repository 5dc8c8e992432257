"""``Plan``: what a release would do, worked out by reading only: everything that speaks against it, its steps, its calls to AWS.

Starts no ``Rollout`` and holds no lock, so it may run while a release does, and as often as one likes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

from pydantic import BaseModel, ConfigDict
from temporalio import workflow

from workflows.domain.adaptive import Adaptive
from workflows.domain.formatting import format_duration
from workflows.domain.markdown import describe_step
from workflows.domain.probe import Probe
from workflows.domain.routing import Routing
from workflows.domain.strategy import Analysis, Bake, SetWeight, Step
from workflows.domain.target import Target
from workflows.metric_mapping import is_measured
from workflows.preflight import Findings, Rejected, preflight
from workflows.request import Image, PublishedVersion, ReleaseRequest, S3Package


class ReleasePlan(BaseModel):
    """What a release would do. ``refusals`` are all the reasons why it must not begin; with one, the rest is as far as it was found.

    ``candidate`` is None where the release publishes it. ``calls`` counts the calls to AWS, by operation, roughly: reads that are
    repeated while something settles count once. ``at_least`` is how long bakes, analyses and probes take together; approvals come on top.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    target: Target
    rollout: str | None = None
    stable: str | None = None
    candidate: str | None = None
    routing: Routing | None = None
    refusals: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    calls: dict[str, int]
    at_least: timedelta = timedelta()


@workflow.defn
class Plan:
    """Work out what a release would do, and change nothing."""

    @workflow.run
    async def run(self, request: ReleaseRequest) -> ReleasePlan:
        """Look at everything that a release looks at before it begins. Completes with ``refusals`` where it would be rejected."""
        workflow.set_current_details(f"**Plan: {request.words}**\n\n{request.reason}")
        try:
            found = await preflight(request)
        except Rejected as problem:
            return ReleasePlan(
                target=request.target.bare, refusals=tuple(map(str, problem.args)), calls={}
            )
        return outline(request, found)


def outline(request: ReleaseRequest, found: Findings) -> ReleasePlan:
    """The plan of a release that may begin."""
    live = found.routing.version if found.routing else None
    stays = found.version is not None and found.routing == Routing(version=found.version)
    deeds = list(_deeds(request, found, stays=stays))
    calls: Counter[str] = Counter()
    for _, operations in deeds:
        calls.update(operations.split())
    return ReleasePlan(
        target=found.target,
        rollout=found.place.rollout_id(found.target.alias),
        stable=live,
        candidate=found.version,
        routing=found.routing,
        steps=tuple(words for words, _ in deeds),
        calls=dict(calls),
        at_least=timedelta() if stays or live is None else sum(_bakes(request), timedelta()),
    )


def _deeds(request: ReleaseRequest, found: Findings, *, stays: bool) -> Iterator[tuple[str, str]]:
    """What happens, in order: in words, and the operations that it takes."""
    artifact, wanted, hooks = request.artifact, request.concurrency, request.hooks
    candidate = f"version {found.version}" if found.version else "the candidate"
    live = found.routing.version if found.routing else None
    yield from [] if isinstance(artifact, PublishedVersion) else _making(request)
    if wanted.reserved is not None and wanted.reserved != found.reserved:
        yield f"Reserve {wanted.reserved} concurrent executions", "put_function_concurrency"
    if wanted.provisioned is not None:
        warming = "get_provisioned_concurrency_config put_provisioned_concurrency_config settle_provisioned_concurrency"
        yield f"Provision {wanted.provisioned} on {candidate} and wait until it is warm", warming
    if stays:
        yield f"Nothing else: {candidate} is live already", ""
        return
    if hooks.before_traffic:
        yield (
            f"Ask {hooks.before_traffic} whether it accepts {candidate} (before_traffic)",
            "invoke",
        )
    if live is None:
        yield f"First release: create {found.target} at {candidate}", "create_alias"
    else:
        yield from _moving(request, candidate)
    if hooks.after_traffic:
        yield f"Ask {hooks.after_traffic} whether it accepts {candidate} (after_traffic)", "invoke"
    if request.guards.after and live:
        yield (
            f"Watch over {candidate} for {format_duration(request.guards.after)}, version {live} ready",
            "describe_alarms" if request.guards.alarms else "",
        )
    if live and wanted.provisioned is not None and found.version_provisioned is not None:
        yield (
            f"Release what is provisioned on version {live}",
            "delete_provisioned_concurrency_config",
        )


def _making(request: ReleaseRequest) -> Iterator[tuple[str, str]]:
    if isinstance(request.artifact, S3Package | Image):
        yield f"Put {request.artifact} into $LATEST", "update_function_code settle_function"
    if request.configuration is not None:
        names = ", ".join(sorted(request.configuration.parameters()))
        yield f"Configure $LATEST: {names}", "update_function_configuration settle_function"
    yield (
        "Publish the candidate, a new version (nothing more happens if nothing changed)",
        "publish_version settle_function",
    )


def _moving(request: ReleaseRequest, candidate: str) -> Iterator[tuple[str, str]]:
    alarms = request.guards.alarms
    if alarms:
        yield (
            f"From here on watch {', '.join(alarms)}: one in ALARM takes everything back",
            "watch_alarms",
        )
    if request.judged_by:
        yield f"From here on judge what CloudWatch measures: {request.judged_by}", ""
    if is_measured(request.strategy, request.judged_by):
        yield (
            "Look at how the live version did in the hour before, and from here on at both versions side by side",
            "get_metrics watch_metrics",
        )
    percent, look = 0, "describe_alarms" if alarms else ""
    for step in request.strategy.steps:
        yield describe_step(step, candidate), _operations(step, look=look)
        percent = step.percent if isinstance(step, SetWeight) else percent
    if percent < 100:  # noqa: PLR2004 - a step of 100% was this already
        yield f"All traffic to {candidate}", "update_alias"


def _operations(step: Step, *, look: str) -> str:
    match step:
        case SetWeight():
            return "update_alias"
        case Adaptive():
            return f"update_alias update_alias {look}"
        case Probe():
            return " ".join([*["probe_function"] * step.request_count, look])
        case _:
            return look


def _bakes(request: ReleaseRequest) -> Iterator[timedelta]:
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

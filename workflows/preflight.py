"""What a release looks at before it touches anything: reads the facts, lets :mod:`workflows.domain.preflight_rules` judge, and refuses.

Shared by ``Rollout``, which goes on from here, and by ``Plan``, which stops here.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from temporalio.exceptions import ActivityError, is_cancelled_exception

from activities.account import Account, GetAccountSettingsRequest
from activities.aliases import AliasConfiguration
from activities.functions import FunctionConfiguration, GetFunctionResponse
from workflows import actions
from workflows.call import call, root_cause
from workflows.domain.preflight_rules import FunctionBuild, PreflightFacts, ReleaseIntent, find_refusals
from workflows.domain.routing import Routing
from workflows.domain.target import Place, Target
from workflows.past_rollouts import previous_version
from workflows.request import (
    Image,
    Latest,
    PublishedVersion,
    ReleaseRequest,
    RollbackRequest,
    S3Package,
)

_T = TypeVar("_T")


class Rejected(Exception):
    """A release must not start, for each of these reasons: nothing has been touched."""

    def __str__(self) -> str:
        return "; ".join(str(reason)[:_LONGEST] for reason in self.args)


_LONGEST = 1000
"""Characters of a reason: AWS's answers stand in some, and a failure must stay readable."""


@dataclass(frozen=True, slots=True)
class Unpublished:
    """``$LATEST`` as it was found."""

    revision_id: str | None
    code_sha256: str
    description: str | None


@dataclass(frozen=True, slots=True)
class Findings:
    """Where a release starts from. ``version`` is the published version it is to make live, if it does not publish one.

    ``alarms`` are the states of those that guard; ``longest`` is how many seconds an invocation may last, before or after the release.
    A release keeps them until its end, and many sleep in one worker: they are a few values, and not the answers that these come from.
    """

    target: Target
    function: str
    arn: str
    place: Place
    latest: Unpublished
    routing: Routing | None
    revision: str | None
    version: str | None
    reserved: int | None
    version_provisioned: int | None
    alarms: dict[str, str]
    longest: int


def _routing(alias: AliasConfiguration) -> Routing:
    """How an alias routes. Rejects what is no routing: it could not be put back."""
    routing = actions.routing_of(alias)
    if not all(_VERSION.fullmatch(version) for version in (routing.version, *routing.weights)):
        raise Rejected("target.alias: AWS answered without saying which versions it points at")
    if not all(0 <= weight <= 1 for weight in routing.weights.values()):
        raise Rejected("target.alias: AWS answered with a weight that is none")
    return routing


_VERSION = re.compile(r"[0-9]+|\$LATEST(\.PUBLISHED)?", re.ASCII)


async def locate(target: Target) -> GetFunctionResponse:
    """Find the target's function, under whatever name it was given. Rejects where there is none, or not within reach."""
    return await _or_reject(
        actions.find(target.function, summary=f"Find {target.function}"), field="target.function"
    )


def place_of(found: GetFunctionResponse) -> Place:
    """Where a function lives, by its ARN. Rejects where AWS does not tell."""
    try:
        return Place.from_arn(_configuration(found).function_arn)
    except ValueError as problem:
        raise Rejected(f"target.function: {problem}") from None


async def preflight(request: ReleaseRequest | RollbackRequest) -> Findings:
    """Read everything a release depends on, in two rounds of parallel reads, and reject it if anything speaks against it."""
    target = request.target.bare
    reading = (
        asyncio.ensure_future(_or_reject(actions.read_alias(target), field="target.alias")),
        asyncio.ensure_future(locate(request.target)),
        asyncio.ensure_future(_alarms(request)),
    )
    await _all(*reading, *map(asyncio.ensure_future, _hooks(request)))
    alias, found, looked = reading[0].result(), reading[1].result(), reading[2].result()
    latest = _configuration(found)
    routing = _routing(alias) if alias else None
    if routing is None and isinstance(request, RollbackRequest):
        raise Rejected(f"target.alias: there is no alias {target.alias} of {target.name}")
    place = place_of(found)
    version = await _version(request, routing, place=place)
    published = None if routing is None or routing.version == "$LATEST" else routing.version
    wants_provisioned = request.concurrency.provisioned is not None

    with_alias = published and (request.strategy.is_weighted or wants_provisioned)
    rest = (
        _maybe(_read(target, published, field="target.alias") if published else None),
        _maybe(
            _read(target, version, field=_VERSION_FIELD[type(request)])
            if version and version != published
            else None
        ),
        _maybe(_provisioned(target, target.alias) if with_alias else None),
        _maybe(_provisioned(target, published) if published and wants_provisioned else None),
        _maybe(_unreserved() if request.concurrency.reserved is not None else None),
    )
    await _all(*rest)
    stable, source = rest[0].result(), rest[1].result()
    alias_provisioned, version_provisioned, unreserved = (
        rest[2].result(),
        rest[3].result(),
        rest[4].result(),
    )
    reserved = found.concurrency.reserved_concurrent_executions if found.concurrency else None
    facts = PreflightFacts(
        latest=_build(latest),
        source=_build(
            source or (stable if version and version == published else None) or latest, request
        ),
        routing=routing,
        stable=_build(stable) if stable else None,
        alias_provisioned=alias_provisioned is not None,
        version_provisioned=version_provisioned or 0,
        reserved=reserved,
        unreserved=unreserved,
        alarms=looked,
    )
    if problems := find_refusals(_intent(request, moves=version is None or version != published), facts):
        raise Rejected(*problems)
    change = request.configuration if isinstance(request, ReleaseRequest) else None
    return Findings(
        target=target,
        function=target.name,
        arn=latest.function_arn,
        place=place,
        latest=Unpublished(latest.revision_id, latest.code_sha256, latest.description),
        routing=routing,
        revision=alias.revision_id if alias else None,
        version=version,
        reserved=reserved,
        version_provisioned=version_provisioned,
        alarms=looked,
        longest=max(
            latest.timeout or 0, (stable and stable.timeout) or 0, (change and change.timeout) or 0
        ),
    )


def _intent(request: ReleaseRequest | RollbackRequest, *, moves: bool) -> ReleaseIntent:
    artifact = request.artifact if isinstance(request, ReleaseRequest) else None
    configuration = request.configuration if isinstance(request, ReleaseRequest) else None
    return ReleaseIntent(
        alias=request.target.alias,
        is_weighted=moves and request.strategy.is_weighted,
        writes_latest=isinstance(artifact, S3Package | Image | Latest) or configuration is not None,
        configuration_only=artifact is None and configuration is not None,
        image=isinstance(artifact, Image),
        package=isinstance(artifact, S3Package),
        clears_weights=isinstance(request, RollbackRequest),
        reserved=request.concurrency.reserved,
        provisioned=request.concurrency.provisioned,
        alarms=request.guards.alarms,
        hotfix=bool(request.hotfix),
    )


def _build(
    found: FunctionConfiguration, request: ReleaseRequest | RollbackRequest | None = None
) -> FunctionBuild:
    """What of a build matters, as it will be once the request's configuration is applied to it."""
    change = request.configuration if isinstance(request, ReleaseRequest) else None
    dead_letter = (change and change.dead_letter_config) or found.dead_letter_config
    return FunctionBuild(
        code_sha256=found.code_sha256,
        role=(change and change.role) or found.role,
        dead_letter=(dead_letter.target_arn or None) if dead_letter else None,
        package_type=found.package_type,
        state=found.state,
        last_update=found.last_update_status,
    )


async def _version(
    request: ReleaseRequest | RollbackRequest, routing: Routing | None, *, place: Place
) -> str | None:
    """The published version that is asked for, if one is: named by the user, or the one that was live before."""
    match request:
        case (
            ReleaseRequest(artifact=PublishedVersion(version=version))
            | RollbackRequest(version=str(version))
        ):
            return version
        case RollbackRequest() if routing:
            live = routing.version
            before = await previous_version(
                place.rollout_id(request.target.alias), live
            ) or await _noted_before(request.target.bare, live)
            if before is None:
                raise Rejected(
                    f"version: nothing says which version was live before {live}: name one"
                )
            return before
        case _:
            return None


DESCRIPTION = "lambda-releases {run}, live before: {stable}"
"""What a version that we publish is described as: recognised after a lost answer, and asked by a rollback when histories are gone."""

_VERSION_FIELD = {ReleaseRequest: "artifact.version", RollbackRequest: "version"}

_NOTED = re.compile(r"lambda-releases \S+, live before: (\d+)")


async def _noted_before(target: Target, live: str) -> str | None:
    """The version that was live before, as the live version's own description has it."""
    noted = _NOTED.fullmatch((await _read(target, live, field="target.alias")).description or "")
    return noted[1] if noted else None


async def _read(target: Target, version: str, *, field: str) -> FunctionConfiguration:
    reading = actions.find(target.name, qualifier=version, summary=f"Read version {version}")
    return _configuration(await _or_reject(reading, field=field))


def _configuration(found: GetFunctionResponse) -> FunctionConfiguration:
    if found.configuration is None:
        raise Rejected("target.function: AWS answered without a configuration")
    return found.configuration


async def _alarms(request: ReleaseRequest | RollbackRequest) -> dict[str, str]:
    if not request.guards.alarms:
        return {}
    answer = await _or_reject(actions.look(request.guards.alarms), field="guards.alarms")
    return {
        alarm.alarm_name or "": alarm.state_value or ""
        for alarm in (*answer.metric_alarms, *answer.composite_alarms)
    }


def _hooks(request: ReleaseRequest | RollbackRequest) -> list[Awaitable[object]]:
    hooks = {
        "before_traffic": request.hooks.before_traffic,
        "after_traffic": request.hooks.after_traffic,
    }
    return [
        _or_reject(actions.find(function, summary=f"Find {function}"), field=f"hooks.{name}")
        for name, function in hooks.items()
        if function
    ]


async def _provisioned(target: Target, qualifier: str) -> int | None:
    return await _or_reject(actions.provisioned(target.name, qualifier), field="target.alias")


async def _unreserved() -> int | None:
    reading = call(
        Account.get_account_settings,
        GetAccountSettingsRequest(),
        summary="Read the account's concurrency",
    )
    answer = await _or_reject(reading, field="concurrency.reserved")
    return answer.account_limit.unreserved_concurrent_executions if answer.account_limit else None


async def _all(*readings: asyncio.Future[Any]) -> None:
    """Wait for parallel reads; where several reject, reject with all that they say."""
    done = await asyncio.gather(*readings, return_exceptions=True)
    if rejected := [problem for problem in done if isinstance(problem, Rejected)]:
        raise Rejected(*dict.fromkeys(reason for problem in rejected for reason in problem.args))
    for problem in done:
        if isinstance(problem, BaseException):
            raise problem


def _maybe(reading: Coroutine[Any, Any, _T] | None) -> asyncio.Future[_T | None]:
    async def nothing() -> None:
        return None

    return asyncio.ensure_future(nothing() if reading is None else reading)


async def _or_reject(reading: Awaitable[_T], *, field: str) -> _T:
    """A read of preflight: whatever AWS refuses for good, rejects the release, naming the field that led there."""
    try:
        return await reading
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        raise Rejected(f"{field}: {root_cause(error)}") from error

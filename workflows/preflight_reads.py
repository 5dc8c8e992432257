"""The reads of preflight.

Each rejects the release where AWS refuses permanently, naming the field.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Coroutine
from typing import Any, Final, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from activities.account import Account, GetAccountSettingsRequest
from activities.aliases import AliasConfiguration
from activities.configuration_response import FunctionConfiguration
from activities.constraints import Constraints, ConstraintsResponse, FindConstraintsRequest
from activities.function_models import GetFunctionResponse
from activities.identity import GetCallerIdentityRequest, Identity
from workflows import actions
from workflows.artifact_check import is_uploaded
from workflows.call import call, root_cause
from workflows.concurrency import read_provisioned
from workflows.domain.alarm_name import find_foreign_alarms
from workflows.domain.artifact import PublishedVersion, S3Package
from workflows.domain.routing import Routing
from workflows.domain.target import Place, Target
from workflows.domain.version_description import parse_description
from workflows.past_rollouts import find_alias_history, find_previous_version
from workflows.request import ReleaseRequest, RollbackRequest

_VERSION: Final = re.compile(r"[0-9]+|\$LATEST(\.PUBLISHED)?", re.ASCII)
_REASON_LENGTH: Final = 1000

_T = TypeVar("_T")


class ReleaseRejected(Exception):
    """A release must not start, for each of these reasons: nothing has been touched."""

    def __str__(self) -> str:
        return "; ".join(self.reasons)

    @property
    def reasons(self) -> tuple[str, ...]:
        """The reasons, each cut: AWS's answers stand in some, and a failure must stay readable."""
        return tuple(str(reason)[:_REASON_LENGTH] for reason in self.args)


class ReleaseBusy(ReleaseRejected):
    """A release must not start for the only reason that another one is under way."""


async def locate(target: Target) -> GetFunctionResponse:
    """Read the target's function, under whatever name it was given.

    Where AWS refuses one of another account, the rejection names the account that is served.
    """
    read = actions.find_function(target.function, summary=f"Find {target.name}")
    try:
        return await or_reject(read, field="target.function")
    except ReleaseRejected:
        if target.account and workflow.patched("names-the-account-served"):
            _refuse_other_account(target, await _read_served_account())
        raise


async def _read_served_account() -> str | None:
    """Read the account of the worker's credentials; None where STS does not say."""
    request, summary = GetCallerIdentityRequest(), "Read which account this worker serves"
    try:
        return (await call(Identity.get_caller_identity, request, summary=summary)).account
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        return None


def _refuse_other_account(target: Target, served: str | None) -> None:
    if served not in {None, target.account}:
        raise ReleaseRejected(
            f"target.function: {target.function} is in account {target.account}, and this worker "
            f"serves account {served}: a worker of {target.account} has to release it"
        )


def place_of(found: GetFunctionResponse, target: Target) -> Place:
    """Return account, region and name of a target's function, by the ARN that AWS returned.

    Rejects a namesake in another account or region than the target names.
    """
    try:
        place = Place.from_arn(configuration_of(found).function_arn)
    except ValueError as error:
        raise ReleaseRejected(f"target.function: {error}") from None
    if target.account:
        _refuse_other_account(target, place.account)
    if target.region not in {None, place.region}:
        raise ReleaseRejected(
            f"target.function: {target.function} is in {target.region}, and this worker serves "
            f"{place.region}: a worker of {target.region} has to release it"
        )
    return place


def configuration_of(found: GetFunctionResponse) -> FunctionConfiguration:
    """Return the configuration that AWS returned with a function."""
    if found.configuration is None:
        raise ReleaseRejected("target.function: AWS answered without a configuration")
    return found.configuration


def routing_of(alias: AliasConfiguration) -> Routing:
    """Return how an alias routes. Rejects an invalid routing: it could not be restored."""
    routing = actions.routing_of(alias)
    if not all(_VERSION.fullmatch(version) for version in (routing.version, *routing.weights)):
        raise ReleaseRejected(
            "target.alias: AWS answered without saying which versions it points at"
        )
    if not all(0 <= weight <= 1 for weight in routing.weights.values()):
        raise ReleaseRejected("target.alias: AWS answered with a weight that is none")
    return routing


async def read_version(target: Target, version: str, *, field: str) -> FunctionConfiguration:
    """Read a published version."""
    summary = f"Read version {version}"
    read = actions.find_function(target.function, qualifier=version, summary=summary)
    return configuration_of(await or_reject(read, field=field))


async def read_alarm_states(request: ReleaseRequest | RollbackRequest) -> dict[str, str]:
    """Read the states of the alarms that guard a release, by name."""
    if not (names := request.guards.alarm_names):
        return {}
    answer = await or_reject(actions.read_alarms(names), field="guards.alarms")
    alarms = (*answer.metric_alarms, *answer.composite_alarms)
    return {alarm.alarm_name or "": alarm.state_value or "" for alarm in alarms}


def refuse_foreign_alarms(request: ReleaseRequest | RollbackRequest, place: Place) -> None:
    """Reject a release that an alarm of another account or region is to guard."""
    if reasons := [*find_foreign_alarms(request.guards.alarms, place)]:
        raise ReleaseRejected(*reasons)


def hook_reads(request: ReleaseRequest | RollbackRequest) -> list[Coroutine[Any, Any, object]]:
    """Return one read for each hook: whether its function exists."""
    hooks = {
        "before_traffic": request.hooks.before_traffic,
        "after_traffic": request.hooks.after_traffic,
    }
    return [
        or_reject(
            actions.find_function(function, summary=f"Find {function}"), field=f"hooks.{name}"
        )
        for name, function in hooks.items()
        if function
    ]


async def read_provisioned_of(target: Target, qualifier: str) -> int | None:
    """Read how much concurrency is provisioned on a version or alias; None for none."""
    return await or_reject(read_provisioned(target.function, qualifier), field="target.alias")


async def read_unreserved() -> int | None:
    """Read how much concurrency the account has unreserved."""
    summary = "Read the account's concurrency"
    read = call(Account.get_account_settings, GetAccountSettingsRequest(), summary=summary)
    answer = await or_reject(read, field="concurrency.reserved")
    return answer.account_limit.unreserved_concurrent_executions if answer.account_limit else None


async def find_constraints(
    request: ReleaseRequest | RollbackRequest,
    target: Target,
    published: str | None,
    *,
    is_plan: bool,
) -> ConstraintsResponse:
    """Read what limits a release: provisioned concurrency and the account; for a plan, signatures.

    A release learns of a missing signature by its first write, which AWS refuses.
    """
    artifact = request.artifact if isinstance(request, ReleaseRequest) else None
    wanted = request.concurrency
    package = (
        actions.make_code_request(target.function, artifact)
        if isinstance(artifact, S3Package) and is_plan and is_uploaded()
        else None
    )
    if not (published or wanted.provisioned or wanted.reserved is not None or package):
        return ConstraintsResponse()
    concerns_alias = request.strategy.is_weighted or wanted.provisioned is not None
    constraints = FindConstraintsRequest(
        function_name=target.function,
        version=published,
        alias=target.alias if published and concerns_alias else None,
        is_needed=wanted.provisioned is not None,
        account=wanted.reserved is not None or bool(wanted.provisioned),
        package=package,
    )
    summary = "Find what limits the release"
    return await call(Constraints.find_constraints, constraints, summary=summary)


async def find_version(
    request: ReleaseRequest | RollbackRequest, routing: Routing | None, *, place: Place
) -> str | None:
    """Return the published version that is requested: by name, or the one live before."""
    match request:
        case (
            ReleaseRequest(artifact=PublishedVersion(version=version))
            | RollbackRequest(version=str(version))
        ):
            return version
        case RollbackRequest() if routing:
            return await _find_version_before(request.target.at(place), routing)
        case _:
            return None


async def _find_version_before(target: Target, routing: Routing) -> str:
    """Return the version to go back to: the alias' main one, or the one live before that.

    Where another version has a share of the traffic, the main version is what was before it.
    """
    live = routing.version
    is_bounded = workflow.patched("before-is-what-the-alias-says")
    if is_bounded and routing.weights:
        return live
    rollout_id = target.rollout_id
    if not is_bounded:
        before = await find_previous_version(rollout_id, live)
        before = before or await _read_described_before(target, live)
        other = ""
    else:
        history = await find_alias_history(rollout_id, live)
        before = history.previous or await _read_described_before(target, live)
        before = None if history.find_rolled_back(before) else before
        other = "".join(f", and {each}" for each in history.rolled_back[:1])
    if before is None:
        raise ReleaseRejected(
            f"version: nothing says which version was live before {live}{other}: name one "
            f"(releases rollback {target} --to VERSION)"
        )
    return before


async def _read_described_before(target: Target, live: str) -> str | None:
    """Return the version that was live before, from the live version's own description."""
    found = await read_version(target, live, field="target.alias")
    origin = parse_description(found.description)
    return origin.before if origin else None


async def or_reject(read: Awaitable[_T], *, field: str) -> _T:
    """Await a read; reject the release, naming the field, where AWS refuses permanently."""
    try:
        return await read
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        raise ReleaseRejected(f"{field}: {root_cause(error)}") from error


def start_read(read: Coroutine[Any, Any, _T]) -> asyncio.Future[_T]:
    """Start a read beside others."""
    return asyncio.ensure_future(read)


def start_read_if(read: Coroutine[Any, Any, _T] | None) -> asyncio.Future[_T | None]:
    """Start a read beside others, if there is one; None is the result of none."""

    async def nothing() -> None:
        return None

    return asyncio.ensure_future(nothing() if read is None else read)


async def wait_for_all(*reads: asyncio.Future[Any]) -> None:
    """Wait for parallel reads; where several reject, reject with the reasons of all."""
    results = await asyncio.gather(*reads, return_exceptions=True)
    if rejected := [result for result in results if isinstance(result, ReleaseRejected)]:
        reasons = dict.fromkeys(reason for each in rejected for reason in each.args)
        raise ReleaseRejected(*reasons)
    for result in results:
        if isinstance(result, BaseException):
            raise result

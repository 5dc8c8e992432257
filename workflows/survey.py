"""``Survey``: what AWS alone tells of an alias, where Temporal has lost its release.

It reads, and changes nothing. What is to be done about it a ``Rollback`` does.
"""

from __future__ import annotations

from temporalio import workflow

from activities.constraints import Constraints, ConstraintsResponse, FindConstraintsRequest
from workflows import actions
from workflows.call import call
from workflows.current_release import find_running_release
from workflows.domain.alias_survey import AliasSurvey, SurveyedVersion
from workflows.domain.inputs import Input
from workflows.domain.target import Target
from workflows.domain.version_description import parse_description
from workflows.preflight_reads import (
    ReleaseRejected,
    configuration_of,
    locate,
    or_reject,
    place_of,
    read_version,
    routing_of,
)


class SurveyRequest(Input):
    """Which alias to look at."""

    target: Target


@workflow.defn
class Survey:
    """Look at an alias, at the versions it routes to, and at ``$LATEST``."""

    @workflow.run
    async def run(self, request: SurveyRequest) -> AliasSurvey:
        """Return what AWS has. Completes with ``problems`` where that cannot be read."""
        workflow.set_current_details(f"**Survey of {request.target}**")
        try:
            return await _survey(request.target)
        except ReleaseRejected as error:
            return AliasSurvey(target=request.target.bare, problems=error.reasons)


async def _survey(named: Target) -> AliasSurvey:
    found = await locate(named)
    place, latest = place_of(found, named), configuration_of(found)
    target = named.at(place)
    alias = await or_reject(actions.read_alias(target), field="target.alias")
    survey = AliasSurvey(
        target=named.bare,
        account=place.account,
        region=place.region,
        running=await find_running_release(target.rollout_id),
    )
    if alias is None:
        return survey
    routing = routing_of(alias)
    limits = await _read_limits(target, next(iter(routing.weights), routing.version))
    versions = list[SurveyedVersion]()
    for version in (routing.version, *routing.weights):
        read = await read_version(target, version, field="target.alias")
        versions.append(
            SurveyedVersion(
                version=version,
                origin=parse_description(read.description),
                provisioned=limits.provisioned.get(version),
                is_latest=read.code_sha256 == latest.code_sha256,
            )
        )
    return survey.model_copy(
        update={"routing": routing, "versions": tuple(versions), "unread": tuple(limits.unread)}
    )


async def _read_limits(target: Target, version: str) -> ConstraintsResponse:
    """Read what is provisioned; ``version`` is the one that matters where not all are listed."""
    request = FindConstraintsRequest(function_name=target.function, version=version)
    read = call(Constraints.find_constraints, request, summary="Read what is provisioned")
    return await or_reject(read, field="target.function")

"""``repair``: what an alias's versions still tell where its release is lost, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from workflows.cli.app import (
    ByOption,
    ExitStatus,
    ReasonOption,
    TargetArgument,
    TaskQueueOption,
    connect,
    get_user_name,
    make_stdout_console,
)
from workflows.cli.output import JsonOption, print_json
from workflows.cli.place import AccountOption, RegionOption, locate_target
from workflows.cli.start_report import FollowOptions, WaitOption, WatchOption, report_start
from workflows.client.errors import Refused
from workflows.client.lookup import parse_target
from workflows.client.repair import survey_alias
from workflows.domain.alias_survey import AliasSurvey, RepairChoice, SurveyedVersion
from workflows.request import RollbackRequest


async def repair(  # noqa: PLR0913 - as many as it has flags
    target: TargetArgument,
    *,
    to: Annotated[
        RepairChoice | None,
        typer.Option(
            "--to",
            help="Give all traffic to the main version (stable) or to the one with a share "
            "(candidate). Without it nothing is changed.",
            show_default=False,
        ),
    ] = None,
    reason: ReasonOption = "",
    by: ByOption = "",
    wait: WaitOption = None,
    watch: WatchOption = False,
    account: AccountOption = None,
    region: RegionOption = None,
    task_queue: TaskQueueOption = None,
    json: JsonOption = False,
) -> ExitStatus | None:
    """Show what is left of a release that Temporal has lost; with --to, end it.

    For a namespace that was lost or restored from a backup, and for a release whose workflows were
    all terminated. Reads the alias, and what releases have written into the descriptions of its
    versions. Nothing is changed without --to: then a Rollback gives all traffic to one version.
    Refused while a release of the alias runs.

    Exits with 0 where nothing is to be repaired, and 1 where somebody has to decide.

    $ releases repair checkout:live
    $ releases repair checkout:live --to stable --reason "namespace lost" --wait
    """
    releases = await connect()
    wanted = parse_target(target)
    wanted = await locate_target(releases, wanted, account=account, region=region)
    queue = task_queue or await releases.places.find_queue(wanted)
    survey = await survey_alias(releases.temporal, wanted, task_queue=queue)
    if survey.problems:
        raise Refused("; ".join(survey.problems))
    if to is None:
        if json:
            print_json(survey)
        else:
            for line in describe_survey(survey):
                make_stdout_console().print(line, soft_wrap=True)
        return ExitStatus.NOT_RELEASED if survey.is_left_split else ExitStatus.SUCCEEDED
    if (version := survey.find_version(to)) is None:
        raise Refused(" ".join(describe_survey(survey)))
    request = RollbackRequest(
        target=wanted,
        version=version,
        requested_by=by or get_user_name(),
        reason=reason or f"repair: all traffic to {to}",
    )
    handle = await releases.start_rollback(request, task_queue=queue)
    return await report_start(releases, handle, request, FollowOptions(wait, watch, json=json))


def describe_survey(survey: AliasSurvey) -> Iterator[str]:
    """Say what is there, one line each, and the commands to choose from."""
    target = survey.target
    if survey.running:
        yield (
            f"{target} is being released, by {survey.running.rollout}: nothing is lost: "
            f"releases status {target}"
        )
        return
    if survey.routing is None:
        yield f"{target} does not exist in {survey.account}/{survey.region}: nothing to repair"
        return
    yield f"{target} in {survey.account}/{survey.region}: {survey.routing}"
    yield from map(_describe_version, survey.versions)
    if not any(each.is_latest for each in survey.versions):
        yield "  $LATEST has other code: a release of it says what differs (releases plan)"
    yield from (f"  not known: {each}" for each in survey.unread)
    if not survey.is_left_split:
        before = survey.versions[0].origin and survey.versions[0].origin.before
        way = f"; to go back: releases rollback {target} --to {before}" if before else ""
        yield f"One version has all traffic: nothing to repair{way}"
        return
    yield "No release of this namespace moves it: it stays so until somebody decides."
    for choice in RepairChoice:
        version = survey.find_version(choice)
        yield f"All traffic to version {version}:  releases repair {target} --to {choice}"
    yield from _describe_left_concurrency(survey)


def _describe_version(found: SurveyedVersion) -> str:
    origin = found.origin
    if origin is None:
        text = "not published by a release, or before this program"
    else:
        of = f", of revision {origin.revision}" if origin.revision else ""
        before = f"when version {origin.before} was live" if origin.before else "the first one"
        text = f"published by run {origin.run}{of}, {before}"
    provisioned = f"; provisioned concurrency {found.provisioned}" if found.provisioned else ""
    latest = "; $LATEST has its code" if found.is_latest else ""
    return f"  version {found.version}: {text}{provisioned}{latest}"


def _describe_left_concurrency(survey: AliasSurvey) -> Iterator[str]:
    """Say how to release what stays provisioned on the version that is not chosen."""
    for found in survey.versions:
        if found.provisioned:
            yield (
                f"If version {found.version} is not chosen, release what it has provisioned:  "
                f"aws lambda delete-provisioned-concurrency-config --function-name "
                f"{survey.target.name} --qualifier {found.version}"
            )

"""``doctor``: whether everything is in order that a release depends on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Final

import typer
from rich.text import Text

from activities.check_result import CheckResult, CheckState
from workflows.cli.app import (
    ExitStatus,
    TaskQueueOption,
    connect,
    make_stdout_console,
)
from workflows.cli.output import JsonOption, print_json
from workflows.cli.place import AccountOption, RegionOption, locate_target
from workflows.cli.styles import BAD, CHECKS, DIM
from workflows.client.client import TASK_QUEUE, ReleaseClient
from workflows.client.doctor import TEMPORAL_CHECK, Doctor, describe_unreachable
from workflows.client.errors import BadRequest, Unreachable
from workflows.client.lookup import parse_target
from workflows.client.replay_check import ReplayCheck
from workflows.domain.target import Target

_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)


async def doctor(  # noqa: PLR0913 - a parameter for each flag
    target: Annotated[
        str | None,
        typer.Argument(metavar="TARGET", help="FUNCTION[:ALIAS] or an ARN.", show_default=False),
    ] = None,
    *,
    account: AccountOption = None,
    region: RegionOption = None,
    task_queue: TaskQueueOption = None,
    bucket: Annotated[
        str | None,
        typer.Option(
            "--bucket",
            metavar="NAME",
            help="The bucket of S3 with packages of TARGET: whether they can be read.",
            show_default=False,
        ),
    ] = None,
    before_deploy: Annotated[
        bool,
        typer.Option(
            "--before-deploy",
            help="Replay the open releases with the version of this environment: which would not "
            "go on with it.",
        ),
    ] = False,
    json: JsonOption = False,
) -> ExitStatus:
    """Check everything that a release depends on, and say what to do about it; changes nothing.

    Temporal, namespace, search attributes, workers with their account and version, clocks; with a
    TARGET also the function, and which permissions for it the worker's role has. A worker looks at
    AWS: its credentials count, and not those of this machine. Without a TARGET and without a queue,
    the workers of all accounts and regions are examined.

    With --before-deploy, in an environment that has the version to be deployed: every release that
    runs now is fetched and replayed with it. Needs no worker, and AWS is not called.

    Exits with 0 where no release is kept from succeeding, 1 where something is wrong, 3 where
    Temporal does not answer.

    $ releases doctor checkout:live
    $ releases doctor checkout:live --bucket artifacts
    $ releases doctor --before-deploy
    $ releases doctor -o json | jq '.[] | select(.state == "failed")'
    """
    wanted = parse_target(target) if target else None
    if before_deploy and (wanted or bucket):
        raise BadRequest(["--before-deploy: replays all releases: leave out TARGET and --bucket"])
    _check_bucket(bucket, target)
    try:
        releases = await connect()
        if wanted:
            wanted = await locate_target(releases, wanted, account=account, region=region)
        if before_deploy:
            findings = await ReplayCheck(releases.temporal, task_queue=task_queue).run()
        else:
            queues = [task_queue] if task_queue else await _find_queues(releases, wanted)
            findings = await _examine(releases, queues, wanted, bucket=bucket)
    except Unreachable as error:
        findings = [describe_unreachable(error)]
    if json:
        print_json(findings, list[CheckResult])
    else:
        console = make_stdout_console()
        for finding in findings:
            console.print(render_finding(finding), soft_wrap=True)
    return get_doctor_status(findings)


async def _examine(
    releases: ReleaseClient, queues: Sequence[str], target: Target | None, *, bucket: str | None
) -> list[CheckResult]:
    """Examine one queue after the other; what they share is listed once."""
    findings = list[CheckResult]()
    for queue in queues:
        doctor_of_queue = Doctor(releases.temporal, task_queue=queue, bucket=bucket)
        found = await doctor_of_queue.examine(target)
        findings += [each for each in found if each not in findings]
    return findings


async def _find_queues(releases: ReleaseClient, target: Target | None) -> list[str]:
    """Find the queue of a target; without one, those of all places that have workers."""
    if target:
        return [await releases.places.find_queue(target)]
    return sorted({place.task_queue for place in await releases.places.list()}) or [TASK_QUEUE]


def _check_bucket(bucket: str | None, target: str | None) -> None:
    """Raise ``BadRequest`` for what is no bucket, and for one without a target."""
    if bucket is None:
        return
    if target is None:
        problem = "--bucket: name a TARGET, too: the packages are those of its releases"
        raise BadRequest([problem])
    if not _BUCKET.fullmatch(bucket):
        raise BadRequest([f"--bucket: {bucket[:80]!r} is no name of a bucket, such as artifacts"])


def get_doctor_status(findings: Sequence[CheckResult]) -> ExitStatus:
    """Get the exit status for what was found."""
    failed = {finding.check for finding in findings if finding.state is CheckState.FAILED}
    if TEMPORAL_CHECK in failed:
        return ExitStatus.NO_ANSWER
    return ExitStatus.NOT_RELEASED if failed else ExitStatus.SUCCEEDED


def render_finding(finding: CheckResult) -> Text:
    """Render a finding in one line, with what to do."""
    symbol, style = CHECKS[finding.state]
    is_failed = finding.state is CheckState.FAILED
    text = (finding.text, BAD if is_failed else "")
    remedy = f" → {finding.remedy}" if finding.remedy else ""
    return Text.assemble((symbol, style), (f" {finding.check}: ", DIM), text, remedy)

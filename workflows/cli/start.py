"""``start`` and ``rollback``: make a version live."""

from __future__ import annotations

from typing import Annotated

import typer

from workflows.cli.app import (
    DEFAULT_QUEUE,
    ByOption,
    ExitStatus,
    ReasonOption,
    TargetArgument,
    TaskQueueOption,
    connect,
    get_user_name,
    make_stdout_console,
)
from workflows.cli.flags import Flags, expand_flags
from workflows.cli.notes import print_notes
from workflows.cli.release_file import build_document, parse_input
from workflows.cli.upload import name_package, upload_package
from workflows.cli.watch import watch_release
from workflows.client.client import ReleaseClient
from workflows.client.lookup import parse_target
from workflows.client.release_start import Handle
from workflows.request import ReleaseRequest, RollbackRequest, S3Package

OptionalTargetArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="TARGET",
        help="FUNCTION[:ALIAS] or an ARN; absent if the file names it.",
        show_default=False,
    ),
]
IdOption = Annotated[
    str | None,
    typer.Option(
        "--id",
        metavar="ID",
        help="The workflow's id, such as a CI job's: refused while one of that id runs.",
        show_default=False,
    ),
]
WaitOption = Annotated[
    bool,
    typer.Option("--wait/--no-wait", help="Wait for the end, silently, and exit with its status."),
]
WatchOption = Annotated[
    bool, typer.Option("--watch", help="Wait for the end, and show what happens.")
]


@expand_flags
async def start(
    target: OptionalTargetArgument = None,
    *,
    id: IdOption = None,
    wait: WaitOption = False,
    watch: WatchOption = False,
    flags: Flags,
) -> ExitStatus | None:
    """Start a release, and return; or follow it to its end with --watch or --wait.

    The release goes on whatever happens to this command. The input is validated here as it is by
    the workflow: every problem is listed.

    $ releases start checkout --s3 s3://artifacts/checkout/42.zip
    $ releases start checkout:beta --zip checkout.zip --bucket artifacts --set MemorySize=512
    $ releases start checkout --latest --strategy Linear10PercentEvery1Minute --alarm errors --wait
    $ releases start -f release.yaml --reason "PR 12"
    """
    request = build_request(flags, target)
    releases = await connect()
    request = await upload_artifact(flags, request)
    handle = await releases.start(request, id=id, task_queue=flags.task_queue)
    return await _report_start(releases, handle, request.summary, wait=wait, watch=watch)


async def rollback(  # noqa: PLR0913 - as many as it has flags
    target: TargetArgument,
    *,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="VERSION",
            help="Default: the main version of a split alias; else the one live before.",
            show_default=False,
        ),
    ] = None,
    reason: ReasonOption = "",
    by: ByOption = "",
    before_traffic: Annotated[
        str | None,
        typer.Option(
            metavar="FUNCTION",
            help="A hook, invoked before traffic moves.",
            show_default=False,
        ),
    ] = None,
    after_traffic: Annotated[
        str | None,
        typer.Option(
            metavar="FUNCTION",
            help="A hook, invoked once traffic has moved.",
            show_default=False,
        ),
    ] = None,
    alarm: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="An alarm that undoes the rollback.", show_default=False),
    ] = None,
    reserved: Annotated[
        int | None,
        typer.Option(metavar="N", help="Concurrent executions reserved.", show_default=False),
    ] = None,
    provisioned: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Provisioned concurrency. Default: what the live version has; 0 for none.",
            show_default=False,
        ),
    ] = None,
    hotfix: Annotated[
        bool,
        typer.Option("--hotfix", help="Ignore alarms that are in ALARM already. Needs --reason."),
    ] = False,
    even_if_inactive: Annotated[
        bool,
        typer.Option(
            "--even-if-inactive", help="Move traffic to a version that has to wake up first."
        ),
    ] = False,
    id: IdOption = None,
    wait: WaitOption = False,
    watch: WatchOption = False,
    task_queue: TaskQueueOption = DEFAULT_QUEUE,
) -> ExitStatus | None:
    """Put an alias on an earlier version, all traffic in one step.

    While a release runs, abort that instead. Where another version has a share of the traffic, all
    of it goes back to the main version. A version that was rolled back from is not gone back to,
    unless it is named. $LATEST follows, if it is still what that version was made of.

    $ releases rollback checkout
    $ releases rollback checkout:live --to 41 --reason "42 loses orders" --wait
    """
    parsed = parse_target(target)
    document = {
        "target": {"function": parsed.function, "alias": parsed.alias},
        "version": to,
        "concurrency": {"reserved": reserved, "provisioned": provisioned},
        "hooks": {"before_traffic": before_traffic, "after_traffic": after_traffic},
        "guards": {"alarms": alarm or []},
        "hotfix": hotfix or None,
        "even_if_inactive": even_if_inactive or None,
        "requested_by": by or get_user_name(),
        "reason": reason,
    }
    request = parse_input(document, RollbackRequest)
    releases = await connect()
    handle = await releases.start_rollback(request, id=id, task_queue=task_queue)
    return await _report_start(releases, handle, request.summary, wait=wait, watch=watch)


def build_request(flags: Flags, target: str | None) -> ReleaseRequest:
    """Build the request from flags; a ``--zip`` has the key it will be uploaded to."""
    request = parse_input(build_document(flags, target, by=get_user_name()), ReleaseRequest)
    if flags.package is None or flags.bucket is None or not request.artifact:
        return request
    package = name_package(flags.package, bucket=flags.bucket, target=request.target)
    artifact = request.artifact.model_copy(update={"key": package.key})
    return request.model_copy(update={"artifact": artifact})


async def upload_artifact(flags: Flags, request: ReleaseRequest) -> ReleaseRequest:
    """Upload a request's ``--zip``, if any; return the request with its version."""
    if flags.package is None or not isinstance(request.artifact, S3Package):
        return request
    artifact = await upload_package(flags.package, request.artifact)
    return request.model_copy(update={"artifact": artifact})


async def _report_start(
    releases: ReleaseClient, handle: Handle, words: str, *, wait: bool, watch: bool
) -> ExitStatus | None:
    """Print what was started; wait for its end if that is requested."""
    console = make_stdout_console()
    console.print(f"Started {handle.id}: {words}", soft_wrap=True)
    print_notes(await releases.check_start(handle))
    if watch or wait:
        return await watch_release(releases, handle.id, quiet=not watch)
    console.print(f"Watch it:  releases watch {handle.id}", soft_wrap=True)
    return None

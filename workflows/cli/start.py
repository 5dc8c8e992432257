"""``start``, ``rollback`` and ``plan``: what makes, or would make, something live."""

from __future__ import annotations

from typing import Annotated

import typer

from workflows.cli.app import (
    DEFAULT_QUEUE,
    By,
    Exit,
    Json,
    Reason,
    Target,
    TaskQueue,
    connect,
    myself,
    out,
)
from workflows.cli.flags import Flags, takes_flags
from workflows.cli.release_file import checked, request_document
from workflows.cli.render import plan_page
from workflows.cli.upload import package, upload
from workflows.cli.watch import follow
from workflows.client.client import Handle, ReleaseClient
from workflows.client.lookup import target_of
from workflows.request import ReleaseRequest, RollbackRequest, S3Package

TargetOrFile = Annotated[
    str | None,
    typer.Argument(
        metavar="TARGET",
        help="FUNCTION[:ALIAS] or an ARN; absent if the file names it.",
        show_default=False,
    ),
]
Id = Annotated[
    str | None,
    typer.Option(
        "--id",
        metavar="ID",
        help="The workflow's id, such as a CI job's: refused while one of that id runs.",
        show_default=False,
    ),
]
Wait = Annotated[
    bool,
    typer.Option("--wait/--no-wait", help="Wait for the end, silently, and exit with its status."),
]
Follow = Annotated[bool, typer.Option("--watch", help="Wait for the end, and show what happens.")]


@takes_flags
async def start(
    target: TargetOrFile = None,
    *,
    id: Id = None,
    wait: Wait = False,
    watch: Follow = False,
    flags: Flags,
) -> Exit | None:
    """Start a release, and return; or follow it to its end with --watch or --wait.

    The release goes on whatever happens to this command. What was typed is checked here as it is by the workflow: every problem is listed.

    $ releases start checkout --s3 s3://artifacts/checkout/42.zip
    $ releases start checkout:beta --zip build/checkout.zip --bucket artifacts --set MemorySize=512 --watch
    $ releases start checkout --latest --strategy Linear10PercentEvery1Minute --alarm checkout-errors --wait
    $ releases start -f release.yaml --reason "PR 12"
    """
    request = to_request(flags, target)
    releases = await connect()
    request = await uploaded(flags, request)
    handle = await releases.start(request, id=id, task_queue=flags.task_queue)
    return await _started(releases, handle, request.words, wait=wait, watch=watch)


def to_request(flags: Flags, target: str | None) -> ReleaseRequest:
    """The request that was typed, where a ``--zip`` already has the place that it will be uploaded to."""
    request = checked(request_document(flags, target, by=myself()), ReleaseRequest)
    if flags.package is None or flags.bucket is None:
        return request
    return request.model_copy(
        update={"artifact": package(flags.package, bucket=flags.bucket, target=request.target)}
    )


async def uploaded(flags: Flags, request: ReleaseRequest) -> ReleaseRequest:
    """The same request once its ``--zip``, if it has one, is where it says."""
    if flags.package is None or not isinstance(request.artifact, S3Package):
        return request
    return request.model_copy(update={"artifact": await upload(flags.package, request.artifact)})


async def _started(
    releases: ReleaseClient, handle: Handle, words: str, *, wait: bool, watch: bool
) -> Exit | None:
    console = out()
    console.print(f"Started {handle.id}: {words}", soft_wrap=True)
    if watch or wait:
        return await follow(releases, handle.id, quiet=not watch)
    console.print(f"Watch it:  releases watch {handle.id}", soft_wrap=True)
    return None


async def rollback(  # noqa: PLR0913 - as many as it has flags
    target: Target,
    *,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="VERSION",
            help="Default: the version that was live before the current one.",
            show_default=False,
        ),
    ] = None,
    reason: Reason = "",
    by: By = "",
    before_traffic: Annotated[
        str | None,
        typer.Option(metavar="FUNCTION", help="Asked before traffic moves.", show_default=False),
    ] = None,
    after_traffic: Annotated[
        str | None,
        typer.Option(metavar="FUNCTION", help="Asked after it has moved.", show_default=False),
    ] = None,
    alarm: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="An alarm that takes it back.", show_default=False),
    ] = None,
    id: Id = None,
    wait: Wait = False,
    watch: Follow = False,
    task_queue: TaskQueue = DEFAULT_QUEUE,
) -> Exit | None:
    """Put an alias on an earlier version, all traffic in one step. While a release runs, abort that instead.

    $ releases rollback checkout
    $ releases rollback checkout:live --to 41 --reason "42 loses orders" --wait
    """
    place = target_of(target)
    document = {
        "target": {"function": place.function, "alias": place.alias},
        "version": to,
        "hooks": {"before_traffic": before_traffic, "after_traffic": after_traffic},
        "guards": {"alarms": alarm or []},
        "requested_by": by or myself(),
        "reason": reason,
    }
    request = checked(document, RollbackRequest)
    releases = await connect()
    handle = await releases.start_rollback(request, id=id, task_queue=task_queue)
    return await _started(releases, handle, request.words, wait=wait, watch=watch)


@takes_flags
async def plan(target: TargetOrFile = None, *, json: Json = False, flags: Flags) -> Exit:
    """Show what a release would do, and everything that speaks against it. Reads only; takes the flags of start.

    $ releases plan checkout --s3 s3://artifacts/checkout/42.zip --strategy Canary10Percent30Minutes

    Exits with 1 if the release would be rejected. A --zip is not uploaded.
    """
    request = to_request(flags, target)
    planned = await (await connect()).plan(request, task_queue=flags.task_queue)
    if json:
        typer.echo(planned.model_dump_json(indent=2))
    else:
        out().print(plan_page(planned, request))
    return Exit.NOT_RELEASED if planned.refusals else Exit.SUCCEEDED

"""``start``: makes a version live, step by step."""

from __future__ import annotations

from typing import Annotated

import typer

from workflows.cli.app import ExitStatus, connect, get_user_name
from workflows.cli.field_names import FieldNames
from workflows.cli.flags import Flags, expand_flags
from workflows.cli.output import JsonOption
from workflows.cli.place import locate_request
from workflows.cli.release_file import build_document, parse_input
from workflows.cli.start_report import (
    FollowOptions,
    IdOption,
    WaitOption,
    WatchOption,
    report_start,
)
from workflows.cli.upload import name_package, upload_package
from workflows.domain.artifact import S3Package
from workflows.request import ReleaseRequest

OptionalTargetArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="TARGET",
        help="FUNCTION[:ALIAS] or an ARN; absent if the file names it.",
        show_default=False,
    ),
]


@expand_flags
async def start(  # noqa: PLR0913 - as many as it has flags
    target: OptionalTargetArgument = None,
    *,
    id: IdOption = None,
    wait: WaitOption = None,
    watch: WatchOption = False,
    json: JsonOption = False,
    flags: Flags,
) -> ExitStatus | None:
    """Start a release, and return once preflight is over; or follow it with --watch or --wait.

    Preflight takes about a second. Exits with 1 and the reasons if it rejects the release, and
    with 3 if no worker takes the release. --no-wait returns at once, and knows neither. The
    release goes on whatever happens to this command. The input is validated here as it is by the
    workflow: every problem is listed.

    $ releases start checkout --s3 s3://artifacts/checkout/42.zip
    $ releases start checkout:beta --zip checkout.zip --bucket artifacts --set MemorySize=512
    $ releases start checkout --latest --strategy Linear10PercentEvery1Minute --alarm errors --wait
    $ releases start -f release.yaml --reason "PR 12"
    """
    request = build_request(flags, target)
    releases = await connect()
    request = await locate_request(releases, request, account=flags.account, region=flags.region)
    request = await upload_artifact(flags, request)
    handle = await releases.start(request, id=id, task_queue=flags.task_queue)
    follow = FollowOptions(wait=wait, watch=watch, json=json)
    return await report_start(releases, handle, request, follow)


def build_request(flags: Flags, target: str | None) -> ReleaseRequest:
    """Build the request from flags; a ``--zip`` has the key it will be uploaded to."""
    request = parse_input(
        build_document(flags, target, by=get_user_name()),
        ReleaseRequest,
        names=FieldNames.from_flags(flags, target),
    )
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

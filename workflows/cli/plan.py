"""``plan``: what a release would do."""

from __future__ import annotations

from workflows.cli.app import ExitStatus, connect, make_stdout_console
from workflows.cli.flags import Flags, expand_flags
from workflows.cli.output import JsonOption, print_json
from workflows.cli.place import locate_request
from workflows.cli.render import render_plan
from workflows.cli.start import OptionalTargetArgument, build_request


@expand_flags
async def plan(
    target: OptionalTargetArgument = None, *, json: JsonOption = False, flags: Flags
) -> ExitStatus:
    """Show what a release would do, and every reason to reject it. Reads only.

    Takes the flags of start.

    $ releases plan checkout --s3 s3://artifacts/checkout/42.zip --strategy Canary10Percent30Minutes

    Exits with 1 if the release would be rejected. A --zip is not uploaded.
    """
    request = build_request(flags, target)
    releases = await connect()
    request = await locate_request(releases, request, account=flags.account, region=flags.region)
    planned = await releases.plan(
        request, task_queue=flags.task_queue, is_uploaded=flags.package is None
    )
    if json:
        print_json(planned)
    else:
        make_stdout_console().print(render_plan(planned, request))
    return ExitStatus.NOT_RELEASED if planned.refusals else ExitStatus.SUCCEEDED

"""``rollback``: puts an alias on an earlier version."""

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
from workflows.cli.field_names import ROLLBACK_FLAGS, FieldNames
from workflows.cli.release_file import parse_input
from workflows.cli.start_report import (
    IdOption,
    WaitOption,
    WatchOption,
    print_outcome,
    report_start,
    wait_for_preflight,
)
from workflows.cli.watch import watch_release
from workflows.client import ReleaseClient
from workflows.client.alias_holder import AliasHolder
from workflows.client.errors import Refused
from workflows.client.lookup import parse_target
from workflows.client.start_outcome import StartState
from workflows.domain.alias_history import RunKind, describe_way_back
from workflows.domain.status import Phase
from workflows.domain.target import Target
from workflows.request import RollbackRequest


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
    abort_running: Annotated[
        bool,
        typer.Option(
            "--abort-running", help="Abort a release that runs, wait for its end, then roll back."
        ),
    ] = False,
    id: IdOption = None,
    wait: WaitOption = None,
    watch: WatchOption = False,
    task_queue: TaskQueueOption = DEFAULT_QUEUE,
) -> ExitStatus | None:
    """Put an alias on an earlier version, all traffic in one step.

    Names the version that it goes to, first. Refused while a release runs: abort puts the alias
    back then, or --abort-running does both. Where another version has a share of the traffic, all
    of it goes back to the main version. A version that was rolled back from is not gone back to,
    unless it is named. $LATEST follows, if it is still what that version was made of.

    $ releases rollback checkout
    $ releases rollback checkout:live --to 41 --reason "42 loses orders" --wait
    $ releases rollback checkout --abort-running --reason "42 loses orders"
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
    request = parse_input(document, RollbackRequest, names=FieldNames(ROLLBACK_FLAGS))
    releases = await connect()
    holder = await releases.find_holder(request.target)
    if holder and abort_running:
        exit_status = await _abort(releases, holder, request)
        if exit_status is not None:
            return exit_status
    elif holder and not holder.is_watched:
        raise Refused(_describe_holder(holder, request.target))
    handle = await releases.start_rollback(request, id=id, task_queue=task_queue)
    if wait is False:
        return await report_start(releases, handle, request, wait=wait, watch=watch)
    outcome = await wait_for_preflight(releases, handle)
    status = outcome.status
    if status.candidate and status.phase is not Phase.REJECTED:
        way = describe_way_back(status.candidate, status.stable, is_named=to is not None)
        _print(f"Rollback of {request.target} to {way}")
    if (wait or watch) and outcome.state is not StartState.ENDED:
        return await report_start(releases, handle, request, wait=wait, watch=watch)
    return print_outcome(outcome, request)


def _describe_holder(holder: AliasHolder, target: Target) -> str:
    """Say why no rollback may begin now, and what to type instead."""
    phase = holder.status.phase.replace("_", " ")
    if holder.status.phase is Phase.ROLLING_BACK:
        return f"{target} is being rolled back already, by {holder.id}: releases watch {target}"
    return (
        f"{target} is being released now ({phase}), by {holder.id}: to put the alias back, type "
        f"releases abort {target}, or releases rollback {target} --abort-running"
    )


async def _abort(
    releases: ReleaseClient, holder: AliasHolder, request: RollbackRequest
) -> ExitStatus | None:
    """Abort what runs, and wait for its end. None where a rollback is still to be done.

    None is to be done where the release had moved traffic, and the alias is back where it was.
    """
    target, reason = request.target, f"rollback: {request.reason}".rstrip(": ")
    try:
        aborted = await releases.abort(holder.id, by=request.requested_by, reason=reason)
    except Refused as refusal:  # it is over, or is being rolled back already
        _print(f"Not aborted: {refusal}")
    else:
        _print(f"Aborted {holder.id}: {reason}")
        if aborted.phase is Phase.REJECTED:
            return None
    exit_status = await watch_release(releases, holder.id, quiet=True)
    if exit_status not in {ExitStatus.SUCCEEDED, ExitStatus.NOT_RELEASED}:
        return exit_status
    status = await releases.status(holder.id)
    if status.phase is not Phase.ROLLED_BACK or holder.kind is not RunKind.RELEASE:
        return None
    if request.version not in {None, status.stable} or not await releases.has_moved(holder):
        return None
    _print(f"{target} is back on version {status.stable}: there is nothing more to roll back")
    return ExitStatus.SUCCEEDED


def _print(line: str) -> None:
    make_stdout_console().print(line, soft_wrap=True)

"""``rollback``: puts an alias on an earlier version."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from workflows.cli.app import (
    ByOption,
    ExitStatus,
    ReasonOption,
    TargetArgument,
    TaskQueueOption,
    connect,
    get_exit_status,
    get_user_name,
    make_stderr_console,
    make_stdout_console,
)
from workflows.cli.field_names import ROLLBACK_FLAGS, FieldNames
from workflows.cli.output import JsonOption, print_json
from workflows.cli.place import AccountOption, RegionOption, locate_request
from workflows.cli.release_file import parse_input
from workflows.cli.render import render_ending
from workflows.cli.start_report import (
    FollowOptions,
    IdOption,
    WaitOption,
    WatchOption,
    report_start,
)
from workflows.cli.watch import OutagePrinter
from workflows.client import ReleaseClient
from workflows.client.alias_holder import AliasHolder
from workflows.client.errors import NoWorker, Refused
from workflows.client.lookup import parse_target
from workflows.client.runs import RunEnding, RunOutcome
from workflows.client.start_outcome import StartOutcome, StartState
from workflows.domain.alias_history import RunKind
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
    account: AccountOption = None,
    region: RegionOption = None,
    task_queue: TaskQueueOption = None,
    json: JsonOption = False,
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
    request = await locate_request(releases, request, account=account, region=region)
    holder = await releases.find_holder(request.target)
    if holder and abort_running:
        console = make_stderr_console() if json else make_stdout_console()
        ending = await _abort(releases, holder, request, console)
        if ending is not None:
            return _report_ending(holder, ending, json=json)
    elif holder and not holder.is_watched:
        raise Refused(_describe_holder(holder, request.target))
    handle = await releases.start_rollback(request, id=id, task_queue=task_queue)
    follow = FollowOptions(wait=wait, watch=watch, json=json)
    return await report_start(releases, handle, request, follow)


def _describe_holder(holder: AliasHolder, target: Target) -> str:
    """Say why no rollback may begin now, and what to type instead."""
    phase = holder.status.phase.replace("_", " ")
    if holder.status.phase is Phase.ROLLING_BACK:
        return f"{target} is being rolled back already, by {holder.id}: releases watch {target}"
    if holder.kind is RunKind.ROLLBACK:
        return (
            f"another rollback of {target} runs ({phase}), {holder.id}: releases watch {target} "
            f"follows it, releases abort {target} stops it"
        )
    return (
        f"{target} is being released now ({phase}), by {holder.id}: to put the alias back, type "
        f"releases abort {target}, or releases rollback {target} --abort-running"
    )


def _report_ending(holder: AliasHolder, ending: RunEnding, *, json: bool) -> ExitStatus:
    """Report the end of a release that left nothing to roll back, or could not be undone."""
    if json:
        outcome = StartOutcome(
            id=holder.id,
            run_id=holder.run_id,
            state=StartState.ENDED,
            status=ending.status or holder.status,
            rollout=holder.id,
            ending=ending,
        )
        print_json(outcome)
    is_back = ending.outcome is RunOutcome.ROLLED_BACK
    return ExitStatus.SUCCEEDED if is_back else get_exit_status(ending)


async def _abort(
    releases: ReleaseClient, holder: AliasHolder, request: RollbackRequest, console: Console
) -> RunEnding | None:
    """Abort what runs, and wait for its end. None where a rollback is still to be done.

    None is to be done where the release had moved traffic, and the alias is back where it was.
    """
    target, reason = request.target, f"rollback: {request.reason}".rstrip(": ")
    try:
        aborted = await releases.abort(holder.id, by=request.requested_by, reason=reason)
    except Refused as refusal:  # it is over, or is being rolled back already
        console.print(f"Not aborted: {refusal}", soft_wrap=True)
    else:
        console.print(f"Aborted {holder.id}: {reason}", soft_wrap=True)
        if aborted.phase is Phase.REJECTED:
            return None
    ending = await _wait_for_end(releases, holder)
    console.print(render_ending(ending), soft_wrap=True)
    if ending.outcome in {RunOutcome.NOT_ROLLED_BACK, RunOutcome.KILLED}:
        return ending
    status = ending.status or await releases.status(holder.id)
    is_undone = ending.outcome is RunOutcome.ROLLED_BACK and holder.kind is RunKind.RELEASE
    if not is_undone or request.version not in {None, status.stable}:
        return None
    if not await releases.has_moved(holder):
        return None
    note = f"{target} is back on version {status.stable}: there is nothing more to roll back"
    console.print(note, soft_wrap=True)
    return ending


async def _wait_for_end(releases: ReleaseClient, holder: AliasHolder) -> RunEnding:
    outages = OutagePrinter(make_stderr_console())
    async for update in releases.watch(holder.id):
        outages.show(update)
        if update.ending:
            return update.ending
    raise NoWorker(f"{holder.id} cannot be followed to its end: releases watch {holder.id}")

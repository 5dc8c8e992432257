"""``python -m deploy.ci [options] plan|start TARGET FLAGS``: a plan or a release of a CI job.

A plan becomes a comment on the pull request, a release a log with a group for each step. The
variables of the job name the forge. What stands after the command is handed to ``releases plan`` or
``releases start``; ``CI_FLAGS`` has more of it, as one would type it in a shell, and no shell reads
it. Exit status: that of ``releases``.
"""

from __future__ import annotations

import argparse
import getpass
import os
import shlex
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Final, NoReturn
from urllib.parse import quote

from deploy.ci import releases_command
from deploy.ci.forge import Forge, Terminal
from deploy.ci.github import GitHub
from deploy.ci.gitlab import GitLab
from deploy.ci.http import ForgeError
from deploy.ci.plan_page import render_plan
from deploy.ci.progress import Progress
from deploy.ci.release_page import WORDS, render_ending

_CODE: Final = {"--s3", "--zip", "--image", "--latest"}
"""Flags of an artifact that takes a revision."""

_KILLED: Final = 4
_USAGE: Final = 2


def main(environment: Mapping[str, str] = os.environ) -> int:
    """Run a command, and return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m deploy.ci", description=__doc__, allow_abbrev=False
    )
    parser.add_argument("--no-comment", action="store_true", help="leave the pull request alone")
    parser.add_argument("--no-follow", action="store_true", help="return once preflight is over")
    parser.add_argument("--id", default="", help="the release's id; by default the job's")
    parser.add_argument("command", choices=["plan", "start"])
    parser.add_argument("flags", nargs=argparse.REMAINDER, help="TARGET and flags of releases")
    known = parser.parse_args()
    try:
        flags = [*known.flags, *shlex.split(environment.get("CI_FLAGS", ""), comments=True)]
    except ValueError as error:
        sys.stderr.write(f"CI_FLAGS: {error}\n")
        return _USAGE
    forge = _find_forge(environment)
    if known.command == "plan":
        return _plan(forge, flags, comments=not known.no_comment)
    id_ = known.id or ":".join(filter(None, (forge.job.id, _find_name(flags))))
    return _start(forge, flags, id_, follows=not known.no_follow)


def _find_forge(environment: Mapping[str, str]) -> Forge:
    if environment.get("GITHUB_ACTIONS") == "true":
        return GitHub(environment)
    if environment.get("GITLAB_CI") == "true":
        return GitLab(environment)
    return Terminal(getpass.getuser())


def _find_target(flags: Sequence[str]) -> str:
    """The target, where it is the first word; an ARN as its function and alias."""
    first = flags[0] if flags and not flags[0].startswith("-") else ""
    return first.partition(":function:")[2] or first


def _find_name(flags: Sequence[str]) -> str:
    """What tells two targets of one job apart: with account and region, where they are named."""
    first = flags[0] if flags and not flags[0].startswith("-") else ""
    *before, place = first.partition(":function:")[0].split(":lambda:")
    if before:
        region, _, account = place.partition(":")
        parts = [account, region, _find_target(flags)]
    else:
        parts = [_find_value(flags, "--account"), _find_value(flags, "--region"), first]
    return ":".join(filter(None, parts))


def _find_value(flags: Sequence[str], name: str) -> str:
    """The value of a flag, in either of its forms; empty where it is not given."""
    for flag, following in zip(flags, [*flags[1:], ""], strict=True):
        if flag == name:
            return following
        if flag.startswith(f"{name}="):
            return flag.partition("=")[2]
    return ""


def _plan(forge: Forge, flags: list[str], *, comments: bool) -> int:
    """Plan, show the plan on the pull request, and fail where the release would be rejected."""
    planned = releases_command.run("plan", *flags, "-o", "json")
    target = _find_target(flags) or "the release"
    page = render_plan(target, planned, revision=forge.job.revision)
    forge.summarize(page)
    plan = planned.document if isinstance(planned.document, dict) else {}
    refusals = plan.get("refusals") or ([] if plan else [planned.problem])
    forge.publish({"refused": str(bool(refusals)).lower(), "status": str(planned.status)})
    for line in (*plan.get("steps", ()), *plan.get("notes", ())):
        forge.print_line(line)
    for refusal in refusals:
        forge.fail(f"{target} would be rejected" if plan else f"no plan for {target}", refusal)
    if comments:
        try:
            forge.comment(f"plan {_find_name(flags)}", page)
        except ForgeError as error:
            forge.note("The plan is not on the pull request", f"{error}; it is in the summary")
    return planned.status


def _start(forge: Forge, flags: list[str], id_: str, *, follows: bool) -> int:
    """Start a release, or find the one that this job has started before, and follow it."""
    waiting = ["--no-wait"] if follows else []
    started = releases_command.run(
        "start", *flags, *_describe_job(forge, flags), "--id", id_, *waiting, "-o", "json"
    )
    forge.publish({"id": id_})
    if started.document is None:
        running = releases_command.run("status", id_, "-o", "json")
        if running.status or (running.document or {}).get("closed_at"):
            forge.fail(f"{_find_target(flags) or id_} was not released", started.problem)
            forge.summarize(render_ending(id_, {"outcome": "rejected", "note": started.problem}))
            return started.status
        forge.print_line(f"{id_} is running already: this job goes on with it")
    if not follows:
        forge.print_line(f"releases watch {id_}")
        return started.status
    return _follow(forge, _find_target(flags) or id_, id_)


def _describe_job(forge: Forge, flags: Sequence[str]) -> list[str]:
    """Flags for who releases what and why, where the caller does not give them."""
    job = forge.job
    names = {each.partition("=")[0] for each in flags}
    described: list[str] = []
    if job.author and "--by" not in names:
        described.append(f"--by={job.author}")
    if job.reason and "--reason" not in names:
        described.append(f"--reason={' '.join(filter(None, (job.reason, job.url)))}")
    if job.revision and not names & {"--revision", "--description"} and names & _CODE:
        described.append(f"--revision={job.revision}")
    return described


def _follow(forge: Forge, target: str, id_: str) -> int:
    """Print a release up to its end, and why it ended so."""

    def leave(*_: object) -> NoReturn:
        forge.note("This job was stopped", f"the release goes on: releases abort {id_} ends it")
        raise SystemExit(128 + signal.SIGTERM)

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)
    lines = releases_command.Lines(["watch", id_, "-o", "json"])
    progress = Progress(forge, target)
    progress.follow(lines)
    ending = progress.ending
    if ending is None:
        forge.fail(f"{target}: how it ended is not known", f"releases status {id_}")
        return lines.status or _KILLED
    explanation = releases_command.run("explain", id_).text
    page = _find_page(id_)
    forge.summarize(render_ending(id_, ending, explanation=explanation, page=page))
    candidate = (ending.get("status") or {}).get("candidate") or ""
    forge.publish({"outcome": ending["outcome"], "candidate": candidate})
    if ending["outcome"] == "succeeded":
        forge.print_line(f"✓ {ending['note']}")
    else:
        words = WORDS.get(ending["outcome"], ending["outcome"])
        forge.fail(f"{target}: {words}", ending["note"])
    return lines.status


def _find_page(id_: str) -> str:
    """The release in Temporal's Web UI, where TEMPORAL_UI_URL has its address."""
    ui = os.environ.get("TEMPORAL_UI_URL", "").rstrip("/")
    namespace = os.environ.get("TEMPORAL_NAMESPACE") or "default"
    return f"{ui}/namespaces/{quote(namespace)}/workflows/{quote(id_, safe='')}" if ui else ""


if __name__ == "__main__":
    sys.exit(main())

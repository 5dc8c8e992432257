"""The flags that say what to release and how: shared by ``start``, ``plan`` and ``schedule create``."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar, cast, get_type_hints

import typer

from workflows.cli.app import DEFAULT_QUEUE, By, Reason, TaskQueue

_WHAT, _HOW, _GUARDS, _WHO = "What to release", "How", "What may stop it", "Who and why"

_P = ParamSpec("_P")
_R = TypeVar("_R")


def _option(*names: str, panel: str, help: str, metavar: str | None = None, **more: Any) -> Any:
    return typer.Option(
        *names, rich_help_panel=panel, help=help, metavar=metavar, show_default=False, **more
    )


@dataclass(frozen=True, kw_only=True)
class Flags:
    """What was typed: everything may be absent, and everything may be in the file instead."""

    file: Annotated[
        Path | None,
        _option(
            "-f", "--file", panel=_WHAT, metavar="FILE",
            help="A release as JSON or YAML, the input of the workflow; - is stdin. Flags override it.",
        ),
    ] = None  # fmt: skip
    s3: Annotated[
        str | None,
        _option(
            "--s3",
            panel=_WHAT,
            metavar="URL",
            help="A package: s3://bucket/key, or with ?versionId=… to pin it.",
        ),
    ] = None
    package: Annotated[
        Path | None,
        _option(
            "--zip", panel=_WHAT, metavar="PATH", exists=True, dir_okay=False,
            help="A local package: uploaded to --bucket first, once, under the hash of its content. Needs AWS credentials.",
        ),
    ] = None  # fmt: skip
    bucket: Annotated[
        str | None,
        _option(
            "--bucket",
            panel=_WHAT,
            metavar="NAME",
            help="Where --zip goes; in the function's region.",
        ),
    ] = None
    image: Annotated[
        str | None, _option("--image", panel=_WHAT, metavar="URI", help="A container image in ECR.")
    ] = None
    version: Annotated[
        str | None,
        _option("--version", panel=_WHAT, metavar="N", help="A version that was published before."),
    ] = None
    latest: Annotated[
        bool, _option("--latest", panel=_WHAT, help="What $LATEST holds when the release runs.")
    ] = False
    settings: Annotated[
        list[str],
        _option(
            "--set", panel=_WHAT, metavar="NAME=VALUE",
            help="Configuration, in AWS's words: MemorySize=512, Layers='[\"arn:…\"]'. Repeat it.",
        ),
    ] = field(default_factory=list[str])  # fmt: skip
    environment: Annotated[
        list[str],
        _option(
            "--env", panel=_WHAT, metavar="NAME=VALUE",
            help="An environment variable. AWS replaces the whole set by those given. Repeat it. Visible in Temporal: give secrets as "
            "'{{resolve:ssm:/path}}' or '{{resolve:secretsmanager:name:SecretString:key}}'.",
        ),
    ] = field(default_factory=list[str])  # fmt: skip
    strategy: Annotated[
        str | None,
        _option(
            "--strategy", panel=_HOW, metavar="NAME|JSON",
            help="Adaptive, AllAtOnce, Canary10Percent5Minutes (the default), Linear10PercentEvery1Minute, with any numbers; or steps: "
            '\'{"steps": [{"kind": "set_weight", "percent": 5}, {"kind": "bake", "duration": "10m"}, {"kind": "approval"}]}\'.',
        ),
    ] = None  # fmt: skip
    reserved: Annotated[
        int | None,
        _option(
            "--reserved",
            panel=_HOW,
            metavar="N",
            help="Concurrent executions reserved for the function.",
        ),
    ] = None
    provisioned: Annotated[
        int | None,
        _option(
            "--provisioned",
            panel=_HOW,
            metavar="N",
            help="Executions kept warm on the version that is released.",
        ),
    ] = None
    before_traffic: Annotated[
        str | None,
        _option(
            "--before-traffic",
            panel=_GUARDS,
            metavar="FUNCTION",
            help="Asked before the first traffic moves.",
        ),
    ] = None
    after_traffic: Annotated[
        str | None,
        _option(
            "--after-traffic",
            panel=_GUARDS,
            metavar="FUNCTION",
            help="Asked once all traffic has moved.",
        ),
    ] = None
    alarms: Annotated[
        list[str],
        _option(
            "--alarm",
            panel=_GUARDS,
            metavar="NAME",
            help="A CloudWatch alarm that takes everything back. Repeat it.",
        ),
    ] = field(default_factory=list[str])
    metrics: Annotated[
        str | None,
        _option(
            "--metrics", panel=_GUARDS, metavar="JSON",
            help="Rules on what CloudWatch measures: '{\"not_worse\": [{\"metric\": \"error_rate\", \"margin\": 0.01}], "
            "\"limits\": [{\"metric\": \"duration_p99\", \"max\": 800}]}'.",
        ),
    ] = None  # fmt: skip
    after: Annotated[
        str | None,
        _option("--after", panel=_GUARDS, metavar="DURATION", help="How long alarms and metrics go on guarding once all traffic has moved: 24h."),
    ] = None  # fmt: skip
    hotfix: Annotated[
        bool,
        _option(
            "--hotfix", panel=_GUARDS,
            help="Ship during an incident: alarms that are red already do not count, the new version must not be worse than the live one. Needs --reason.",
        ),
    ] = False  # fmt: skip
    reason: Reason = ""
    by: By = ""
    task_queue: TaskQueue = DEFAULT_QUEUE


def takes_flags(command: Callable[_P, _R]) -> Callable[_P, _R]:
    """Let typer see each of the :class:`Flags` as a parameter of a command that takes them all as ``flags``."""
    parameters = inspect.signature(command, eval_str=True).parameters
    hints = get_type_hints(Flags, include_extras=True)
    defaults = {flag.name: getattr(Flags(), flag.name) for flag in fields(Flags)}
    flags = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hints[name]
        )
        for name, default in defaults.items()
    ]
    own = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in parameters.items()
        if name != "flags"
    ]

    def spread(**given: Any) -> Any:
        flags = Flags(**{name: given.pop(name) for name in defaults})
        return cast("Callable[..., Any]", command)(flags=flags, **given)

    spread.__name__, spread.__doc__ = command.__name__, command.__doc__
    spread.__signature__ = inspect.Signature([*own, *flags])  # type: ignore[attr-defined] # how inspect lets a function speak for another
    return cast("Callable[_P, _R]", spread)

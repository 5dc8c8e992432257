"""The flags of a release, shared by ``start``, ``plan`` and ``schedule create``."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Final, ParamSpec, TypeVar, cast, get_type_hints

import typer

from workflows.cli.app import ByOption, ReasonOption, TaskQueueOption
from workflows.cli.place import AccountOption, RegionOption

_WHAT: Final = "What to release"
_HOW: Final = "How"
_GUARDS: Final = "What may stop it"

_P = ParamSpec("_P")
_R = TypeVar("_R")


def _option(*names: str, panel: str, help: str, metavar: str | None = None, **more: Any) -> Any:
    return typer.Option(
        *names, rich_help_panel=panel, help=help, metavar=metavar, show_default=False, **more
    )


@dataclass(frozen=True, kw_only=True)
class Flags:
    """The flags as typed: each may be absent, and may be in the file instead."""

    file: Annotated[
        Path | None,
        _option(
            "-f",
            "--file",
            panel=_WHAT,
            metavar="FILE",
            help="A release as JSON or YAML, the input of the workflow; - is stdin. "
            "Flags override it.",
        ),
    ] = None
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
            "--zip",
            panel=_WHAT,
            metavar="PATH",
            exists=True,
            dir_okay=False,
            help="A local package: uploaded to --bucket first, once, under the hash of its "
            "content. Needs AWS credentials.",
        ),
    ] = None
    bucket: Annotated[
        str | None,
        _option(
            "--bucket",
            panel=_WHAT,
            metavar="NAME",
            help="The bucket for --zip; in the function's region.",
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
    architecture: Annotated[
        str | None,
        _option(
            "--architecture",
            panel=_WHAT,
            metavar="NAME",
            help="What the code is built for: x86_64 or arm64. As the live version's by default.",
        ),
    ] = None
    kms_key: Annotated[
        str | None,
        _option(
            "--kms-key",
            panel=_WHAT,
            metavar="ARN",
            help="The KMS key that encrypts the package. The live version's by default.",
        ),
    ] = None
    storage_mode: Annotated[
        str | None,
        _option(
            "--storage-mode",
            panel=_WHAT,
            metavar="MODE",
            help="COPY the package, or REFERENCE it: then it must stay in S3.",
        ),
    ] = None
    revision: Annotated[
        str | None,
        _option(
            "--revision",
            "--description",
            panel=_WHAT,
            metavar="TEXT",
            help="What the code was built from, such as a git commit: shown with the release, and "
            "in the description of the version.",
        ),
    ] = None
    include_latest: Annotated[
        bool,
        _option(
            "--include-latest",
            panel=_WHAT,
            help="Release what differs in $LATEST from the live version, too.",
        ),
    ] = False
    settings: Annotated[
        list[str],
        _option(
            "--set",
            panel=_WHAT,
            metavar="NAME=VALUE",
            help="Configuration, with AWS's names: MemorySize=512, "
            "Layers='[\"arn:…\"]'. Repeat it.",
        ),
    ] = field(default_factory=list[str])
    environment: Annotated[
        list[str],
        _option(
            "--env",
            panel=_WHAT,
            metavar="NAME=VALUE",
            help="An environment variable. AWS replaces the whole set by those given. Repeat it. "
            "Visible in Temporal: give secrets as '{{resolve:ssm:/path}}' or "
            "'{{resolve:secretsmanager:name:SecretString:key}}'.",
        ),
    ] = field(default_factory=list[str])
    strategy: Annotated[
        str | None,
        _option(
            "--strategy",
            panel=_HOW,
            metavar="NAME|JSON",
            help="Adaptive, AllAtOnce, Canary10Percent5Minutes (the default), "
            "Linear10PercentEvery1Minute, with any numbers; or steps: "
            '\'{"steps": [{"kind": "set_weight", "percent": 5}, '
            '{"kind": "bake", "duration": "10m"}, {"kind": "approval"}]}\'.',
        ),
    ] = None
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
            help="Provisioned concurrency of the version that is released; 0: none. Absent: as "
            "much as the live version has.",
        ),
    ] = None
    again: Annotated[
        bool,
        _option(
            "--again",
            panel=_WHAT,
            help="Release it although it was rolled back before. Needs --reason.",
        ),
    ] = False
    even_if_inactive: Annotated[
        bool,
        _option(
            "--even-if-inactive",
            panel=_HOW,
            help="Move traffic to a version that has to wake up, without waiting for it.",
        ),
    ] = False
    before_traffic: Annotated[
        str | None,
        _option(
            "--before-traffic",
            panel=_GUARDS,
            metavar="FUNCTION",
            help="A hook, invoked before the first traffic moves.",
        ),
    ] = None
    after_traffic: Annotated[
        str | None,
        _option(
            "--after-traffic",
            panel=_GUARDS,
            metavar="FUNCTION",
            help="A hook, invoked once all traffic has moved.",
        ),
    ] = None
    alarms: Annotated[
        list[str],
        _option(
            "--alarm",
            panel=_GUARDS,
            metavar="NAME",
            help="A CloudWatch alarm that rolls the release back. Repeat it.",
        ),
    ] = field(default_factory=list[str])
    metrics: Annotated[
        str | None,
        _option(
            "--metrics",
            panel=_GUARDS,
            metavar="JSON",
            help="Rules for CloudWatch metrics: "
            '\'{"not_worse": [{"metric": "error_rate", "margin": 0.01}], '
            '"limits": [{"metric": "duration_p99", "max": 800}]}\'.',
        ),
    ] = None
    after: Annotated[
        str | None,
        _option(
            "--after",
            panel=_GUARDS,
            metavar="DURATION",
            help="How long alarms and metrics stay active once all traffic has moved: 24h.",
        ),
    ] = None
    hotfix: Annotated[
        bool,
        _option(
            "--hotfix",
            panel=_GUARDS,
            help="Release during an incident: alarms that are in ALARM already are ignored, and "
            "the new version must not be worse than the live one. Needs --reason.",
        ),
    ] = False
    reason: ReasonOption = ""
    by: ByOption = ""
    account: AccountOption = None
    region: RegionOption = None
    task_queue: TaskQueueOption = None


def expand_flags(command: Callable[_P, _R]) -> Callable[_P, _R]:
    """Replace the parameter ``flags`` of a command by one for each of :class:`Flags`."""
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

    def run(**values: Any) -> Any:
        flags = Flags(**{name: values.pop(name) for name in defaults})
        return cast("Callable[..., Any]", command)(flags=flags, **values)

    run.__name__, run.__doc__ = command.__name__, command.__doc__
    # Typer reads the signature by inspect, which reads this attribute first.
    run.__signature__ = inspect.Signature([*own, *flags])  # type: ignore[attr-defined] # inspect's protocol, not in typeshed
    return cast("Callable[_P, _R]", run)

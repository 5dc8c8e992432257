"""The command line of ``python -m deploy.iam``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from activities.access import OTHER_OPERATIONS
from activities.permission_needs import Scope
from deploy.iam.cloudformation import OWN_PLACE
from deploy.iam.resources import Place, PolicyResources, ResourceNameError, check_name
from deploy.iam.tiers import Tier
from deploy.iam.trust import Platform, Trusted


class OutputFormat(StrEnum):
    """What is printed."""

    JSON = "json"
    CLOUDFORMATION = "cloudformation"
    TERRAFORM = "terraform"


FLAGS: Final[dict[Scope, tuple[str, str, str]]] = {
    Scope.FUNCTION: ("--functions", "NAME", "functions that are released, such as 'checkout-*'"),
    Scope.PACKAGE: ("--bucket", "NAME[/PREFIX*]", "where packages are"),
    Scope.PACKAGE_KEY: ("--bucket-key", "ARN", "key of yours that encrypts the packages"),
    Scope.IMAGE: ("--images", "REPOSITORY", "repositories of ECR: name or URI"),
    Scope.HOOK: ("--hooks", "NAME", "functions that are hooks"),
    Scope.PARAMETER: ("--references", "NAME", "parameters of SSM, such as '/checkout/*'"),
    Scope.SECRET: ("--secrets", "NAME", "secrets of Secrets Manager, such as 'checkout/*'"),
    Scope.REFERENCE_KEY: ("--reference-key", "ARN", "key of yours that encrypts those two"),
    Scope.LAYER: ("--layers", "NAME", "layers that releases set: name or ARN"),
    Scope.ROLE: ("--role", "NAME", "execution roles that releases set: name or ARN"),
    Scope.FUNCTION_KEY: ("--key", "ARN", "key of yours that encrypts environments and code"),
    Scope.CODEC_KEY: ("--codec-key", "ARN", "key that wraps RELEASES_CODEC_KEYS"),
    Scope.WORKER_ROLE: ("--worker-role", "NAME", "the worker's own role, for releases doctor"),
}
"""The flags that name resources, each of which may be given again, or with commas."""

_SWITCHES: Final = {
    Scope.NETWORK: ("--vpc", "releases set VpcConfig, or functions are in a VPC"),
    Scope.FILE_SYSTEM: ("--file-systems", "functions have file systems"),
}
_DESCRIPTION: Final = (
    "Print the IAM policy of a worker, for what its code calls. What no flag names is left out. In "
    "a template a name may be a parameter, such as '${Functions}'."
)


@dataclass(frozen=True)
class Wanted:
    """What to print."""

    tiers: tuple[Tier, ...]
    output: OutputFormat
    resources: PolicyResources
    operations: frozenset[str]
    assumed: tuple[str, ...]
    trusted: Trusted | None


def parse_arguments(arguments: Sequence[str] | None) -> Wanted:
    """Parse the command line; exits with a message for what is no argument."""
    parser = _make_parser()
    given = parser.parse_args(arguments)
    try:
        return _to_wanted(given)
    except ResourceNameError as problem:
        parser.error(str(problem))


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.iam", description=_DESCRIPTION)
    for scope, (flag, metavar, text) in FLAGS.items():
        _add_names(parser, flag, metavar, text, scope.name)
    for scope, (flag, text) in _SWITCHES.items():
        parser.add_argument(
            flag, action="store_const", const=("*",), default=(), help=text, dest=scope.name
        )
    parser.add_argument("--account", help="12 digits; in a template by default that of the stack")
    parser.add_argument("--region", help="eu-west-1 or so; in a template by default the stack's")
    text = f"{', '.join(Tier)}; by default release, which holds plan"
    _add_names(parser, "--tier", "TIER", text, "tiers")
    text = "of the tier operations, as RELEASES_OPERATIONS names them; by default all"
    _add_names(parser, "--operations", "NAME", text, "operations")
    text = "roles of the places of a worker that serves several accounts"
    _add_names(parser, "--assume", "ARN", text, "assumed")
    parser.add_argument("--format", choices=list(OutputFormat), default=OutputFormat.JSON)
    trust = parser.add_argument_group(
        "trust", "who may take the role; in a template with the role, else printed alone"
    )
    trust.add_argument("--trust", choices=list(Platform), help="where the worker runs")
    trust.add_argument("--issuer", help="irsa: of the cluster's tokens")
    trust.add_argument("--service-account", metavar="NAMESPACE/NAME", help="irsa, pod-identity")
    trust.add_argument("--cluster", metavar="NAME", help="pod-identity: of EKS")
    trust.add_argument("--subject", help="github: repo:OWNER/REPOSITORY:environment:NAME")
    trust.add_argument("--principal", metavar="ARN", help="account: the role of the worker")
    trust.add_argument("--external-id", metavar="TEXT", help="account: as in workers.yaml")
    return parser


def _add_names(
    parser: argparse.ArgumentParser, flag: str, metavar: str, text: str, name: str
) -> None:
    """Add a flag for names that may be given again, or with commas."""
    parser.add_argument(
        flag, action="extend", type=_split, default=[], metavar=metavar, help=text, dest=name
    )


def _split(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise argparse.ArgumentTypeError(f"{text!r}: a name is empty")
    return names


def _to_wanted(given: argparse.Namespace) -> Wanted:
    output = OutputFormat(given.format)
    place = _find_place(given, output)
    names = {scope: tuple(getattr(given, scope.name)) for scope in (*FLAGS, *_SWITCHES)}
    tiers = tuple(_parse_tier(name) for name in given.tiers) or (Tier.RELEASE,)
    only_trust = output is OutputFormat.JSON and given.trust
    has_functions = bool(names[Scope.FUNCTION]) or tiers == (Tier.UPLOAD,)
    if not (only_trust or has_functions or given.assumed):
        raise ResourceNameError("--functions: name the functions that are released")
    if unknown := sorted(set(given.operations) - OTHER_OPERATIONS):
        raise ResourceNameError(
            f"--operations {', '.join(unknown)}: give some of {', '.join(sorted(OTHER_OPERATIONS))}"
        )
    for arn in given.assumed:
        check_name("--assume", arn, r"arn:[\w-]+:iam::\d{12}:role/\S+", "the ARN of a role")
    return Wanted(
        tiers=tiers,
        output=output,
        resources=PolicyResources(place, names),
        operations=frozenset(given.operations) or OTHER_OPERATIONS,
        assumed=tuple(given.assumed),
        trusted=_find_trusted(given),
    )


def _find_trusted(given: argparse.Namespace) -> Trusted | None:
    if not given.trust:
        return None
    return Trusted(
        Platform(given.trust),
        issuer=given.issuer,
        service_account=given.service_account,
        cluster=given.cluster,
        subject=given.subject,
        principal=given.principal,
        external_id=given.external_id,
    )


def _find_place(given: argparse.Namespace, output: OutputFormat) -> Place:
    """Return the place; of a template by default that of the stack, or variables."""
    own = {
        OutputFormat.JSON: Place("", ""),
        OutputFormat.CLOUDFORMATION: OWN_PLACE,
        OutputFormat.TERRAFORM: Place("${Account}", "${Region}"),
    }[output]
    account, region = given.account or own.account, given.region or own.region
    check_name("--account", account, r"\d{12}", "the 12 digits of the account")
    check_name("--region", region, r"[a-z]{2}(-[a-z]+)+-\d", "a region, such as eu-west-1")
    return Place(account, region, _find_partition(region) if given.region else own.partition)


def _find_partition(region: str) -> str:
    for prefix, partition in {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}.items():
        if region.startswith(prefix):
            return partition
    return "aws"


def _parse_tier(name: str) -> Tier:
    try:
        return Tier(name)
    except ValueError:
        raise ResourceNameError(f"--tier {name!r}: give {', '.join(Tier)}") from None

"""What preflight decides by: what was found in AWS, and what is requested."""

from __future__ import annotations

from dataclasses import dataclass, field

from workflows.domain.routing import Routing


@dataclass(frozen=True)
class FunctionBuild:
    """What decides whether a version may serve, and two may share an alias; also of ``$LATEST``.

    ``snap_start`` and ``isolates_tenants`` are whether it has them; ``reason`` is why it is in its
    ``state``.
    """

    code_sha256: str | None = None
    role: str | None = None
    dead_letter: str | None = None
    package_type: str | None = None
    state: str | None = None
    last_update: str | None = None
    reason: str | None = None
    snap_start: bool = False
    isolates_tenants: bool = False


@dataclass(frozen=True)
class RunningRelease:
    """A release of the same alias that runs, by the id of its ``Rollout``.

    ``is_watched``: it has all traffic already, and a newer release ends its watch.
    """

    rollout: str
    is_watched: bool = False


@dataclass(frozen=True)
class PreflightFacts:
    """What preflight found in AWS.

    ``stable`` is the version that is live; ``source`` is what the candidate is made from.
    Concurrency is in concurrent executions: ``version_provisioned`` is what stable has,
    ``candidate_provisioned`` what a published candidate has, ``others_provisioned`` all other
    versions and aliases; ``unreserved`` and ``limit`` are the account's. ``signing_problem`` is why
    AWS would not take the package. ``alarms`` are the states of alarms by their names. ``running``
    is another release of the alias, for a plan.
    """

    latest: FunctionBuild
    source: FunctionBuild
    routing: Routing | None
    stable: FunctionBuild | None = None
    alias_provisioned: bool = False
    version_provisioned: int = 0
    reserved: int | None = None
    unreserved: int | None = None
    alarms: dict[str, str] = field(default_factory=dict[str, str])
    candidate_provisioned: int = 0
    others_provisioned: int = 0
    limit: int | None = None
    signing_problem: str | None = None
    running: RunningRelease | None = None


@dataclass(frozen=True)
class ReleaseIntent:
    """What is requested, as far as preflight needs it.

    ``target`` names function and alias, as a command of ``releases`` takes them.
    ``tenants`` is whether each request of a probe names a tenant.
    ``moves`` is whether traffic moves at all, ``even_if_inactive`` whether it may move to a version
    that has to wake up first. ``is_judged`` is whether anything, or anybody, may find fault with
    the candidate.
    """

    alias: str
    is_weighted: bool
    writes_latest: bool
    configuration_only: bool
    image: bool
    package: bool
    clears_weights: bool
    reserved: int | None = None
    provisioned: int | None = None
    alarms: tuple[str, ...] = ()
    hotfix: bool = False
    target: str = ""
    tenants: tuple[bool, ...] = ()
    moves: bool = True
    even_if_inactive: bool = False
    is_judged: bool = True

"""Worker Versioning: which build a worker is, and whether Temporal gives it new releases."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from enum import StrEnum
from typing import Final

import structlog
from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import WorkerDeploymentConfig

from workflows.temporal.deployment import make_current_command, read_routing
from workflows.worker.settings import WorkerStartError

VERSIONING_SETTING: Final = "RELEASES_VERSIONING"

_NAME: Final = "TEMPORAL_DEPLOYMENT_NAME"
_BUILD_ID: Final = "TEMPORAL_WORKER_BUILD_ID"
_FIRST_CHECKS_SECONDS: Final = 2.0
"""Between two checks before Temporal knows the deployment, which the first poll creates."""

_CHECK_SECONDS: Final = 60.0

log: structlog.stdlib.BoundLogger = structlog.get_logger("worker")


class Versioning(StrEnum):
    """Which build goes on with a release that is under way when another one becomes current.

    ``PINNED``: the one that began it. ``AUTO_UPGRADE``: the current one.
    """

    PINNED = "pinned"
    AUTO_UPGRADE = "auto_upgrade"


_BEHAVIORS: Final = {
    Versioning.PINNED: VersioningBehavior.PINNED,
    Versioning.AUTO_UPGRADE: VersioningBehavior.AUTO_UPGRADE,
}


def read_versioning(versioning: Versioning | None) -> WorkerDeploymentConfig | None:
    """Read the options of Worker Versioning; None where it is off.

    Raises ``WorkerStartError`` where only some of its settings are there.
    """
    given = {name: os.environ.get(name) for name in (_NAME, _BUILD_ID)}
    if not all(given.values()):
        if set_ones := [name for name, value in given.items() if value]:
            missing = next(name for name, value in given.items() if not value)
            raise WorkerStartError(
                f"{set_ones[0]} is set, and {missing} is not: Worker Versioning needs both"
            )
        if versioning is not None:
            raise WorkerStartError(
                f"{VERSIONING_SETTING} is set, and Worker Versioning is off: set {_NAME} and "
                f"{_BUILD_ID}, too"
            )
        return None
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(
            deployment_name=given[_NAME] or "", build_id=given[_BUILD_ID] or ""
        ),
        use_worker_versioning=True,
        default_versioning_behavior=_BEHAVIORS[versioning or Versioning.PINNED],
    )


async def watch_current_version(
    client: Callable[[], Client], config: WorkerDeploymentConfig | None
) -> None:
    """Log, until cancelled, where Temporal gives this build no new release, with the command.

    A worker of a deployment without a current version would wait for ever, and nothing would say
    why. Where Temporal does not tell us, nothing is logged. ``client`` returns the one of now: the
    connection may be renewed.
    """
    version = config.version if config else None
    if version is None:
        return
    name, build_id = version.deployment_name, version.build_id
    command = make_current_command(client().namespace, name, build_id)
    logged: tuple[str, ...] | None = None
    while True:
        try:
            builds = await _read_routed_builds(client(), name)
        except RPCError as error:
            is_new = error.status is RPCStatusCode.NOT_FOUND
            await asyncio.sleep(_FIRST_CHECKS_SECONDS if is_new else _CHECK_SECONDS)
            continue
        if builds != logged:
            logged = builds
            if not builds:
                log.warning(
                    "deployment has no current version: its workers get no new release",
                    deployment=name,
                    build=build_id,
                    run=command,
                )
            elif build_id in builds:
                log.info("this build gets new releases", deployment=name, build=build_id)
            else:
                log.info(
                    "another build gets the new releases",
                    deployment=name,
                    build=build_id,
                    current=builds[0],
                    run=command,
                )
        await asyncio.sleep(_CHECK_SECONDS)


async def _read_routed_builds(client: Client, name: str) -> tuple[str, ...]:
    """Read the builds that get new releases, the current one first."""
    routing = await read_routing(client, name)
    versions = (routing.current_deployment_version, routing.ramping_deployment_version)
    return tuple(version.build_id for version in versions if version.build_id)

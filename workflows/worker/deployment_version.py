"""Worker Versioning, as the environment has it."""

from __future__ import annotations

import os
from typing import Any

from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import WorkerDeploymentConfig


def read_versioning() -> dict[str, Any]:
    """The options of Worker Versioning, if both of its variables are set; else none."""
    name = os.environ.get("TEMPORAL_DEPLOYMENT_NAME")
    build_id = os.environ.get("TEMPORAL_WORKER_BUILD_ID")
    if not (name and build_id):
        return {}
    version = WorkerDeploymentVersion(deployment_name=name, build_id=build_id)
    return {
        "deployment_config": WorkerDeploymentConfig(
            version=version,
            use_worker_versioning=True,
            default_versioning_behavior=VersioningBehavior.PINNED,
        )
    }

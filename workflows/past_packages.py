"""Where in S3 an earlier release had its package from.

AWS copies a package, and does not say where it came from. The input of the release that published a
version does, as long as the namespace retains it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Final, cast

from pydantic import BaseModel, ConfigDict, StringConstraints
from temporalio import activity, workflow
from temporalio.client import Client, WorkflowExecution
from temporalio.common import RetryPolicy

from activities.temporal_client import read_workflow_input
from workflows.call import HIGHEST_PRIORITY
from workflows.domain.rollout_id import RolloutId
from workflows.domain.target import Place
from workflows.run_chain import LAST_RUNS

_MOST_RUNS: Final = 50
_RETRY: Final = RetryPolicy(maximum_interval=timedelta(seconds=30), maximum_attempts=5)
_TIMEOUT: Final = timedelta(seconds=30)


class PastPackageRequest(BaseModel):
    """Which version of which function; its name without quotes."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    failure_type: ClassVar[str] = "Invalid"

    account: str
    region: str
    function: Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_-]+$")]
    version: Annotated[str, StringConstraints(pattern=r"^[0-9]+$")]


@activity.defn(name="read_past_package")
async def read_past_package(request: PastPackageRequest) -> dict[str, str]:
    """Return the S3 object, with its version, that a release made a version from.

    As UpdateFunctionCode takes it. Empty where no release that is still retained says so.
    """
    client = activity.client()
    query = (
        f"WorkflowType = 'Rollout' AND LambdaFunction = '{request.function}' "
        f"AND ReleaseVersion = '{request.version}' AND {LAST_RUNS}"
    )
    place = Place(account=request.account, region=request.region, function=request.function)
    async for run in client.list_workflows(query, limit=_MOST_RUNS):
        found = RolloutId.parse(run.id)
        if found and str(found) == place.rollout_id(found.alias):
            package = _name_package(await _read_artifact(client, run))
            if package:
                return package
    return {}


async def _read_artifact(client: Client, run: WorkflowExecution) -> Mapping[str, Any]:
    request = await read_workflow_input(client, run.id, run.run_id)
    artifact = request.get("artifact")
    return cast("Mapping[str, Any]", artifact) if isinstance(artifact, Mapping) else {}


def _name_package(artifact: Mapping[str, Any]) -> dict[str, str]:
    """Return the members of UpdateFunctionCode for an S3 object whose version is known."""
    names = {"S3Bucket": "bucket", "S3Key": "key", "S3ObjectVersion": "object_version"}
    if not all(artifact.get(name) for name in names.values()):
        return {}
    key = {"SourceKMSKeyArn": str(artifact["kms_key"])} if artifact.get("kms_key") else {}
    return {member: str(artifact[name]) for member, name in names.items()} | key


async def find_past_package(place: Place, version: str) -> dict[str, str]:
    """Call :func:`read_past_package` from a workflow."""
    return await workflow.execute_activity(
        read_past_package,
        PastPackageRequest(
            account=place.account, region=place.region, function=place.function, version=version
        ),
        start_to_close_timeout=_TIMEOUT,
        retry_policy=_RETRY,
        priority=HIGHEST_PRIORITY,
        summary=f"Read where the package of version {version} came from",
    )

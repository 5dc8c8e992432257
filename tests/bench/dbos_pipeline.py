"""Contender: the pipeline on DBOS, with a step for each AWS call.

``python -m tests.bench.dbos_pipeline <url> <prefix> <count> <database url> steps`` starts ``count``
workflows at the same time, and prints what they took as JSON. With ``shape`` in place of ``steps``
the pipeline has the shape of a release: a workflow starts the one that shifts traffic, and both
publish what a release publishes (phase, version, percent, and what a rollback restores).
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from dbos import DBOS, SetWorkflowID

from tests.bench.burst import Burst, print_burst
from tests.bench.pipeline import BAKE, BUCKET, LIVE, PERCENT, SETTLE, build_update_alias

_JOURNAL = "x" * 250
"""About as large as what a release records before a change, to be able to undo it."""

_aws: Any = None
_publishes = False


async def publish(**values: Any) -> None:
    """Set one event, however many values it has; nothing for ``steps``."""
    if _publishes:
        await DBOS.set_event_async("release", values)


@DBOS.step()
async def call(operation: str, request: dict[str, Any]) -> Any:
    """Make one AWS call, whose response DBOS keeps.

    A missing configuration is a response, too.
    """
    try:
        response = await getattr(_aws, operation)(**request)
    except _aws.exceptions.ProvisionedConcurrencyConfigNotFoundException:
        return None
    response.pop("ResponseMetadata", None)
    response.pop("Code", None)
    return response


@DBOS.step()
async def wait_until_settled(function: str) -> Any:
    """Poll until the code has settled, in one step, as the product's activity."""
    pause = SETTLE
    while True:
        found = (await _aws.get_function(FunctionName=function))["Configuration"]
        if found["LastUpdateStatus"] == "Successful":
            return found
        await asyncio.sleep(pause)
        pause *= 1.5


@DBOS.workflow()
async def release(function: str) -> str:
    """Do what ``Release`` does: read, and start the workflow that shifts traffic."""
    await publish(function=function, alias=LIVE, by="bench")
    await call("get_function", {"FunctionName": function})
    with SetWorkflowID(f"rollout-{function}"):
        handle = await DBOS.start_workflow_async(rollout, function)
    candidate = await handle.get_result()
    await publish(phase="succeeded")
    return candidate


@DBOS.workflow()
async def rollout(function: str) -> str:
    """Run the pipeline.

    DBOS numbers steps in the order in which they start, so concurrent reads are started in order.
    """
    alias, found = await asyncio.gather(
        call("get_alias", {"FunctionName": function, "Name": LIVE}),
        call("get_function", {"FunctionName": function}),
    )
    stable = alias["FunctionVersion"]
    await asyncio.gather(
        call("get_function", {"FunctionName": function, "Qualifier": stable}),
        call("get_provisioned_concurrency_config", {"FunctionName": function, "Qualifier": LIVE}),
    )
    await publish(phase="preparing", journal=_JOURNAL)
    code = {
        "FunctionName": function,
        "S3Bucket": BUCKET,
        "S3Key": f"{function}/2.zip",
        "RevisionId": found["Configuration"]["RevisionId"],
    }
    await call("update_function_code", code)
    latest = await wait_until_settled(function)
    request = {
        "FunctionName": function,
        "CodeSha256": latest["CodeSha256"],
        "RevisionId": latest["RevisionId"],
        "Description": "bench",
    }
    candidate: str = (await call("publish_version", request))["Version"]
    await publish(phase="shifting", version=candidate, journal=_JOURNAL)
    alias = await call(
        "update_alias",
        build_update_alias(function, stable, {candidate: PERCENT / 100}, alias["RevisionId"]),
    )
    await publish(phase="baking", percent=PERCENT)
    await DBOS.sleep_async(BAKE)
    await publish(phase="promoting")
    await call("update_alias", build_update_alias(function, candidate, {}, alias["RevisionId"]))
    await publish(phase="succeeded", percent=100)
    return candidate


async def main(url: str, prefix: str, count: int, database: str, kind: str) -> None:
    """Run one release first, to warm up, then all others at once."""
    # DBOS calls decorated functions, which have no other way to get at these.
    global _aws, _publishes  # noqa: PLW0603 - see above
    _publishes = kind == "shape"
    workflow = release if _publishes else rollout
    DBOS(config={"name": "bench", "system_database_url": database, "log_level": "ERROR"})
    DBOS.launch()
    config = AioConfig(max_pool_connections=1000, retries={"total_max_attempts": 1})
    client = get_session().create_client("lambda", endpoint_url=url, config=config)
    async with client as _aws:

        async def run_release(function: str) -> None:
            with SetWorkflowID(f"release-{function}"):
                handle = await DBOS.start_workflow_async(workflow, function)
            await handle.get_result()

        await run_release(f"{prefix}w-0")
        burst = Burst()
        releases = [run_release(f"{prefix}-{number}") for number in range(count)]
        await asyncio.gather(*map(burst.run_timed, releases))
        print_burst(burst)
    DBOS.destroy()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5]))

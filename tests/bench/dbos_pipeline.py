"""The peer: the pipeline on DBOS, a step for each AWS call, every workflow in this one process, its state in SQLite.

``python -m tests.bench.dbos_pipeline <url> <prefix> <count> <database url> steps`` starts so many workflows at once and prints what they took as JSON.
``shape`` in place of ``steps`` is the pipeline in the shape that a release has here: a workflow that starts the one that shifts
traffic, and what others may read of both (phase, version, percent, what to put back) published as a release publishes it.
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
"""About as large as what a release writes down before a deed, to be able to take it back."""

_aws: Any = None
_published = False


async def publish(**news: Any) -> None:
    """One event, however much there is to tell; nothing where there is only the pipeline."""
    if _published:
        await DBOS.set_event_async("release", news)


@DBOS.step()
async def call(operation: str, asked: dict[str, Any]) -> Any:
    """One AWS call; its answer is what DBOS keeps. Nothing that is not there is an answer, too."""
    try:
        answer = await getattr(_aws, operation)(**asked)
    except _aws.exceptions.ProvisionedConcurrencyConfigNotFoundException:
        return None
    answer.pop("ResponseMetadata", None)
    answer.pop("Code", None)
    return answer


@DBOS.step()
async def settle(function: str) -> Any:
    """Look until the code has settled, within one step: as our own activity does."""
    pause = SETTLE
    while True:
        found = (await _aws.get_function(FunctionName=function))["Configuration"]
        if found["LastUpdateStatus"] == "Successful":
            return found
        await asyncio.sleep(pause)
        pause *= 1.5


@DBOS.workflow()
async def release(function: str) -> str:
    """What ``Release`` is: look once, and start the workflow that does it."""
    await publish(function=function, alias=LIVE, by="bench")
    await call("get_function", {"FunctionName": function})
    with SetWorkflowID(f"rollout-{function}"):
        handle = await DBOS.start_workflow_async(rollout, function)
    candidate = await handle.get_result()
    await publish(phase="succeeded")
    return candidate


@DBOS.workflow()
async def rollout(function: str) -> str:
    """The pipeline. DBOS numbers steps in the order they begin, so reads side by side are started in order."""
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
    latest = await settle(function)
    asked = {
        "FunctionName": function,
        "CodeSha256": latest["CodeSha256"],
        "RevisionId": latest["RevisionId"],
        "Description": "bench",
    }
    candidate: str = (await call("publish_version", asked))["Version"]
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


async def main(url: str, prefix: str, count: int, database: str, what: str) -> None:
    """One release first, to warm up, then all the others at once."""
    global _aws, _published  # noqa: PLW0603 - DBOS calls what is decorated: nothing can be handed in
    _published = what == "shape"
    begun = release if _published else rollout
    DBOS(config={"name": "bench", "system_database_url": database, "log_level": "ERROR"})
    DBOS.launch()
    config = AioConfig(max_pool_connections=1000, retries={"total_max_attempts": 1})
    client = get_session().create_client("lambda", endpoint_url=url, config=config)
    async with client as _aws:

        async def one(function: str) -> None:
            with SetWorkflowID(f"release-{function}"):
                handle = await DBOS.start_workflow_async(begun, function)
            await handle.get_result()

        await one(f"{prefix}w-0")
        burst = Burst()
        await asyncio.gather(*(burst.timed(one(f"{prefix}-{number}")) for number in range(count)))
        print_burst(burst)
    DBOS.destroy()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5]))

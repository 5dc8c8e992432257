import asyncio
import os

from temporalio.client import Client, WorkflowFailureError, WorkflowUpdateFailedError


async def main() -> None:
    client = await Client.connect(os.environ.get("TEMPORAL_ADDRESS", "127.0.0.1:7233"))
    request = {
        "target": {"function": "checkout", "alias": "live"},
        "artifact": {"kind": "s3", "bucket": "artifacts", "key": "checkout/good.zip"},
        "strategy": "Canary10Percent5Minutes",
        "requested_by": "ci",
        "reason": "PR 13",
    }
    release = await client.start_workflow(
        "Release", request, id="pr-13", task_queue="lambda-releases"
    )
    while (status := await release.query("status"))["phase"] in {"preparing", "shifting"}:
        await asyncio.sleep(0.5)
    print(status["rollout"], status["phase"], status["routing"]["percent"])

    pause = {"by": "ana", "reason": "p99 is up"}
    print((await release.execute_update("pause", pause, id="pause-13"))["note"])
    try:
        await release.execute_update("pause", {"by": "bo"})
    except WorkflowUpdateFailedError as error:
        print(error.cause.type, error.cause.message)  # Refused paused already
    await release.execute_update("resume", {"by": "ana"})
    await release.execute_update("abort", {"by": "ana", "reason": "wrong build"})

    try:
        print((await release.result())["phase"])
    except WorkflowFailureError as error:
        status = error.cause.details[0]
        print(error.cause.type, status["phase"])  # ReleaseRolledBack rolled_back


asyncio.run(main())

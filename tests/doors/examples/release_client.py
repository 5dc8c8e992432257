import asyncio

from workflows.client import ReleaseClient
from workflows.client.errors import Refused
from workflows.request import ReleaseRequest

DOCUMENT = {
    "target": {"function": "checkout", "alias": "live"},
    "artifact": {"kind": "s3", "bucket": "artifacts", "key": "checkout/good.zip"},
    "strategy": "Canary10Percent5Minutes",
    "requested_by": "ci",
    "reason": "PR 16",
}
BEFORE_ITS_FIRST_BAKE = {"waiting_for_worker", "preparing", "shifting"}


async def main() -> None:
    releases = await ReleaseClient.connect()  # TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, …
    await releases.start(ReleaseRequest.model_validate(DOCUMENT), id="pr-16")
    while (status := await releases.status("pr-16")).phase in BEFORE_ITS_FIRST_BAKE:
        await asyncio.sleep(0.5)
    print(status.note)

    print((await releases.pause("pr-16", by="ana", reason="p99 is up")).note)
    try:
        await releases.pause("pr-16", by="bo")
    except Refused as refused:
        print(refused)  # paused already
    await releases.abort("pr-16", by="ana", reason="wrong build")

    async for update in releases.watch("pr-16"):
        for entry in update.entries:
            print(entry.at, entry.text)
        if update.ending:
            print(update.ending.outcome, update.ending.note)  # rolled_back aborted by ana: …


asyncio.run(main())

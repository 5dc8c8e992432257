"""Workers that are replaced while hooks run: no release is rolled back for it.

``RELEASES=50 HOOK_SECONDS=45 REPLACE_EVERY=20`` is the full size; by default it is smaller.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import Final

import pytest

from tests.activities.stub import Stub
from tests.fake_lambda import FakeLambda
from tests.fake_lambda.http import FakeLambdaServer
from tests.worker_processes import PATIENCE, Workers
from workflows.client import ReleaseClient
from workflows.client.errors import NoWorker
from workflows.domain.status import Phase, ReleaseStatus

RELEASES: Final = int(os.environ.get("RELEASES", "12"))
HOOK_SECONDS: Final = float(os.environ.get("HOOK_SECONDS", "12"))
REPLACE_EVERY: Final = float(os.environ.get("REPLACE_EVERY", "5"))
QUEUE: Final = "replaced"

pytestmark = pytest.mark.timeout(600)


async def test_replaced_workers_roll_nothing_back(workers: Workers) -> None:
    aws = FakeLambda()
    aws.hook("smoke", lambda _: {"accept": True})
    aws.upload("three.zip", "three")
    for number in range(RELEASES):
        aws.create(f"checkout-{number}", "one", "two")

    async def take_time(_: object) -> None:
        await asyncio.sleep(HOOK_SECONDS)

    aws.before("invoke", take_time, times=None)
    stub = await workers.stack.enter_async_context(Stub(FakeLambdaServer(aws)))
    number = 0

    def start_worker() -> None:
        nonlocal number, worker
        worker = workers.start(f"worker-{number}", QUEUE, AWS_ENDPOINT_URL=stub.url)
        number += 1

    worker = workers.start("first", QUEUE, AWS_ENDPOINT_URL=stub.url)
    await workers.wait_until_polling(QUEUE)
    handles = [
        await workers.temporal.client.start_workflow(
            "Release",
            {
                "target": {"function": f"checkout-{each}"},
                "artifact": {"kind": "s3", "bucket": "artifacts", "key": "three.zip"},
                "strategy": "AllAtOnce",
                "hooks": {"before_traffic": "smoke", "after_traffic": "smoke"},
            },
            id=f"replaced-{each}",
            task_queue=QUEUE,
            result_type=ReleaseStatus,
        )
        for each in range(RELEASES)
    ]

    async def replace_workers() -> None:
        while True:
            await asyncio.sleep(REPLACE_EVERY)
            old = worker
            start_worker()
            while '"working"' not in worker.log.read_text():
                await asyncio.sleep(0.2)
            old.popen.terminate()

    replacing = asyncio.create_task(replace_workers())
    try:
        ends = await asyncio.gather(*(handle.result() for handle in handles))
    finally:
        replacing.cancel()
    assert {end.phase for end in ends} == {"succeeded"}
    assert len(aws.of("invoke")) == 2 * RELEASES
    assert number >= 2


async def test_hook_cut_off_by_a_second_signal_holds_its_release(workers: Workers) -> None:
    aws = FakeLambda()
    aws.hook("smoke", lambda _: {"accept": True})
    aws.upload("three.zip", "three")
    aws.create("checkout", "one", "two")
    begun = asyncio.Event()

    async def take_long(_: object) -> None:
        begun.set()
        await asyncio.sleep(PATIENCE)

    aws.before("invoke", take_long, times=None)
    stub = await workers.stack.enter_async_context(Stub(FakeLambdaServer(aws)))
    worker = workers.start("cut-off", "cut-off", AWS_ENDPOINT_URL=stub.url)
    await workers.wait_until_polling("cut-off")
    handle = await workers.temporal.client.start_workflow(
        "Release",
        {
            "target": {"function": "checkout"},
            "artifact": {"kind": "s3", "bucket": "artifacts", "key": "three.zip"},
            "strategy": "AllAtOnce",
            "hooks": {"before_traffic": "smoke"},
        },
        id="cut-off",
        task_queue="cut-off",
        result_type=ReleaseStatus,
    )
    async with asyncio.timeout(PATIENCE):
        await begun.wait()
        worker.popen.terminate()
        while '"draining"' not in worker.log.read_text():
            await asyncio.sleep(0.1)
        worker.popen.terminate()
        assert "ended by a second signal" in await workers.read_refusal(worker)
        workers.start("next", "cut-off", AWS_ENDPOINT_URL=stub.url)
        releases = ReleaseClient(workers.temporal.client)
        status = None
        while status is None or status.phase is not Phase.AWAITING_APPROVAL:
            await asyncio.sleep(0.5)
            with contextlib.suppress(NoWorker):
                status = await releases.status("checkout")
    assert "The answer of hook smoke (before_traffic) for version 3 was lost" in status.note
    await releases.approve("checkout", by="ada", note="it ran")
    assert (await handle.result()).phase == "succeeded"
    assert stub.sent("invoke") == 1

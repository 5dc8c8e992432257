"""Releases of every outcome, carried out by a real worker process that serves its metrics."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any, Final

from temporalio.client import WorkflowFailureError

from tests.activities.stub import THROTTLED, Stub
from tests.fake_lambda import FakeLambda
from tests.fake_lambda.http import FakeLambdaServer
from tests.worker_processes import PATIENCE, Workers
from workflows.worker.web_server import find_free_address

QUEUE: Final = "observed"
AT_ONCE: Final = {"strategy": "AllAtOnce"}
CANARY: Final = {"strategy": "Canary10Percent9Minutes"}
OUTCOMES: Final = {
    "succeeded",
    "nothing_to_do",
    "rolled_back",
    "rejected",
    "rollback_failed",
    "canceled",
}


class MeasuredWorker:
    """A worker process in front of a fake AWS, at an address for Prometheus."""

    def __init__(self, workers: Workers) -> None:
        """``workers`` starts it; :meth:`start` does."""
        self._workers = workers
        self._client = workers.temporal.client
        self._aws = FakeLambda()
        self._stub = Stub(FakeLambdaServer(self._aws))
        self.address = find_free_address()

    async def start(self, stack: AsyncExitStack, **settings: str) -> None:
        """Start it, and wait until it polls."""
        for name in ("checkout", "cart", "search", "slow"):
            self._aws.create(name, "one", "two")
        self._aws.hook("smoke", lambda _: {"accept": False, "reason": "smoke"})
        self._aws.upload("three.zip", "three")
        self._aws.alarms["errors"] = "OK"
        await stack.enter_async_context(self._stub)
        self._workers.start(
            "observed",
            QUEUE,
            AWS_ENDPOINT_URL=self._stub.url,
            RELEASES_METRICS=self.address,
            **settings,
        )
        await self._workers.wait_until_polling(QUEUE)

    async def release_each_way(self) -> None:
        """Carry out a release for each outcome, one of them guarded, and throttled by AWS."""
        aws = self._aws
        package = {"artifact": {"kind": "s3", "bucket": "artifacts", "key": "three.zip"}}
        self._stub.meets(THROTTLED, THROTTLED, operation="get_alias")
        assert await self.run("checkout", **package, **AT_ONCE) == "Completed"
        assert await self.run("checkout", **package, **AT_ONCE) == "Completed"
        refused = {"hooks": {"after_traffic": "smoke"}, "configuration": {"Timeout": 9}}
        assert await self.run("checkout", **refused, **AT_ONCE) == "ReleaseRolledBack"
        guarded = {"configuration": {"Timeout": 9}, "guards": {"alarms": ["errors"]}, **CANARY}
        canceled = asyncio.ensure_future(self.run("cart", **guarded))
        async with asyncio.timeout(PATIENCE):
            while self._stub.sent("DescribeAlarms") < 2:
                await asyncio.sleep(0.1)
        await self._client.get_workflow_handle("observed-cart").cancel()
        assert await canceled == "CancelledError"
        move = {"FunctionName": "search", "Name": "live", "FunctionVersion": "1"}
        aws.before("update_alias", lambda _: aws.apply("update_alias", **move))
        canary = {"configuration": {"Timeout": 9}, **CANARY}
        assert await self.run("search", **canary) == "RollbackFailed"
        assert await self.run("nowhere", **package) == "ReleaseRejected"

    async def run(self, function: str, **request: Any) -> str:
        """Run a release to its end; return as what it ended."""
        handle = await self._client.start_workflow(
            "Release",
            {"target": {"function": function}, **request},
            id=f"observed-{function}",
            task_queue=QUEUE,
        )
        try:
            await handle.result()
        except WorkflowFailureError as error:
            return str(getattr(error.cause, "type", None) or type(error.cause).__name__)
        return "Completed"

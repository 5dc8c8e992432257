"""The worker of the no-op workflows: ``python -m tests.bench.noop_worker``.

It has the SDK's defaults, but for the address of Temporal and for our modules, which the sandbox
passes through and does not import again for each workflow.
"""

from __future__ import annotations

import asyncio
import signal

from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from tests.bench.noop_workflows import QUEUE, NoopRelease, NoopRollout, do_nothing


async def main() -> None:
    """Run until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    client = await Client.connect(**ClientConfig.load_client_connect_config())
    runner = SandboxedWorkflowRunner(
        restrictions=SandboxRestrictions.default.with_passthrough_modules("tests.bench")
    )
    async with Worker(
        client,
        task_queue=QUEUE,
        workflows=[NoopRelease, NoopRollout],
        activities=[do_nothing],
        workflow_runner=runner,
    ):
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(main())

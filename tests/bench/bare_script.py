"""The bare script: the pipeline straight on aiobotocore, one shared client, nothing durable. What a release costs at the least.

``python -m tests.bench.bare_script <url> <prefix> <count>`` releases so many functions at once, and prints what it took as JSON.
"""

from __future__ import annotations

import asyncio
import sys

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from tests.bench.burst import Burst, print_burst
from tests.bench.pipeline import run_pipeline


async def main(url: str, prefix: str, count: int) -> None:
    """Release ``<prefix>-warm`` first, for botocore's models, then all the others at once."""
    config = AioConfig(max_pool_connections=1000, retries={"total_max_attempts": 1})
    client = get_session().create_client("lambda", endpoint_url=url, config=config)
    async with client as aws:

        async def release(function: str) -> None:
            await run_pipeline(
                function, lambda operation, **asked: getattr(aws, operation)(**asked)
            )

        await release(f"{prefix}w-0")
        burst = Burst()
        await asyncio.gather(
            *(burst.timed(release(f"{prefix}-{number}")) for number in range(count))
        )
        print_burst(burst)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))

"""Contender: the pipeline straight on aiobotocore, without durability.

It is the least that a release costs. ``python -m tests.bench.bare_script <url> <prefix> <count>``
releases ``count`` functions at the same time, and prints what it took as JSON.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from tests.bench.burst import Burst, print_burst
from tests.bench.pipeline import run_pipeline


async def main(url: str, prefix: str, count: int) -> None:
    """Release ``<prefix>w-0`` to load botocore's models, then all others at once."""
    config = AioConfig(max_pool_connections=1000, retries={"total_max_attempts": 1})
    client = get_session().create_client("lambda", endpoint_url=url, config=config)
    async with client as aws:

        async def call(operation: str, **request: Any) -> Any:
            return await getattr(aws, operation)(**request)

        await run_pipeline(f"{prefix}w-0", call)
        burst = Burst()
        functions = [f"{prefix}-{number}" for number in range(count)]
        await asyncio.gather(
            *(burst.run_timed(run_pipeline(function, call)) for function in functions)
        )
        print_burst(burst)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))

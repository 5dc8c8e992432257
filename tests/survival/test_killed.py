"""Killed with SIGKILL before and after each AWS write: the worker, and the Temporal server on SQLite."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowFailureError

from deploy.local.emulator import LocalLambda
from tests.survival.killing import Killer, When
from tests.survival.scene import REFUSING, Server, Workman, aws, code, create, package, state

GOOD = [
    ("update_function_code", 1),
    ("update_function_configuration", 1),
    ("publish_version", 1),
    ("put_function_concurrency", 1),
    ("put_provisioned_concurrency_config", 1),
    ("update_alias", 1),
    ("update_alias", 2),
    ("delete_provisioned_concurrency_config", 1),
]
BROKEN = [
    ("update_alias", 3),
    ("delete_provisioned_concurrency_config", 1),
    ("put_function_concurrency", 2),
    ("update_function_code", 2),
    ("update_function_configuration", 2),
]


@pytest.fixture(scope="module")
async def local() -> AsyncIterator[LocalLambda]:
    async with LocalLambda.start(settle=0.2, provision=0.2) as running:
        async with aws(running, "s3") as s3:
            await s3.create_bucket(Bucket="artifacts")
            await s3.put_object(Bucket="artifacts", Key="2.zip", Body=code(2))
        await create(running, "smoke", package(REFUSING))
        yield running


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    server = Server(tmp_path_factory.mktemp("temporal"))
    await server.start()
    yield server
    await server.stop()


def request(function: str, *, broken: bool) -> dict[str, Any]:
    return {
        "target": {"function": function},
        "artifact": {"kind": "s3", "bucket": "artifacts", "key": "2.zip"},
        "configuration": {"MemorySize": 256},
        "strategy": {"steps": [{"kind": "set_weight", "percent": 10}, {"kind": "bake", "duration": "1s"}]},
        "concurrency": {"reserved": 10, "provisioned": 3},
        **({"hooks": {"after_traffic": "smoke"}} if broken else {}),
    }


RELEASED = {"live": "2", "weights": {}, "versions": ["1", "2"], "reserved": 10, "provisioned": {"2": 3}, "latest": "2", "memory": 256}
AS_BEFORE = {"live": "1", "weights": {}, "versions": ["1", "2"], "reserved": 8, "provisioned": {"1": 2}, "latest": "1", "memory": 128}


async def release(server: Server, function: str, *, broken: bool) -> str:
    """Start one and say how it ended. The client may lose its server meanwhile."""
    client = await server.connect()
    handle = await client.start_workflow("Release", request(function, broken=broken), id=f"release {function}", task_queue=function)
    while True:
        try:
            await handle.result()
        except WorkflowFailureError as failure:
            return str(getattr(failure.cause, "type", type(failure.cause).__name__))
        except Exception:
            await asyncio.sleep(0.5)
        else:
            return "Completed"


def check(outcome: str, found: dict[str, Any], killer: Killer, *, broken: bool) -> str | None:
    """What is wrong, if anything."""
    wanted = ("ReleaseRolledBack", AS_BEFORE) if broken else ("Completed", RELEASED)
    problems = [] if killer.struck.is_set() else ["never struck"]
    if (outcome, found) != wanted:
        problems.append(f"{outcome}, {found}")
    return f"{killer.when} {killer.write} #{killer.occurrence}: {'; '.join(problems)}; {killer.seen}" if problems else None


async def worker_killed(
    local: LocalLambda, server: Server, directory: Path, write: str, occurrence: int, when: When, *, broken: bool
) -> str | None:
    function = f"{'broken' if broken else 'good'}-{when}-{write}-{occurrence}"[:64]
    await create(local, function, code(1))
    worker = Workman(function, temporal=server.address, directory=directory)
    async with Killer(local.endpoint_url, write, occurrence, when, worker.kill) as killer:
        worker.start(local, killer.url)
        try:
            outcome = await asyncio.wait_for(release(server, function, broken=broken), 200)
        except TimeoutError:
            outcome = f"no end; the worker said: {worker.log()[-2000:]}"
        finally:
            await worker.stop()
        return check(outcome, await state(local, function), killer, broken=broken)


async def all_of(runs: list[Any]) -> str:
    """Run them side by side, each a little later than the last: starting a worker takes a second of a core."""

    async def later(number: int, run: Any) -> str | None:
        await asyncio.sleep(0.7 * number)
        return await run

    done = await asyncio.gather(*(later(number, run) for number, run in enumerate(runs)))
    return "\n".join(problem for problem in done if problem)


@pytest.mark.timeout(300)
async def test_a_worker_killed_around_any_write_still_publishes_one_version_and_ends_right(
    local: LocalLambda, server: Server, tmp_path: Path
) -> None:
    runs = [
        worker_killed(local, server, tmp_path, write, occurrence, when, broken=broken)
        for broken, points in ((False, GOOD), (True, BROKEN))
        for write, occurrence in points
        for when in ("before", "after")
    ]

    assert await all_of(runs) == ""


async def server_killed(local: LocalLambda, directory: Path, write: str, occurrence: int, when: When) -> str | None:
    function = f"server-{when}-{write}-{occurrence}"[:64]
    await create(local, function, code(1))
    (own := directory / function).mkdir()
    server = Server(own)
    await server.start()
    worker = Workman(function, temporal=server.address, directory=own)

    async def kill() -> None:
        await server.kill()
        await server.start()

    async with Killer(local.endpoint_url, write, occurrence, when, kill) as killer:
        worker.start(local, killer.url)
        try:
            outcome = await asyncio.wait_for(release(server, function, broken=False), 200)
        except TimeoutError:
            outcome = f"no end; the worker said: {worker.log()[-2000:]}"
        finally:
            await worker.stop()
            await server.stop()
        return check(outcome, await state(local, function), killer, broken=False)


@pytest.mark.timeout(300)
async def test_a_temporal_server_killed_around_any_write_loses_nothing(local: LocalLambda, tmp_path: Path) -> None:
    runs = [server_killed(local, tmp_path, write, occurrence, when) for write, occurrence in GOOD for when in ("before", "after")]

    assert await all_of(runs) == ""

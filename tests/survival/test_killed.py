"""SIGKILL of the worker, and of the Temporal server on SQLite, before and after each write."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowFailureError
from temporalio.service import RPCError

from deploy.local.emulator import LocalLambda
from tests.survival.harness import (
    REFUSING,
    TemporalServer,
    WorkerProcess,
    build_package,
    create_function,
    open_client,
    read_state,
    zip_source,
)
from tests.survival.kill_proxy import KillProxy, When


@dataclass(frozen=True)
class Moment:
    """A kill before or after the n-th occurrence of a write, in a good or a failing release."""

    write: str
    occurrence: int
    when: When
    broken: bool = False

    def __str__(self) -> str:
        return f"{'broken' if self.broken else 'good'}-{self.when}-{self.write}-{self.occurrence}"[
            :64
        ]


def around(*writes: tuple[str, int], broken: bool = False) -> list[Moment]:
    return [
        Moment(write, occurrence, when, broken)
        for write, occurrence in writes
        for when in ("before", "after")
    ]


RELEASING = around(
    ("update_function_code", 1),
    ("update_function_configuration", 1),
    ("publish_version", 1),
    ("put_function_concurrency", 1),
    ("put_provisioned_concurrency_config", 1),
    ("update_alias", 1),
    ("update_alias", 2),
    ("delete_provisioned_concurrency_config", 1),
)
UNDOING = around(
    ("update_alias", 3),
    ("delete_provisioned_concurrency_config", 1),
    ("put_function_concurrency", 2),
    ("update_function_code", 2),
    ("update_function_configuration", 2),
    broken=True,
)

RELEASED = {
    "live": "2",
    "weights": {},
    "versions": ["1", "2"],
    "reserved": 10,
    "provisioned": {"2": 3},
    "latest": "2",
    "memory": 256,
}
AS_BEFORE = {
    "live": "1",
    "weights": {},
    "versions": ["1", "2"],
    "reserved": 8,
    "provisioned": {"1": 2},
    "latest": "1",
    "memory": 128,
}


@pytest.fixture
async def local() -> AsyncIterator[LocalLambda]:
    async with LocalLambda.start(settle=0.2, provision=0.2) as running:
        async with open_client(running, "s3") as s3:
            await s3.create_bucket(Bucket="artifacts")
            await s3.put_object(Bucket="artifacts", Key="2.zip", Body=build_package(2))
        await create_function(running, "smoke", zip_source(REFUSING))
        yield running


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[TemporalServer]:
    server = TemporalServer(tmp_path)
    await server.start()
    yield server
    await server.stop()


def request(moment: Moment) -> dict[str, Any]:
    return {
        "target": {"function": str(moment)},
        "artifact": {"kind": "s3", "bucket": "artifacts", "key": "2.zip"},
        "configuration": {"MemorySize": 256},
        "strategy": {
            "steps": [{"kind": "set_weight", "percent": 10}, {"kind": "bake", "duration": "1s"}]
        },
        "concurrency": {"reserved": 10, "provisioned": 3},
        **({"hooks": {"after_traffic": "smoke"}} if moment.broken else {}),
    }


async def release(server: TemporalServer, name: str, document: dict[str, Any]) -> str:
    """Run a release; return how it ended. The server may be restarted meanwhile."""
    client = await server.connect()
    handle = await client.start_workflow("Release", document, id=f"release {name}", task_queue=name)
    while True:
        try:
            await handle.result()
        except WorkflowFailureError as failure:
            return str(getattr(failure.cause, "type", type(failure.cause).__name__))
        except (RuntimeError, RPCError):  # the server is down
            await asyncio.sleep(0.5)
        else:
            return "Completed"


async def survives(
    moment: Moment,
    *,
    local: LocalLambda,
    server: TemporalServer,
    worker: WorkerProcess,
    kill: Callable[[], Awaitable[None]],
) -> str | None:
    """Run a release, kill at its moment, and return what is wrong afterwards, if anything."""
    await create_function(local, str(moment), build_package(1))
    async with KillProxy(
        local.endpoint_url, moment.write, moment.occurrence, moment.when, kill
    ) as killer:
        worker.start(local, killer.url)
        try:
            outcome = await asyncio.wait_for(release(server, str(moment), request(moment)), 200)
        except TimeoutError:
            outcome = f"no end; the worker's log: {worker.log()[-2000:]}"
        finally:
            await worker.stop()
    found = outcome, await read_state(local, str(moment))
    wanted = ("ReleaseRolledBack", AS_BEFORE) if moment.broken else ("Completed", RELEASED)
    return (
        None
        if found == wanted and killer.struck.is_set()
        else f"{moment}: {found}, struck: {killer.struck.is_set()}, {killer.writes}"
    )


async def all_survive(runs: list[Coroutine[Any, Any, str | None]]) -> str:
    """Run them concurrently, each a little later than the last.

    The start of a worker takes a second of a core.
    """

    async def later(number: int, run: Coroutine[Any, Any, str | None]) -> str | None:
        await asyncio.sleep(0.7 * number)
        return await run

    done = await asyncio.gather(*(later(number, run) for number, run in enumerate(runs)))
    return "\n".join(problem for problem in done if problem)


@pytest.mark.timeout(300)
async def test_worker_killed_around_any_write_publishes_one_version(
    local: LocalLambda, server: TemporalServer, tmp_path: Path
) -> None:
    def run(moment: Moment) -> Coroutine[Any, Any, str | None]:
        worker = WorkerProcess(str(moment), temporal=server.address, directory=tmp_path)
        return survives(moment, local=local, server=server, worker=worker, kill=worker.kill)

    assert await all_survive([run(moment) for moment in (*RELEASING, *UNDOING)]) == ""


PROBE = {"kind": "probe", "requests": [{"expect": [{"path": "$.build", "equals": 2}]}], "count": 3}


@pytest.mark.timeout(300)
async def test_probe_lost_with_its_worker_is_a_failure_and_is_not_retried(
    local: LocalLambda, server: TemporalServer, tmp_path: Path
) -> None:
    async def run(when: When, may_fail: int, outcome: str, sent: int) -> str | None:
        """Kill the worker around the second of three probes.

        Return what is wrong, if anything.
        """
        name = f"probed-{when}-{may_fail}"
        await create_function(local, name, build_package(1))
        worker = WorkerProcess(name, temporal=server.address, directory=tmp_path)
        artifact = {"kind": "s3", "bucket": "artifacts", "key": "2.zip"}
        document = {
            "target": {"function": name},
            "artifact": artifact,
            "strategy": {"steps": [{**PROBE, "max_failures": may_fail}]},
            "hooks": {"on_lost": "roll_back"},
        }
        async with KillProxy(local.endpoint_url, "invoke", 2, when, worker.kill) as killer:
            worker.start(local, killer.url)
            try:
                found = await asyncio.wait_for(release(server, name, document), 120)
            finally:
                await worker.stop()
        live = (await read_state(local, name))["live"]
        wanted = (outcome, "2" if outcome == "Completed" else "1", sent)
        return (
            None
            if (found, live, killer.writes.count("invoke")) == wanted
            else f"{name}: {found}, {live} is live, {killer.writes}"
        )

    runs = [
        run("before", 1, "Completed", 3),
        run("after", 1, "Completed", 3),
        run("after", 0, "ReleaseRolledBack", 2),
    ]
    assert await all_survive(runs) == ""


@pytest.mark.timeout(300)
async def test_temporal_server_killed_around_any_write_loses_nothing(
    local: LocalLambda, tmp_path: Path
) -> None:
    async def run(moment: Moment) -> str | None:
        (own := tmp_path / str(moment)).mkdir()
        server = TemporalServer(own)
        await server.start()
        try:
            worker = WorkerProcess(str(moment), temporal=server.address, directory=own)
            return await survives(
                moment, local=local, server=server, worker=worker, kill=server.restart
            )
        finally:
            await server.stop()

    assert await all_survive([run(moment) for moment in RELEASING]) == ""

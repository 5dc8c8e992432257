"""One run: a schedule carried out on the local stack, with a watcher, and its outcome."""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from temporalio.client import Client
from temporalio.service import RPCError

from deploy.local.emulator import LocalLambda
from deploy.local.sample import Clients
from tests.chaos.director import Director
from tests.chaos.endings import Ending, find_last_run, find_rollout, read_ending
from tests.chaos.harness import create_aws_state, read_states
from tests.chaos.invariants import violations
from tests.chaos.ledger import Ledger
from tests.chaos.proxy import Proxy
from tests.chaos.schedule import RESETS, Act, Schedule
from tests.chaos.story import Story
from tests.chaos.watcher import watch
from tests.survival.harness import TemporalServer, WorkerProcess

QUEUE: Final = "chaos"
CONTINUE_AFTER: Final = 60
"""Events after which a release continues in a new run, instead of 2,000: in the middle of most."""

QUIET: Final = 1.5
"""Seconds to wait at the end, for late writes."""


@dataclass(frozen=True)
class RunResult:
    """The outcome of a run."""

    seed: int
    seconds: float
    endings: Counter[str]
    met: Counter[str]
    requests: int
    violations: list[str]

    @property
    def releases(self) -> int:
        """The number of requests."""
        return sum(self.endings.values())


async def run(
    schedule: Schedule, *, workers: int, limit: float, keep: Path | None = None
) -> RunResult:
    """Carry out a schedule, and check the invariants.

    A workflow that has not ended after ``limit`` seconds breaks one. The ledger and the logs
    are written to ``keep``.
    """
    directory = Path(tempfile.mkdtemp(prefix="chaos-"))
    began = time.time()
    try:
        async with _open_run(schedule, workers, directory) as (director, clients, client, ledger):
            before = await read_states(schedule.functions, lambdas=clients.awslambda)
            watching = asyncio.create_task(watch(schedule, ledger, clients.awslambda))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(director.direct(), limit)
            endings = await _read_endings(
                director, client, limit=max(1.0, began + limit + 30 - time.time())
            )
            await asyncio.sleep(QUIET)
            watching.cancel()
            problems = (await asyncio.gather(watching, return_exceptions=True))[0]
            after = await read_states(schedule.functions, lambdas=clients.awslambda)
        story = Story(
            schedule=schedule,
            entries=tuple(ledger.entries),
            done=tuple(director.done),
            endings=endings,
            before=before,
            after=after,
            problems=tuple(problems)
            if isinstance(problems, list)
            else (f"the watcher broke: {problems!r}",),
        )
        kinds = Counter(_classify_ending(*pair) for pair in endings.values())
        result = RunResult(
            schedule.seed,
            time.time() - began,
            kinds,
            director.proxy.met,
            len(ledger.entries),
            violations(story),
        )
        if keep is not None:
            await asyncio.to_thread(_write_files, story, ledger, directory, keep)
        return result
    finally:
        await asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True)


def _write_files(story: Story, ledger: Ledger, logs: Path, where: Path) -> None:
    """Write everything that explains a run."""
    where.mkdir(parents=True, exist_ok=True)
    ledger.save(where / "ledger.jsonl")
    (where / "schedule.json").write_text(story.schedule.document())
    (where / "courses.txt").write_text("\n".join(map(str, story.courses)))
    (where / "story.pickle").write_bytes(pickle.dumps(story))  # to judge it once more
    (where / "acts.txt").write_text("\n".join(map(repr, story.done)))
    for log in logs.glob("*.log"):
        shutil.copy(log, where)


@asynccontextmanager
async def _open_run(
    schedule: Schedule, workers: int, directory: Path
) -> AsyncIterator[tuple[Director, Clients, Client, Ledger]]:
    ledger = Ledger()
    async with AsyncExitStack() as stack:
        local = await stack.enter_async_context(
            LocalLambda.start(settle=0.3, provision=0.3, log=directory / "lambda.log")
        )
        server = TemporalServer(directory)
        stack.push_async_callback(server.stop)
        await server.start()
        client = await server.connect()
        men = [
            WorkerProcess(
                f"worker-{number}",
                temporal=server.address,
                directory=directory,
                queue=QUEUE,
                continue_after=CONTINUE_AFTER,
            )
            for number in range(workers)
        ]
        director = Director(schedule, client=client, server=server, workers=men, queue=QUEUE)
        proxy = await stack.enter_async_context(
            Proxy(
                local.endpoint_url,
                schedule.meets,
                ledger,
                outages=schedule.outages,
                moment=director.moment,
            )
        )
        direct = await stack.enter_async_context(Clients.connect(local))
        await create_aws_state(
            schedule.functions, lambdas=direct.awslambda, s3=direct.s3, cloudwatch=direct.cloudwatch
        )
        aside = await stack.enter_async_context(Clients.connect(proxy.side_door))
        director.proxy, director.lambdas, director.cloudwatch = (
            proxy,
            aside.awslambda,
            direct.cloudwatch,
        )
        for man in men:
            stack.push_async_callback(man.stop)
            man.start(local, proxy.url)
        yield director, direct, client, ledger


async def _read_endings(
    director: Director, client: Client, *, limit: float
) -> dict[str, tuple[Ending, Ending | None]]:
    """Read all endings.

    Wait for rollouts, which may outlive the release that started them.
    """

    reset = {done.act.order: done.act for done in director.done if done.act.kind in RESETS}

    async def follow(act: Act) -> tuple[Ending, Ending | None]:
        """The latest runs of both, whichever was reset."""
        outer = client.get_workflow_handle(act.order)
        inner = client.get_workflow_handle(f"lambda:000000000000:us-east-1:{act.function}:live")
        for handle in (outer, inner, outer):
            with contextlib.suppress(TimeoutError, RPCError):
                await asyncio.wait_for(find_last_run(client, handle), limit)
        try:
            return await read_ending(client, outer), await read_ending(client, inner)
        except RPCError:  # there never was a rollout
            return await read_ending(client, outer), None

    async def one(handle: Any) -> tuple[Ending, Ending | None]:
        if handle.id in reset:
            return await follow(reset[handle.id])
        first = await find_rollout(client, handle)
        if first is None:
            return await read_ending(client, handle), None
        last = first
        with contextlib.suppress(TimeoutError):
            last = await asyncio.wait_for(find_last_run(client, first), limit)
        begun, ended = await read_ending(client, first), await read_ending(client, last)
        return await read_ending(client, handle), replace(ended, started=begun.started)

    handles = dict(director.handles)
    return dict(zip(handles, await asyncio.gather(*map(one, handles.values())), strict=True))


def _classify_ending(outer: Ending, inner: Ending | None) -> str:
    if outer.kind == "Completed" and inner is not None and inner.note.startswith("Nothing to do"):
        return "Nothing to do"
    return (
        outer.kind
        if inner is None or inner.kind in {outer.kind, "Running"}
        else f"{outer.kind} ({inner.kind})"
    )

"""Carries out a schedule.

Starts releases, kills processes, and acts as people do, each in time.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from temporalio.client import Client, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from tests.chaos.endings import call_with_retries, wait_until_ended
from tests.chaos.harness import build_package
from tests.chaos.proxy import Proxy
from tests.chaos.releases import Order
from tests.chaos.schedule import FOREIGN, Act, Schedule
from tests.reset import reset_workflow
from tests.survival.harness import TemporalServer, WorkerProcess

_HOLDS = 3.0
"""Seconds that a request is held until an act before or after it is done."""


@dataclass(frozen=True)
class Done:
    """An act that was carried out: its result, and when."""

    act: Act
    at: float
    refusal: str = ""

    @property
    def is_accepted(self) -> bool:
        """Whether it was accepted."""
        return not self.refusal

    @property
    def to_rollout(self) -> bool:
        """Whether it was sent to the rollout of that time, which may be another release's."""
        to_release = {"cancel", "cancel twice", "terminate release", "reset release"}
        return self.act.kind not in {*to_release, *FOREIGN} or (
            self.act.kind == "cancel twice" and self.act.again < 1
        )


class Director:
    """Carries out one schedule, once."""

    def __init__(
        self,
        schedule: Schedule,
        *,
        client: Client,
        server: TemporalServer,
        workers: list[WorkerProcess],
        queue: str,
    ) -> None:
        self.done: list[Done] = []
        self.proxy: Proxy
        self.lambdas: Any
        """A Lambda client past the proxy, for foreign changes."""
        self.cloudwatch: Any
        self.handles: dict[str, WorkflowHandle[Any, Any]] = {}
        self.ended: set[str] = set()
        self._schedule = schedule
        self._client = client
        self._server = server
        self._workers = workers
        self._queue = queue
        self._begun: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._over: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._writes: defaultdict[tuple[str, str, int, str], list[Act]] = defaultdict(list)
        for act in schedule.acts:
            if act.operation is not None:
                self._writes[act.function, act.operation, act.occurrence, act.when].append(act)
        self._doing: set[asyncio.Task[Any]] = set()

    async def direct(self) -> None:
        """Carry out the whole schedule, until all releases have ended and all acts are done."""
        begun = asyncio.get_running_loop().time()

        async def at(seconds: float, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
            await asyncio.sleep(max(0.0, begun + seconds - asyncio.get_running_loop().time()))
            await work()

        async with asyncio.TaskGroup() as group:
            for order in self._schedule.orders:
                group.create_task(self._follow(order))
            for window in self._schedule.windows:
                group.create_task(at(window.at, lambda window=window: self._open(window)))
            for kill in self._schedule.kills:
                group.create_task(at(kill.at, lambda kill=kill: self._kill(kill.who, kill.down)))
            for act in self._schedule.acts:
                if act.operation is None:
                    group.create_task(self._later(act))
        for task in self._doing:
            task.cancel()

    async def moment(self, function: str, operation: str, occurrence: int, when: str) -> None:
        """Do the acts that belong before or after a write, and hold it meanwhile."""
        for act in self._writes.pop((function, operation, occurrence, when), ()):
            task = asyncio.create_task(self._do(act))
            self._doing.add(task)
            if act.delay == 0:
                await asyncio.wait([task], timeout=_HOLDS)

    # --- releases ---

    async def _follow(self, order: Order) -> None:
        if order.after is not None:
            await (self._begun if order.while_running else self._over)[order.after].wait()
        await asyncio.sleep(order.at)
        try:
            handle = await call_with_retries(
                lambda: self._client.start_workflow(
                    order.workflow, order.request, id=order.id, task_queue=self._queue
                )
            )
        except WorkflowAlreadyStartedError:  # by us: the answer was lost
            handle = self._client.get_workflow_handle(order.id)
        self.handles[order.id] = handle
        self._begun[order.id].set()
        await wait_until_ended(handle)
        self.ended.add(order.id)
        self._over[order.id].set()

    # --- faults ---

    async def _open(self, window: Any) -> None:
        async with self.proxy.during(window):
            await asyncio.sleep(window.seconds)

    async def _kill(self, who: int, down: float) -> None:
        self.proxy.met["Temporal killed" if who < 0 else "worker killed"] += 1
        await (self._server.restart(down=down) if who < 0 else self._workers[who].kill(down=down))

    # --- people ---

    async def _later(self, act: Act) -> None:
        await self._begun[act.order].wait()
        await self._do(act)

    async def _do(self, act: Act) -> None:
        await asyncio.sleep(act.delay)
        if act.order not in self.handles:
            return
        self.proxy.met[act.kind] += 1
        outer = self.handles[act.order]
        alias = self._schedule.order(act.order).alias
        inner = self._client.get_workflow_handle(
            f"lambda:000000000000:us-east-1:{act.function}:{alias}"
        )
        match act.kind:
            case (
                "cancel"
                | "cancel twice"
                | "cancel rollout"
                | "terminate release"
                | "terminate rollout"
            ):
                await self._stop(act, outer, inner)
            case "abort" | "promote":
                await self._send_update(act, inner, act.kind, {"by": "chaos"})
            case "approve":
                await self._insist(act, inner, "approve", every=0.5, times=20)
            case "pause and resume":
                if await self._send_update(
                    act, inner, "pause", {"by": "chaos", "reason": "a fault"}
                ):
                    await asyncio.sleep(act.again)
                    await self._insist(act, inner, "resume", every=1, times=1_000)
            case "alarm":
                await self._sound(act)
            case "reset release" | "reset rollout":
                await self._reset(act, outer if act.kind == "reset release" else inner)
            case _:
                await self._meddle(act)

    async def _stop(
        self, act: Act, outer: WorkflowHandle[Any, Any], inner: WorkflowHandle[Any, Any]
    ) -> None:
        match act.kind:
            case "cancel rollout":
                await self._call(act, inner.cancel)
            case "terminate release":
                await self._call(act, outer.terminate)
            case "terminate rollout":
                await self._call(act, inner.terminate)
            case "cancel twice":
                await self._call(act, outer.cancel)
                await asyncio.sleep(act.again)
                await self._call(act, inner.cancel if act.again < 1 else outer.cancel)
            case _:
                await self._call(act, outer.cancel)

    async def _insist(
        self, act: Act, inner: WorkflowHandle[Any, Any], what: str, *, every: float, times: int
    ) -> None:
        """Send an update until it is accepted or the release has ended."""
        for _ in range(times):
            if (
                await self._send_update(act, inner, what, {"by": "chaos"})
                or act.order in self.ended
            ):
                return
            await asyncio.sleep(every)

    async def _call(self, act: Act, request: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await call_with_retries(request)
        except RPCError as error:
            self.done.append(Done(act, time.time(), error.message))
        else:
            self.done.append(Done(act, time.time()))

    async def _send_update(
        self, act: Act, inner: WorkflowHandle[Any, Any], name: str, fields: dict[str, str]
    ) -> bool:
        """Send an update; return whether it was accepted.

        Its id makes a second attempt after a lost response the same update.
        """
        number = next(_numbers)
        try:
            await call_with_retries(
                lambda: inner.execute_update(name, fields, id=f"{name}-{number}")
            )
        except (WorkflowUpdateFailedError, RPCError) as error:
            why = error.cause if isinstance(error, WorkflowUpdateFailedError) else error.message
            self.done.append(Done(act, time.time(), f"{name}: {why}"))
            return False
        self.done.append(Done(act, time.time()))
        return True

    async def _reset(self, act: Act, workflow: WorkflowHandle[Any, Any]) -> None:
        """Reset a running workflow to its first task, as people do in the UI."""

        async def reset() -> None:
            await reset_workflow(self._client, workflow, request_id=f"reset-{act.order}")

        while act.order not in self.ended:  # until there is something to reset
            await self._call(act, reset)
            if self.done[-1].is_accepted:
                return
            await asyncio.sleep(1)

    async def _sound(self, act: Act) -> None:
        """Set off the alarm until the release has ended."""
        name = f"alarm-{act.function}"
        self.done.append(Done(act, time.time()))
        while act.order not in self.ended:
            await self.cloudwatch.set_alarm_state(
                AlarmName=name, StateValue="ALARM", StateReason="chaos"
            )
            await asyncio.sleep(10)
        await self.cloudwatch.set_alarm_state(
            AlarmName=name, StateValue="OK", StateReason="chaos is over"
        )

    async def _meddle(self, act: Act) -> None:
        """Change the alias or ``$LATEST`` as another writer."""
        assert act.kind in FOREIGN
        function, alias = (
            {"FunctionName": act.function},
            {"FunctionName": act.function, "Name": "live"},
        )
        for _ in range(20):
            try:
                match act.kind:
                    case "foreign alias":
                        await self.lambdas.update_alias(
                            **alias,
                            FunctionVersion="1",
                            RoutingConfig={"AdditionalVersionWeights": {}},
                        )
                    case "foreign description":
                        await self.lambdas.update_alias(**alias, Description="another writer")
                    case "foreign policy":
                        await self.lambdas.add_permission(
                            **function,
                            Qualifier="live",
                            StatementId=f"chaos-{next(_numbers)}",
                            Action="lambda:InvokeFunction",
                            Principal="events.amazonaws.com",
                        )
                    case "foreign code":
                        await self.lambdas.update_function_code(
                            **function, ZipFile=build_package(900)
                        )
                    case _:
                        await self.lambdas.update_function_configuration(**function, Timeout=42)
            except (
                self.lambdas.exceptions.ResourceConflictException
            ):  # an update of the release's is in progress
                await asyncio.sleep(0.1)
            else:
                self.done.append(Done(act, time.time()))
                return


_numbers = itertools.count(1)

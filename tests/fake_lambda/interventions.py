"""Interventions: what a test does to a call before or after it takes effect."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from activities.errors import AwsError
from tests.fake_lambda.account import Answer
from tests.fake_lambda.refusals import Refusal

_READ_PREFIXES = ("get_", "batch_get_", "list_", "describe_", "head_", "invoke", "simulate_")


@dataclass
class Call:
    """One request, and what became of it. ``done`` means that it took effect."""

    service: str
    operation: str
    parameters: Mapping[str, Any]
    done: bool = False
    error: BaseException | None = None

    @property
    def writes(self) -> bool:
        is_dry = self.operation == "update_function_code" and self.parameters.get("DryRun")
        return not is_dry and not self.operation.startswith(_READ_PREFIXES)

    def __str__(self) -> str:
        return self.operation


Moment = Literal["before", "after"]
Action = Callable[[Call], Awaitable[object] | object]


@dataclass
class Intervention:
    """Do ``act`` on ``times`` calls of an operation (None: on all), after the first ``skip``.

    The operation "*" is every one.
    """

    operation: str
    moment: Moment
    act: Action
    skip: int = 0
    times: int | None = 1
    met: int = 0

    def stop(self) -> None:
        """Let every further call pass."""
        self.times = 0

    async def meet(self, call: Call, moment: Moment) -> None:
        if self.operation not in {call.operation, "*"} or moment != self.moment:
            return
        if self.skip:
            self.skip -= 1
            return
        if self.times == 0:
            return
        self.times = None if self.times is None else self.times - 1
        self.met += 1
        result = self.act(call)
        if inspect.isawaitable(result):
            await result


@dataclass
class Hold:
    """A call that waits: ``reached`` when it is there, until :meth:`release`."""

    reached: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def release(self) -> None:
        self.released.set()

    async def __call__(self, call: Call) -> None:
        del call
        self.reached.set()
        await self.released.wait()


class CallLog:
    """What was called, and the interventions that tests plan.

    Each ``skip`` lets so many calls pass first; ``times`` is how many calls it concerns, None for
    all.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self.interventions: list[Intervention] = []
        self._responses: dict[str, list[Answer | AwsError]] = {}

    def before(
        self, operation: str, act: Action, *, skip: int = 0, times: int | None = 1
    ) -> Intervention:
        """Do something just before a call takes effect."""
        return self._plan(Intervention(operation, "before", act, skip, times))

    def after(
        self, operation: str, act: Action, *, skip: int = 0, times: int | None = 1
    ) -> Intervention:
        """Do something just after a call took effect, before it is answered."""
        return self._plan(Intervention(operation, "after", act, skip, times))

    def fail(  # noqa: PLR0913 - what happens to a call, in one line
        self,
        operation: str,
        code: str,
        message: str = "",
        *,
        skip: int = 0,
        times: int | None = 1,
        retry_after: float | None = None,
    ) -> Intervention:
        """Refuse a call with this code of AWS's; nothing happens."""
        act = _make_refuser(code, message, retry_after)
        return self.before(operation, act, skip=skip, times=times)

    def lose(self, operation: str, *, skip: int = 0, times: int | None = 1) -> Intervention:
        """Carry a request out, and lose the response."""
        act = _make_refuser("ReadTimeoutError", "no answer came in time", None)
        return self.after(operation, act, skip=skip, times=times)

    def hold(self, operation: str, *, skip: int = 0, moment: Moment = "before") -> Hold:
        """Keep a call waiting."""
        hold = Hold()
        self._plan(Intervention(operation, moment, hold, skip))
        return hold

    def respond(self, operation: str, *responses: Answer | AwsError) -> None:
        """Answer the next calls of an operation with these. Nothing happens, nothing is checked."""
        self._responses.setdefault(operation, []).extend(responses)

    def _plan(self, intervention: Intervention) -> Intervention:
        self.interventions.append(intervention)
        return intervention

    async def _meet(self, call: Call, moment: Moment) -> None:
        for intervention in list(self.interventions):
            await intervention.meet(call, moment)

    def _take_response(self, operation: str) -> Answer | None:
        if not self._responses.get(operation):
            return None
        response = self._responses[operation].pop(0)
        if isinstance(response, AwsError):
            raise response
        return response

    # --- what was called -----------------------------------------------------------------------

    @property
    def operations(self) -> list[str]:
        """The names of all calls, in order."""
        return [call.operation for call in self.calls]

    @property
    def writes(self) -> list[str]:
        """The names of the calls that took effect and changed something, in order."""
        return [call.operation for call in self.calls if call.writes and call.done]

    @property
    def requests(self) -> list[tuple[str, Mapping[str, Any]]]:
        """Operation and parameters of all calls, in order."""
        return [(call.operation, call.parameters) for call in self.calls]

    def of(self, operation: str) -> list[Mapping[str, Any]]:
        """The parameters of every call of one operation, in order."""
        return [call.parameters for call in self.calls if call.operation == operation]

    def count(self, operation: str) -> int:
        """How often an operation was called."""
        return len(self.of(operation))

    def since(self, index: int) -> list[str]:
        """The names of all calls from one on."""
        return self.operations[index:]


def _make_refuser(code: str, message: str, retry_after: float | None) -> Action:
    def refuse(call: Call) -> None:
        del call
        raise Refusal(code, message, retry_after=retry_after)

    return refuse

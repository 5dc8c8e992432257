"""What a test may do to a call of the fake: fail it before or after it took effect, hold it, or do something else at that moment."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.fakes.judge import refusal


@dataclass
class Call:
    """One request, and what became of it. ``done``: it took effect."""

    service: str
    operation: str
    parameters: Mapping[str, Any]
    done: bool = False
    error: BaseException | None = None

    @property
    def writes(self) -> bool:
        return not self.operation.startswith(("get_", "list_", "describe_", "head_", "invoke"))

    def __str__(self) -> str:
        return self.operation


Action = Callable[[Call], Awaitable[object] | object]


@dataclass
class Rule:
    """``act`` on ``times`` calls of an operation (None: on all), after letting ``skip`` of them pass."""

    operation: str
    moment: Literal["before", "after"]
    act: Action
    skip: int = 0
    times: int | None = 1
    met: int = 0

    def stop(self) -> None:
        """From now on let everything pass."""
        self.times = 0

    async def meet(self, call: Call, moment: str) -> None:
        if call.operation != self.operation or moment != self.moment:
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


def _raise(code: str, message: str, retry_after: float | None) -> Action:
    def act(call: Call) -> None:
        raise refusal(call.operation, code, message, retry_after=retry_after)

    return act


class Rules:
    """The part of the fake that tests steer."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self.rules: list[Rule] = []

    def before(self, operation: str, act: Action, *, skip: int = 0, times: int | None = 1) -> Rule:
        """Do something just before a call takes effect."""
        return self._rule(Rule(operation, "before", act, skip, times))

    def after(self, operation: str, act: Action, *, skip: int = 0, times: int | None = 1) -> Rule:
        """Do something just after a call took effect, before it is answered."""
        return self._rule(Rule(operation, "after", act, skip, times))

    def fail(  # noqa: PLR0913 - what happens to a call, in one line
        self,
        operation: str,
        code: str,
        message: str = "",
        *,
        skip: int = 0,
        times: int | None = 1,
        retry_after: float | None = None,
    ) -> Rule:
        """Refuse a call with this code of AWS's; nothing happens."""
        return self.before(operation, _raise(code, message, retry_after), skip=skip, times=times)

    def lose(self, operation: str, *, skip: int = 0, times: int | None = 1) -> Rule:
        """Do what was asked, and lose the answer."""
        return self.after(
            operation, _raise("ReadTimeoutError", "no answer", None), skip=skip, times=times
        )

    def hold(
        self, operation: str, *, skip: int = 0, moment: Literal["before", "after"] = "before"
    ) -> Hold:
        """Keep a call waiting."""
        hold = Hold()
        self._rule(Rule(operation, moment, hold, skip))
        return hold

    def _rule(self, rule: Rule) -> Rule:
        self.rules.append(rule)
        return rule

    # --- what was called -----------------------------------------------------------------------------------------------------

    @property
    def operations(self) -> list[str]:
        """The names of all calls, in order."""
        return [call.operation for call in self.calls]

    @property
    def writes(self) -> list[str]:
        """The names of the calls that took effect and changed something, in order."""
        return [call.operation for call in self.calls if call.writes and call.done]

    def of(self, operation: str) -> list[Mapping[str, Any]]:
        """The parameters of every call of one operation, in order."""
        return [call.parameters for call in self.calls if call.operation == operation]

    def since(self, index: int) -> list[str]:
        """The names of all calls from one on."""
        return self.operations[index:]

"""Asking together: what many want to know at the same time is asked in few calls, and each hears only of what it asked for.

For CloudWatch's alarms. One release that looks is answered at once. A thousand that look every ten seconds would make a hundred calls a
second, where AWS allows about nine: together they make as many as the rate allows, for up to a hundred alarms each. No answer is older
than its question.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Protocol, Self, TypeVar

from activities.errors import AwsError, classify_error

MAX_NAMES_PER_CALL: Final = 100
"""Names in one call: AWS's largest page."""

NEXT_CALL_DELAY_SECONDS: Final = 1.0
"""Seconds after which a call without an answer holds up the next one no longer."""


class _Told(Protocol):
    def filter_by_name(self, names: Sequence[str]) -> Self:
        """The part of an answer that is about these names."""
        ...


_Answer = TypeVar("_Answer", bound=_Told)


@dataclass(frozen=True)
class _Question(Generic[_Answer]):
    names: Sequence[str]
    answer: asyncio.Future[_Answer]


class Batcher(Generic[_Answer]):
    """One question at a time, of all who ask meanwhile."""

    def __init__(self, ask: Callable[[list[str]], Awaitable[_Answer]]) -> None:
        """``ask`` asks about names, each one once."""
        self._ask = ask
        self._waiting: list[_Question[_Answer]] = []
        self._asking: asyncio.Task[None] | None = None
        self._calls: set[asyncio.Task[None]] = set()

    async def ask(self, names: Sequence[str]) -> _Answer:
        """The answer about these names. What it raises is what AWS has against these names, and nobody else's."""
        question = _Question[_Answer](names, asyncio.get_running_loop().create_future())
        self._waiting.append(question)
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask_on())
        return await question.answer

    async def _ask_on(self) -> None:
        while questions := self._next():
            call = asyncio.create_task(self._answer(questions))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)
            await asyncio.wait([call], timeout=NEXT_CALL_DELAY_SECONDS)

    def _next(self) -> list[_Question[_Answer]]:
        """The questions for one call, in their order, without those that nobody wants an answer to any more."""
        taken: list[_Question[_Answer]] = []
        names: set[str] = set()
        waiting = [question for question in self._waiting if not question.answer.done()]
        for question in waiting:
            if taken and len(names | set(question.names)) > MAX_NAMES_PER_CALL:
                break
            names |= set(question.names)
            taken.append(question)
        self._waiting = waiting[len(taken) :]
        return taken

    async def _answer(self, questions: list[_Question[_Answer]]) -> None:
        """Ask for all of them; where AWS refuses that for good, each by itself, since one may be to blame."""
        try:
            answer = await self._ask(
                list(dict.fromkeys(name for question in questions for name in question.names))
            )
        except Exception as problem:  # noqa: BLE001 - whatever it is, it is for whoever asked
            passes = isinstance(problem, AwsError) and classify_error(problem).is_retryable
            if len(questions) > 1 and not passes:
                for question in questions:
                    await self._answer([question])
                return
            for question in questions:
                if not question.answer.done():
                    question.answer.set_exception(_anew(problem))
        else:
            for question in questions:
                if not question.answer.done():
                    question.answer.set_result(answer.filter_by_name(question.names))


def _anew(problem: Exception) -> Exception:
    """The same error for one more who waits for it: one that is raised in several places at once gathers the traces of all."""
    if not isinstance(problem, AwsError):
        return problem
    return AwsError(
        problem.operation,
        problem.code,
        problem.message,
        status=problem.status,
        retry_after=problem.retry_after,
    )

"""An operation ends with every response over real HTTP.

With its result, or with a known fault.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import strategies as st
from pydantic import BaseModel
from temporalio.exceptions import ApplicationError

from activities import list_operations
from activities.aws import Connection, connect
from activities.errors import Fault
from activities.limits.rate import Limits
from activities.operation import MAX_RESULT_BYTES
from activities.transport import Timeouts
from tests.activities.adapter import REGION, UNLIMITED, set_credentials
from tests.activities.operations import ATTEMPTED, on_attempt
from tests.activities.stub import Stub
from tests.fake_lambda.http import HttpRequest, HttpResponse
from tests.fuzz.answering import KEPT, answer_request
from tests.fuzz.everything import Everything, list_by_name
from tests.fuzz.harness import Tally, run_cases
from tests.fuzz.mutation import TYPED, WAYS
from tests.fuzz.shaped import Known, documents_of_model
from tests.fuzz.size import ANSWERS, ONLY, SEED, Case, count_share, draw_chunk
from tests.fuzz.test_activities import model_of

_LANES = 6
_PATIENCE = 120.0
_LONG_AGO = "2020-01-01T00:00:00+00:00"
"""The begin of failures in a row that have gone on for longer than any may."""

_LONGEST_FAILURE = 2_500
_NONSENSE = {"ResponseParserError", "ResponseTooLarge"}
_ENDLESS = {Fault.UNAVAILABLE, Fault.THROTTLED, Fault.NOT_READY, Fault.CONFLICT}
NAMES = list(list_by_name(list_operations(Everything())))
OWN = [
    {"Id": "cpu", "Namespace": "Shop", "MetricName": "Cpu", "Stat": "Average"},
    {
        "Id": "rate",
        "Expression": "e / 2",
        "Metrics": {"e": {"Namespace": "Shop", "MetricName": "Cpu", "Stat": "TC(300:)"}},
    },
]
SECRETS: Known = {
    ("FunctionName",): st.just("checkout"),
    ("Resource",): st.just("arn:aws:lambda:eu-west-1:123456789012:function:checkout"),
    ("Variables",): st.just(
        {
            "TOKEN": TYPED,
            "OTHER": "{{resolve:ssm:/known}}",
            "THIRD": "{{resolve:secretsmanager:s:SecretString:password}}",
        }
    ),
    ("Payload",): st.just("eyJ0b2tlbiI6ICJodW50ZXIyLXdoYXQtd2FzLXNlbnQifQ=="),
    ("InvokeArgs",): st.just("eyJ0b2tlbiI6ICJodW50ZXIyLXdoYXQtd2FzLXNlbnQifQ=="),
    ("ClientContext",): st.just(TYPED),
    ("AlarmNames",): st.just(["errors"]),
    ("Versions",): st.sampled_from([["3"], ["3", "2"]]),
    ("Since",): st.sampled_from(
        [(ATTEMPTED - timedelta(minutes=minutes)).isoformat() for minutes in (20, 500)]
    ),
    ("Settle",): st.sampled_from([0, 90.5]),
    ("Every",): st.just(5),
    ("Others",): st.sampled_from([[], OWN[:1], OWN]),
}


@dataclass(frozen=True)
class Question:
    """An operation's request and attempt, and which HTTP response is spoilt in which way."""

    name: str
    attempt: int
    request: Any
    which: int
    way: str
    chance: int

    def __str__(self) -> str:
        response = f"response {self.which or 'every'}: {self.way} {self.chance}"
        return f"{self.name} (attempt {self.attempt}), {response}; request {self.request}"


class Lane:
    """An AWS adapter and its HTTP server, which gives good responses and a bad one."""

    def __init__(self) -> None:
        self.stub = Stub(self._answer)
        self._count = itertools.count(1)
        self._asked: Question | None = None
        self.met = 0

    async def open(self, stack: AsyncExitStack, environment: pytest.MonkeyPatch) -> None:
        await stack.enter_async_context(self.stub)
        environment.setenv("AWS_ENDPOINT_URL", self.stub.url)
        self.aws: Connection = await stack.enter_async_context(
            connect(REGION, timeouts=Timeouts(connect=2, read=2, invoke=2))
        )
        for service in ("ssm", "secretsmanager", "cloudwatch", "s3"):
            await self.aws.open_client(service, "read")
        for kind in ("read", "write", "invoke"):
            await self.aws.open_client("lambda", kind)
        self.activities = list_by_name(list_operations(self.aws))

    def prepare(self, question: Question) -> None:
        self._asked, self._count, self.met = question, itertools.count(1), 0
        self.stub.requests.clear()
        self.aws._limits = Limits(UNLIMITED)

    async def _answer(self, request: HttpRequest) -> HttpResponse:
        answer = answer_request(request, self.stub.url)
        question = self._asked
        if question is None or next(self._count) != question.which != 0:
            return answer
        self.met += 1
        return WAYS[question.way](answer, random.Random(question.chance))


@pytest.fixture(scope="session")
async def lanes() -> AsyncIterator[list[Lane]]:
    async with AsyncExitStack() as stack:
        with pytest.MonkeyPatch.context() as environment:
            set_credentials(environment)
            found = [Lane() for _ in range(_LANES)]
            for lane in found:
                await lane.open(stack, environment)
        yield found


def questions(count: int) -> list[Case[Question]]:
    """So many cases, with every operation and every way about equally often.

    Each depends on the seed and its number only.
    """
    numbers = (
        [int(ONLY.partition("#")[2])]
        if ONLY.startswith("answer#")
        else []
        if ONLY
        else range(count)
    )
    activities = list_by_name(list_operations(Everything()))
    requests = {name: _requests(name, activities[name]) for name in NAMES}
    return [Case("answer", number, _question(number, requests)) for number in numbers]


def _question(number: int, requests: Mapping[str, Sequence[Any]]) -> Question:
    chance = random.Random(f"{SEED}/answer/{number}")
    name, way = (
        NAMES[number % len(NAMES)],
        sorted(WAYS)[(number + number // len(NAMES)) % len(WAYS)],
    )
    return Question(
        name,
        chance.choice([1, 1, 2]),
        chance.choice(requests[name]),
        chance.choice([0, 1, 1, 2]),
        way,
        chance.randrange(2**32),
    )


def _requests(name: str, activity: Callable[..., Any]) -> list[Any]:
    """Good requests of an operation."""
    shaped = documents_of_model(model_of(activity), SECRETS).filter(
        lambda document: _read(activity, document) is not None
    )
    return [case.value for case in draw_chunk(shaped, f"{name}/asked")]


def _read(activity: Callable[..., Any], document: Any) -> BaseModel | None:
    try:
        return model_of(activity).model_validate_json(
            json.dumps(document), by_alias=True, by_name=False
        )
    except ValueError:
        return None


@pytest.mark.timeout(3600)
async def test_every_answer_ends_an_operation(lanes: list[Lane], tallies: list[Tally]) -> None:
    free: asyncio.Queue[Lane] = asyncio.Queue()
    for lane in lanes:
        free.put_nowait(lane)

    async def meet(case: Case[Question], tally: Tally) -> None:
        lane = await free.get()
        try:
            await _ask(lane, case.value, tally)
        finally:
            free.put_nowait(lane)

    tally = await run_cases(
        "answers, one operation", questions(count_share(85, ANSWERS)), meet, at_once=_LANES
    )
    tallies.append(tally)
    tally.check()


async def _ask(lane: Lane, question: Question, tally: Tally) -> None:
    activity = lane.activities[question.name]
    request = _read(activity, question.request)
    lane.prepare(question)
    heartbeat: list[Any] = []
    answer, failure = await _performed(activity, request, question.attempt, heartbeat)
    # It makes fewer requests, or none at its second attempt: spoil every response of the first.
    if not lane.met:
        question = replace(question, which=0, attempt=1)
        lane.prepare(question)
        answer, failure = await _performed(activity, request, 1, heartbeat)
    tally.kinds[question.way if lane.met else "(not met) " + question.name] += 1
    if failure is None:
        tally.ends["answered"] += 1
        encoded = (
            answer.model_dump_json(by_alias=True) if isinstance(answer, BaseModel) else str(answer)
        )
        assert len(encoded) <= MAX_RESULT_BYTES, f"{len(encoded)} bytes of a result"
        assert TYPED not in encoded.replace(_echo(answer), ""), encoded[:300]
        assert KEPT not in encoded, encoded[:300]
        return
    tally.ends[failure.type or "?"] += 1
    check_failure(failure, secrets=(KEPT, TYPED) if _confides(question, failure) else (KEPT,))
    if failure.non_retryable or not _must_end(failure):
        return
    lane.prepare(question)
    lasting = [{**each, "failing_since": _LONG_AGO, "failures": 9} for each in heartbeat]
    _, last = await _performed(activity, request, 2, lasting)
    assert last is None or last.non_retryable or not _must_end(last), (
        f"tried again without end: {last.message}"
    )


async def _performed(
    activity: Callable[..., Any],
    request: BaseModel | None,
    attempt: int,
    heartbeat: list[Any],
) -> tuple[Any, ApplicationError | None]:
    try:
        async with asyncio.timeout(_PATIENCE):
            return await on_attempt(attempt, activity, request, heartbeat=heartbeat), None
    except ApplicationError as failure:
        return None, failure


def _echo(answer: Any) -> str:
    """The result without the payload of a function, which may contain anything."""
    return (answer.payload or b"").decode(errors="replace") if hasattr(answer, "payload") else ""


def _confides(question: Question, failure: ApplicationError) -> bool:
    """Whether the failed request contained the secret."""
    itself = bool(failure.details) and failure.details[0]["operation"] == question.name
    return itself and (
        TYPED in json.dumps(question.request)
        or bool({"Payload", "InvokeArgs"} & set(question.request))
    )


def check_failure(failure: ApplicationError, *, secrets: Sequence[str]) -> None:
    """A failure is a known fault, short, and without a secret.

    It is a mistake of ours only where it names AWS's response as the reason.
    """
    assert failure.type in set(Fault), f"{failure.type}: {failure.message}"
    assert (
        failure.type != Fault.BUG or "AWS's answer is not as AWS describes it" in failure.message
    ), failure.message
    assert failure.type != Fault.BUG or failure.non_retryable
    assert len(failure.message) <= _LONGEST_FAILURE, f"{len(failure.message)} characters"
    for text in (failure.message, repr(failure.details)):
        assert not [secret for secret in secrets if secret in text], text[:400]
    assert failure.next_retry_delay is None or 0 <= failure.next_retry_delay.total_seconds() <= 300


def _must_end(failure: ApplicationError) -> bool:
    """Whether a retry cannot help.

    The response is unreadable or its code is unknown.
    """
    code = failure.details[0].get("code", "") if failure.details else ""
    return code in _NONSENSE or failure.type not in _ENDLESS

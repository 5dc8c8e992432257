"""A standalone activity ends with every input.

Bad input at its first attempt, with the field.
"""

from __future__ import annotations

import asyncio
import itertools
import typing
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import strategies as st
from pydantic import BaseModel
from temporalio.client import ActivityFailureError, ActivityHandle
from temporalio.common import RawValue, RetryPolicy
from temporalio.exceptions import ApplicationError

from activities import list_operations
from activities.errors import Fault
from tests.fuzz.everything import Everything, list_by_name
from tests.fuzz.harness import FUNCTION_PLACEHOLDER, QUEUE, Clock, FuzzHarness, Tally, run_cases
from tests.fuzz.naming import check_refusal
from tests.fuzz.payloads import Sent, inputs_around, read_document, read_input
from tests.fuzz.shaped import Known, documents_of_model
from tests.fuzz.size import Case, count_share, draw_cases
from workflows.past_rollouts import (
    read_alias_history,
    read_journal_activity,
    read_previous_version,
)

_ids = itertools.count(1)
_FUNCTIONS = st.sampled_from(
    [FUNCTION_PLACEHOLDER.decode()] * 6
    + ["nobody", "arn:aws:lambda:eu-central-1:123456789012:function:checkout-fuzz", "hook-yes"]
)
KNOWN: Known = {
    ("FunctionName",): _FUNCTIONS,
    ("Qualifier",): st.sampled_from(["1", "2", "live", "9", "$LATEST"]),
    ("FunctionVersion",): st.sampled_from(["1", "2", "9"]),
    ("Version",): st.sampled_from(["1", "2", "9"]),
    ("Name",): st.sampled_from(["live", "next"]),
    ("AlarmNames",): st.lists(st.sampled_from(["loud", "gone", "quiet"]), min_size=1, max_size=2),
    ("Variables",): st.dictionaries(
        st.sampled_from(["MODE", "TOKEN"]),
        st.sampled_from(["a", "{{resolve:ssm:/known}}", "{{resolve:ssm:/no}}"]),
    ),
    ("lock",): st.sampled_from(["lambda:123456789012:eu-central-1:checkout-fuzz:live", "'", "x"]),
    ("workflow_id",): st.sampled_from(["nothing", "", "a" * 2000]),
    ("run_id",): st.sampled_from(["", "nothing", "00000000-0000-0000-0000-000000000000"]),
}
ACTIVITIES = list_by_name(
    [
        *list_operations(Everything()),
        read_alias_history,
        read_previous_version,
        read_journal_activity,
    ]
)
PASSES = {fault.value for fault in Fault if fault.passes}
HASTE = RetryPolicy(initial_interval=timedelta(milliseconds=20), backoff_coefficient=1)
"""Retries without delay: a retry of a permanent refusal shows at once."""

_LONGEST_FAILURE = 2_500


def model_of(activity: Callable[..., Any]) -> type[BaseModel]:
    """The model of an activity's input."""
    hint: Any = typing.get_type_hints(activity)["request"]
    found: type[BaseModel] = next(
        each
        for each in (hint, *typing.get_args(hint))
        if isinstance(each, type) and issubclass(each, BaseModel)
    )
    return found


def optional(activity: Callable[..., Any]) -> bool:
    """Whether its input is optional."""
    return type(None) in typing.get_args(typing.get_type_hints(activity)["request"])


def requests(activity: Callable[..., Any]) -> st.SearchStrategy[Any]:
    """Documents for an activity's input."""
    return documents_of_model(model_of(activity), KNOWN)


@pytest.mark.timeout(3600)
@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # a cancel or an eviction drops coroutines
async def test_every_standalone_activity_ends(cleared: FuzzHarness, tallies: list[Tally]) -> None:
    cases: list[tuple[str, Case[Sent]]] = []
    for name, activity in ACTIVITIES.items():
        inputs = inputs_around(
            requests(activity),
            lambda data, activity=activity: read_document(model_of(activity), data) is not None,
        )
        cases += [
            (name, case)
            for case in draw_cases(
                inputs, max(4, -(-count_share(46) // len(ACTIVITIES))), entry=name
            )
        ]
    names = {id(case): name for name, case in cases}
    tally = await run_cases(
        "standalone activities",
        [case for _, case in cases],
        lambda case, tally: _meet(cleared, names[id(case)], case.value, tally),
    )
    tallies.append(tally)
    tally.check()
    cleared.alive()


async def _meet(harness: FuzzHarness, name: str, one: Sent, tally: Tally) -> None:
    activity, function = ACTIVITIES[name], harness.function()
    payloads = one.about(function)
    nothing = not payloads or (
        len(payloads) == 1
        and (payloads[0].metadata.get("encoding"), payloads[0].data)
        in {(b"json/plain", b"null"), (b"binary/null", payloads[0].data)}
    )
    good = optional(activity) if nothing else read_input(model_of(activity), payloads) is not None
    clock = Clock()
    tally.kinds[one.kind] += 1
    handle: ActivityHandle[Any] = await harness.client.start_activity(
        name,
        args=[RawValue(each) for each in payloads],
        id=f"{name}-{next(_ids)}/{function}",
        task_queue=QUEUE,
        start_to_close_timeout=timedelta(minutes=5),
        retry_policy=HASTE,
    )
    kind, failure = await _ended(handle, patience=8 if good else 60)
    found = await handle.describe()
    tally.ends[f"{kind}{'' if good else ' (input)'}"] += 1
    if good:
        assert kind in {"Completed", "Running", *Fault}, f"{name} ended as {kind}: {failure}"
        assert kind != "Bug", f"{name}: {failure}"
        assert failure is None or len(failure.message) <= _LONGEST_FAILURE
        if kind == "Running":
            last = await found.last_failure()
            await handle.terminate()
            cause = last if isinstance(last, ApplicationError) else None
            assert last is None or (cause and cause.type in PASSES), f"{name} is retried: {last}"
        return
    tally.refused(clock)
    assert found.attempt == 1, (
        f"{name} was attempted {found.attempt} times: {str(await found.last_failure())[:300]}"
    )
    assert kind == "Invalid", f"{name} ended as {kind}: {failure}"
    assert failure is not None
    check_refusal(
        failure.message, failure.details, model_of(activity), payloads[0].data if payloads else b""
    )


async def _ended(
    handle: ActivityHandle[Any], *, patience: float
) -> tuple[str, ApplicationError | None]:
    try:
        async with asyncio.timeout(patience):
            await handle.result()
    except TimeoutError:
        return "Running", None
    except ActivityFailureError as failure:
        cause = failure.cause
        return (
            (cause.type or "?", cause)
            if isinstance(cause, ApplicationError)
            else (type(cause).__name__, None)
        )
    return "Completed", None

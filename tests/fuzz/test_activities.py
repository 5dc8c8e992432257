"""Whatever a standalone activity is given, it ends: bad input at its first attempt, with the field's name."""

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
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from activities import operations
from activities.errors import Fault
from tests.fuzz.arena import PLACE, QUEUE, Arena, Clock, Tally, check_refusal
from tests.fuzz.everything import Everything
from tests.fuzz.payloads import Sent, accepted, read, sent
from tests.fuzz.shaped import Known, of_model
from tests.fuzz.size import drawn, share
from workflows.record import read_journal_of, read_previous_version

_ids = itertools.count(1)
_FUNCTIONS = st.sampled_from(
    [PLACE.decode()] * 6 + ["nobody", "arn:aws:lambda:eu-central-1:123456789012:function:checkout-fuzz", "hook-yes"]
)
KNOWN: Known = {
    ("FunctionName",): _FUNCTIONS,
    ("Qualifier",): st.sampled_from(["1", "2", "live", "9", "$LATEST"]),
    ("FunctionVersion",): st.sampled_from(["1", "2", "9"]),
    ("Version",): st.sampled_from(["1", "2", "9"]),
    ("Name",): st.sampled_from(["live", "next"]),
    ("AlarmNames",): st.lists(st.sampled_from(["loud", "gone", "quiet"]), min_size=1, max_size=2),
    ("Variables",): st.dictionaries(st.sampled_from(["MODE", "TOKEN"]), st.sampled_from(["a", "{{resolve:ssm:/known}}", "{{resolve:ssm:/no}}"])),
    ("lock",): st.sampled_from(["lambda/123456789012/eu-central-1/checkout-fuzz:live", "'", "x"]),
    ("workflow_id",): st.sampled_from(["nothing", ""]),
    ("run_id",): st.sampled_from(["", "nothing", "00000000-0000-0000-0000-000000000000"]),
}  # fmt: skip
ACTIVITIES: dict[str, Callable[..., Any]] = {
    getattr(each, "__temporal_activity_definition").name: each
    for each in (*operations(Everything()), read_previous_version, read_journal_of)
}
PASSES = {fault.value for fault in Fault if fault.passes}


def model_of(activity: Callable[..., Any]) -> type[BaseModel]:
    """What an activity takes."""
    hint: Any = typing.get_type_hints(activity)["request"]
    found: type[BaseModel] = next(each for each in (hint, *typing.get_args(hint)) if isinstance(each, type) and issubclass(each, BaseModel))
    return found


def optional(activity: Callable[..., Any]) -> bool:
    """Whether it takes no input as well."""
    return type(None) in typing.get_args(typing.get_type_hints(activity)["request"])


@pytest.mark.timeout(3600)
async def test_every_standalone_activity_ends(arena: Arena) -> None:
    each = max(4, share(34) // len(ACTIVITIES))
    items = [
        (name, one)
        for name, activity in ACTIVITIES.items()
        for one in drawn(
            sent(of_model(model_of(activity), KNOWN), lambda data, activity=activity: read(model_of(activity), data) is not None), each
        )
    ]
    tally = await arena.all(items, lambda item, tally: _meet(arena, *item, tally))
    print(tally)  # noqa: T201 - the figures
    tally.check()
    assert tally.slowest < 2


async def _meet(arena: Arena, name: str, one: Sent, tally: Tally) -> None:
    activity, function = ACTIVITIES[name], arena.function()
    payloads = one.about(function)
    nothing = not payloads or (
        len(payloads) == 1
        and (payloads[0].metadata.get("encoding"), payloads[0].data) in {(b"json/plain", b"null"), (b"binary/null", payloads[0].data)}
    )
    good = optional(activity) if nothing else accepted(model_of(activity), payloads) is not None
    clock = Clock()
    handle: ActivityHandle[Any] = await arena.env.client.start_activity(
        name,
        args=[RawValue(each) for each in payloads],
        id=f"{name}-{next(_ids)}/{function}",
        task_queue=QUEUE,
        start_to_close_timeout=timedelta(minutes=5),
    )
    kind, failure = await _ended(handle, patience=3 if good else 10)
    found = await handle.describe()
    tally.ends[f"{kind}{'' if good else ' (input)'}"] += 1
    if good:
        assert kind in {"Completed", "Running", *Fault}, f"{name} ended as {kind}: {failure}"
        assert kind != "Bug", f"{name}: {failure}"
        if kind == "Running":
            assert found.last_failure is None or getattr(found.last_failure, "type", "") in PASSES, (
                f"{name} is retried: {found.last_failure}"
            )
            await handle.terminate()
        return
    tally.slowest = max(tally.slowest, clock.seconds)
    assert found.attempt == 1, f"{name} was attempted {found.attempt} times: {str(await found.last_failure())[:300]}"
    assert kind == "Invalid", f"{name} ended as {kind}: {failure}"
    assert failure is not None
    check_refusal(failure.message, failure.details)


async def _ended(handle: ActivityHandle[Any], *, patience: float) -> tuple[str, ApplicationError | None]:
    try:
        async with asyncio.timeout(patience):
            await handle.result()
    except TimeoutError:
        return "Running", None
    except ActivityFailureError as failure:
        cause = failure.cause
        return (cause.type or "?", cause) if isinstance(cause, ApplicationError) else (type(cause).__name__, None)
    return "Completed", None

"""Each invariant over two small handmade runs.

One that keeps it, one that breaks it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.chaos import invariants
from tests.chaos.director import Done
from tests.chaos.endings import Ending
from tests.chaos.harness import State
from tests.chaos.ledger import Entry, Ledger, Routing
from tests.chaos.releases import Function, Order
from tests.chaos.schedule import Act, ActKind, Schedule
from tests.chaos.story import Story
from tests.chaos.watcher import find_violation, read_ledger

BEGAN, ENDED = 100.0, 150.0
LOCK = "lambda/000000000000/us-east-1/f001:live"
CODE, NEW = ("old", 128, 3), ("new", 128, 3)
BEFORE = State(
    Routing("2"), ("1", "2"), None, (), "old", 128, 3, {"1": ("first", 128, 3), "2": CODE}
)
CANARY = {"steps": [{"kind": "set_weight", "percent": 10}, {"kind": "bake", "duration": "5s"}]}


def wrote(
    operation: str,
    at: float,
    *,
    by: Any = "release",
    arrived: float | None = None,
    **parameters: Any,
) -> Entry:
    result = parameters.pop("result", {})
    return Entry(
        operation, "f001", arrived or at, by, parameters, at, 200, answered=True, result=result
    )


def moved(
    at: float, version: str, *, by: Any = "release", arrived: float | None = None, **weights: float
) -> Entry:
    return wrote(
        "update_alias",
        at,
        by=by,
        arrived=arrived,
        result={"version": version, "weights": {key[1:]: value for key, value in weights.items()}},
    )


UPLOADED = wrote("update_function_code", 105, result={"CodeSha256": "new"})
PUBLISHED = wrote("publish_version", 107, result={"Version": "3", "CodeSha256": "new"})
TO_10 = moved(110, "2", v3=0.1)
TO_100 = moved(116, "3")
BACK = moved(117, "2")
AGAIN = wrote("update_function_code", 119, result={"CodeSha256": "old"})
GOOD = (UPLOADED, PUBLISHED, TO_10, TO_100)
UNDONE = (UPLOADED, PUBLISHED, TO_10, BACK, AGAIN)
RELEASED = State(
    Routing("3"), ("1", "2", "3"), None, (), "new", 128, 3, {**BEFORE.of_version, "3": NEW}
)
AS_BEFORE = replace(RELEASED, alias=Routing("2"), code="old")


def act(kind: ActKind, at: float = 112) -> Done:
    return Done(Act("f001-1", "f001", kind, 0), at)


def ended(
    kind: str, phase: str | None, *, id: str = "f001-1", at: float = ENDED, note: str = ""
) -> Ending:
    return Ending(id, kind, note, BEGAN, at, phase, "3")


def run(
    *entries: Entry,
    kind: str = "Completed",
    phase: str | None = "succeeded",
    after: State = RELEASED,
    acts: tuple[Done, ...] = (),
    **keys: Any,
) -> Story:
    """A run of one release with these events."""
    request = {
        "target": {"function": "f001"},
        "artifact": {"kind": "s3", "bucket": "artifacts", "key": "1.zip"},
        "strategy": CANARY,
    }
    order = Order("f001-1", "f001", "Release", request | keys.pop("request", {}))
    outer = keys.pop("outer", ended(kind, phase, note=keys.pop("note", "")))
    inner = keys.pop("inner", replace(outer, workflow_id=LOCK, kind=kind, phase=phase))
    schedule = Schedule(1, (Function("f001", 2),), (order,), (), (), (), ())
    return Story(
        schedule,
        entries,
        acts,
        {"f001-1": (outer, inner)},
        {"f001": keys.pop("before", BEFORE)},
        {"f001": after},
    )


def undone(
    *entries: Entry, after: State = AS_BEFORE, acts: tuple[Done, ...] = (act("abort"),), **keys: Any
) -> Story:
    return run(
        *entries, kind="ReleaseRolledBack", phase="rolled_back", after=after, acts=acts, **keys
    )


FOREIGN = moved(112, "1", by="foreign")
FAILED = {"kind": "RollbackFailed", "phase": "rolling_back"}

KEPT = {
    "a release that went well": run(*GOOD),
    "a release that was aborted": undone(*UNDONE),
    "a foreign change that was respected": run(
        UPLOADED, PUBLISHED, TO_10, FOREIGN, after=replace(RELEASED, alias=Routing("1")), **FAILED
    ),
    "a cancelled one": run(
        *UNDONE, kind="Canceled", phase=None, after=AS_BEFORE, acts=(act("cancel"),)
    ),
    "a refused one": run(
        kind="ReleaseRejected",
        phase="rejected",
        after=BEFORE,
        note="alarm-f001 is in ALARM already",
        acts=(act("alarm"),),
    ),
    "a terminated one, rolled back": undone(
        *UNDONE, acts=(act("terminate rollout"),), inner=ended("Terminated", None, id=LOCK, at=112)
    ),
    "a foreign change after the last move": run(
        *GOOD, moved(117, "1", by="foreign"), after=replace(RELEASED, alias=Routing("1"))
    ),
}


@pytest.mark.parametrize("name", KEPT)
def test_correct_run_breaks_no_invariant(name: str) -> None:
    assert invariants.violations(KEPT[name]) == []


WARM = {"concurrency": {"reserved": 6, "provisioned": 2}}
REFUSING = {"hooks": {"before_traffic": "hook-refuses"}}
ASKED = Entry(
    "invoke",
    "f001",
    108,
    parameters={"hook": "hook-refuses", "hook_kind": "before_traffic"},
    committed=108,
    status=200,
    answered=True,
)
APPROVAL = {
    "strategy": {
        "steps": [{"kind": "set_weight", "percent": 10}, {"kind": "approval", "timeout": "9s"}]
    }
}
HEARD = Entry(
    "describe_alarms",
    "f001",
    109,
    committed=109,
    status=200,
    answered=True,
    result={"firing": True},
)

KILLED = ended("Terminated", None, id=LOCK, at=140)

BROKEN: list[tuple[str, Story]] = [
    (
        "everything_ended",
        run(*GOOD, outer=ended("Running", None, at=float("inf"), note="update_alias (attempt 9)")),
    ),
    ("everything_ended", replace(run(*GOOD), endings={})),
    ("ended_as_promised", run(*GOOD, kind="Completed", phase="baking")),
    ("ended_as_promised", run(*GOOD, kind="ActivityError", phase=None)),
    ("ended_as_promised", run(*UNDONE, after=AS_BEFORE)),
    ("ended_as_promised", undone(*GOOD)),
    ("ended_as_promised", run(UPLOADED, kind="ReleaseRejected", phase="rejected", after=BEFORE)),
    ("ended_as_promised", run(*UNDONE, **FAILED, after=AS_BEFORE)),
    ("ended_as_promised", run(*UNDONE, kind="Canceled", phase=None, after=AS_BEFORE)),
    ("ended_as_promised", run(*GOOD, inner=ended("ReleaseRolledBack", "rolled_back", id=LOCK))),
    ("ended_as_promised", run(*GOOD, inner=None)),
    ("stopped_for_a_reason", undone(*UNDONE, acts=())),
    (
        "stopped_for_a_reason",
        run(
            kind="ReleaseRejected",
            phase="rejected",
            after=BEFORE,
            note="target.function: Rate exceeded",
        ),
    ),
    ("stopped_for_a_reason", run(UPLOADED, PUBLISHED, ASKED, TO_10, TO_100, request=REFUSING)),
    ("stopped_for_a_reason", run(*GOOD, request=APPROVAL)),
    ("stopped_for_a_reason", run(UPLOADED, PUBLISHED, HEARD, TO_10, TO_100, acts=(act("alarm"),))),
    (
        "serves_what_it_may",
        undone(*UNDONE, after=replace(AS_BEFORE, alias=Routing("2", (("3", 0.1),)))),
    ),
    ("serves_what_it_may", undone(*UNDONE, after=replace(AS_BEFORE, alias=Routing("3")))),
    ("never_above_its_step", run(UPLOADED, PUBLISHED, moved(110, "2", v3=0.2), TO_100)),
    ("never_above_its_step", run(UPLOADED, PUBLISHED, TO_100)),
    ("never_above_its_step", run(UPLOADED, PUBLISHED, TO_10, moved(113, "2", v3=0.5), TO_100)),
    ("never_above_its_step", undone(*UNDONE, moved(120, "2", v3=0.1))),
    ("never_above_its_step", run(UPLOADED, PUBLISHED, moved(110, "1", v3=0.1), TO_100)),
    ("bakes_last", run(UPLOADED, PUBLISHED, TO_10, moved(113, "3"))),
    ("bakes_last", run(*GOOD, request=APPROVAL)),
    (
        "foreign_changes_stay",
        run(UPLOADED, PUBLISHED, TO_10, FOREIGN, moved(114, "2"), **FAILED, after=AS_BEFORE),
    ),
    (
        "foreign_changes_stay",
        undone(UPLOADED, wrote("update_function_code", 111, by="foreign"), AGAIN),
    ),
    (
        "at_most_one_version",
        run(
            UPLOADED,
            PUBLISHED,
            wrote("publish_version", 108, result={"Version": "4"}),
            TO_10,
            TO_100,
        ),
    ),
    ("at_most_one_version", run(*GOOD, after=replace(RELEASED, versions=("1", "2", "3", "4")))),
    (
        "publishes_what_was_uploaded",
        run(
            UPLOADED,
            wrote("publish_version", 107, result={"Version": "3", "CodeSha256": "theirs"}),
            TO_10,
            TO_100,
        ),
    ),
    ("concurrency_as_promised", run(*GOOD, after=replace(RELEASED, reserved=6))),
    ("concurrency_as_promised", run(*GOOD, request=WARM, after=replace(RELEASED, reserved=6))),
    (
        "concurrency_as_promised",
        undone(*UNDONE, request=WARM, after=replace(AS_BEFORE, reserved=6)),
    ),
    (
        "concurrency_as_promised",
        undone(*UNDONE, request=WARM, after=replace(AS_BEFORE, provisioned=(("3", 2),))),
    ),
    ("latest_as_promised", undone(*UNDONE, after=replace(AS_BEFORE, code="new"))),
    ("latest_as_promised", run(*GOOD, after=replace(RELEASED, code="old"))),
    (
        "latest_as_promised",
        undone(
            *UNDONE,
            wrote("update_function_configuration", 121),
            after=replace(AS_BEFORE, memory=512),
        ),
    ),
    ("hooks_invoked_once", run(*GOOD, ASKED, ASKED)),
    ("nothing_after_the_end", run(*GOOD, wrote("put_function_concurrency", 152))),
    (
        "nothing_after_the_end",
        undone(*UNDONE, moved(151, "2", v3=0.1), acts=(act("terminate rollout"),), inner=KILLED),
    ),
]


@pytest.mark.parametrize(
    ("name", "story"), BROKEN, ids=[f"{name}-{number}" for number, (name, _) in enumerate(BROKEN)]
)
def test_invariant_reports_what_breaks_it(name: str, story: Story) -> None:
    assert list(getattr(invariants, name)(story))


def test_every_invariant_has_a_run_that_breaks_it() -> None:
    assert {name for name, _ in BROKEN} == {
        invariant.__name__ for invariant in invariants.INVARIANTS
    }


def test_watcher_reports_a_weight_of_no_step() -> None:
    assert find_violation("f001", Routing("2", (("3", 0.5),)), 25)
    assert not find_violation("f001", Routing("2", (("3", 0.25),)), 25)


def test_watcher_compares_statuses_with_the_ledger() -> None:
    assert read_ledger(Ledger([TO_10]), "f001", Routing("2")) == Routing("2", (("3", 0.1),))
    assert read_ledger(Ledger(GOOD), "f001", Routing("2")) == Routing("3")

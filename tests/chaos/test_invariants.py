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
from tests.chaos.harness import State, build_package
from tests.chaos.ledger import Entry, Ledger, Routing
from tests.chaos.releases import Function, Order
from tests.chaos.schedule import Act, ActKind, Outage, Schedule
from tests.chaos.story import Story
from tests.chaos.watcher import find_violation, read_ledger
from tests.fake_lambda.account import compute_sha256

BEGAN, ENDED = 100.0, 150.0
LOCK = "lambda:000000000000:us-east-1:f001:live"
NEW_CODE = compute_sha256(build_package(1))
CODE, NEW = ("old", 128, 3), (NEW_CODE, 128, 3)
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


UPLOADED = wrote("update_function_code", 105, result={"CodeSha256": NEW_CODE})
PUBLISHED = wrote("publish_version", 107, result={"Version": "3", "CodeSha256": NEW_CODE})
TO_10 = moved(110, "2", v3=0.1)
TO_100 = moved(116, "3")
BACK = moved(117, "2")
AGAIN = wrote("update_function_code", 119, result={"CodeSha256": "old"})
GOOD = (UPLOADED, PUBLISHED, TO_10, TO_100)
UNDONE = (UPLOADED, PUBLISHED, TO_10, BACK, AGAIN)
RELEASED = State(
    Routing("3"), ("1", "2", "3"), None, (), NEW_CODE, 128, 3, {**BEFORE.of_version, "3": NEW}
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
    outages = keys.pop("outages", ())
    schedule = Schedule(1, (Function("f001", 2),), (order,), (), outages, (), (), ())
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
DESCRIBED = moved(112, "2", by="foreign", v3=0.1)
GRANTED = wrote("add_permission", 112, by="foreign")
FAILED = {"kind": "RollbackFailed", "phase": "rolling_back"}

OUTAGE = Outage("f001", "update_alias", 2, "expired", 40)
SHORT = replace(OUTAGE, seconds=9)
REFUSED = Entry("update_alias", "f001", 111, fault="outage: expired")

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
    "one whose alias was described, and got a statement": run(
        UPLOADED, PUBLISHED, TO_10, DESCRIBED, GRANTED, TO_100
    ),
    "one that was aborted after its alias was described": undone(
        UPLOADED, PUBLISHED, TO_10, DESCRIBED, BACK, AGAIN
    ),
    "one whose settings were put back beside another writer's": undone(
        UPLOADED,
        PUBLISHED,
        BACK,
        AGAIN,
        wrote("update_function_configuration", 111, by="foreign", Timeout=42),
        wrote("update_function_configuration", 118, MemorySize=128),
        after=replace(AS_BEFORE, timeout=42),
    ),
    "one whose rollout was reset": undone(*UNDONE, acts=(act("reset rollout"),)),
    "one that was reset and went on": run(*GOOD, acts=(act("reset release"),)),
    "one that gave up in a long outage": undone(*UNDONE, REFUSED, acts=(), outages=(OUTAGE,)),
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

RESIZED = ("new", 512, 3)
LIVE_ORDER = Order("f001-1", "f001", "Release", {"target": {"function": "f001"}})
BETA_ORDER = Order(
    "f001-b",
    "f001",
    "Release",
    {
        "target": {"function": "f001", "alias": "beta"},
        "artifact": {"kind": "s3", "bucket": "artifacts", "key": "1.zip"},
        "concurrency": {"reserved": 9},
    },
)


def run_pair(**changes: Any) -> Story:
    """A run in which ``beta`` was released, and the release of ``live`` was aborted meanwhile."""
    before = replace(BEFORE, beta=Routing("2"))
    after = replace(RELEASED, alias=Routing("2"), beta=Routing("3"), reserved=9)
    back = ended("ReleaseRolledBack", "rolled_back")
    done = ended("Completed", "succeeded", id="f001-b")
    orders = (LIVE_ORDER, BETA_ORDER)
    schedule = Schedule(1, (Function("f001", 2, has_beta=True),), orders, (), (), (), (), ())
    endings = {"f001-1": (back, changes.pop("live", back)), "f001-b": (done, done)}
    after = replace(after, **changes)
    return Story(schedule, (), (act("abort"),), endings, {"f001": before}, {"f001": after})


KEPT["two aliases, of which one was released"] = run_pair()

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
        "foreign_changes_stay",
        undone(
            UPLOADED,
            wrote("update_function_configuration", 111, by="foreign", Timeout=42),
            wrote("update_function_configuration", 118, MemorySize=128, Timeout=3),
        ),
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
    ("latest_as_promised", undone(*UNDONE, after=replace(AS_BEFORE, code=NEW_CODE))),
    ("latest_as_promised", run(*GOOD, after=replace(RELEASED, code="old"))),
    (
        "latest_as_promised",
        undone(
            *UNDONE,
            wrote("update_function_configuration", 121),
            after=replace(AS_BEFORE, memory=512),
        ),
    ),
    (
        "latest_as_promised",
        undone(
            UPLOADED,
            BACK,
            wrote("update_function_configuration", 121),
            before=replace(BEFORE, memory=512),
        ),
    ),
    (
        "nothing_unrequested_is_live",
        run(*GOOD, after=replace(RELEASED, of_version={**BEFORE.of_version, "3": RESIZED})),
    ),
    (
        "nothing_unrequested_is_live",
        run_pair(of_version={**BEFORE.of_version, "3": (NEW_CODE, 128, 7)}),
    ),
    (
        "nothing_unrequested_is_live",
        run_pair(of_version={**BEFORE.of_version, "3": ("of the other alias", 128, 3)}),
    ),
    (
        "reset_goes_on_or_is_undone",
        undone(
            *GOOD[:3],
            acts=(act("reset rollout"),),
            after=replace(AS_BEFORE, alias=Routing("2", (("3", 0.1),))),
        ),
    ),
    (
        "reset_goes_on_or_is_undone",
        run(*UNDONE, **FAILED, acts=(act("reset rollout"),), after=AS_BEFORE),
    ),
    (
        "reset_goes_on_or_is_undone",
        undone(*UNDONE, acts=(act("reset release"),), after=replace(AS_BEFORE, code=NEW_CODE)),
    ),
    ("reset_goes_on_or_is_undone", run(*GOOD, acts=(act("reset release"),), after=AS_BEFORE)),
    ("aliases_keep_apart", run_pair(reserved=None)),
    ("aliases_keep_apart", run_pair(alias=Routing("3"))),
    ("aliases_keep_apart", run_pair(beta=Routing("2", (("3", 0.1),)))),
    ("aliases_keep_apart", run_pair(code="of neither")),
    ("aliases_keep_apart", run_pair(live=ended("RollbackFailed", "rolling_back"))),
    ("fails_for_foreign_routing_only", run(*UNDONE, **FAILED, after=AS_BEFORE)),
    (
        "fails_for_foreign_routing_only",
        run(UPLOADED, PUBLISHED, TO_10, DESCRIBED, after=RELEASED, **FAILED),
    ),
    ("stopped_for_a_reason", undone(*UNDONE, REFUSED, acts=(), outages=(SHORT,))),
    ("stopped_for_a_reason", undone(UPLOADED, PUBLISHED, TO_10, GRANTED, BACK, AGAIN, acts=())),
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

"""The invariants of a run: each lists, release by release, what breaks it.

An invariant is a function from a :class:`~tests.chaos.story.Story` to sentences, none if it holds.
``docs/chaos.md`` describes them; each has a test over a small ledger that breaks it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from tests.chaos.ledger import Entry, Routing
from tests.chaos.story import Course, Story, find_routing
from workflows.domain.strategy import Approval, Bake, SetWeight, Steps
from workflows.request import ReleaseRequest

Invariant = Callable[[Story], Iterator[str]]

_TOLERANCE: Final = 0.3
"""Seconds by which the times of AWS's ledger and of Temporal may differ."""


def _steps(course: Course) -> Steps:
    """The steps that apply: the first release of an alias has none."""
    if course.order.workflow == "Rollback" or course.before is None:
        return Steps(steps=())
    return ReleaseRequest.model_validate(course.order.request).strategy


def _moves(course: Course) -> list[Entry]:
    return [
        entry
        for entry in course.writes
        if entry.operation in {"update_alias", "create_alias", "delete_alias"}
    ]


# --- the alias ---


def serves_what_it_may(story: Story) -> Iterator[str]:
    """An alias serves stable, a promoted candidate or a foreign routing.

    Never leftover weights.
    """
    for function in story.settled:
        found = story.after[function.name].alias
        expected: Routing | None = story.before[function.name].alias
        for course in story.courses_of(function.name):
            theirs = [
                entry.routing for entry in course.foreign if entry.operation == "update_alias"
            ]
            if course.completed and course.inner is not None:
                candidate = course.inner.candidate or course.candidate
                expected = Routing(candidate) if candidate else expected
            expected = theirs[-1] if theirs else expected
        if found != expected:
            yield f"{function.name}: the alias serves {found}, and ought to serve {expected}"
        if (
            found is not None
            and found.weights
            and not any(
                theirs.routing == found for theirs in _list_foreign_moves(story, function.name)
            )
        ):
            yield f"{function.name}: the alias is left with weights: {found}"


def _list_foreign_moves(story: Story, function: str) -> list[Entry]:
    return [
        entry for entry in story.entries if entry.function == function and entry.by == "foreign"
    ]


def never_above_its_step(story: Story) -> Iterator[str]:
    """Traffic follows the steps in order, never above a step's weight.

    All of it after the last.
    """
    for course in story.courses:
        if course.before is None:
            continue
        weights = [step.percent for step in _steps(course).steps if isinstance(step, SetWeight)]
        taken, undone = 0, False
        for entry in _moves(course):
            routing = entry.routing
            if routing == course.before:
                undone = True
                continue
            if undone:
                yield f"{course}: the alias moved to {routing} after it was put back"
            if routing is not None and not routing.weights:
                skipped = taken < len(weights) and weights[taken] != 100
                if skipped and not course.did("promote"):
                    yield f"{course}: all traffic went to {routing} before step {weights[taken]}%"
                continue
            percent = _percent(course, routing)
            expected = weights[taken] if taken < len(weights) else None
            if percent != expected:
                yield (
                    f"{course}: {percent}% of the traffic went to the candidate ({routing}) "
                    f"where the step was {expected}%"
                )
            taken += 1


def _percent(course: Course, routing: Routing | None) -> float | None:
    if routing is None or course.before is None or routing.version != course.before.version:
        return None
    return round(
        100 * sum(weight for version, weight in routing.weights if version == course.candidate), 6
    )


def bakes_last(story: Story) -> Iterator[str]:
    """No bake is cut short, no approval skipped.

    Moves are as far apart as their steps demand.
    """
    for course in story.courses:
        if course.before is None or course.did("promote"):
            continue
        since, waiting, approvals = course.inner.started if course.inner else 0.0, 0.0, 0
        moves = [entry for entry in _moves(course) if entry.routing != course.before]
        for step in [*_steps(course).steps, SetWeight(percent=100)]:
            match step:
                case Bake(duration=duration):
                    waiting += duration.total_seconds()
                case Approval():
                    approvals += 1
                case SetWeight():
                    if not moves:
                        break
                    move = moves.pop(0)
                    if move.arrived + _TOLERANCE < since + waiting:
                        early = since + waiting - move.arrived
                        yield f"{course}: moved on to {move.routing} {early:.1f} s too early"
                    if approvals and not course.did("approve"):
                        yield f"{course}: moved on to {move.routing} without approval"
                    since, waiting, approvals = move.committed or move.arrived, 0.0, 0


def foreign_changes_stay(story: Story) -> Iterator[str]:
    """Foreign changes of the alias or of ``$LATEST`` are not overwritten."""
    parts = {
        "update_alias": {"update_alias", "delete_alias"},
        "update_function_code": {"update_function_code"},
    }
    parts["update_function_configuration"] = {"update_function_configuration"}
    for course in story.courses:
        for theirs in course.foreign:
            for entry in course.writes:
                over = entry.operation in parts.get(theirs.operation, ())
                if (
                    over
                    and (entry.committed or 0) > (theirs.committed or 0)
                    and entry.arrived < course.ended + 60
                ):
                    yield (
                        f"{course}: {entry.operation} ({dict(entry.parameters)}) "
                        f"overwrote a foreign {theirs.operation}"
                    )


# --- versions, concurrency, $LATEST ---


def at_most_one_version(story: Story) -> Iterator[str]:
    """A release publishes at most one version."""
    for function in story.settled:
        known = set(story.before[function.name].versions)
        for course in story.courses_of(function.name):
            new = {
                str(entry.result["Version"])
                for entry in course.writes
                if entry.operation == "publish_version"
            } - known
            known |= new
            if len(new) > 1:
                yield f"{course}: published {len(new)} versions ({', '.join(sorted(new, key=int))})"
        if others := set(story.after[function.name].versions) - known:
            versions = ", ".join(sorted(others, key=int))
            yield f"{function.name}: version {versions} was published by no release"


def publishes_what_was_uploaded(story: Story) -> Iterator[str]:
    """A release publishes the code that it uploaded, never another writer's."""
    for course in story.courses:
        uploaded = {
            entry.result["CodeSha256"]
            for entry in course.writes
            if entry.operation == "update_function_code"
        }
        for entry in course.writes:
            ours = entry.operation == "publish_version" and "s3" in str(
                course.order.request.get("artifact")
            )
            if ours and entry.result["CodeSha256"] not in uploaded:
                yield f"{course}: version {entry.result['Version']} has another writer's code"


def concurrency_as_promised(story: Story) -> Iterator[str]:
    """Concurrency is restored after a rollback, and as requested after a success."""
    for function in story.settled:
        start = story.before[function.name]
        reserved, provisioned = {start.reserved}, {start.provisioned}
        courses = [course for course in story.courses_of(function.name) if course.inner is not None]
        for course in courses:
            requested = course.order.concurrency
            if course.completed:
                reserved = {requested["reserved"]} if "reserved" in requested else reserved
                provisioned = {_after(course, had) for had in provisioned}
            elif course.failed:
                reserved |= {requested["reserved"]} if "reserved" in requested else set()
                provisioned |= {warm for had in provisioned for warm in _warm(course, had)}
        found = story.after[function.name]
        history = "; ".join(map(str, courses))
        if found.reserved not in reserved:
            yield f"{function.name}: {found.reserved} reserved instead of {reserved}: {history}"
        if found.provisioned not in provisioned:
            yield (
                f"{function.name}: {found.provisioned} provisioned "
                f"instead of {provisioned}: {history}"
            )


Warm = tuple[tuple[str, int], ...]


def _after(course: Course, had: Warm) -> Warm:
    """Provisioned concurrency after a success.

    On the candidate, none on the replaced version.
    """
    requested, candidate = (
        course.order.concurrency.get("provisioned"),
        course.candidate or (course.before.version if course.before else None),
    )
    if requested is None or candidate is None:
        return had
    stable = course.before.version if course.before else None
    return tuple(
        sorted(
            {
                **{version: count for version, count in had if version != stable},
                candidate: requested,
            }.items()
        )
    )


def _warm(course: Course, had: Warm) -> set[Warm]:
    """Provisioned concurrency where a release had to stop half-way."""
    requested, candidate = course.order.concurrency.get("provisioned"), course.candidate
    both = tuple(
        sorted({**dict(had), **({candidate: requested} if requested and candidate else {})}.items())
    )
    return {had, both, _after(course, had)}


def latest_as_promised(story: Story) -> Iterator[str]:
    """``$LATEST`` is what was released, or restored after a rollback, or another writer's."""
    for function in story.settled:
        start, found = story.before[function.name], story.after[function.name]
        code, settings = {start.code}, {(start.memory, start.timeout)}
        for course in story.courses_of(function.name):
            wrote = {entry.operation for entry in course.writes}
            released = [entry for entry in course.writes if entry.operation == "publish_version"]
            stable = found.of_version.get(course.before.version) if course.before else None
            meddled = {entry.operation for entry in course.foreign}
            first = (
                course.before is None and course.undone
            )  # there is no earlier version that $LATEST could be put back to
            loose = (
                course.failed
                or first
                or meddled & {"update_function_code", "update_function_configuration"}
            )
            if loose or course.before is None:
                return_to = [found.of_version[str(entry.result["Version"])] for entry in released]
                code |= {found.code} if loose else {sha for sha, _, _ in return_to}
                settings |= (
                    {(found.memory, found.timeout)}
                    if loose
                    else {(memory, timeout) for _, memory, timeout in return_to}
                )
            elif course.completed and released:
                sha, memory, timeout = found.of_version[str(released[-1].result["Version"])]
                code, settings = {sha}, {(memory, timeout)}
            elif course.undone and stable:
                code = {stable[0]} if "update_function_code" in wrote else code
                settings = {stable[1:]} if "update_function_configuration" in wrote else settings
        history = "; ".join(str(course) for course in story.courses_of(function.name))
        if found.code not in code:
            yield f"{function.name}: $LATEST holds other code than expected: {history}"
        if (found.memory, found.timeout) not in settings:
            yield (
                f"{function.name}: $LATEST has {found.memory} MB and {found.timeout} s "
                f"instead of {settings}: {history}"
            )


def hooks_invoked_once(story: Story) -> Iterator[str]:
    """A hook that ran is never invoked again by the same release."""
    for course in story.courses:
        requested = [
            str(entry.parameters["hook_kind"])
            for entry in course.entries
            if entry.operation == "invoke" and entry.committed is not None
        ]
        for name in set(requested):
            if requested.count(name) > 1:
                yield f"{course}: hook {name} ran {requested.count(name)} times"


# --- endings ---


def everything_ended(story: Story) -> Iterator[str]:
    """Every workflow has ended."""
    for order in story.schedule.orders:
        if order.id not in story.endings:
            yield f"{order.id} was never started"
    for course in story.courses:
        for ending in (course.outer, course.inner):
            if ending is not None and ending.kind == "Running":
                yield (
                    f"{ending.workflow_id} of {course.order.id} has not ended: "
                    f"it waits for {ending.note}"
                )


def nothing_after_the_end(story: Story) -> Iterator[str]:
    """No write to AWS after both workflows of a release have ended."""
    for course in story.courses:
        for entry in course.writes:
            if entry.arrived > course.ended + _TOLERANCE:
                write = f"{entry.operation} ({dict(entry.parameters)})"
                yield f"{course}: {write} {entry.arrived - course.ended:.1f} s after its end"


_PHASES: Final = {
    "Completed": "succeeded",
    "ReleaseRejected": "rejected",
    "ReleaseRolledBack": "rolled_back",
    "RollbackFailed": "rolling_back",
}
_CANCELS: Final = ("cancel", "cancel twice", "cancel rollout")


def ended_as_promised(story: Story) -> Iterator[str]:
    """Status, failure type and phase are those of CONTRACT §6, in both workflows and the alias."""
    for course in story.courses:
        for ending in (course.outer, course.inner):
            if ending is None or ending.kind == "Running":
                continue
            if ending.kind not in {*_PHASES, "Canceled", "Terminated"}:
                yield f"{course}: ended as {ending.kind}, which the contract does not know"
            elif ending.phase != _PHASES.get(ending.kind):
                yield f"{course}: ended as {ending.kind} in phase {ending.phase}"
        yield from _agreeing(course)
        yield from _placed(course)


def _agreeing(course: Course) -> Iterator[str]:
    outer, inner = course.outer.kind, course.inner.kind if course.inner else None
    if outer == "Terminated" and not course.did("terminate release"):
        yield f"{course}: terminated, without an act"
    if inner == "Terminated" and not course.did("terminate rollout"):
        yield f"{course}: its rollout is terminated, without an act"
    if "Canceled" in {outer, inner} and not course.did(*_CANCELS, "terminate release"):
        yield f"{course}: cancelled, without an act"
    allowed = {inner, "Terminated"} if course.did("terminate release") else {inner}
    if inner == "Terminated":
        allowed = {"ReleaseRolledBack", "RollbackFailed", "Canceled"}
    if inner == "Canceled":  # a cancel of the rollout alone is a rollback to its release
        allowed |= {"ReleaseRolledBack"}
    if inner == "ReleaseRolledBack" and course.did(*_CANCELS):
        allowed |= {"Canceled"}
    if inner is not None and "Running" not in {outer, inner} and outer not in allowed:
        yield f"{course}: the release and its rollout do not agree"


def _placed(course: Course) -> Iterator[str]:
    """Whether the alias was at the end of a release where its ending says."""
    if course.inner is None:
        if course.outer.kind in {"Completed", "RollbackFailed", "ReleaseRolledBack"}:
            yield f"{course}: ended as {course.outer.kind} without a rollout"
        return
    there = find_routing([*course.entries], course.before, course.ended + _TOLERANCE)
    theirs = any(entry.operation == "update_alias" for entry in course.foreign)
    if course.failed and not theirs:
        yield f"{course}: RollbackFailed without a foreign move"
    if course.rejected and course.writes:
        yield f"{course}: rejected, and had written {[entry.operation for entry in course.writes]}"
    if course.rejected or theirs or course.ended == float("inf"):
        return
    if course.completed and there != Routing(course.inner.candidate or course.candidate or ""):
        yield f"{course}: completed with the alias on {there}, not on {course.candidate}"
    if course.undone and there != course.before:
        yield f"{course}: rolled back with the alias on {there}, not on {course.before}"


def stopped_for_a_reason(story: Story) -> Iterator[str]:
    """No release fails for throttling, an outage, a restart or a lost response.

    What did not succeed has a reason to stop, and what has one did not succeed.
    """
    for course in story.courses:
        if course.outer.kind == "Running" or course.order.id not in story.endings:
            continue
        reasons = _list_reasons(course)
        if course.completed:
            if any(reason.startswith("!") for reason in reasons):
                yield f"{course}: completed, against {', '.join(reasons)}"
        elif course.rejected:
            if not _may_be_rejected(story, course):
                yield f"{course}: rejected for no reason of ours"
        elif not reasons:
            yield f"{course}: stopped without a reason"


def _list_reasons(course: Course) -> list[str]:
    """What may have stopped a release; with ``!``, what must have stopped it."""
    reasons = [
        done.act.kind
        for done in course.did(*_CANCELS, "terminate release", "terminate rollout", "abort")
    ]
    reasons += [entry.operation for entry in course.foreign]
    for name, hook in course.order.hooks.items():
        ran = [
            entry
            for entry in course.entries
            if entry.operation == "invoke" and entry.parameters["hook_kind"] == name
        ]
        if hook != "hook-accepts" and ran:
            reasons.append(f"!hook {hook}")
        if any(entry.fault or not entry.answered for entry in ran):
            reasons.append(f"the answer of hook {hook} was lost")
    if "could not be invoked" in course.outer.note + (course.inner.note if course.inner else ""):
        reasons.append(
            "a hook that could not be invoked"
        )  # such as a killed worker: no answer is a refusal, without a retry
    if course.did("alarm"):
        reasons.append(_classify_alarm(course))
    if any(isinstance(step, Approval) for step in _steps(course).steps) and not course.did(
        "promote"
    ):
        moved = [entry for entry in _moves(course) if entry.routing != course.before]
        reasons.append(
            "an approval that may not have come"
            if course.did("approve") or not moved
            else "!no approval"
        )
    return reasons


def _classify_alarm(course: Course) -> str:
    """An alarm must stop a release that polled it before all traffic was on the candidate."""
    polled = [
        entry.arrived
        for entry in course.entries
        if entry.operation == "describe_alarms" and entry.answered and entry.result.get("firing")
    ]
    promoted = [
        entry.arrived for entry in _moves(course) if entry.routing and not entry.routing.weights
    ]
    return "!the alarm" if polled and promoted and min(polled) + 5 < max(promoted) else "the alarm"


def _may_be_rejected(story: Story, course: Course) -> bool:
    note = course.outer.note or (course.inner.note if course.inner else "")
    if "is being released already" in note:
        return any(
            other.order.function == course.order.function
            for other in story.courses
            if other.order.id != course.order.id
        )
    if "is in ALARM already" in note:
        return bool(course.did("alarm")) or any(
            other.did("alarm") for other in story.courses_of(course.order.function)
        )
    if "nothing says which version was live before" in note:
        return course.order.workflow == "Rollback" and "version" not in course.order.request
    if "more than the" in note and "reserved for the function" in note:
        return "provisioned" in course.order.concurrency
    if "$LATEST holds other code" in note:
        return "artifact" not in course.order.request
    return False


INVARIANTS: Final[tuple[Invariant, ...]] = (
    everything_ended,
    ended_as_promised,
    stopped_for_a_reason,
    serves_what_it_may,
    never_above_its_step,
    bakes_last,
    foreign_changes_stay,
    at_most_one_version,
    publishes_what_was_uploaded,
    concurrency_as_promised,
    latest_as_promised,
    hooks_invoked_once,
    nothing_after_the_end,
)


def violations(story: Story) -> list[str]:
    """The violations of all invariants, and those that the watcher reported."""
    return [
        *story.problems,
        *(
            f"{invariant.__name__}: {sentence}"
            for invariant in INVARIANTS
            for sentence in invariant(story)
        ),
    ]

"""The invariants of a run: each lists, release by release, what breaks it.

An invariant is a function from a :class:`~tests.chaos.story.Story` to sentences, none if it holds.
``docs/chaos.md`` describes them; each has a test over a small ledger that breaks it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from tests.chaos.harness import State, build_package
from tests.chaos.ledger import Entry, Routing
from tests.chaos.story import Course, Story, find_routing
from tests.fake_lambda.account import compute_sha256
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
            theirs = [entry.routing for entry in course.foreign_moves]
            if course.completed and course.inner is not None:
                candidate = course.inner.candidate or course.candidate
                expected = Routing(candidate) if candidate else expected
            expected = theirs[-1] if theirs else expected
        if found != expected:
            yield f"{function.name}: the alias serves {found}, and ought to serve {expected}"
        if found is not None and found.weights:
            yield f"{function.name}: the alias is left with weights: {found}"


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
    for course in story.courses:
        for theirs in (*course.foreign_moves, *course.foreign_deployments):
            for entry in course.writes:
                is_later = (entry.committed or 0) > (theirs.committed or 0)
                if is_later and entry.arrived < course.ended + 60 and _overwrites(entry, theirs):
                    yield (
                        f"{course}: {entry.operation} ({dict(entry.parameters)}) "
                        f"overwrote a foreign {theirs.operation}"
                    )


def _overwrites(entry: Entry, theirs: Entry) -> bool:
    """Whether a write is of what another writer's was of: of the same settings, if of settings."""
    match theirs.operation:
        case "update_alias":
            return entry.operation in {"update_alias", "delete_alias"}
        case operation if operation != entry.operation:
            return False
        case "update_function_configuration":
            return bool(_SETTINGS & set(theirs.parameters) & set(entry.parameters))
        case _:
            return True


_SETTINGS: Final = {"MemorySize", "Timeout"}


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
                moved = {_after(course, had) for had in provisioned}
                # What may not be read at the moment is not moved, and the release says so.
                is_unread = "provisioned" not in requested and _is_denied_meanwhile(story, course)
                provisioned = moved | (provisioned if is_unread else set())
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


def _is_denied_meanwhile(story: Story, course: Course) -> bool:
    return any(
        entry.fault == "outage: denied"
        for entry in story.entries
        if entry.function == course.order.function
    )


Warm = tuple[tuple[str, int], ...]


def _after(course: Course, had: Warm) -> Warm:
    """Provisioned concurrency after a success.

    On the candidate what was requested, or else what the replaced version had; none on that.
    """
    candidate = course.candidate or (course.before.version if course.before else None)
    stable = course.before.version if course.before else None
    requested = course.order.concurrency.get("provisioned", dict(had).get(stable or ""))
    if candidate is None or requested is None:
        return had
    others = {version: count for version, count in had if version not in {stable, candidate}}
    return tuple(sorted({**others, **({candidate: requested} if requested else {})}.items()))


def _warm(course: Course, had: Warm) -> set[Warm]:
    """Provisioned concurrency where a release had to stop half-way."""
    candidate = course.candidate
    stable = course.before.version if course.before else ""
    requested = course.order.concurrency.get("provisioned", dict(had).get(stable))
    both = tuple(
        sorted({**dict(had), **({candidate: requested} if requested and candidate else {})}.items())
    )
    return {had, both, _after(course, had)}


def latest_as_promised(story: Story) -> Iterator[str]:
    """``$LATEST`` is what was released, or what it was before, or another writer's."""
    for function in story.settled:
        start, found = story.before[function.name], story.after[function.name]
        known = {code for code, _, _ in found.of_version.values()}
        code, settings = {start.code}, {(start.memory, start.timeout)}
        for course in story.courses_of(function.name):
            wrote = {entry.operation for entry in course.writes}
            released = [entry for entry in course.writes if entry.operation == "publish_version"]
            stable = found.of_version.get(course.before.version) if course.before else None
            target = found.of_version.get(course.candidate or "")
            has_foreign = bool(course.foreign_deployments)
            is_first = course.before is None and course.undone  # nothing to put it back to
            if course.failed or is_first or has_foreign:
                code |= {found.code}
                settings |= {(found.memory, found.timeout)}
            elif course.completed and released:
                sha, memory, timeout = found.of_version[str(released[-1].result["Version"])]
                code, settings = {sha}, {(memory, timeout)}
            elif course.completed and target:
                code = {target[0]} if "update_function_code" in wrote else code
                settings = {target[1:]} if "update_function_configuration" in wrote else settings
            elif course.undone and stable and "update_function_code" in wrote and not code & known:
                code = {stable[0]}  # what was never published cannot be put back
        history = "; ".join(str(course) for course in story.courses_of(function.name))
        if found.code not in code:
            yield f"{function.name}: $LATEST holds other code than expected: {history}"
        if (found.memory, found.timeout) not in settings:
            yield (
                f"{function.name}: $LATEST has {found.memory} MB and {found.timeout} s "
                f"instead of {settings}: {history}"
            )


def nothing_unrequested_is_live(story: Story) -> Iterator[str]:
    """What is promoted differs from what was live only in what was requested."""
    for function in story.settled:
        for course in story.courses_of(function.name):
            artifact = course.order.request.get("artifact") or {}
            if artifact.get("kind") != "latest" and not course.foreign_deployments:
                yield from _list_unrequested(course, story.after[function.name])
    for function, courses in story.pairs:
        for course in courses:
            yield from _list_unrequested(course, story.after[function.name])


def _list_unrequested(course: Course, found: State) -> Iterator[str]:
    """What the version that a release promoted has, and nobody requested."""
    ending = course.inner
    if course.before is None or ending is None or ending.kind != "Completed":
        return
    if course.order.workflow == "Rollback" or ending.candidate not in found.of_version:
        return
    artifact = course.order.request.get("artifact") or {}
    if artifact.get("kind") in {"version", "latest"}:
        return
    code, memory, timeout = found.of_version[ending.candidate]
    live_code, live_memory, live_timeout = found.of_version[course.before.version]
    if "key" not in artifact and code != live_code:
        yield f"{course}: version {ending.candidate} has code that nobody requested"
    if "key" in artifact and code != compute_sha256(build_package(_get_build(artifact))):
        yield f"{course}: version {ending.candidate} has other code than {artifact['key']}"
    expected = (
        course.requested.get("MemorySize", live_memory),
        course.requested.get("Timeout", live_timeout),
    )
    if (memory, timeout) != expected:
        yield (
            f"{course}: version {ending.candidate} has {memory} MB and {timeout} s "
            f"where {expected} were requested"
        )


def _get_build(artifact: dict[str, str]) -> int:
    return int(artifact["key"].removesuffix(".zip"))


# --- resets in the UI ---


def reset_goes_on_or_is_undone(story: Story) -> Iterator[str]:
    """After a reset the alias is on the candidate of a success, or where it was, and so is all."""
    for course in story.resets:
        function = course.order.function
        start, found = story.before[function], story.after[function]
        if course.ended == float("inf"):
            continue
        inner = course.inner
        if course.failed:
            yield f"{course}: RollbackFailed without a foreign move"
        elif inner is not None and inner.kind == "Completed":
            expected = Routing(inner.candidate) if inner.candidate else start.alias
            if found.alias != expected:
                yield f"{course}: completed with the alias on {found.alias}, not on {expected}"
        elif (found.alias, found.code) != (start.alias, start.code) and not (
            found.alias == start.alias
            and start.code not in {sha for sha, *_ in found.of_version.values()}
        ):
            yield f"{course}: the alias serves {found.alias}, $LATEST holds {found.code}"


# --- two aliases of one function ---


def aliases_keep_apart(story: Story) -> Iterator[str]:
    """Releases of two aliases of one function end as each of them would alone."""
    for function, courses in story.pairs:
        start, found = story.before[function.name], story.after[function.name]
        done = [course for course in courses if course.completed and course.inner is not None]
        history = "; ".join(map(str, courses))
        if any(course.ended == float("inf") for course in courses):
            continue
        for course in courses:
            is_beta = course.order.alias == "beta"
            was, there = (start.beta, found.beta) if is_beta else (start.alias, found.alias)
            candidate = course.inner.candidate if course.inner and course.completed else None
            if there != (Routing(candidate) if candidate else was):
                yield f"{course}: the alias {course.order.alias} serves {there}"
            if course.failed:
                yield f"{course}: RollbackFailed without a foreign move"
        wanted = {
            course.order.concurrency["reserved"]
            for course in done
            if "reserved" in course.order.concurrency
        }
        if found.reserved not in (wanted or {start.reserved}):
            yield f"{function.name}: {found.reserved} reserved: {history}"
        released = {
            found.of_version[course.inner.candidate]
            for course in done
            if course.inner and course.inner.candidate in found.of_version
        }
        latest = (found.code, found.memory, found.timeout)
        if latest not in released | {(start.code, start.memory, start.timeout)}:
            yield f"{function.name}: $LATEST is {latest}, not one of {released}: {history}"


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
    of_pairs = [course for _, courses in story.pairs for course in courses]
    for course in (*story.courses, *of_pairs, *story.resets):
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
        # It completes where all traffic was on the new version already, and no hook was left.
        allowed = {"ReleaseRolledBack", "RollbackFailed", "Canceled", "Completed"}
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
    theirs = bool(course.foreign_moves)
    if course.rejected and course.writes:
        yield f"{course}: rejected, and had written {[entry.operation for entry in course.writes]}"
    if course.rejected or theirs or course.ended == float("inf"):
        return
    candidate = course.inner.candidate or course.candidate  # none where there was nothing to do
    if course.completed and there != (Routing(candidate) if candidate else course.before):
        yield f"{course}: completed with the alias on {there}, not on {candidate}"
    if course.undone and there != course.before:
        yield f"{course}: rolled back with the alias on {there}, not on {course.before}"


def fails_for_foreign_routing_only(story: Story) -> Iterator[str]:
    """An undo ends as ``RollbackFailed`` for nothing that passes, and for no other description."""
    for course in story.courses:
        if course.failed and not course.foreign_moves:
            yield f"{course}: RollbackFailed without a foreign move"


def stopped_for_a_reason(story: Story) -> Iterator[str]:
    """No release fails for throttling, an outage, a restart or a lost response.

    What did not succeed has a reason to stop, and what has one did not succeed.
    """
    for course in story.courses:
        if course.outer.kind == "Running" or course.order.id not in story.endings:
            continue
        reasons = _list_reasons(course) + _list_long_outages(story, course)
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
    theirs = (*course.foreign_moves, *course.foreign_deployments)
    reasons += [entry.operation for entry in theirs]
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


def _list_long_outages(story: Story, course: Course) -> list[str]:
    """Outages that lasted longer than a release has to wait, and that it met."""
    met = {
        entry.fault
        for entry in story.entries
        if entry.function == course.order.function and entry.fault.startswith("outage")
    }
    return [
        f"an outage ({outage.fault})"
        for outage in story.schedule.outages
        if outage.function == course.order.function
        and outage.is_long
        and f"outage: {outage.fault}" in met
    ]


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
    """Whether what a rejection says is so."""
    note = course.outer.note or (course.inner.note if course.inner else "")
    request, function = course.order.request, course.order.function
    others = [other for other in story.courses_of(function) if other.order.id != course.order.id]
    is_rollback = course.order.workflow == "Rollback"
    grounds = {
        "is being released already": bool(others),
        "is in ALARM already": any(each.did("alarm") for each in (course, *others)),
        "version": is_rollback,
        "provisioned": "provisioned" in course.order.concurrency,
        "$LATEST holds other code": "artifact" not in request,
        "again": "again" not in request
        and any(not other.completed or other.order.workflow == "Rollback" for other in others),
        "include_latest": any(
            each.failed or each.foreign_deployments for each in (course, *others)
        ),
    }
    return bool(_list_long_outages(story, course)) or any(
        is_so for phrase, is_so in grounds.items() if phrase in note
    )


INVARIANTS: Final[tuple[Invariant, ...]] = (
    everything_ended,
    ended_as_promised,
    fails_for_foreign_routing_only,
    stopped_for_a_reason,
    serves_what_it_may,
    never_above_its_step,
    bakes_last,
    foreign_changes_stay,
    at_most_one_version,
    publishes_what_was_uploaded,
    concurrency_as_promised,
    latest_as_promised,
    nothing_unrequested_is_live,
    aliases_keep_apart,
    reset_goes_on_or_is_undone,
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

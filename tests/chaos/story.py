"""A run in retrospect, by release.

Its writes, its reads, and the changes of others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from tests.chaos.director import Done
from tests.chaos.endings import Ending
from tests.chaos.harness import State
from tests.chaos.ledger import Entry, Routing
from tests.chaos.releases import Function, Order
from tests.chaos.schedule import RESETS, Schedule

WRITES = frozenset(
    {
        "update_function_code",
        "update_function_configuration",
        "publish_version",
        "create_alias",
        "update_alias",
        "delete_alias",
        "put_function_concurrency",
        "delete_function_concurrency",
        "put_provisioned_concurrency_config",
        "delete_provisioned_concurrency_config",
        "add_permission",
    }
)


@dataclass(frozen=True)
class Course:
    """One release: its writes and foreign ones, from its start to the alias' next release."""

    order: Order
    acts: tuple[Done, ...]
    outer: Ending
    inner: Ending | None
    before: Routing | None
    entries: tuple[Entry, ...]

    @property
    def writes(self) -> list[Entry]:
        """Its changes at AWS."""
        return [
            entry
            for entry in self.entries
            if entry.by == "release" and entry.operation in WRITES and entry.committed is not None
        ]

    @property
    def foreign(self) -> list[Entry]:
        """The changes of other writers."""
        return [
            entry
            for entry in self.entries
            if entry.by == "foreign" and entry.operation in WRITES and entry.committed is not None
        ]

    @property
    def foreign_moves(self) -> list[Entry]:
        """The changes of other writers that route differently from what they found."""
        moves: list[Entry] = []
        routing = self.before
        for entry in self.entries:
            if entry.committed is None:
                continue
            there = None if entry.operation == "delete_alias" else entry.routing or routing
            if entry.by == "foreign" and there != routing:
                moves.append(entry)
            routing = there
        return moves

    @property
    def foreign_deployments(self) -> list[Entry]:
        """The changes of other writers to ``$LATEST``."""
        return [entry for entry in self.foreign if entry.operation.startswith("update_function")]

    @property
    def requested(self) -> dict[str, int]:
        """The settings that it was to change."""
        return dict(self.order.request.get("configuration", {}))

    @property
    def ended(self) -> float:
        """When both its workflows had ended."""
        return max(self.outer.ended, self.inner.ended if self.inner else 0)

    @property
    def undone(self) -> bool:
        """Whether it must have left everything unchanged."""
        return not self.completed and not self.failed and not self.rejected

    @property
    def completed(self) -> bool:
        """Whether the candidate was promoted, or there was nothing to do."""
        return "Completed" in {self.outer.kind, self.inner.kind if self.inner else ""}

    @property
    def rejected(self) -> bool:
        """Whether it was rejected before its first write."""
        return "ReleaseRejected" in {self.outer.kind, self.inner.kind if self.inner else ""}

    @property
    def failed(self) -> bool:
        """Whether it reports that the alias could not be restored."""
        return "RollbackFailed" in {self.outer.kind, self.inner.kind if self.inner else ""}

    @property
    def candidate(self) -> str | None:
        """The version that it promoted, or was to promote."""
        published = [
            str(write.result["Version"])
            for write in self.writes
            if write.operation == "publish_version"
        ]
        artifact = self.order.request.get("artifact") or {}
        reported = self.outer.candidate or (self.inner.candidate if self.inner else None)
        return (
            published or [artifact.get("version") or self.order.request.get("version") or reported]
        )[-1]

    def did(self, *kinds: str) -> list[Done]:
        """The acts on it that were accepted."""
        return [done for done in self.acts if done.act.kind in kinds and done.is_accepted]

    def __str__(self) -> str:
        inner = f", rollout {self.inner.kind}" if self.inner else ""
        note = self.outer.note or (self.inner.note if self.inner else "")
        return f"{self.order.id} ({self.outer.kind}{inner}: {note})"


@dataclass(frozen=True)
class Story:
    """A whole run."""

    schedule: Schedule
    entries: tuple[Entry, ...]
    done: tuple[Done, ...]
    endings: Mapping[str, tuple[Ending, Ending | None]]
    """By order: how the started workflow and its ``Rollout`` ended."""
    before: Mapping[str, State]
    after: Mapping[str, State]
    problems: tuple[str, ...] = field(default=())
    """The violations that the watcher reported."""

    @cached_property
    def courses(self) -> list[Course]:
        """Every release, by function, in the order in which they held the alias.

        Those that never held it come in the order of their starts.
        """
        return [
            course
            for function in self.schedule.functions
            if not function.has_beta and function.name not in self._reset
            for course in self.courses_of(function.name)
        ]

    @cached_property
    def _reset(self) -> set[str]:
        """The functions of releases that were reset, or that somebody tried to reset."""
        return {done.act.function for done in self.done if done.act.kind in RESETS}

    @cached_property
    def resets(self) -> list[Course]:
        """The releases that were reset, each with the endings of its last runs."""
        return [course for name in sorted(self._reset) for course in self.courses_of(name)]

    @cached_property
    def pairs(self) -> list[tuple[Function, list[Course]]]:
        """The functions with two aliases, each with its releases.

        Writes that are about the function are in the entries of both.
        """
        orders = [order for order in self.schedule.orders if order.id in self.endings]
        return [
            (function, [self._share(order) for order in orders if order.function == function.name])
            for function in self.schedule.functions
            if function.has_beta
        ]

    def _share(self, order: Order) -> Course:
        start = self.before[order.function]
        entries = tuple(
            entry
            for entry in self.entries
            if entry.function == order.function and entry.alias in {"", order.alias}
        )
        return self._course(order, entries, start.beta if order.alias == "beta" else start.alias)

    @cached_property
    def settled(self) -> list[Function]:
        """The functions whose releases have all ended, so that their final states are known."""
        running = {
            course.order.function
            for course in self.courses
            if "Running" in {course.outer.kind, course.inner.kind if course.inner else ""}
        }
        running |= {
            order.function for order in self.schedule.orders if order.id not in self.endings
        }
        return [
            function
            for function in self.schedule.functions
            if function.name not in running | self._reset and not function.has_beta
        ]

    def courses_of(self, function: str) -> list[Course]:
        """The releases of one function, in order."""
        entries = [entry for entry in self.entries if entry.function == function]
        orders = [
            order
            for order in self.schedule.orders
            if order.function == function and order.id in self.endings
        ]
        holding = sorted((order for order in orders if self._held(order)), key=self._begun)
        courses: list[Course] = []
        for number, order in enumerate(holding):
            begins = self._begun(order) if number else 0.0
            ends = self._begun(holding[number + 1]) if number + 1 < len(holding) else float("inf")
            mine = tuple(entry for entry in entries if begins <= entry.arrived < ends)
            courses.append(
                self._course(
                    order, mine, find_routing(entries, self.before[function].alias, begins)
                )
            )
        idle = [self._course(order, (), None) for order in orders if not self._held(order)]
        return [*courses, *idle]

    def _course(self, order: Order, entries: tuple[Entry, ...], before: Routing | None) -> Course:
        outer, inner = self.endings[order.id]
        began, over = self._begun(order) - 1, max(outer.ended, inner.ended if inner else 0) + 1
        acts = tuple(
            done
            for done in self.done
            if done.act.order == order.id
            or (
                inner
                and done.act.function == order.function
                and done.to_rollout
                and began < done.at < over
            )
        )
        return Course(order, acts, outer, inner, before, entries)

    def _held(self, order: Order) -> bool:
        return self.endings[order.id][1] is not None

    def _begun(self, order: Order) -> float:
        inner = self.endings[order.id][1]
        return inner.started if inner else self.endings[order.id][0].started


def find_routing(entries: list[Entry], at_first: Routing | None, moment: float) -> Routing | None:
    """The routing of ``live`` at a moment, by the writes to it."""
    routing = at_first
    for entry in entries:
        if entry.alias == "beta":
            continue
        if entry.committed is not None and entry.committed < moment:
            routing = None if entry.operation == "delete_alias" else entry.routing or routing
    return routing

"""The fault schedule of a seed, as a value: what goes wrong, where and when.

There are four kinds. A ``Meet`` happens to one request: the n-th of an operation on a function. An
``Outage`` begins there, and then meets every request about the function for a while: credentials,
permissions, clock or network. A ``Window`` or a ``Kill`` happens at a time, to all requests. An
``Act`` is one of a person or another writer at a moment of one release: a cancel, a terminate, a
foreign change.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from random import Random
from typing import Final, Literal

from tests.chaos.releases import Function, Order, draw_releases

RequestFault = Literal[
    "429",  # refused, without saying for how long
    "429 for a second",  # refused, with retryAfterSeconds
    "500",  # an error, and nothing happened
    "503",
    "500 after",  # an error, and it happened
    "drop before",  # the connection is cut, and nothing happened
    "drop after",  # it happens, the connection is cut: commit then drop
    "slow",  # it happens, the answer comes after the client has given up
    "late",  # it happens so late that the client may have given up
    "twice",  # delivered twice, answered once
    "stale",  # a read returns the state before a change of the last second
    "overtaken",  # a read returns the state of some seconds ago: out of order
]

READS: Final = (
    "get_alias",
    "get_function",
    "get_provisioned_concurrency_config",
    "describe_alarms",
)
GUARDED: Final = (
    "update_function_code",
    "update_function_configuration",
    "publish_version",
    "update_alias",
)
"""Writes that AWS refuses by their RevisionId when they come late."""

_ON_ANY: Final[tuple[RequestFault, ...]] = ("429", "429 for a second", "500", "503", "drop before")
_ON_READS: Final[tuple[RequestFault, ...]] = (*_ON_ANY, "slow", "stale", "stale", "overtaken")
_ON_WRITES: Final[tuple[RequestFault, ...]] = (
    *_ON_ANY,
    "500 after",
    "drop after",
    "drop after",
    "slow",
    "late",
    "twice",
)
GIVEN_UP: Final = 10.0
"""Seconds after which the worker gives up a call.

Late writes without a RevisionId arrive before that.
"""


@dataclass(frozen=True)
class Meet:
    """The n-th request of this operation on this function meets a fault."""

    function: str
    operation: str
    occurrence: int
    fault: RequestFault
    seconds: float = 0


PassingFault = Literal[
    "expired",  # the worker's credentials
    "unrecognized",
    "denied",  # a permission that IAM has not spread, or that somebody took away
    "signature",  # the worker's clock after a machine resumed
    "skewed",
    "proxy",  # one that asks for credentials: 407, and a page
    "cut",  # the network
]
"""What time or a person mends, without a change of the release."""

PASSING: Final[tuple[PassingFault, ...]] = (
    "expired",
    "unrecognized",
    "denied",
    "signature",
    "skewed",
    "proxy",
    "cut",
)


@dataclass(frozen=True)
class Outage:
    """From the n-th request of an operation on a function on, all about it meets a fault."""

    function: str
    operation: str
    occurrence: int
    fault: PassingFault
    seconds: float

    @property
    def is_long(self) -> bool:
        """Whether a release that goes forward may give up."""
        return self.seconds > LONG_OUTAGE


LONG_OUTAGE: Final = 15.0
"""Seconds that every operation has to survive, whatever it is refused for."""


@dataclass(frozen=True)
class Window:
    """A time in which every request meets the same fault.

    Connections are refused, requests throttled or unavailable, responses slow, or credentials
    expired.
    """

    at: float
    seconds: float
    kind: Literal["refused", "throttled", "unavailable", "sluggish", "expired"]


@dataclass(frozen=True)
class Kill:
    """A SIGKILL, with a restart after ``down`` seconds.

    ``who`` is the number of a worker, or -1 for the Temporal server.
    """

    at: float
    who: int
    down: float


ActKind = Literal[
    "cancel",
    "cancel twice",
    "cancel rollout",
    "terminate release",
    "terminate rollout",
    "abort",
    "pause and resume",
    "promote",
    "approve",
    "alarm",
    "foreign alias",
    "foreign description",
    "foreign policy",
    "foreign code",
    "foreign configuration",
    "reset release",
    "reset rollout",
]
HARMLESS: Final = ("foreign description", "foreign policy")
"""What another writer does to the alias without moving traffic: no reason to stop."""

RESETS: Final = ("reset release", "reset rollout")
FOREIGN: Final = ("foreign alias", *HARMLESS, "foreign code", "foreign configuration")


@dataclass(frozen=True)
class Act:
    """An act of a person or another writer on a release.

    It comes ``delay`` seconds after the start, or around the n-th write of a kind to the function.
    """

    order: str
    function: str
    kind: ActKind
    delay: float
    operation: str | None = None
    occurrence: int = 1
    when: Literal["before", "after"] = "before"
    again: float = 0
    """Seconds from the first to the second part of the act.

    Another cancel, resume or approve.
    """


@dataclass(frozen=True)
class Schedule:
    """Everything that a seed determines."""

    seed: int
    functions: tuple[Function, ...]
    orders: tuple[Order, ...]
    meets: tuple[Meet, ...]
    outages: tuple[Outage, ...]
    windows: tuple[Window, ...]
    kills: tuple[Kill, ...]
    acts: tuple[Act, ...]

    def __str__(self) -> str:
        """One line for each fault, by time where it has one."""
        timed = sorted([*self.windows, *self.kills], key=lambda fault: fault.at)
        return "\n".join(
            [
                f"seed {self.seed}: {len(self.orders)} releases of {len(self.functions)} functions",
                *map(repr, (*timed, *self.outages, *self.acts, *self.meets)),
            ]
        )

    def document(self) -> str:
        """The schedule as JSON."""
        return json.dumps(asdict(self), indent=1)

    def order(self, id: str) -> Order:
        """The order with this id."""
        return next(order for order in self.orders if order.id == id)

    def acts_on(self, order: str) -> tuple[Act, ...]:
        """The acts on a release."""
        return tuple(act for act in self.acts if act.order == order)


def draw(  # noqa: PLR0913 - the options of the command line
    seed: int, releases: int, *, over: float, workers: int, kills: int, resets: bool = True
) -> Schedule:
    """Draw a seed's schedule.

    Releases started within ``over`` seconds, and so many kills. ``resets`` is whether people reset
    workflows in the UI.
    """
    random = Random(seed)
    functions, orders = draw_releases(random, releases, over=over)
    meets = [
        meet
        for function in functions
        for meet in _draw_request_faults(
            random, function, [order for order in orders if order.function == function.name]
        )
    ]
    acts = [
        act
        for order in orders
        for act in _draw_acts(
            random, order, {function.name: function for function in functions}[order.function]
        )
    ]
    outages = _draw_outages(Random(random.random()), functions, orders)
    if resets:
        acts += _draw_resets(Random(random.random()), functions, orders, acts)
    return Schedule(
        seed=seed,
        functions=tuple(functions),
        orders=tuple(orders),
        meets=tuple(meets),
        outages=tuple(outages),
        windows=tuple(_draw_windows(random, over)),
        kills=tuple(_draw_kills(random, over, workers=workers, kills=kills)),
        acts=tuple(acts),
    )


def _draw_request_faults(random: Random, function: Function, orders: list[Order]) -> list[Meet]:
    """Draw faults for requests that these releases will probably make."""
    meets: dict[tuple[str, int], Meet] = {}
    likely = _list_operations(function, orders)
    for _ in range(random.choice([0, 1, 2, 2, 3, 4])):
        operation = random.choice(likely)
        occurrence = random.choice(
            [1, 1, 2, 2, 3, 4, 5]
            if operation in {"get_function", "update_alias", "get_alias"}
            else [1, 1, 1, 2]
        )
        fault: RequestFault
        if operation in READS:
            fault = random.choice(_ON_READS)
        elif operation == "invoke":
            fault = random.choice(("429", "drop before", "drop after"))
        else:
            fault = random.choice(_ON_WRITES)
        seconds = {"slow": 14.0, "overtaken": round(random.uniform(0.5, 3), 1)}.get(fault, 0.0)
        if fault == "late":
            seconds = round(random.uniform(1, 25 if operation in GUARDED else GIVEN_UP - 1), 1)
        meets[operation, occurrence] = Meet(function.name, operation, occurrence, fault, seconds)
    return list(meets.values())


_INTERRUPTED: Final = 0.4
_LONG: Final = 0.4
_RESET: Final = 0.7


def _draw_outages(random: Random, functions: list[Function], orders: list[Order]) -> list[Outage]:
    """Draw what comes and goes for some functions: for seconds, or for longer than they wait."""
    outages: list[Outage] = []
    for function in functions:
        own = [order for order in orders if order.function == function.name]
        if not own or random.random() > _INTERRUPTED:
            continue
        is_long = random.random() < _LONG
        seconds = random.uniform(20, 45) if is_long else random.uniform(2, LONG_OUTAGE - 3)
        operation = random.choice(_list_operations(function, own))
        occurrence = random.choice([1, 1, 2, 2, 3])
        fault = random.choice(PASSING)
        outages.append(Outage(function.name, operation, occurrence, fault, round(seconds, 1)))
    return outages


def _draw_resets(
    random: Random, functions: list[Function], orders: list[Order], acts: list[Act]
) -> list[Act]:
    """Draw resets in the UI, of releases that are alone with their function, without other acts."""
    kinds: tuple[ActKind, ...] = ("reset release", "reset rollout")
    busy = {act.order for act in acts}
    resets: list[Act] = []
    for function in functions:
        own = [order for order in orders if order.function == function.name]
        alone = len(own) == 1 and own[0].id not in busy
        if alone and function.alias and random.random() < _RESET:
            kind, delay = random.choice(kinds), round(random.uniform(0.5, 25), 1)
            resets.append(Act(own[0].id, function.name, kind, delay))
    return resets


def _list_operations(function: Function, orders: list[Order]) -> list[str]:
    """The operations of these releases and of their undo; those of the alias twice."""
    likely = ["get_alias", "get_function", "get_function"]
    likely += (
        ["update_alias"] * 4 if function.alias else ["create_alias", "create_alias", "delete_alias"]
    )
    for order in orders:
        kind = (order.request.get("artifact") or {}).get("kind")
        likely += ["update_function_code", "update_function_code"] if kind == "s3" else []
        likely += (
            ["update_function_configuration", "update_function_configuration"]
            if "configuration" in order.request
            else []
        )
        likely += (
            ["publish_version"]
            if kind in {"s3", "latest", None} and order.workflow == "Release"
            else []
        )
        likely += (
            ["put_function_concurrency", "delete_function_concurrency"]
            if "reserved" in order.concurrency
            else []
        )
        likely += [
            "put_provisioned_concurrency_config",
            "delete_provisioned_concurrency_config",
            "get_provisioned_concurrency_config",
        ] * ("provisioned" in order.concurrency)
        likely += ["invoke"] if order.hooks else []
        likely += ["describe_alarms"] if order.guarded else []
    return likely


def _draw_windows(random: Random, over: float) -> list[Window]:
    windows = [
        Window(
            round(random.uniform(5, over), 1),
            round(random.uniform(min(8, over / 2), min(30, over / 2)), 1),
            "refused",
        )
    ]
    kinds: tuple[Literal["throttled", "unavailable", "sluggish", "expired"], ...] = (
        "throttled",
        "unavailable",
        "sluggish",
        "expired",
    )
    windows += [
        Window(
            round(random.uniform(0, min(over + 15, 1.5 * over)), 1),
            round(random.uniform(2, min(8, over / 2)), 1),
            kind,
        )
        for kind in kinds
    ]
    return windows


def _draw_kills(random: Random, over: float, *, workers: int, kills: int) -> list[Kill]:
    drawn = [
        Kill(
            round(random.uniform(4, min(over + 20, 1.5 * over + 5)), 1),
            random.randrange(workers),
            round(random.uniform(0, 6), 1),
        )
        for _ in range(kills)
    ]
    return [
        *drawn,
        Kill(
            round(random.uniform(8, min(over + 10, 1.5 * over + 5)), 1),
            -1,
            round(random.uniform(0, 5), 1),
        ),
    ]


_AROUND: Final = {
    "update_function_code",
    "update_function_configuration",
    "publish_version",
    "put_function_concurrency",
    "put_provisioned_concurrency_config",
    "update_alias",
    "create_alias",
}
"""Writes around which acts happen."""


def _draw_acts(random: Random, order: Order, function: Function) -> list[Act]:
    strategy = order.request.get("strategy", "AllAtOnce")
    acts: list[Act] = []
    if (
        isinstance(strategy, dict)
        and any(step["kind"] == "approval" for step in strategy["steps"])
        and random.random() < 0.7
    ):
        acts.append(Act(order.id, function.name, "approve", 0.5, "update_alias", again=3))
    if isinstance(strategy, str) and strategy.endswith("1Minute") and random.random() < 0.7:
        acts.append(Act(order.id, function.name, "promote", 3, "update_alias", when="after"))
    if order.while_running or random.random() < 0.45:
        return acts
    kind: ActKind = random.choices(
        [
            "cancel",
            "cancel twice",
            "cancel rollout",
            "terminate release",
            "terminate rollout",
            "abort",
            "pause and resume",
            "promote",
            "alarm",
            "foreign alias",
            "foreign description",
            "foreign policy",
            "foreign code",
            "foreign configuration",
        ],
        [3, 3, 2, 2, 3, 2, 3, 2, 3 if order.guarded else 0, 2, 2, 2, 2, 1],
    )[0]
    if kind in FOREIGN and (not function.alias or order.after is not None or function.has_beta):
        return acts
    operation = (
        random.choice([name for name in _list_operations(function, [order]) if name in _AROUND])
        if kind in FOREIGN or random.random() < 0.6
        else None
    )
    if kind in {"foreign code", "foreign configuration"} and random.random() < 0.7:
        operation = random.choice(
            [
                name
                for name in _list_operations(function, [order])
                if name.startswith("update_function") or name == operation
            ]
        )
    when: Literal["before", "after"] = random.choice(["before", "after"])
    acts.append(
        Act(
            order.id,
            function.name,
            kind,
            delay=round(random.choice([0, 0, random.uniform(0, 2), random.uniform(0, 12)]), 1)
            if kind not in FOREIGN
            else 0,
            operation=operation,
            occurrence=random.choice([1, 1, 2, 3])
            if operation == "update_alias"
            else random.choice([1, 1, 2]),
            when=when,
            again=round(random.uniform(0.1, 8), 1),
        )
    )
    if (
        kind in FOREIGN and kind != "foreign configuration" and random.random() < 0.5
    ):  # and an act stops the release at that time
        stop: ActKind = random.choice(["cancel", "cancel rollout", "abort"])
        acts.append(replace(acts[-1], kind=stop, delay=round(random.uniform(0, 1.5), 1)))
    return acts

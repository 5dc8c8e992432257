"""The functions, releases and rollbacks of a seed, as values.

Nothing here runs. :func:`draw_releases` draws from one ``random.Random`` only, so a seed always
gives the same releases.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Final, Literal

BUCKET: Final = "artifacts"
BUILDS: Final = 6
"""Packages in S3, ``1.zip`` to ``6.zip``, each of another size."""

HOOKS: Final = {
    "hook-accepts": "def handler(event, context):\n    return {'accept': True}\n",
    "hook-refuses": (
        "def handler(event, context):\n"
        "    return {'accept': False, 'reason': 'the smoke test failed'}\n"
    ),
    "hook-crashes": "def handler(event, context):\n    raise ValueError('broken hook')\n",
    "hook-mumbles": "def handler(event, context):\n    return {'accept': 'perhaps'}\n",
}


@dataclass(frozen=True)
class Function:
    """A function before the first release.

    It has ``versions`` published versions; ``live`` is on the last of them, if the alias exists.

    Version 1 is never a candidate: foreign moves of the alias go there.
    """

    name: str
    versions: int = 3
    alias: bool = True
    reserved: int | None = None
    provisioned: int | None = None
    fresh_latest: bool = False
    """Whether ``$LATEST`` differs from every published version."""
    has_beta: bool = False
    """Whether there is an alias ``beta`` on the last version, too, which is released meanwhile."""

    @property
    def alarm(self) -> str:
        """The alarm that may guard its releases."""
        return f"alarm-{self.name}"


@dataclass(frozen=True)
class Order:
    """A workflow to start.

    ``at`` seconds after the beginning, or after the order ``after``.
    """

    id: str
    function: str
    workflow: Literal["Release", "Rollback"]
    request: dict[str, Any] = field(hash=False)
    at: float = 0
    after: str | None = None
    while_running: bool = False
    guarded: bool = False

    @property
    def alias(self) -> str:
        """The alias that it is about."""
        return str(self.request["target"].get("alias", "live"))

    @property
    def hooks(self) -> dict[str, str]:
        """Its hooks by name."""
        hooks = self.request.get("hooks", {})
        return {name: hook for name, hook in hooks.items() if name != "on_lost"}

    @property
    def concurrency(self) -> dict[str, int]:
        """Its requested concurrency, ``reserved`` and ``provisioned``."""
        return dict(self.request.get("concurrency", {}))


def set_weight_step(percent: int) -> dict[str, Any]:
    return {"kind": "set_weight", "percent": percent}


def bake_step(seconds: int) -> dict[str, Any]:
    return {"kind": "bake", "duration": f"{seconds}s"}


def _draw_strategy(random: Random) -> Any:  # noqa: PLR0911 - one for each kind
    """Strategies of all kinds, with bakes of a few seconds."""
    match random.choices(
        ["AllAtOnce", "canary", "linear", "custom", "approval", "preset", "full"],
        [3, 6, 3, 3, 3, 1, 1],
    )[0]:
        case "AllAtOnce":
            return "AllAtOnce"
        case "canary":
            return {
                "steps": [
                    set_weight_step(random.choice([1, 5, 10, 25, 50])),
                    bake_step(random.randint(1, 6)),
                ]
            }
        case "linear":
            by = random.choice([20, 25, 34])
            return {
                "steps": [
                    step
                    for percent in range(by, 100, by)
                    for step in (set_weight_step(percent), bake_step(random.randint(1, 3)))
                ]
            }
        case "custom":
            percents = sorted(random.sample(range(1, 99), random.randint(1, 3)))
            return {
                "steps": [
                    bake_step(1),
                    *(
                        step
                        for percent in percents
                        for step in (set_weight_step(percent), bake_step(random.randint(1, 4)))
                    ),
                ]
            }
        case "approval":
            waiting = {"kind": "approval", "timeout": f"{random.randint(8, 20)}s"}
            return {
                "steps": [
                    set_weight_step(random.choice([5, 20])),
                    waiting,
                    *random.choice([[], [set_weight_step(60), bake_step(2)]]),
                ]
            }
        case "full":
            return {
                "steps": [set_weight_step(30), bake_step(1), set_weight_step(100), bake_step(1)]
            }
        case _:
            return f"Canary{random.choice([5, 50])}Percent1Minute"


def draw_releases(
    random: Random, releases: int, *, over: float
) -> tuple[list[Function], list[Order]]:
    """Draw functions and so many orders, started within ``over`` seconds."""
    functions: list[Function] = []
    orders: list[Order] = []
    while len(orders) < releases:
        number = len(functions) + 1
        function = Function(
            name=f"f{number:03}",
            versions=random.choice([2, 3, 3, 4]),
            alias=random.random() > 0.08,
            reserved=random.choice([None, None, None, 4, 5]),
            fresh_latest=random.random() < 0.2,
        )
        if function.alias and function.reserved and random.random() < 0.5:
            function = Function(**{**vars(function), "provisioned": random.choice([1, 2])})
        functions.append(function)
        orders += _draw_orders(random, function, at=round(random.uniform(0, over), 2))[
            : releases - len(orders)
        ]
    judging = Random(
        random.random()
    )  # drawn last, so that what a seed stood for before there was any judging it still stands for
    orders = [
        _add_metric_guards(order, judging) if judging.random() < _JUDGED else order
        for order in orders
    ]
    return _add_betas(Random(judging.random()), functions, orders)


_JUDGED: Final = 0.2
_WITH_BETA: Final = 0.2
BETA_BUILDS: Final = (7, 8)
"""The packages that are released to ``beta`` only."""
_BETA_MEMORY: Final = 1024


def _add_betas(
    random: Random, functions: list[Function], orders: list[Order]
) -> tuple[list[Function], list[Order]]:
    """Let some functions with one release have another alias, which is released meanwhile."""
    counts = {order.function: 0 for order in orders}
    for order in orders:
        counts[order.function] += 1
    changed: list[Function] = []
    betas: list[Order] = []
    for function in functions:
        if function.alias and counts.get(function.name) == 1 and random.random() < _WITH_BETA:
            changed.append(replace(function, has_beta=True, provisioned=None, fresh_latest=False))
            betas.append(_draw_beta(random, function))
        else:
            changed.append(function)
    return changed, [*orders, *betas]


def _draw_beta(random: Random, function: Function) -> Order:
    request: dict[str, Any] = {
        "target": {"function": function.name, "alias": "beta"},
        "strategy": _draw_strategy(random),
        "requested_by": "chaos",
        "artifact": {"kind": "s3", "bucket": BUCKET, "key": f"{random.choice(BETA_BUILDS)}.zip"},
    }
    if random.random() < 0.6:
        request["configuration"] = {"MemorySize": _BETA_MEMORY}
    if random.random() < 0.3:
        request["concurrency"] = {"reserved": 9}
    first = f"{function.name}-1"
    return Order(
        f"{function.name}-b",
        function.name,
        "Release",
        request,
        at=round(random.uniform(0, 4), 2),
        after=first,
        while_running=True,
    )


def _add_metric_guards(order: Order, random: Random) -> Order:
    """The same release with metric guards, which find no traffic, and a watch after 100 %."""
    request = dict(order.request)
    strategy = request.get("strategy")
    if not isinstance(strategy, dict):
        return order
    patient = {"max_duration": f"{random.randint(7, 9)}s", "on_no_data": "pass"}
    steps = [step | patient if step["kind"] == "bake" else step for step in strategy["steps"]]
    metrics = {
        "not_worse": [{"metric": "error_rate"}],
        "limits": [{"metric": "duration_p99", "max": 800}],
    }
    guards = {**request.get("guards", {}), "metrics": metrics} | (
        {"after": "2s"} if random.random() < 0.5 else {}
    )
    return replace(order, request={**request, "strategy": {"steps": steps}, "guards": guards})


def _draw_orders(random: Random, function: Function, *, at: float) -> list[Order]:
    first = _draw_release(random, function, f"{function.name}-1", at=at)
    match random.choices(["alone", "busy", "next", "rollback"], [6, 2, 1.5, 1.5])[0]:
        case "busy" if function.alias:
            second = _draw_release(
                random,
                function,
                f"{function.name}-2",
                at=round(random.uniform(0.2, 4), 2),
                after=first.id,
            )
            return [first, Order(**{**vars(second), "while_running": True})]
        case "next" if function.alias:
            return [
                first,
                _draw_release(
                    random,
                    function,
                    f"{function.name}-2",
                    at=round(random.uniform(2, 5), 2),
                    after=first.id,
                ),
            ]
        case "rollback" if function.alias and function.versions > 2:
            request = {
                "target": {"function": function.name},
                "requested_by": "chaos",
                **random.choice([{}, {"version": "2"}]),
                **_draw_hooks(random),
            }
            return [
                first,
                Order(
                    f"{function.name}-2", function.name, "Rollback", request, at=3, after=first.id
                ),
            ]
        case _:
            return [first]


def _draw_hooks(random: Random) -> dict[str, Any]:
    hooks = {}
    for name in ("before_traffic", "after_traffic"):
        if random.random() < 0.2:
            hooks[name] = random.choices(list(HOOKS), [8, 2, 1, 1])[0]
    # Nobody is there to decide about a lost answer, so it rolls back.
    return {"hooks": {**hooks, "on_lost": "roll_back"}} if hooks else {}


def _draw_release(
    random: Random, function: Function, id: str, *, at: float, after: str | None = None
) -> Order:
    kinds = ["s3", "s3+configuration", "configuration", "latest", "version"]
    kind = random.choices(kinds, [6, 2, 2, 2, 2 if function.versions > 2 else 0])[0]
    if kind == "configuration" and function.fresh_latest:
        kind = "s3+configuration"  # preflight refuses code that the request does not name
    request: dict[str, Any] = {
        "target": {"function": function.name},
        "strategy": _draw_strategy(random),
        "requested_by": "chaos",
    }
    if kind.startswith("s3"):
        request["artifact"] = {
            "kind": "s3",
            "bucket": BUCKET,
            "key": f"{random.randint(1, BUILDS)}.zip",
        }
    elif kind in {"latest", "version"}:
        request["artifact"] = {"kind": kind} | (
            {"version": str(random.randint(2, function.versions))} if kind == "version" else {}
        )
    if kind.endswith("configuration"):
        request["configuration"] = {"MemorySize": random.choice([256, 512])} | (
            {"Timeout": 7} if random.random() < 0.3 else {}
        )
    request |= _draw_hooks(random)
    concurrency: dict[str, int] = {}
    if random.random() < 0.25:
        concurrency["reserved"] = random.randint(6, 8)
    if random.random() < 0.2 and (concurrency or not function.reserved):
        concurrency["provisioned"] = random.randint(1, 2)
    if concurrency:
        request["concurrency"] = concurrency
    if random.random() < 0.7:
        request |= {"again": True, "reason": "chaos"}
    guarded = random.random() < 0.3
    if guarded:
        request["guards"] = {"alarms": [function.alarm]}
    return Order(id, function.name, "Release", request, at=at, after=after, guarded=guarded)

"""Watches the aliases during a run, and compares them with the ledger and the strategies."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.chaos.harness import read_routing
from tests.chaos.ledger import Ledger, Routing
from tests.chaos.schedule import Schedule
from tests.chaos.story import find_routing
from workflows.domain.strategy import SetWeight
from workflows.request import ReleaseRequest

_EVERY = 0.1
"""Seconds between two reads, each of one alias."""


async def watch(schedule: Schedule, ledger: Ledger, lambdas: Any) -> list[str]:
    """Read one alias after the other until cancelled; return the violations."""
    problems: list[str] = []
    bold = {
        function.name: find_max_weight(schedule, function.name) for function in schedule.functions
    }
    first = {
        function.name: await read_routing(lambdas, function.name) for function in schedule.functions
    }
    try:
        while True:
            for name, at_first in first.items():
                await asyncio.sleep(_EVERY)
                recorded = read_ledger(ledger, name, at_first)
                routing = await read_routing(lambdas, name)
                if routing != recorded and routing != read_ledger(ledger, name, at_first):
                    problems.append(
                        f"watcher: the alias of {name} is on {routing}, the ledger has {recorded}"
                    )
                problems += [
                    f"watcher: {problem}" for problem in find_violation(name, routing, bold[name])
                ]
    except asyncio.CancelledError:
        return problems


def read_ledger(ledger: Ledger, function: str, at_first: Routing | None) -> Routing | None:
    """The routing of an alias by the ledger."""
    return find_routing(ledger.of(function), at_first, float("inf"))


def find_max_weight(schedule: Schedule, function: str) -> float:
    """The largest weight below 100 % in any strategy of a function's releases."""
    requests = [
        ReleaseRequest.model_validate(order.request)
        for order in schedule.orders
        if order.function == function and order.workflow == "Release"
    ]
    percents = [
        step.percent
        for request in requests
        for step in request.strategy.steps
        if isinstance(step, SetWeight)
    ]
    return max((percent for percent in percents if percent < 100), default=0)


def find_violation(function: str, routing: Routing | None, most: float) -> list[str]:
    """The violation in the weights of an alias, if any."""
    given = 100 * sum(weight for _, weight in routing.weights) if routing else 0
    return (
        [f"{function} gives {given:g}% to a candidate, and no step gives more than {most:g}%"]
        if given > most + 1e-6
        else []
    )

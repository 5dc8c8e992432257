"""The one pipeline that every contender of the benchmark carries out, call by call.

Read the alias, the function, its live version and what is provisioned on the alias; update the code from S3; look until it has settled;
publish; 10 % of the traffic; a bake; all of it. These are the calls of a ``Release`` with the strategy below, no more and no less:
the stand-in counts them, and a contender that made others has not taken part.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

SETTLE: Final = 0.5
"""Seconds that AWS, here the stand-in, works on new code."""

BAKE: Final = 1.0
"""Seconds of the one bake: the shortest that a release takes."""

PERCENT: Final = 10
BUCKET: Final = "artifacts"
LIVE: Final = "live"

Calls = Mapping[str, range]

CALLS: Final[Calls] = {
    "get_alias": range(1, 4),
    "get_provisioned_concurrency_config": range(1, 4),
    "get_function": range(3, 12),
    "update_function_code": range(1, 2),
    "publish_version": range(1, 2),
    "update_alias": range(2, 3),
}
"""How often each operation is called: a write exactly so often, a read again where the code settles late or a time-out was met."""


def build_release(
    function: str, *, bake: float = BAKE, alarms: tuple[str, ...] = ()
) -> dict[str, Any]:
    """The input of ``Release`` that asks for this pipeline; alarms, where some are named, guard it."""
    return {
        "target": {"function": function, "alias": LIVE},
        "artifact": {"kind": "s3", "bucket": BUCKET, "key": f"{function}/2.zip"},
        "strategy": {
            "steps": [
                {"kind": "set_weight", "percent": PERCENT},
                {"kind": "bake", "duration": f"PT{bake:g}S"},
            ]
        },
        "guards": {"alarms": list(alarms)},
        "requested_by": "bench",
        "reason": "to know what it costs",
    }


Call = Callable[..., Awaitable[Any]]
"""``await call("get_alias", FunctionName=…, Name=…)``: whoever carries the pipeline out says how a call is made."""


async def run_pipeline(
    function: str, call: Call, sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep
) -> str:
    """The pipeline, as a program would write it; the version that is live in the end. Every read is for the next write's condition."""
    alias, found = await asyncio.gather(
        call("get_alias", FunctionName=function, Name=LIVE),
        call("get_function", FunctionName=function),
    )
    stable = alias["FunctionVersion"]
    await asyncio.gather(
        call("get_function", FunctionName=function, Qualifier=stable),
        read_provisioned(function, call),
    )
    await call(
        "update_function_code",
        FunctionName=function,
        S3Bucket=BUCKET,
        S3Key=f"{function}/2.zip",
        RevisionId=found["Configuration"]["RevisionId"],
    )
    latest = await wait_until_settled(function, call, sleep)
    published = await call(
        "publish_version",
        FunctionName=function,
        CodeSha256=latest["CodeSha256"],
        RevisionId=latest["RevisionId"],
        Description="bench",
    )
    candidate: str = published["Version"]
    alias = await call(
        "update_alias",
        **build_update_alias(function, stable, {candidate: PERCENT / 100}, alias["RevisionId"]),
    )
    await sleep(BAKE)
    await call("update_alias", **build_update_alias(function, candidate, {}, alias["RevisionId"]))
    return candidate


async def wait_until_settled(
    function: str, call: Call, sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep
) -> Any:
    """Look until the code has settled, at the pace of our own ``settle_function``."""
    pause = SETTLE
    while True:
        found = (await call("get_function", FunctionName=function))["Configuration"]
        if found["LastUpdateStatus"] == "Successful":
            return found
        await sleep(pause)
        pause *= 1.5


async def read_provisioned(function: str, call: Call) -> Any:
    """What is provisioned on the alias: nothing, which AWS answers with an error."""
    try:
        return await call(
            "get_provisioned_concurrency_config", FunctionName=function, Qualifier=LIVE
        )
    except Exception as error:
        if "ProvisionedConcurrencyConfigNotFound" not in f"{type(error).__name__} {error}":
            raise
        return None


def build_update_alias(
    function: str, version: str, weights: Mapping[str, float], revision: str
) -> dict[str, Any]:
    """UpdateAlias."""
    return {
        "FunctionName": function,
        "Name": LIVE,
        "FunctionVersion": version,
        "RoutingConfig": {"AdditionalVersionWeights": dict(weights)},
        "RevisionId": revision,
    }


class ContenderError(Exception):
    """A contender did not do what it is measured for."""


def check_released(
    who: str, functions: Mapping[str, Mapping[str, Any]], *, calls: Calls = CALLS
) -> Counter[str]:
    """Insist that all these functions were released, by the calls that belong to it; all calls by operation, as the stand-in counted them.

    ``functions`` is what the stand-in tells of them (:meth:`tests.bench.standin.StandIn.report`).
    """
    total: Counter[str] = Counter()
    for name, told in functions.items():
        if (told["live"], told["weights"], told["versions"]) != ("2", {}, 2):
            raise ContenderError(f"{who} left {name} at {told}")
        total.update(told["calls"])
        if set(told["calls"]) != set(calls) or any(
            count not in calls[name] for name, count in told["calls"].items()
        ):
            raise ContenderError(f"{who} released {name} by other calls: {told['calls']}")
    return total

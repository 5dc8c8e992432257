"""The pipeline that every contender of the benchmark carries out, call by call.

Read the alias, the function, its live version and its provisioned concurrency. Update the code from
S3 and poll until it has settled. Publish; send 10 % of the traffic to the version; bake; send all
of it. A ``Release`` with the strategy below makes these calls, reads what is provisioned of the
whole function, and looks at triggers besides. The stand-in counts the calls, and a contender that
makes others is an error.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

SETTLE: Final = 0.5
"""Seconds until new code has settled in the stand-in."""

BAKE: Final = 1.0
"""Seconds of the bake: the shortest that a release accepts."""

PERCENT: Final = 10
BUCKET: Final = "artifacts"
LIVE: Final = "live"

CallCounts = Mapping[str, range]
"""How often each operation may be called."""

CALLS: Final[CallCounts] = {
    "get_alias": range(1, 4),
    "get_provisioned_concurrency_config": range(1, 4),
    "get_function": range(3, 12),
    "update_function_code": range(1, 2),
    "publish_version": range(1, 2),
    "update_alias": range(2, 3),
}
"""How often the pipeline calls each operation.

Writes have exact numbers. Reads are repeated where the code settles late, or after a timeout.
"""

RELEASE_CALLS: Final[CallCounts] = {
    **{name: counts for name, counts in CALLS.items() if not name.startswith("get_provisioned")},
    "list_provisioned_concurrency_configs": range(1, 4),
    "list_event_source_mappings": range(4),
    "get_policy": range(4),
    "list_function_url_configs": range(4),
}
"""How often a release calls each operation. It ends without those that find triggers, too."""


def build_release(
    function: str, *, bake: float = BAKE, alarms: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Build the input of ``Release`` for this pipeline, guarded by the alarms."""
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
        "reason": "benchmark",
    }


Call = Callable[..., Awaitable[Any]]
"""Makes an AWS call: ``await call("get_alias", FunctionName=…, Name=…)``."""


async def run_pipeline(
    function: str, call: Call, sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep
) -> str:
    """Run the pipeline as a plain program would; returns the new live version.

    Every read serves the condition of the next write.
    """
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
    """Poll until the code has settled, at the product's intervals."""
    pause = SETTLE
    while True:
        found = (await call("get_function", FunctionName=function))["Configuration"]
        if found["LastUpdateStatus"] == "Successful":
            return found
        await sleep(pause)
        pause *= 1.5


async def read_provisioned(function: str, call: Call) -> Any:
    """Read the alias's provisioned concurrency: None, for which AWS returns an error."""
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
    """Build the request of UpdateAlias."""
    return {
        "FunctionName": function,
        "Name": LIVE,
        "FunctionVersion": version,
        "RoutingConfig": {"AdditionalVersionWeights": dict(weights)},
        "RevisionId": revision,
    }


class ContenderError(Exception):
    """A contender did not carry the pipeline out."""


def check_released(
    contender: str, functions: Mapping[str, Mapping[str, Any]], *, calls: CallCounts = CALLS
) -> Counter[str]:
    """Check that all functions were released by the expected calls.

    Returns the number of calls by operation. ``functions`` is the report of the stand-in, by
    function name. Raises :class:`ContenderError`.
    """
    total: Counter[str] = Counter()
    for name, report in functions.items():
        if (report["live"], report["weights"], report["versions"]) != ("2", {}, 2):
            raise ContenderError(f"{contender} left {name} at {report}")
        total.update(report["calls"])
        found: Mapping[str, int] = report["calls"]
        if any(
            found.get(operation, 0) not in calls.get(operation, ())
            for operation in {*found, *calls}
        ):
            raise ContenderError(f"{contender} released {name} by other calls: {report['calls']}")
    return total

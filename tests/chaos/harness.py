"""The AWS of a run.

Functions, builds in S3, hooks and alarms; and their states afterwards.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from tests.chaos.ledger import Routing
from tests.chaos.releases import BETA_BUILDS, BUCKET, BUILDS, HOOKS, Function
from tests.survival.harness import ROLE, wait_until_active, zip_source

_AT_ONCE = 12


def build_package(number: int) -> bytes:
    """Build ``number``; no two have the same size, by which S3 distinguishes them."""
    return zip_source(
        f"def handler(event, context):\n    return {{'build': {number}}}\n" + "#" * number
    )


@dataclass(frozen=True)
class State:
    """Everything of a function that a release may change."""

    alias: Routing | None
    versions: tuple[str, ...]
    reserved: int | None
    provisioned: tuple[tuple[str, int], ...]
    code: str
    """CodeSha256 of ``$LATEST``."""
    memory: int
    timeout: int
    of_version: dict[str, tuple[str, int, int]]
    """Code, memory and timeout by version."""
    beta: Routing | None = None


async def create_aws_state(
    functions: tuple[Function, ...], *, lambdas: Any, s3: Any, cloudwatch: Any
) -> None:
    """Create everything that the releases need."""
    await s3.create_bucket(Bucket=BUCKET)
    for number in (*range(1, BUILDS + 1), *BETA_BUILDS):
        await s3.put_object(Bucket=BUCKET, Key=f"{number}.zip", Body=build_package(number))
    for name, source in HOOKS.items():
        code = {"ZipFile": zip_source(source)}
        await lambdas.create_function(
            FunctionName=name, Runtime="python3.11", Role=ROLE, Handler="index.handler", Code=code
        )
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(number: int, function: Function) -> None:
        async with gate:
            await _create_function(number, function, lambdas=lambdas, cloudwatch=cloudwatch)

    await asyncio.gather(*(one(number, function) for number, function in enumerate(functions)))


async def _create_function(
    number: int, function: Function, *, lambdas: Any, cloudwatch: Any
) -> None:
    name = {"FunctionName": function.name}
    first = {"ZipFile": build_package(101)}
    await lambdas.create_function(
        **name, Runtime="python3.11", Role=ROLE, Handler="index.handler", Code=first
    )
    for version in range(1, function.versions + 1):
        if version > 1:
            await lambdas.update_function_code(**name, ZipFile=build_package(100 + version))
        await wait_until_active(lambdas, function.name)
        await lambdas.publish_version(**name)
    await wait_until_active(lambdas, function.name, Qualifier=str(function.versions))
    if function.fresh_latest:
        await lambdas.update_function_code(**name, ZipFile=build_package(150 + number % 40))
    if function.alias:
        await lambdas.create_alias(**name, Name="live", FunctionVersion=str(function.versions))
    if function.has_beta:
        await lambdas.create_alias(**name, Name="beta", FunctionVersion=str(function.versions))
    if function.reserved is not None:
        await lambdas.put_function_concurrency(
            **name, ReservedConcurrentExecutions=function.reserved
        )
    if function.provisioned is not None:
        await lambdas.put_provisioned_concurrency_config(
            **name,
            Qualifier=str(function.versions),
            ProvisionedConcurrentExecutions=function.provisioned,
        )
    await wait_until_active(lambdas, function.name)
    await cloudwatch.put_metric_alarm(
        AlarmName=function.alarm,
        Namespace="Chaos",
        MetricName="Nothing",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="notBreaching",
    )


async def read_routing(lambdas: Any, function: str, alias: str = "live") -> Routing | None:
    """The routing of an alias; None where there is no such alias."""
    try:
        return Routing.of(await lambdas.get_alias(FunctionName=function, Name=alias))
    except lambdas.exceptions.ResourceNotFoundException:
        return None


async def read_states(functions: tuple[Function, ...], *, lambdas: Any) -> dict[str, State]:
    """Read the states of all functions."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(name: str) -> State:
        async with gate:
            return await _read_state(name, lambdas)

    names = [function.name for function in functions]
    return dict(zip(names, await asyncio.gather(*map(one, names)), strict=True))


async def _read_state(name: str, lambdas: Any) -> State:
    function = await lambdas.get_function(FunctionName=name)
    versions = {
        found["Version"]: found
        for found in (await lambdas.list_versions_by_function(FunctionName=name))["Versions"]
    }
    listed = await lambdas.list_provisioned_concurrency_configs(FunctionName=name)
    warm = {
        config["FunctionArn"].rpartition(":")[2]: config["RequestedProvisionedConcurrentExecutions"]
        for config in listed["ProvisionedConcurrencyConfigs"]
    }
    latest = versions.pop("$LATEST")
    return State(
        alias=await read_routing(lambdas, name),
        beta=await read_routing(lambdas, name, "beta"),
        versions=tuple(sorted(versions, key=int)),
        reserved=(function.get("Concurrency") or {}).get("ReservedConcurrentExecutions"),
        provisioned=tuple(sorted(warm.items())),
        code=latest["CodeSha256"],
        memory=latest["MemorySize"],
        timeout=latest["Timeout"],
        of_version={
            number: (found["CodeSha256"], found["MemorySize"], found["Timeout"])
            for number, found in versions.items()
        },
    )

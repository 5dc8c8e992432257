"""Releases on the local stack, judged by the metrics of real invocations."""

from __future__ import annotations

import io
import zipfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError

from deploy.local import sample
from deploy.local.ports import Ports
from deploy.local.stack import Stack
from deploy.local.traffic import Tally, run_traffic
from workflows.client import ReleaseClient
from workflows.domain.status import ReleaseStatus
from workflows.request import ReleaseRequest
from workflows.temporal.plugin import LambdaReleases

SOURCE = """
def handler(event, context):
    if event["order"] % {every} == 0:
        raise RuntimeError("out of stock")
    return {{"ok": True, "version": context.function_version}}
"""
GUARD = {"metrics": {"not_worse": [{"metric": "error_rate", "margin": 0.025}]}}
BAKE = {"kind": "bake", "duration": "10m"}
ANALYSIS = {"kind": "analysis", "duration": "15m", "early": True, "not_worse": [{"margin": 0.1}]}
# Evidence takes one or two whole minutes of CloudWatch's, and more on a slow machine.
pytestmark = pytest.mark.timeout(300)


@dataclass(frozen=True)
class JudgedRelease:
    """A release under traffic."""

    handle: WorkflowHandle[Any, ReleaseStatus]
    tally: Tally
    clients: sample.Clients
    function: str

    async def read_routing(self) -> tuple[str, dict[str, Any]]:
        alias = await self.clients.awslambda.get_alias(
            FunctionName=self.function, Name=sample.ALIAS
        )
        return alias["FunctionVersion"], alias.get("RoutingConfig") or {}


def build_package(*, every: int) -> bytes:
    """Build a package that fails once in so many orders, whichever version runs them."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("checkout.py", SOURCE.format(every=every))
    return buffer.getvalue()


async def create_function(clients: sample.Clients, name: str) -> None:
    """Create a function behind an alias that fails once in 200 orders."""
    await clients.awslambda.create_function(
        FunctionName=name,
        Runtime="python3.11",
        Handler="checkout.handler",
        Role="arn:aws:iam::000000000000:role/checkout",
        Timeout=1,
        Code={"ZipFile": build_package(every=200)},
        Publish=True,
    )
    waiter = clients.awslambda.get_waiter("function_active_v2")
    await waiter.wait(FunctionName=name, Qualifier="1")
    await clients.awslambda.create_alias(FunctionName=name, Name=sample.ALIAS, FunctionVersion="1")


def build_request(function: str, step: dict[str, Any]) -> ReleaseRequest:
    document = {
        "target": {"function": function, "alias": sample.ALIAS},
        "artifact": {"kind": "s3", "bucket": sample.BUCKET, "key": f"{function}.zip"},
        "guards": GUARD,
        "strategy": {"steps": [{"kind": "set_weight", "percent": 50}, step]},
    }
    return ReleaseRequest.model_validate(document)


@pytest.fixture(scope="module")
async def releases(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[dict[str, JudgedRelease]]:
    """Two releases at the same time, since each waits for CloudWatch's minutes.

    The candidate of ``worse`` fails once in 20 orders, the one of ``equal`` once in 199.
    """
    directory = tmp_path_factory.mktemp("stack")
    async with (
        Stack.start(Ports.any_free(), directory) as stack,
        sample.Clients.connect(stack.aws) as clients,
        AsyncExitStack() as traffic,
    ):
        client = ReleaseClient(await Client.connect(stack.address, plugins=[LambdaReleases()]))
        await clients.s3.create_bucket(Bucket=sample.BUCKET)
        started = {}
        for name, every, step in (("worse", 20, BAKE), ("equal", 199, ANALYSIS)):
            await create_function(clients, name)
            await clients.s3.put_object(
                Bucket=sample.BUCKET, Key=f"{name}.zip", Body=build_package(every=every)
            )
            orders = run_traffic(clients, function=name, rate=50, concurrency=8)
            tally = await traffic.enter_async_context(orders)
            handle = await client.start(build_request(name, step), id=name)
            started[name] = JudgedRelease(handle, tally, clients, name)
        yield started


async def test_candidate_with_more_errors_is_rolled_back_during_its_bake(
    releases: dict[str, JudgedRelease],
) -> None:
    release = releases["worse"]
    with pytest.raises(WorkflowFailureError, match="Workflow execution failed") as failure:
        await release.handle.result()
    cause = failure.value.cause
    assert isinstance(cause, ApplicationError)
    assert cause.type == "ReleaseRolledBack"
    assert "version 2 does worse than it may: error_rate not worse than stable's" in cause.message
    status = ReleaseStatus.model_validate(cause.details[0])
    assert (status.step, status.analysis is not None) == (1, True)  # the bake was not over
    assert release.tally.failed["2"] >= 3
    assert await release.read_routing() == ("1", {})


async def test_candidate_without_more_errors_passes_its_analysis_early(
    releases: dict[str, JudgedRelease],
) -> None:
    status = await releases["equal"].handle.result()
    assert (status.phase, status.routing.percent) == ("succeeded", 100)
    assert status.analysis is not None
    assert status.analysis.verdict == "passed"
    assert status.analysis.candidate.invocations > 50

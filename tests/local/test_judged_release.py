"""Releases on the whole local stack that are judged by what its CloudWatch measured of real invocations: a worse candidate, and one that is as good."""

from __future__ import annotations

import io
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError

from deploy.local import sample, traffic
from deploy.local.ports import Ports
from deploy.local.stack import Stack
from workflows.client import ReleaseClient
from workflows.domain.status import ReleaseStatus
from workflows.request import ReleaseRequest
from workflows.temporal.plugin import LambdaReleases

SOURCE = """
import json

def handler(event, context):
    if event["order"] % {every} == 0:
        raise RuntimeError("out of stock")
    return {{"ok": True, "version": context.function_version}}
"""
pytestmark = pytest.mark.timeout(
    300
)  # whole minutes of CloudWatch's: one or two pass before there is evidence, more on a slow machine
GUARD = {"metrics": {"not_worse": [{"metric": "error_rate", "margin": 0.025}]}}


def package(*, every: int) -> bytes:
    """Code that fails once in so many orders, whichever version gets them."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("checkout.py", SOURCE.format(every=every))
    return buffer.getvalue()


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[Stack]:
    async with Stack.start(Ports.any_free(), tmp_path) as running:
        yield running


@pytest.fixture
async def clients(stack: Stack) -> AsyncIterator[sample.Clients]:
    """A function behind an alias, one order in two hundred of which fails; and a package each of a worse version and of one as good."""
    async with sample.Clients.connect(stack.aws) as made:
        await made.awslambda.create_function(
            FunctionName=sample.FUNCTION,
            Runtime="python3.11",
            Handler="checkout.handler",
            Role="arn:aws:iam::000000000000:role/checkout",
            Timeout=1,
            Code={"ZipFile": package(every=200)},
            Publish=True,
        )
        await made.awslambda.get_waiter("function_active_v2").wait(
            FunctionName=sample.FUNCTION, Qualifier="1"
        )
        await made.awslambda.create_alias(
            FunctionName=sample.FUNCTION, Name=sample.ALIAS, FunctionVersion="1"
        )
        await made.s3.create_bucket(Bucket=sample.BUCKET)
        for name, every in {"worse": 20, "as-good": 199}.items():
            await made.s3.put_object(
                Bucket=sample.BUCKET, Key=f"{name}.zip", Body=package(every=every)
            )
        yield made


def release(name: str, strategy: dict[str, Any]) -> ReleaseRequest:
    return ReleaseRequest.model_validate(
        {
            "target": {"function": sample.FUNCTION, "alias": sample.ALIAS},
            "artifact": {"kind": "s3", "bucket": sample.BUCKET, "key": f"{name}.zip"},
            "guards": GUARD,
            "strategy": strategy,
        }
    )


async def test_a_candidate_with_5_percent_errors_against_a_half_is_rolled_back_before_its_first_bake_ends(
    stack: Stack, clients: sample.Clients
) -> None:
    releases = ReleaseClient(await Client.connect(stack.address, plugins=[LambdaReleases()]))
    steps = {"steps": [{"kind": "set_weight", "percent": 50}, {"kind": "bake", "duration": "10m"}]}
    async with traffic.run_traffic(clients, rate=60, concurrency=8) as tally:
        handle = await releases.start(release("worse", steps), id="worse")
        with pytest.raises(WorkflowFailureError) as failure:
            await handle.result()
    cause = failure.value.cause
    assert isinstance(cause, ApplicationError)
    assert cause.type == "ReleaseRolledBack"
    assert "version 2 does worse than it may: error_rate not worse than stable's" in cause.message
    status = ReleaseStatus.model_validate(cause.details[0])
    assert (status.step, status.analysis is not None) == (1, True)  # the bake was not over
    assert tally.failed["2"] >= 3
    alias = await clients.awslambda.get_alias(FunctionName=sample.FUNCTION, Name=sample.ALIAS)
    assert (alias["FunctionVersion"], alias.get("RoutingConfig") or {}) == ("1", {})


async def test_a_candidate_that_is_as_good_passes_early_by_its_evidence(
    stack: Stack, clients: sample.Clients
) -> None:
    releases = ReleaseClient(await Client.connect(stack.address, plugins=[LambdaReleases()]))
    analysis = {
        "kind": "analysis",
        "duration": "15m",
        "early": True,
        "not_worse": [{"margin": 0.1}],
    }
    async with traffic.run_traffic(clients, rate=60, concurrency=8):
        handle = await releases.start(
            release("as-good", {"steps": [{"kind": "set_weight", "percent": 50}, analysis]}),
            id="as-good",
        )
        status = await handle.result()
    assert (status.phase, status.routing.percent) == ("succeeded", 100)
    assert status.analysis is not None
    assert status.analysis.verdict == "passed"
    assert status.analysis.candidate.invocations > 50

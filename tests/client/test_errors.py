"""Temporal's errors as those of the client."""

from __future__ import annotations

import pytest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from tests.client.releases import make_request
from tests.harness import Harness
from workflows.client import ReleaseClient
from workflows.client.errors import (
    Unreachable,
)
from workflows.temporal.plugin import LambdaReleases


async def test_unknown_namespace_is_unreachable_for_every_call(
    temporal: WorkflowEnvironment, harness: Harness
) -> None:
    address = temporal.client.service_client.config.target_host
    elsewhere = ReleaseClient(
        await Client.connect(address, namespace="elsewhere", plugins=[LambdaReleases()])
    )
    for attempt in (
        elsewhere.running(),
        elsewhere.status("checkout"),
        elsewhere.start(make_request(harness)),
        elsewhere.schedules.list(),
    ):
        with pytest.raises(Unreachable, match="TEMPORAL_NAMESPACE"):
            await attempt

"""Clients for tests."""

from __future__ import annotations

import pytest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from workflows.client import ReleaseClient, client, control, plan, watch
from workflows.temporal.plugin import LambdaReleases


@pytest.fixture
async def releases(temporal: WorkflowEnvironment) -> ReleaseClient:
    """A client as programs have it: it skips no time."""
    address = temporal.client.service_client.config.target_host
    return ReleaseClient(await Client.connect(address, plugins=[LambdaReleases()]))


@pytest.fixture
def short_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Timeouts of a second for workers that do not exist."""
    monkeypatch.setattr(control, "_UPDATE_TIMEOUT", client.timedelta(seconds=1))
    monkeypatch.setattr(client, "_QUERY_TIMEOUT", client.timedelta(seconds=1))
    monkeypatch.setattr(plan, "WORKER_TIMEOUT", client.timedelta(seconds=1))
    monkeypatch.setattr(watch, "_RESPONSE_SECONDS", 1.0)
    monkeypatch.setattr(watch, "_POLL_SECONDS", 0.5)

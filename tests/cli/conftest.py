"""A shell and a package for tests of the command line."""

from __future__ import annotations

import pytest
from temporalio.testing import WorkflowEnvironment

from tests.cli.shell import Shell
from tests.harness import Harness


@pytest.fixture
def shell(temporal: WorkflowEnvironment, harness: Harness) -> Shell:
    """A shell for the queue of the test's harness."""
    return Shell(temporal.client.service_client.config.target_host, harness.queue)


@pytest.fixture
def package(harness: Harness) -> str:
    """The URL of a package in S3, whose name looks like markup."""
    harness.package("three[b]")
    return "s3://artifacts/three[b].zip"

"""Temporal's errors as those of the client."""

from __future__ import annotations

import pytest
from temporalio.client import Client, RPCTimeoutOrCancelledError, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment

from tests.client.releases import make_request
from tests.harness import Harness
from workflows.client import ReleaseClient
from workflows.client.errors import (
    BadRequest,
    NoSuchRelease,
    NoWorker,
    Refused,
    ReleaseClientError,
    Unreachable,
    is_unavailable,
    translate_errors,
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


@pytest.mark.parametrize(
    ("status", "message", "kind", "text"),
    [
        ("UNAVAILABLE", "down", Unreachable, "Temporal does not answer: down"),
        ("DEADLINE_EXCEEDED", "", Unreachable, "Temporal does not answer: DEADLINE_EXCEEDED"),
        ("RESOURCE_EXHAUSTED", "slow down", Unreachable, "Temporal does not answer: slow down"),
        ("PERMISSION_DENIED", "no", Unreachable, "Temporal denies access: no"),
        ("UNAUTHENTICATED", "no", Unreachable, "Temporal denies access: no"),
        ("NOT_FOUND", "no rows", NoSuchRelease, "there is no schedule nightly"),
        ("INVALID_ARGUMENT", "bad cron", BadRequest, "bad cron"),
        ("INVALID_ARGUMENT", "no Search Attribute X", Refused, "start a worker once"),
    ],
)
def test_rpc_error_is_translated_by_its_status(
    status: str, message: str, kind: type[ReleaseClientError], text: str
) -> None:
    with pytest.raises(kind, match=text), translate_errors("there is no schedule nightly"):
        raise RPCError(message, RPCStatusCode[status], b"")


def test_refused_update_has_the_message_of_the_release() -> None:
    with pytest.raises(Refused, match=r"^not paused$"), translate_errors():
        raise WorkflowUpdateFailedError(ApplicationError("not paused"))


def test_unanswered_update_is_no_worker() -> None:
    with pytest.raises(NoWorker, match="no worker answers"), translate_errors():
        raise RPCTimeoutOrCancelledError


@pytest.mark.parametrize(("status", "expected"), [("UNAVAILABLE", True), ("NOT_FOUND", False)])
def test_unavailable_is_what_may_succeed_later(status: str, expected: bool) -> None:
    assert is_unavailable(RPCError("", RPCStatusCode[status], b"")) is expected


def test_bad_request_lists_every_problem() -> None:
    error = BadRequest(["target: invalid", "at: past"])
    assert error.problems == ("target: invalid", "at: past")
    assert str(error) == "target: invalid; at: past"

"""No secret leaves the activity that needs it.

Canary values are planted and searched for.

A real worker process with metrics and debug logs, a real Temporal server, AWS over real HTTP, and
releases of every ending. The search covers the raw histories of every workflow, their descriptions
(memo, search attributes, pending activities), their current details, the worker's log and its
metrics. Each canary is searched for in plain and in base64, in each of its three alignments.
A canary's core is letters and digits, so that quoting and escaping leave it unchanged.
Plain values of a request's configuration are excluded: they are documented to be in histories.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from deploy.local.processes import Process
from tests.activities.adapter import REGION
from tests.activities.stub import Stub
from tests.fake_lambda import FakeLambda
from tests.fake_lambda.account import ACCOUNT
from tests.fake_lambda.http import FakeLambdaServer, HttpRequest, HttpResponse
from tests.fake_lambda.interventions import Call
from tests.fake_lambda.refusals import Refusal
from tests.survival.harness import ROOT, TemporalServer, free_port

CANARIES = {
    "a function's environment value": "Cny0Env4fQ7xZ",
    "an SSM parameter": "Cny1Ssm9kW2vB",
    "a secret": "Cny2Sec6tR3mD",
    "code": "Cny3Zip8hY5nG",
    "a presigned address": "Cny4Url1jL6pK",
    "a session token": "Cny5Tok7dS9cJ",
    "a secret key": "Cny6Key3wF4bM",
}
ENV, SSM, SECRET, CODE, URL, TOKEN, KEY = (
    f'{core}/+"ü' if number < 3 else core for number, core in enumerate(CANARIES.values())
)
CONFIGURATION = {
    "Timeout": 9,
    "Environment": {
        "Variables": {
            "PASSWORD": "{{resolve:ssm:/password}}",
            "TOKEN": "x-{{resolve:secretsmanager:api:SecretString:token}}-y",
        },
    },
}
STEPS = {"steps": [{"kind": "set_weight", "percent": 10}, {"kind": "approval"}]}
RELEASE: dict[str, Any] = {
    "artifact": {"kind": "s3", "bucket": "artifacts", "key": "three.zip"},
    "configuration": CONFIGURATION,
    "strategy": "AllAtOnce",
    "hooks": {"before_traffic": "hook-yes", "after_traffic": "hook-yes"},
}
REFUSED = {**RELEASE, "hooks": {"after_traffic": "hook-no"}}
ENDINGS: dict[str, tuple[dict[str, Any], str]] = {
    "done": (RELEASE, "Completed"),
    "put-back": (REFUSED, "ReleaseRolledBack"),
    "not-restored": (REFUSED, "ReleaseRolledBack"),
    "rejected": (
        {**RELEASE, "artifact": {"kind": "version", "version": "9"}, "configuration": None},
        "ReleaseRejected",
    ),
    "echoed": (RELEASE, "ReleaseRolledBack"),
    "measured": (RELEASE, "ReleaseRolledBack"),
    "cut-off": (RELEASE, "ReleaseRolledBack"),
    "unsigned": (RELEASE, "Completed"),
    "once-broken": (RELEASE, "Completed"),
    "killed": ({**RELEASE, "strategy": STEPS}, "ReleaseRolledBack"),
}


class SecretiveLambda(FakeLambda):
    """An AWS with canaries, whose refusals repeat the request."""

    def __init__(self) -> None:
        super().__init__(region=REGION)
        self.signature = URL
        self.parameters["/password"] = SSM
        self.secrets["api"] = json.dumps({"token": SECRET})
        self.upload("three.zip", f"three {CODE}")
        self.hook("hook-yes", lambda _: {"accept": True, "reason": "not today"})
        self.hook("hook-no", lambda _: {"accept": False, "reason": "not today"})
        for name in ENDINGS:
            self.create(name, f"one {name} {CODE}", Environment={"Variables": {"PASSWORD": ENV}})
        self.has_broken = self.has_signed = False
        self.before("update_function_configuration", self._refuse_configuration, times=None)
        self.before("publish_version", self._refuse_signature, times=None)

    def _refuse_configuration(self, call: Call) -> None:
        name = call.parameters["FunctionName"].rpartition(":")[2]
        variables = call.parameters["Environment"]["Variables"]
        message = (
            f"1 validation error detected: Value '{variables}' at 'environment' is not so; "
            f"PASSWORD={variables['PASSWORD']}, {variables}"
        )
        if name == "echoed":
            raise Refusal("InvalidParameterValueException", message)
        if name == "measured":
            raise Refusal(
                "InvalidParameterValueException",
                "the environment variables you have provided exceeded the 4KB limit. String "
                f"measured: {json.dumps(variables)}",
            )
        if name == "cut-off":
            raise Refusal(
                "InvalidParameterValueException",
                f"PASSWORD has to be shorter than {variables['PASSWORD'][:-2]}...",
            )
        if name == "once-broken" and not self.has_broken:
            self.has_broken = True
            raise Refusal("ServiceException", message)

    def _refuse_signature(self, call: Call) -> None:
        if call.parameters["FunctionName"].endswith("unsigned") and not self.has_signed:
            self.has_signed = True
            raise Refusal(
                "InvalidSignatureException",
                "The request signature we calculated does not match the signature you provided. "
                "Check your AWS Secret Access Key. The Canonical String was "
                f"'POST x-amz-security-token:{TOKEN} {KEY}'",
            )


class SecretiveServer(FakeLambdaServer):
    """Serves the AWS, except the packages of one function at first."""

    def __init__(self, aws: FakeLambda) -> None:
        super().__init__(aws)
        self.refused = 0

    async def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith("/code/not-restored") and self.refused < 2:
            self.refused += 1
            return HttpResponse(403, f"<Error>{request.target}</Error>".encode())
        return await super().__call__(request)


# ── where canaries are looked for ──


def list_forms(core: str) -> set[bytes]:
    """A text in plain, and the invariant parts of its base64 in each alignment."""
    raw = core.encode()
    found = {raw}
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + raw)
        found.add(
            encoded[-(-before * 8 // 6) : len(encoded) - (4 if (before + len(raw)) % 3 else 0)]
        )
    return found


def find_canaries(places: dict[str, bytes]) -> list[str]:
    """List which canary is in which place."""
    return [
        f"{what} in {place}"
        for place, content in places.items()
        for what, core in CANARIES.items()
        if any(form in content for form in list_forms(core))
    ]


@dataclass
class SecretsHarness:
    client: Client
    queue: str
    log: Path
    metrics: str

    async def release(
        self, function: str, request: dict[str, Any], *, named: str = "release"
    ) -> WorkflowHandle[Any, Any]:
        document = {"target": {"function": function}, **request}
        return await self.client.start_workflow(
            "Release", document, id=f"{named}-{function}", task_queue=self.queue
        )

    def rollout(self, function: str) -> WorkflowHandle[Any, Any]:
        return self.client.get_workflow_handle(f"lambda:{ACCOUNT}:{REGION}:{function}:live")

    async def everything(self, *, workflows: int) -> dict[str, bytes]:
        """Read all places where a secret might be, once so many workflows are listed."""
        async with asyncio.timeout(60):
            while (await self.client.count_workflows()).count < workflows:
                await asyncio.sleep(0.1)
        places = {"the worker's log": self.log.read_bytes()}
        async with aiohttp.ClientSession() as http, http.get(self.metrics) as answer:
            places["the metrics"] = await answer.read()
        async for found in self.client.list_workflows():
            handle = self.client.get_workflow_handle(found.id, run_id=found.run_id)
            history = await handle.fetch_history()
            name = f"{found.id} ({found.run_id})"
            places[f"the history of {name}"] = b"".join(
                event.SerializeToString() for event in history.events
            )
            places[f"the description of {name}"] = (
                await handle.describe()
            ).raw_description.SerializeToString()
            places[f"the details of {name}"] = str(
                await handle.query("__temporal_workflow_metadata")
            ).encode()
        return places


@pytest.fixture(scope="module")
async def harness(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SecretsHarness]:
    directory = tmp_path_factory.mktemp("secrets")
    server, aws, queue = TemporalServer(directory), SecretiveLambda(), "secrets"
    async with contextlib.AsyncExitStack() as stack:
        stub = await stack.enter_async_context(Stub(SecretiveServer(aws)))
        aws.package_url = stub.url
        stack.push_async_callback(server.stop)
        await server.start()
        client = await server.connect()
        metrics, log = f"127.0.0.1:{free_port()}", directory / "worker.log"
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AWS_", "TEMPORAL_", "RELEASES_"))
        } | {
            "AWS_ENDPOINT_URL": stub.url,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": KEY,
            "AWS_SESSION_TOKEN": TOKEN,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/nowhere",
            "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
            "TEMPORAL_ADDRESS": server.address,
            "RELEASES_TASK_QUEUE": queue,
            "RELEASES_METRICS": metrics,
            "RELEASES_REFERENCES": "/password,api",
            "RELEASES_LOG_FORMAT": "json",
            "RELEASES_LOG_LEVEL": "debug",
        }
        worker = Process.start(
            "worker",
            [sys.executable, "worker.py"],
            environment=environment,
            directory=ROOT,
            log=log,
        )
        stack.push_async_callback(worker.stop)
        yield SecretsHarness(client, queue, log, f"http://{metrics}/metrics")


async def read_ending(handle: WorkflowHandle[Any, Any]) -> str:
    async with asyncio.timeout(100):
        try:
            await handle.result()
        except WorkflowFailureError as failure:
            return (
                (failure.cause.type or "?")
                if isinstance(failure.cause, ApplicationError)
                else type(failure.cause).__name__
            )
        return "Completed"


async def terminate_rollout(harness: SecretsHarness, function: str) -> None:
    """Terminate the rollout of a function while it waits for approval."""
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(RPCError, KeyError):
                status = await harness.rollout(function).query("status")
                if status["phase"] == "awaiting_approval":
                    break
            await asyncio.sleep(0.05)
    await harness.rollout(function).terminate("by a test")


@pytest.mark.timeout(180)
async def test_secrets_are_in_no_history_log_or_metric(harness: SecretsHarness) -> None:
    handles = {name: await harness.release(name, request) for name, (request, _) in ENDINGS.items()}
    await terminate_rollout(harness, "killed")
    ends = dict(
        zip(handles, await asyncio.gather(*map(read_ending, handles.values())), strict=True)
    )
    assert ends == {name: end for name, (_, end) in ENDINGS.items()}
    places = await harness.everything(workflows=2 * len(ENDINGS))
    assert len(places) == 2 + 3 * 2 * len(ENDINGS), sorted(places)
    assert all(
        b"Release" in content
        for place, content in places.items()
        if place.startswith("the history of release-")
    )
    assert b"update_function_configuration" in places["the worker's log"]
    assert find_canaries(places) == []


@pytest.mark.parametrize("core", CANARIES.values())
@pytest.mark.parametrize("before", ["", "a", "ab", 'x="'])
def test_canary_is_found_in_every_form(core: str, before: str) -> None:
    text = f"{before}{core} and more".encode()
    for content in (
        text,
        base64.b64encode(text),
        base64.urlsafe_b64encode(text),
        json.dumps(text.decode()).encode(),
    ):
        assert len(find_canaries({"here": b"..." + content})) == 1


@pytest.mark.timeout(100)
async def test_canary_in_a_plain_value_is_found(harness: SecretsHarness) -> None:
    """The search can fail: a reason is part of the history."""
    before = (await harness.client.count_workflows()).count
    handle = await harness.release(
        "rejected", {**ENDINGS["rejected"][0], "reason": SSM}, named="typed"
    )
    assert await read_ending(handle) == "ReleaseRejected"
    found = find_canaries(await harness.everything(workflows=before + 2))
    assert any(
        each.startswith("an SSM parameter in the history of typed-rejected") for each in found
    ), found
    assert {each.partition(" in ")[0] for each in found} == {"an SSM parameter"}

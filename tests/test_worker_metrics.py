"""What a worker process serves over HTTP: metrics of releases, and its probes."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import aiohttp
import pytest
from temporalio.client import WorkflowFailureError
from temporalio.testing import WorkflowEnvironment

from tests.activities.stub import Stub
from tests.fake_lambda import FakeLambda
from tests.fake_lambda.http import FakeLambdaServer
from tests.worker_processes import PATIENCE, ROOT, Workers
from workflows.release_metrics import (
    DURATION,
    ENDED,
    PHASE_DURATION,
    ROLLBACK_DURATION,
    RUNNING,
    STARTED,
)
from workflows.worker import contact
from workflows.worker.contact import Contact, ContactLostError, Signal
from workflows.worker.readiness import PlaceState, Readiness
from workflows.worker.web_server import find_free_address, parse_address, serve

QUEUE = "measured"
SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)


async def fetch(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as found:
        return found.status, await found.text()


async def scrape(url: str) -> dict[str, float]:
    """The samples by name and labels of ours: ``name{outcome="…"}``."""
    _, text = await fetch(f"{url}/metrics")
    found = dict[str, float]()
    for name, labels, value in SAMPLE.findall(text):
        ours = sorted(re.findall(r'(?:outcome|phase|guard|function|alias)="[^"]*"', labels))
        found[f"{name}{{{','.join(ours)}}}" if ours else name] = float(value)
    return found


async def run(workers: Workers, workflow: str, request: dict[str, Any]) -> str:
    """Run a workflow to its end; return what it is."""
    handle = await workers.temporal.client.start_workflow(
        workflow, request, id=f"{workflow}-{id(request)}", task_queue=QUEUE
    )
    try:
        await handle.result()
    except WorkflowFailureError as error:
        return str(getattr(error.cause, "type", None) or type(error.cause).__name__)
    return "Completed"


async def cancel_running(workers: Workers) -> None:
    """Cancel the releases of the queue that run."""
    client, query = workers.temporal.client, f"TaskQueue = '{QUEUE}' AND WorkflowType = 'Release'"
    async for found in client.list_workflows(f"{query} AND ExecutionStatus = 'Running'"):
        await client.get_workflow_handle(found.id).cancel()


async def test_each_way_to_end_is_counted_once(workers: Workers) -> None:
    aws = FakeLambda()
    for name in ("checkout", "cart", "search"):
        aws.create(name, "one", "two")
    aws.hook("smoke", lambda _: {"accept": False, "reason": "smoke"})
    aws.upload("three.zip", "three")
    stub = await workers.stack.enter_async_context(Stub(FakeLambdaServer(aws)))
    address = find_free_address()
    workers.start("measured", QUEUE, AWS_ENDPOINT_URL=stub.url, RELEASES_METRICS=address)
    await workers.wait_until_polling(QUEUE)
    url = f"http://{address}"

    born = await scrape(url)
    outcomes = {
        name: value for name, value in born.items() if name.startswith("releases_ended_total{")
    }
    assert outcomes == {
        f'releases_ended_total{{outcome="{outcome}"}}': 0
        for outcome in (
            "succeeded",
            "nothing_to_do",
            "rolled_back",
            "rejected",
            "rollback_failed",
            "canceled",
        )
    }
    assert born["releases_started_total"] == 0
    assert await fetch(f"{url}/healthz") == (200, "ok\n")
    assert await fetch(f"{url}/readyz") == (200, "ok\n")

    target = {"target": {"function": "checkout"}}
    package = {"artifact": {"kind": "s3", "bucket": "artifacts", "key": "three.zip"}}
    at_once = {"strategy": "AllAtOnce"}
    refused = {"hooks": {"after_traffic": "smoke"}, "configuration": {"Timeout": 9}}
    assert await run(workers, "Release", {**target, **package, **at_once}) == "Completed"
    assert await run(workers, "Release", {**target, **package, **at_once}) == "Completed"
    assert await run(workers, "Release", {**target, **refused, **at_once}) == "ReleaseRolledBack"
    canary = {"configuration": {"Timeout": 9}, "strategy": "Canary10Percent9Minutes"}
    aws.after("update_alias", lambda _: cancel_running(workers))
    cart = {"target": {"function": "cart"}, **canary}
    assert await run(workers, "Release", cart) == "CancelledError"
    move = {"FunctionName": "search", "Name": "live", "FunctionVersion": "1"}
    aws.before("update_alias", lambda _: aws.apply("update_alias", **move))
    search = {"target": {"function": "search"}, **canary}
    assert await run(workers, "Release", search) == "RollbackFailed"
    nowhere = {"target": {"function": "nowhere"}, **package}
    assert await run(workers, "Release", nowhere) == "ReleaseRejected"

    async def read_ends() -> dict[str, float]:
        found = await scrape(url)
        return {
            name.split('"')[1]: value
            for name, value in found.items()
            if name.startswith("releases_ended_total{")
        }

    expected = {
        "succeeded": 1,
        "nothing_to_do": 1,
        "rolled_back": 1,
        "rejected": 1,
        "rollback_failed": 1,
        "canceled": 1,
    }
    async with asyncio.timeout(PATIENCE):
        while await read_ends() != expected:
            await asyncio.sleep(0.2)
    _, text = await fetch(f"{url}/metrics")
    for name, bound in (("rollback", "600"), ("release", "604800"), ("release_phase", "604800")):
        assert re.search(rf'^{name}_seconds_bucket{{.*le="{bound}"', text, re.MULTILINE), name
    found = await scrape(url)
    assert found["releases_started_total"] == 6
    assert found['release_seconds_count{outcome="succeeded"}'] == 1
    assert found["rollback_seconds_count"] == 2
    assert found['release_phase_seconds_count{phase="preparing"}'] >= 3
    assert 'releases_running{phase="baking"}' in found
    assert found['releases_running{phase="paused"}'] == 0
    served = {re.sub(r"(_count|_sum|_bucket)?(\{.*)?$", "", name) for name in found}
    at_need = {"guard_looks_total", "temporal_request_failure_total"}
    assert read_listed_metrics() - served <= at_need


async def test_worker_that_is_stopped_while_it_starts_ends_at_once(workers: Workers) -> None:
    is_connecting = asyncio.Event()

    async def never_answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_connecting.set()
        await asyncio.sleep(60)
        writer.close()

    silent = await asyncio.start_server(never_answer, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    process = workers.start("early", "early", TEMPORAL_ADDRESS=f"127.0.0.1:{port}")
    async with asyncio.timeout(PATIENCE):
        await is_connecting.wait()
    process.popen.terminate()
    async with asyncio.timeout(15):
        while not process.has_exited:
            await asyncio.sleep(0.1)
    silent.close()
    assert process.popen.returncode == 0, process.read_log_tail()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"TEMPORAL_ADDRESS": "127.0.0.1:9"}, "cannot reach Temporal at 127.0.0.1:9: "),
        ({"RELEASES_METRICS": "9464x"}, "RELEASES_METRICS: '9464x' is no address: host:port"),
        ({"RELEASES_METRICS": "127.0.0.1:70000"}, "is no address"),
        ({"TEMPORAL_CODEC_ENDPOINT": "http://c"}, "TEMPORAL_CODEC_ENDPOINT: a remote codec is not"),
        ({"TEMPORAL_TLS_CLIENT_CERT_PATH": "/nowhere.pem"}, "/nowhere.pem"),
        ({"RELEASES_GRACE": "15"}, "RELEASES_GRACE: '15' is no duration: a number with s, m or h"),
        ({"RELEASES_LOG_LEVEL": "loud"}, "RELEASES_LOG_LEVEL: 'loud' is none of debug, info, "),
        ({"RELEASES_FUNCTION": "a-*"}, "no such setting; did you mean RELEASES_FUNCTIONS?"),
        ({"TEMPORAL_TLS": "true"}, "it speaks plain text, and not TLS: unset TEMPORAL_TLS"),
    ],
)
async def test_setting_that_is_of_no_use_is_one_line(
    workers: Workers, settings: dict[str, str], message: str
) -> None:
    process = workers.start("refused", "refused", **settings)
    async with asyncio.timeout(PATIENCE):
        while not process.has_exited:
            await asyncio.sleep(0.1)
    text = process.read_log_tail()
    assert process.popen.returncode in {1, 2}, text
    assert message in text
    assert "Traceback" not in text


def read_listed_metrics() -> set[str]:
    """The metrics in the table of the docs."""
    text = (ROOT / "docs/operate.md").read_text()
    return set(re.findall(r"^\| `([a-z]+_\w+)` \|", text, re.MULTILINE))


def test_metrics_of_the_docs_are_ours() -> None:
    listed = read_listed_metrics()
    counters = {STARTED, ENDED, "guard_looks", "lambda_api_calls"}
    histograms = {DURATION, PHASE_DURATION, ROLLBACK_DURATION}
    ours = {f"{name}_total" for name in counters} | {f"{name}_seconds" for name in histograms}
    assert ours | {RUNNING} <= listed


@pytest.mark.parametrize(
    ("value", "address"),
    [
        (":9464", ("0.0.0.0", 9464)),
        ("localhost:9464", ("localhost", 9464)),
        ("metrics.internal:80", ("metrics.internal", 80)),
        ("[::1]:9464", ("::1", 9464)),
    ],
)
def test_address_may_be_a_name_or_every_interface(value: str, address: tuple[str, int]) -> None:
    assert parse_address(value) == address


async def test_worker_that_aws_refuses_is_not_ready() -> None:
    ours, metrics = Contact("me", QUEUE), find_free_address()
    address, readiness = find_free_address(), Readiness()
    place = readiness.add(PlaceState())
    async with serve(parse_address(address), metrics=metrics, readiness=readiness):
        assert await fetch(f"http://{address}/readyz") == (503, "starting\n")
        place.serve(ours)
        assert await fetch(f"http://{address}/readyz") == (200, "ok\n")
        ours.aws = Signal(0, "ExpiredToken")
        assert await fetch(f"http://{address}/readyz") == (503, "AWS: ExpiredToken\n")
        assert await fetch(f"http://{address}/healthz") == (200, "ok\n")


async def test_process_is_ready_as_long_as_one_place_is() -> None:
    metrics, address, readiness = find_free_address(), find_free_address(), Readiness()
    first, second = (readiness.add(PlaceState(label)) for label in ("first", "second"))
    async with serve(parse_address(address), metrics=metrics, readiness=readiness):
        first.fail("no such role")
        second.serve(Contact("me", QUEUE))
        url = f"http://{address}/readyz"
        assert await fetch(url) == (200, "ok\nfirst: no such role\n")
        assert await fetch(f"{url}?places=all") == (503, "first: no such role\n")
        second.fail("expired")
        assert await fetch(url) == (503, "first: no such role\nsecond: expired\n")


async def test_worker_that_drains_for_long_is_not_out_of_contact(
    temporal: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contact, "_INTERVAL_SECONDS", 0.1)
    monkeypatch.setattr(contact, "LONGEST_SILENCE_SECONDS", 0.2)
    ours, stop = Contact("nobody who polls", QUEUE), asyncio.Event()
    with pytest.raises(ContactLostError, match=f"this worker did not poll {QUEUE} lately"):
        await ours.watch_temporal(lambda: temporal.client, stop)
    stop.set()
    await ours.watch_temporal(lambda: temporal.client, stop)
    assert ours.find_problems() == ["Temporal: this worker is draining"]


async def test_function_and_alias_are_labels_where_they_are_wanted(workers: Workers) -> None:
    aws = FakeLambda()
    aws.create("checkout", "one", "two")
    stub = await workers.stack.enter_async_context(Stub(FakeLambdaServer(aws)))
    address = find_free_address()
    workers.start(
        "labelled",
        QUEUE,
        AWS_ENDPOINT_URL=stub.url,
        RELEASES_METRICS=address,
        RELEASES_METRICS_BY_FUNCTION="true",
    )
    await workers.wait_until_polling(QUEUE)
    request = {"target": {"function": "checkout"}, "configuration": {"Timeout": 9}}
    assert await run(workers, "Release", {**request, "strategy": "AllAtOnce"}) == "Completed"
    labels = 'alias="live",function="checkout"'
    ended = f'releases_ended_total{{{labels},outcome="succeeded"}}'
    async with asyncio.timeout(PATIENCE):
        while (await scrape(f"http://{address}")).get(ended) != 1:
            await asyncio.sleep(0.2)
    found = await scrape(f"http://{address}")
    assert found[f"releases_started_total{{{labels}}}"] == 1

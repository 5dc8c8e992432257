"""Spans of real releases, as a local receiver of OTLP gets them from a real worker.

Not proven here: a collector of yours, and what it makes of a release of days.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.trace import TracerProvider, set_tracer_provider
from temporalio.client import WorkflowHistory
from temporalio.contrib.opentelemetry import OpenTelemetryPlugin, create_tracer_provider
from temporalio.worker import Replayer

from tests.deploy.measured_releases import AT_ONCE, MeasuredWorker
from tests.worker_processes import PATIENCE, ROOT, Workers
from tests.workflows.record import HISTORIES, SHORT_HISTORIES
from workflows import continuation
from workflows.temporal.plugin import LambdaReleases

PACKAGE = {"artifact": {"kind": "s3", "bucket": "artifacts", "key": "three.zip"}}
REFUSED = {"hooks": {"after_traffic": "smoke"}, "configuration": {"Timeout": 9}}


class Receiver:
    """Receives spans at ``/v1/traces``."""

    def __init__(self) -> None:
        """Begin without spans."""
        self.bodies: list[bytes] = []
        self.url = ""

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[None]:
        """Serve on a free port as long as the context lasts."""
        app = web.Application()
        app.router.add_post("/v1/traces", self._receive)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        yield
        await runner.cleanup()

    async def _receive(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.read())
        return web.Response(content_type="application/x-protobuf")

    def requests(self) -> Iterator[ExportTraceServiceRequest]:
        """What was received."""
        for body in self.bodies:
            yield ExportTraceServiceRequest.FromString(body)

    def spans(self) -> list[Span]:
        """The spans of workflows and activities that were received."""
        return [
            span
            for request in self.requests()
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def services(self) -> set[str]:
        """The names of the services that sent them."""
        return {
            attribute.value.string_value
            for request in self.requests()
            for resource in request.resource_spans
            for attribute in resource.resource.attributes
            if attribute.key == "service.name"
        }


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver of spans."""
    found = Receiver()
    async with found.serve():
        yield found


async def release(
    workers: Workers, receiver: Receiver, *requests: tuple[str, dict[str, object]], **settings: str
) -> list[str]:
    """Let a worker of its own carry out releases; return their ends, once all spans are there."""
    async with AsyncExitStack() as stack:
        worker = MeasuredWorker(Workers(workers.temporal, workers.directory, stack))
        settings |= {"RELEASES_TRACES": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url}
        await worker.start(stack, OTEL_BSP_SCHEDULE_DELAY="200", **settings)
        return [await worker.run(name, **request, **AT_ONCE) for name, request in requests]


def find_chain(spans: list[Span], leaf: str) -> list[str]:
    """The names of a span and of those that it is within."""
    by_id = {span.span_id: span for span in spans}
    span = next(each for each in spans if each.name == leaf)
    names = [span.name]
    while span.parent_span_id:
        span = by_id[span.parent_span_id]
        names.append(span.name)
    return names


@pytest.mark.parametrize("cached", ["1000", "0"])
async def test_release_is_one_trace(workers: Workers, receiver: Receiver, cached: str) -> None:
    requests = (("checkout", PACKAGE), ("checkout", REFUSED))
    ends = await release(workers, receiver, *requests, RELEASES_CACHED_WORKFLOWS=cached)
    assert ends == ["Completed", "ReleaseRolledBack"]
    spans = [span for span in receiver.spans() if not span.name.startswith("HandleQuery")]
    assert len({span.trace_id for span in spans}) == len(ends)
    assert find_chain(spans, "RunActivity:update_alias") == [
        "RunActivity:update_alias",
        "StartActivity:update_alias",
        "RunWorkflow:Rollout",
        "StartChildWorkflow:Rollout",
        "RunWorkflow:Release",
    ]
    counts = Counter(span.span_id for span in spans)
    assert [span.name for span in spans if counts[span.span_id] > 1] == []
    assert receiver.services() == {"lambda-releases"}
    whole, write = (
        next(span for span in spans if span.name == name)
        for name in ("RunWorkflow:Release", "RunActivity:update_alias")
    )
    assert whole.start_time_unix_nano < write.start_time_unix_nano
    assert write.end_time_unix_nano < whole.end_time_unix_nano
    # The release that failed has a status, and no span has a text of a request or of a failure.
    assert any(span.status.code for span in spans)
    sent = b"".join(receiver.bodies)
    for text in (b"smoke", b"three.zip", b"artifacts", b"Timeout", b"Traceback"):
        assert text not in sent, text


async def test_unknown_traces_are_refused_in_one_line(workers: Workers) -> None:
    process = workers.start("refused", "refused", RELEASES_TRACES="jaeger")
    async with asyncio.timeout(PATIENCE):
        while not process.has_exited:
            await asyncio.sleep(0.1)
    assert process.popen.returncode == 1
    assert "worker: RELEASES_TRACES: 'jaeger' is not otlp" in process.read_log_tail()


def test_nothing_of_opentelemetry_is_loaded_without_traces() -> None:
    code = (
        "import sys, asyncio, worker\n"
        "from workflows.worker.traces import open_traces\n"
        "async def main():\n"
        "    async with open_traces(None) as plugins:\n"
        "        assert plugins == ()\n"
        "asyncio.run(main())\n"
        "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_missing_extra_is_named() -> None:
    code = (
        "import sys, asyncio\n"
        "sys.modules['opentelemetry'] = None\n"
        "from workflows.worker.settings import WorkerStartError\n"
        "from workflows.worker.traces import open_traces\n"
        "async def main():\n"
        "    async with open_traces('otlp'): pass\n"
        "try: asyncio.run(main())\n"
        "except WorkerStartError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert done.stdout.startswith("RELEASES_TRACES: opentelemetry is not installed: pip install")


@pytest.fixture(scope="module")
def provider() -> TracerProvider:
    """The provider of this process's spans, which go nowhere."""
    found = create_tracer_provider(shutdown_on_exit=False)
    set_tracer_provider(found)
    return found


@pytest.mark.parametrize("name", sorted(path.name for path in HISTORIES.glob("*.rollout.json")))
async def test_release_that_began_without_traces_goes_on_with_them(
    name: str, provider: TracerProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    del provider
    longest = SHORT_HISTORIES.get(name.split(".", maxsplit=1)[0], continuation.MAX_EVENTS)
    monkeypatch.setattr(continuation, "MAX_EVENTS", longest)
    history = json.loads((HISTORIES / name).read_text())
    plugins = [OpenTelemetryPlugin(add_temporal_spans=True), LambdaReleases()]
    await Replayer(workflows=[], plugins=plugins).replay_workflow(
        WorkflowHistory.from_json(name, history)
    )

"""Spans of OpenTelemetry, sent by OTLP over HTTP: loaded where traces are wanted only.

Its standard variables count: ``OTEL_EXPORTER_OTLP_ENDPOINT``, ``OTEL_SERVICE_NAME``, and so on.
Spans hold names and ids. Texts of errors stay out of them: Temporal keeps those, encrypted where a
codec is set, and traces go elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Status
from temporalio.contrib.opentelemetry import OpenTelemetryPlugin, create_tracer_provider

_NAME: Final = "lambda-releases"
_UNNAMED: Final = "unknown_service"
_ERROR_TYPE: Final = "exception.type"


class TraceExport:
    """Sends the spans of this process."""

    def __init__(self) -> None:
        """Become the provider of this process's spans, of which there is one."""
        resource = Resource.create()
        if str(resource.attributes.get(SERVICE_NAME, _UNNAMED)).startswith(_UNNAMED):
            resource = resource.merge(Resource({SERVICE_NAME: _NAME}))
        self._provider = create_tracer_provider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(TextlessExporter(OTLPSpanExporter())))
        trace.set_tracer_provider(self._provider)
        self.plugin: Final = OpenTelemetryPlugin(add_temporal_spans=True)

    def close(self) -> None:
        """Send what is left; it blocks."""
        self._provider.shutdown()


class TextlessExporter(SpanExporter):
    """Hands spans on without the texts of errors."""

    def __init__(self, exporter: SpanExporter) -> None:
        """``exporter`` sends them."""
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Hand spans on."""
        return self._exporter.export([_drop_texts(span) for span in spans])

    def shutdown(self) -> None:
        """Shut down what sends them."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Let it send what it has."""
        return self._exporter.force_flush(timeout_millis)


def _drop_texts(span: ReadableSpan) -> ReadableSpan:
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=span.attributes,
        events=[_drop_text(event) for event in span.events],
        links=span.links,
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _drop_text(event: Event) -> Event:
    attributes = event.attributes or {}
    kept = {name: value for name, value in attributes.items() if name == _ERROR_TYPE}
    return Event(event.name, kept, event.timestamp)

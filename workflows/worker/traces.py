"""Traces of releases, where an operator wants them: ``RELEASES_TRACES=otlp``.

OpenTelemetry is an extra of the package, and is loaded for it alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from temporalio.client import Plugin

from workflows.worker.settings import WorkerStartError

OTLP: Final = "otlp"
"""The only value of the setting: OpenTelemetry's own protocol, over HTTP."""


@asynccontextmanager
async def open_traces(setting: str | None) -> AsyncGenerator[Sequence[Plugin]]:
    """Give the plugins of a client whose worker sends spans, until this block ends; then flush.

    Raises :class:`WorkerStartError`.
    """
    if setting is None:
        yield ()
        return
    if setting != OTLP:
        raise WorkerStartError(f"RELEASES_TRACES: {setting[:50]!r} is not {OTLP}")
    try:
        from workflows.worker.trace_export import TraceExport  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise WorkerStartError(
            f"RELEASES_TRACES: {error.name} is not installed: pip install 'lambda-releases[otel]'"
        ) from None
    export = TraceExport()
    try:
        yield (export.plugin,)
    finally:
        await asyncio.to_thread(export.close)

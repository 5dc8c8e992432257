"""The log of a worker: one line per event, as JSON or as coloured columns.

All lines have the same form, whether they are our own, the SDK's, its core's or a library's.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, Final, cast

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.errors import Fault

_FORMATS: Final = ("json", "console", "auto")
_LEVELS: Final = ("debug", "info", "warning", "error")

_FIELDS: Final = {
    "workflow_id": "workflow_id",
    "workflow_run_id": "run_id",
    "run_id": "run_id",
    "activity_type": "activity",
    "activity_id": "activity_id",
    "attempt": "attempt",
}
"""The fields of a line by the names that the SDK uses for them."""


class LogSettingError(Exception):
    """A setting of the log that means nothing; the message is one line."""


def configure_logging(log_format: str, level: str) -> None:
    """Send all logs to stderr.

    ``log_format`` is json, console, or auto, which is console on a terminal and json elsewhere.
    Raises :class:`LogSettingError`.
    """
    _check("RELEASES_LOG_FORMAT", log_format, _FORMATS)
    _check("RELEASES_LOG_LEVEL", level.lower(), _LEVELS)
    processors: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        _bind_execution,
        _bind_core_fields,
        _summarize_fault,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*processors, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    is_console = log_format == "console" or (log_format == "auto" and sys.stderr.isatty())
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if is_console else structlog.processors.JSONRenderer()
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            foreign_pre_chain=processors,
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    # Below WARNING botocore logs requests and their parameters, which may hold secrets.
    for name in ("botocore", "aiobotocore"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _check(setting: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise LogSettingError(f"{setting}: {value[:50]!r} is none of {', '.join(allowed)}")


def _bind_execution(
    _: Any, __: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Add the workflow, run, activity and attempt that a line belongs to."""
    # A workflow of ours has one attempt.
    context: dict[str, Any] = {**event.pop("temporal_workflow", {}), "attempt": None}
    context |= event.pop("temporal_activity", {})
    event.pop("__temporal_error_identifier", None)
    if activity.in_activity():
        info = activity.info()
        context |= {
            "workflow_id": info.workflow_id,
            "workflow_run_id": info.workflow_run_id,
            "activity_type": info.activity_type,
            "activity_id": info.activity_id,
            "attempt": info.attempt,
        }
    event.update(
        {
            _FIELDS[name]: value
            for name, value in context.items()
            if name in _FIELDS and value is not None
        }
    )
    return event


def _bind_core_fields(
    _: Any, __: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Add the fields of a line of the SDK's core, which come as an object of its own."""
    entry = event.pop("temporal_log", None)
    if entry is not None:
        # A field of ours wins: the core has some of the same names.
        event = {**{name: str(value) for name, value in entry.fields.items()}, **event}
    return event


def _summarize_fault(
    _: Any, __: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Log an expected failure of an operation without a stack trace: no bug."""
    info: Any = event.get("exc_info")
    error: BaseException | None = (
        cast("tuple[Any, BaseException, Any]", info)[1] if isinstance(info, tuple) else None
    )
    if isinstance(error, ApplicationError) and error.type in set(Fault) - {Fault.BUG}:
        del event["exc_info"]
        # The SDK appends its context to the message, as " ({…})"; it is bound as fields above.
        message = str(event["event"]).partition(" ({")[0]
        event = {**event, "event": message, "fault": error.type, "reason": error.message}
    return event

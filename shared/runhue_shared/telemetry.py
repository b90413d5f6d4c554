"""Logs as events with fields (structlog), and the file by which a supervisor sees that a process lives."""

import logging
import os
import sys
from pathlib import Path

import structlog

from runhue_shared.settings import settings

HEARTBEAT_FILE = "RUNHUE_HEARTBEAT_FILE"
"""Environment variable: the file whose modification time says when the process was last alive."""


def configure_logging(service: str) -> None:
    """Send this process's logs to stderr: JSON lines or colored text by `RUNHUE_LOG_JSON`.

    Standard-library loggers (uvicorn, celery) come out the same way. Call once, in the main program.
    """
    current = settings()
    level = logging.getLevelNamesMapping().get(current.log_level.upper(), logging.INFO)
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        _named(service),
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            *_renderers(current.log_json),
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)


def _named(service: str) -> structlog.typing.Processor:
    def add_service(
        _logger: object, _method: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        event["service"] = service
        return event

    return add_service


def _renderers(as_json: bool) -> list[structlog.typing.Processor]:
    # Traces without local variables: those hold keys and users' data, and showing them blocks for seconds.
    if as_json:
        plain = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        return [structlog.processors.ExceptionRenderer(plain), structlog.processors.JSONRenderer()]
    plain_text = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain_text)]


def touch_heartbeat() -> None:
    """Say that this process is alive now; nothing when no supervisor asked for it.

    Called where work really goes on (event loop, consumer, sweep), so that a hung process is seen.
    """
    if path := os.environ.get(HEARTBEAT_FILE):
        Path(path).touch()

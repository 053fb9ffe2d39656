"""Structured logs (OPS-3): JSON lines, or readable ones on a terminal; secrets never reach them."""

from __future__ import annotations

import logging
import sys

import structlog

from workers.settings import LogSettings


def configure_logs(settings: LogSettings, **bound: str) -> None:
    """Sends this process's logs, libraries' included, to stderr."""
    level = getattr(logging, settings.level.upper())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    last: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer()
        if settings.format == "console"
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[*shared, last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
        )
    )
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[handler], force=True)
    structlog.contextvars.bind_contextvars(**bound)


def only_results() -> None:
    """A command shows what it was asked for: retries and reconnects on the way are not told.

    A worker says what it logs afterwards, by `configure_logs`.
    """
    logging.basicConfig(level=logging.CRITICAL, handlers=[logging.NullHandler()], force=True)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))

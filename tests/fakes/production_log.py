"""The log as production writes it, for tests that read it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from gateway.telemetry.log import configure


@contextmanager
def production_log() -> Iterator[io.StringIO]:
    """Everything from debug up, as JSON lines; afterwards logging is as it was."""
    root = logging.getLogger()
    before = root.handlers, root.level
    stream = io.StringIO()
    configure("debug", stream=stream)
    try:
        yield stream
    finally:
        structlog.reset_defaults()
        root.handlers, root.level = before


def lines(stream: io.StringIO, event: str) -> list[dict[str, object]]:
    """Those of one event."""
    return [line for line in map(json.loads, stream.getvalue().splitlines()) if line["event"] == event]

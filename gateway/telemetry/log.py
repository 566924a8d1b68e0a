"""One log set-up: JSON lines for machines or a readable form for people, ours and our libraries' alike.

Every line passes `redaction`. The access line is written past structlog, because there is one for every
request: it is put together from parts that are known to be safe.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from hashlib import sha256
from json.encoder import encode_basestring_ascii as quoted
from select import PIPE_BUF
from typing import Final, TextIO, cast

from gateway.core import clock
from gateway.core.memo import Memo
from gateway.telemetry.plain_structlog import structlog
from gateway.telemetry.redaction import redact, without_tokens

LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}
MOST_PARAMETERS: Final = 20
TOGETHER: Final = PIPE_BUF
"""Bytes of access lines in one write: so many a pipe takes in one piece, whoever else writes to it (POSIX, write)."""
_PLAIN_NAME: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.[]")


def configure(level: str = "info", *, stream: TextIO | None = None, readable: bool = False) -> None:
    """Set up logging for the process; may be called again.

    `level`: debug, info, warning or error. `stream`: stderr when absent. `readable`: for people at a terminal
    instead of JSON lines.
    """
    target = sys.stderr if stream is None else stream
    shared = _shared()
    last: list[structlog.typing.Processor] = [redact, _renderer(readable)]
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, *shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(target),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(target)
    remove = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[remove, *last])
    )
    root = logging.getLogger()
    root.handlers = [handler]
    # Libraries say a lot at their info level that is not about the operator's gateway.
    root.setLevel(max(LEVELS[level], logging.WARNING) if level != "debug" else logging.DEBUG)


def get_logger(name: str) -> structlog.typing.FilteringBoundLogger:
    """A logger whose lines say which part of the gateway speaks. It follows a later `configure`."""
    return cast("structlog.typing.FilteringBoundLogger", structlog.get_logger(part=name))


def _shared() -> list[structlog.typing.Processor]:
    return [
        structlog.processors.add_log_level,
        _stamp,
        structlog.processors.format_exc_info,
        structlog.processors.UnicodeDecoder(),
    ]


def _renderer(readable: bool) -> structlog.typing.Processor:
    if readable:
        return structlog.dev.ConsoleRenderer(colors=False)
    return structlog.processors.JSONRenderer(ensure_ascii=True)


def _stamp(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    event["time"] = round(clock.precise(), 3)
    return event


def session_mark(sid: str) -> str:
    """How a log names a session: the start of a hash of its sid, so that a log cannot be used as a cookie."""
    return _marks[sid]


def _hashed(sid: str) -> str:
    return sha256(sid.encode("utf-8", "backslashreplace")).hexdigest()[:12]


_marks = Memo(_hashed, entries=4_096, size=2 * 1024 * 1024)


def parameter_names(query: str) -> list[str]:
    """The names in a raw query string, at most 20; a part that could be a value itself is "?" (rule R34)."""
    if not query:
        return []
    return [_parameter_name(part) for part in query.split("&", MOST_PARAMETERS)[:MOST_PARAMETERS] if part]


def _parameter_name(part: str) -> str:
    name = part.partition("=")[0]
    return name if len(name) <= 32 and _PLAIN_NAME.issuperset(name) else "?"


class AccessLines:
    """Writes the access lines, many at a time: when they fill `TOGETHER` bytes, and at each `flush`.

    `stream` passes on what it is given in one piece; `readable` as in `configure`.
    """

    __slots__ = ("_filled", "_lines", "_readable", "_stream")

    def __init__(self, stream: TextIO, *, readable: bool = False) -> None:
        self._stream = stream
        self._readable = readable
        self._lines: list[str] = []
        self._filled = 0

    def access(
        self,
        *,
        method: str,
        path: str,
        parameters: Sequence[str],
        status: int,
        seconds: float,
        sent: int,
        sid: str | None,
        request_id: str,
    ) -> None:
        """One line for one finished request.

        `path` without its query, written without what looks like a token; `parameters` from `parameter_names`;
        `seconds` from the first byte read to the last written; `sent` bytes of the response body; `status` 0 when
        none was sent.
        """
        mark = "-" if sid is None else session_mark(sid)
        path = without_tokens(path)
        if self._readable:
            query = "?" + "&".join(parameters) if parameters else ""
            where = f"{quoted(method)[1:-1]} {quoted(path)[1:-1]}{query}"
            line = f"{status} {where} {seconds * 1000:.1f} ms {sent} B session={mark} request={request_id}\n"
        else:
            names = ",".join(map(quoted, parameters))
            line = (
                f'{{"event":"access","level":"info","time":{clock.precise():.3f},"method":{quoted(method)},'
                f'"path":{quoted(path)},"parameters":[{names}],"status":{status},"ms":{seconds * 1000:.2f},'
                f'"bytes":{sent},"session":"{mark}","request":{quoted(request_id)}}}\n'
            )
        if self._filled + len(line) > TOGETHER:
            self.flush()
        self._lines.append(line)
        self._filled += len(line)

    def flush(self) -> None:
        """Write what has come together; the owner does so several times a second, and at the end.

        Raises `OSError` when it cannot be written; it is not tried again.
        """
        lines, self._lines, self._filled = self._lines, [], 0
        if lines:
            self._stream.write("".join(lines))

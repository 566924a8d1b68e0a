"""Stage 1, the door: bytes become facts, facts find their endpoint or the gate (design section 3, rule R37).

Built on aiohttp's low-level server, because a router is not a door: it normalises, answers ``OPTIONS *`` and CONNECT
itself, and its 400 page repeats the request. Here one function sees every request that could be parsed, and what could
not be parsed gets an answer of ours that repeats nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import HttpVersion10, web
from aiohttp.web_protocol import RequestHandler

from gateway.core import clock
from gateway.core.errors import DownstreamError, GatewayError
from gateway.core.facts import DoorRules, RequestFacts, build, is_person
from gateway.telemetry.log import get_logger
from gateway.web.accounts import Accounts
from gateway.web.errors import refuse, refuse_error
from gateway.web.gate import Gate
from gateway.web.table import Table

MAX_HEADERS = 128
"""As many as aiohttp and nginx's usual buffers admit; Apache's LimitRequestFields is 100."""
_log = get_logger("door")

FIRST_REQUEST = 0.5
"""Seconds that a new connection may take to send something, when all others are being closed."""
KEEP_ALIVE = 75.0
"""Seconds an idle client connection is kept: nginx's keepalive_timeout."""


@dataclass(frozen=True, slots=True)
class DoorLimits:
    """Bytes. ``header``: one header line, and the request line. ``body``: 0 is no limit."""

    header: int
    body: int


class Door:
    """Answers every request.

    :param accounts: told of each answered request.
    :ivar draining: ask clients to leave after each answer of our own (SIGTERM).
    """

    def __init__(
        self,
        rules: DoorRules,
        limits: DoorLimits,
        *,
        table: Table,
        gate: Gate,
        accounts: Accounts,
    ) -> None:
        self.draining = False
        self._rules = rules
        self._limits = limits
        self._table = table
        self._gate = gate
        self._accounts = accounts

    def listener(self) -> Listener:
        """The protocol factory for ``loop.create_server``."""
        return Listener(self.handle, self._limits)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request, one answer; whatever goes wrong inside is a 5xx and never a pass (guarantee 1)."""
        began = clock.precise()
        facts, response = await self._answer(request)
        if self.draining and isinstance(response, web.Response):
            response.force_close()
        self._accounts.note(request, facts, response, clock.precise() - began)
        return response

    async def _answer(self, request: web.BaseRequest) -> tuple[RequestFacts | None, web.StreamResponse]:
        facts: RequestFacts | None = None
        try:
            if request.method in {"CONNECT", "TRACE"}:
                response = refuse(None, "unknown_method")
                response.force_close()  # what follows a CONNECT is no HTTP to whoever takes it for a tunnel
                return None, response
            if request.version < HttpVersion10:  # aiohttp reads HTTP/0.9 with the headers of later versions
                raise DownstreamError("malformed_request")
            facts = build(
                request.method, request.raw_path, request.raw_headers, request.remote or "", self._rules
            )
            self._check_size(request)
            endpoint = self._table.find(facts) or self._gate.handle
            return facts, await endpoint(request, facts)
        except GatewayError as error:
            if error.side in {"internal", "config"}:
                _log.error("request_failed", code=error.code, detail=error.detail)
            person = is_person(request.headers.get("Sec-Fetch-Mode"), request.headers.get("Accept", ""))
            return facts, refuse_error(facts, error, person=person)
        except (asyncio.CancelledError, ConnectionError):
            raise
        except Exception:  # noqa: BLE001 -- the last line of defence: fail closed, and say so in the log
            _log.exception("request_crashed")
            return facts, refuse(facts, "internal")

    def _check_size(self, request: web.BaseRequest) -> None:
        length = request.content_length
        if self._limits.body and length is not None and length > self._limits.body:
            raise DownstreamError("too_large", "The request's body is larger than this site accepts.")


class Listener(web.Server):
    """Makes one `Connection` for each accepted connection."""

    def __init__(self, handler: Callable[[web.BaseRequest], object], limits: DoorLimits) -> None:
        super().__init__(handler)  # type: ignore[arg-type]  # aiohttp's private handler type
        self._limits = limits

    def __call__(self) -> RequestHandler:
        """A protocol for one connection."""
        return Connection(
            self,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=KEEP_ALIVE,
            access_log=None,
            max_line_size=self._limits.header,
            max_field_size=self._limits.header,
            max_headers=MAX_HEADERS,
            auto_decompress=False,
        )

    def close_idle(self) -> int:
        """Close the connections that carry no request, but for brand-new ones; how many there still are."""
        newest = asyncio.get_running_loop().time() - FIRST_REQUEST
        for connection in self.connections:
            if isinstance(connection, Connection) and connection.idle and connection.born <= newest:
                connection.force_close()
        return len(self.connections)


class Connection(RequestHandler):
    """One client's connection; what cannot be parsed is answered without repeating any of it.

    :ivar born: loop time of its making.
    """

    __slots__ = ("born",)

    def __init__(self, *args: Any, loop: asyncio.AbstractEventLoop, **options: Any) -> None:
        super().__init__(*args, loop=loop, **options)
        self.born = loop.time()

    @property
    def idle(self) -> bool:
        """Whether it waits for a request. aiohttp asks itself in the same way before it closes a connection that was
        idle for too long, and has no public name for it; a test pins it.
        """
        return self._waiter is not None and not self._waiter.done()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Our own page; the connection is closed after it, for its framing is lost."""
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun; nothing can be added to it")
        reason = "malformed_request" if status < 500 else "internal"
        if exc is not None and type(exc).__name__ == "LineTooLong":
            reason = "headers_too_large"
        response = refuse(None, reason)
        response.force_close()
        return response

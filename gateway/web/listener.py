"""Stage 1, the door: bytes become facts, facts find their endpoint or the gate (design section 3, rule R37).

Built on aiohttp's low-level server, because a router is not a door: it normalises, answers ``OPTIONS *`` and CONNECT
itself, and its 400 page repeats the request. Here one function sees every request that could be parsed, and what could
not be parsed gets an answer of ours that repeats nothing.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from aiohttp import HttpVersion10, HttpVersion11, web

from gateway.core import clock
from gateway.core.errors import DownstreamError, GatewayError
from gateway.core.facts import DoorRules, RequestFacts, build, is_person
from gateway.telemetry.log import get_logger
from gateway.web.accounts import Accounts
from gateway.web.connections import LOOPBACK, Connection, DoorLimits, Listener, last_word
from gateway.web.downstream import Sent
from gateway.web.errors import refuse, refuse_error
from gateway.web.gate import Gate
from gateway.web.table import Table
from gateway.web.upload import BodyError

__all__ = ["Connection", "Door", "DoorLimits", "Listener"]

_LAST = frozenset(
    {"ambiguous_header", "malformed_request", "headers_too_large", "too_large", "broken_body", "too_slow"}
)
"""After these the connection ends: where the next request begins is in doubt, or nobody wants to read so far."""
_log = get_logger("door")


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
        proxies = (*LOOPBACK, *self._rules.trusted_proxies)
        return Listener(self.handle, replace(self._limits, proxies=proxies))

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
            if request.version != HttpVersion11:
                if request.version != HttpVersion10:  # aiohttp reads 0.9 and 2.0 as it reads 1.1
                    return None, Sent(400, last_word("malformed_request"), keep_alive=False)
                if "Transfer-Encoding" in request.headers:  # a sign of faulty framing (RFC 9112 §6.1)
                    raise DownstreamError("malformed_request")
            facts = build(
                request.method, request.raw_path, request.raw_headers, request.remote or "", self._rules
            )
            self._check_size(request)
            endpoint = self._table.find(facts) or self._gate.handle
            answer = await endpoint(request, facts)
            if facts.ends_connection and isinstance(answer, web.Response):
                answer.force_close()
            return facts, answer
        except GatewayError as error:
            return facts, _refused(request, facts, error)
        except BodyError as error:
            return facts, _refused(request, facts, DownstreamError(error.code))
        except (asyncio.CancelledError, ConnectionError):
            raise
        except Exception:  # noqa: BLE001 -- the last line of defence: fail closed, and say so in the log
            _log.exception("request_crashed")
            return facts, refuse(facts, "internal")

    def _check_size(self, request: web.BaseRequest) -> None:
        connection = request.protocol
        if isinstance(connection, Connection) and connection.heavy:
            size = sum(len(name) + len(value) + 4 for name, value in request.raw_headers)
            if size + len(request.raw_path) > self._limits.header:
                raise DownstreamError("headers_too_large", "All headers together are too large.")
        length = request.content_length
        if self._limits.body and length is not None and length > self._limits.body:
            raise DownstreamError("too_large", "The request's body is larger than this site accepts.")


def _refused(request: web.BaseRequest, facts: RequestFacts | None, error: GatewayError) -> web.Response:
    if error.side in {"internal", "config"}:
        _log.error("request_failed", code=error.code, detail=error.detail)
    person = is_person(request.headers.get("Sec-Fetch-Mode"), request.headers.get("Accept", ""))
    response = refuse_error(facts, error, person=person)
    if error.code in _LAST:
        response.force_close()
    return response

"""Stage 1, the door: bytes become facts, facts find their endpoint or the gate (design section 3, rule R37).

One function sees every request that could be read, and what could not be read gets an answer of ours that repeats
nothing. Most requests are answered, or on their way to their upstream, before ``handle`` returns; for the rest a task
waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import replace

from gateway.core import clock
from gateway.core.errors import DownstreamError, GatewayError
from gateway.core.http.addresses import UNKNOWN, is_trusted, why_unknown
from gateway.core.http.facts import DoorRules, is_person
from gateway.core.policy.schema import METHODS
from gateway.telemetry.log import get_logger
from gateway.telemetry.seldom import Seldom
from gateway.web.door.access_log import AccessLog
from gateway.web.door.connections import Listener
from gateway.web.door.limits import LOOPBACK, DoorLimits
from gateway.web.door.table import EndpointFinder
from gateway.web.forward.forwarding import tell_of_failure
from gateway.web.gate import Gate
from gateway.web.messages import Answer, CompleteResponse, Request, Response
from gateway.web.pages.errors import refuse, refuse_error
from gateway.web.pages.respond import redirect
from gateway.web.preflight import readable

__all__ = ["Door", "DoorLimits", "Listener"]

_KNOWN = METHODS | {"HEAD"}
"""Those that can be decided on (RFC 9110 §9), without CONNECT and TRACE."""
_LAST = frozenset({"ambiguous_header", "malformed_request", "too_large", "broken_body", "too_slow"})
"""After these the connection ends: where the next request begins is in doubt, or nobody wants to read so far."""
_log = get_logger("door")


class Door:
    """Answers every request.

    :param access_log: told of each answered request.
    :ivar draining: ask clients to leave after each answer of our own (SIGTERM).
    """

    def __init__(
        self,
        rules: DoorRules,
        limits: DoorLimits,
        *,
        table: EndpointFinder,
        gate: Gate,
        access_log: AccessLog,
    ) -> None:
        self.draining = False
        self._rules = rules
        self._limits = limits
        self._table = table
        self._gate = gate
        self._access_log = access_log
        self._seldom = Seldom()

    def listener(self) -> Listener:
        """The protocol factory for ``loop.create_server``."""
        proxies = (*LOOPBACK, *self._rules.trusted_proxies)
        return Listener(self.handle, replace(self._limits, proxies=proxies), self.unreadable)

    def handle(self, request: Request) -> None:
        """One request, one answer; whatever goes wrong inside is a 5xx and never a pass (guarantee 1)."""
        request.door = self
        request.began = clock.precise()
        try:
            answer: Answer | Exception = self._answer(request)
        except Exception as error:  # noqa: BLE001 -- the last line of defence: fail closed, and say so in the log
            answer = error
        if answer is not None:
            self.settle(request, answer)

    def settle(self, request: Request, answer: Answer | Exception) -> None:
        """Give out the answer, or wait for it; when not even an error can be told, the connection ends."""
        try:
            if isinstance(answer, Exception):
                answer = self._refusal(request, answer)
            if isinstance(answer, CompleteResponse):
                self._give(request, answer)
            elif answer is not None:
                request.connection.wait(self._awaited(request, answer))
        except Exception as error:  # noqa: BLE001 -- a client without an answer would wait for ever
            request.connection.abort()
            _log.error("answer_crashed", exc_info=error)

    def unreadable(self, client: str, error: DownstreamError) -> Response:
        """The answer to what is no request: one page for everybody, for who it is cannot be known."""
        self._access_log.unreadable(client, error.code)
        return refuse_error(None, error)

    def _answer(self, request: Request) -> Answer:
        if request.method not in _KNOWN:
            response = refuse(None, "unknown_method")
            response.close = True  # what follows a CONNECT is no HTTP to whoever takes it for a tunnel
            return response
        facts = request.facts = request.head.facts(request.peer, self._rules)
        if facts.client == UNKNOWN:
            self._note_unknown(request)
        if self._limits.body and request.block.length > self._limits.body:
            raise DownstreamError("too_large")
        endpoint = self._table.find(facts) or self._gate.handle
        if request.block.facts.plain and self._came_plain(request) and not self._table.is_question(facts):
            return redirect(f"https://{facts.host}{facts.raw_target}", status=308)
        return endpoint(request, facts)

    def _note_unknown(self, request: Request) -> None:
        """A trusted proxy's word about its client cannot be read: once a second for each way in which it cannot."""
        header = self._rules.client_header
        why = why_unknown(request.block.facts.forwarded, header)
        if times := self._seldom.due(why):
            fix = "have the proxy write it, or name the header that it writes in `client_ip_header`"
            _log.warning(
                "client_unknown", why=why, header=header.decode(), proxy=request.peer, times=times, fix=fix
            )

    def _came_plain(self, request: Request) -> bool:
        """A proxy of ours took it without TLS, where a browser keeps none of our cookies: nothing is begun there."""
        return self._rules.scheme == "https" and is_trusted(request.peer, self._rules.trusted_proxies)

    async def _awaited(self, request: Request, answer: Awaitable[Answer]) -> None:
        try:
            outcome: Answer | Exception = await answer
        except (
            asyncio.CancelledError
        ):  # cut off; or something inside was, and then nobody else would tell the client
            request.connection.abort()
            raise
        except Exception as error:  # noqa: BLE001 -- as above
            outcome = error
        self.settle(request, outcome)

    def _give(self, request: Request, response: CompleteResponse) -> None:
        if isinstance(response, Response):
            origin = request.facts.origin if request.facts is not None and response.status >= 400 else None
            if origin is not None and origin in self._gate.origins:
                response = readable(response, origin)
            response.close = response.close or self.draining
        self._access_log.note(request, request.facts, response, clock.precise() - request.began)
        request.connection.respond(request, response)

    def _refusal(self, request: Request, error: Exception) -> Response:
        facts = request.facts
        if not isinstance(error, GatewayError):
            _log.error("request_crashed", exc_info=error)
            return refuse(facts, "internal")
        if error.blame in {"internal", "config"}:
            _log.error("request_failed", reason=error.code, detail=error.detail)
        tell_of_failure(error, request.route)
        person = is_person(request.header(b"sec-fetch-mode") or None, request.header(b"accept"))
        response = refuse_error(facts, error, person=person)
        response.close = error.code in _LAST
        return response

"""The calls that are answered: Envoy's check, by the gateway's one decision, and the health of gRPC's services."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import cast

from google.protobuf.message import DecodeError

from gateway.core.errors import DownstreamError
from gateway.web.door.listener import Door
from gateway.web.ext_authz.call import (
    INTERNAL,
    INVALID_ARGUMENT,
    NOT_FOUND,
    UNAVAILABLE,
    UNIMPLEMENTED,
    GrpcCall,
)
from gateway.web.ext_authz.messages_pb2 import HealthCheckRequest, HealthCheckResponse
from gateway.web.ext_authz.question import read_question
from gateway.web.ext_authz.verdict import denied, passed
from gateway.web.forward.forwarder import Forwarder
from gateway.web.messages import ClientConnection, CompleteResponse, Request, Response

AUTHORIZATION = "envoy.service.auth.v3.Authorization"
_SERVICES = frozenset({"", AUTHORIZATION})
"""Of which there is a health; empty: of all."""
_SERVING, _NOT_SERVING, _SERVICE_UNKNOWN = 1, 2, 3
"""Of ``HealthCheckResponse.ServingStatus``."""


class Service:
    """Answers calls.

    :param door: that has one endpoint, the check, for every path. :param headers: bytes of a request's header lines.
    :param serving: whether questions should go to this replica.
    """

    def __init__(
        self, door: Door, forwarder: Forwarder, *, headers: int, serving: Callable[[], bool]
    ) -> None:
        self._door = door
        self._forwarder = forwarder
        self._headers = headers
        self._serving = serving
        self._tasks: set[asyncio.Future[None]] = set()
        self._methods = {
            f"/{AUTHORIZATION}/Check".encode(): self._check,
            b"/grpc.health.v1.Health/Check": self._health,
            b"/grpc.health.v1.Health/Watch": self._health_watched,
        }

    def __call__(self, call: GrpcCall) -> None:
        """Answer now, or when it can be known."""
        self._methods.get(call.method, _unknown)(call)

    def _check(self, call: GrpcCall) -> None:
        try:
            head = read_question(call.asked, self._headers, call.secret)
        except DownstreamError as error:
            call.reply(denied(self._door.unreadable(call.peer, error)))
            call.settled()
            return
        self._door.handle(Request(cast("ClientConnection", _Asking(self, call)), head, None))

    def answer(self, call: GrpcCall, request: Request, response: CompleteResponse) -> None:
        """The door's answer to a question goes to its caller."""
        try:
            if not isinstance(response, Response):
                call.fail(INTERNAL, "internal")
            elif response.status == 200:
                names = [name for name, _ in request.headers]
                taken_out = self._forwarder.taken_out(request.route, names)
                call.reply(passed(response, request.headers, taken_out))
            else:
                call.reply(denied(response))
        finally:
            call.settled()

    def keep(self, answering: Awaitable[None]) -> None:
        """A task that is not lost while it runs."""
        task = asyncio.ensure_future(answering)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _health(self, call: GrpcCall) -> None:
        """``grpc.health.v1``: of all, or of the one service there is."""
        service = _service_of(call)
        if service in _SERVICES:
            call.reply(self._status(service))
        elif service is not None:
            call.fail(NOT_FOUND, "no such service")
        call.settled()

    def _health_watched(self, call: GrpcCall) -> None:
        """The same as it is now, and each time that it changes. A service that is unknown is so for good."""
        service = _service_of(call)
        if service is not None:
            call.watch(partial(self._status, service))
        call.settled()

    def _status(self, service: str) -> bytes:
        status = _SERVING if self._serving() else _NOT_SERVING
        return HealthCheckResponse(
            status=status if service in _SERVICES else _SERVICE_UNKNOWN
        ).SerializeToString()


def _service_of(call: GrpcCall) -> str | None:
    """Of which service the health is asked for; None where that cannot be read, which the caller has been told."""
    try:
        return HealthCheckRequest.FromString(call.asked).service
    except DecodeError:
        call.fail(INVALID_ARGUMENT, "no HealthCheckRequest")
        return None


class _Asking:
    """What a question needs of a client's connection; nothing is forwarded for it."""

    pools = frozenset[object]()

    def __init__(self, service: Service, call: GrpcCall) -> None:
        self._service = service
        self._call = call
        self.peer = call.peer

    def wait(self, answering: Awaitable[None]) -> None:
        self._service.keep(answering)

    def respond(self, request: Request, response: CompleteResponse) -> None:
        self._service.answer(self._call, request, response)

    def abort(self) -> None:
        self._call.fail(UNAVAILABLE, "no answer")
        self._call.settled()


def _unknown(call: GrpcCall) -> None:
    call.fail(UNIMPLEMENTED, "no such method")
    call.settled()

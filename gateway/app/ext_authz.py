"""Puts the listener together on which Envoy asks over gRPC. Imported only where one is configured."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable

from gateway.app.accepting import backlog
from gateway.app.reload import Watched
from gateway.app.tls import Renewable
from gateway.web.door.access_log import AccessLog
from gateway.web.door.limits import DoorLimits
from gateway.web.door.listener import Door
from gateway.web.ext_authz.listener import QuestionListener
from gateway.web.ext_authz.service import Service
from gateway.web.forward.forwarder import Forwarder

BESIDE = 64 * 1024
"""Bytes of a message besides the header lines: addresses, certificates, what routes say of themselves."""


class Questions:
    """Everything behind ``forward_auth.grpc``.

    :param door: the check alone. :param certificate: and who may ask; None where it is plain.
    :param serving: whether questions should go to this replica.
    :ivar certificate: the same, which is taken in anew.
    """

    def __init__(
        self, door: Door, limits: DoorLimits, forwarder: Forwarder, books: AccessLog,
        certificate: Watched[tuple[str, ...], ssl.SSLContext] | None, serving: Callable[[], bool],
    ) -> None:  # fmt: skip
        self._ask = Service(door, forwarder, headers=limits.header, serving=serving)
        self._books = books
        self._limits = limits
        self._tls: ssl.SSLContext | None = None
        self._listening: QuestionListener | None = None
        self.certificate = certificate
        if certificate is not None:
            renewable = Renewable(certificate.first())
            self._tls = renewable.context
            certificate.follow(renewable.replace)

    async def listen(self, sock: socket.socket) -> None:
        """Take connections from now on."""
        limits = self._limits
        self._listening = QuestionListener(
            self._ask,
            self._books,
            longest=limits.header + BESIDE,
            seconds=limits.head_seconds,
            keep_alive=limits.keep_alive,
        )
        await self._listening.listen(sock, self._tls, backlog())

    async def drain(self, limit: float) -> None:
        """Let what is asked be answered, at most ``limit`` seconds, and end."""
        if self._listening is not None:
            await self._listening.drain(limit)

"""The request body on its way to the upstream: streamed, bounded by back-pressure, never decoded or re-encoded."""

from __future__ import annotations

from gateway.core.errors import DownstreamError
from gateway.proxy.connection import UpstreamConnection
from gateway.proxy.exchange import Exchange
from gateway.web.body import Body

LAST_CHUNK = b"0\r\n\r\n"


def too_large() -> DownstreamError:
    """The body is larger than ``limits.body`` (413)."""
    return DownstreamError("too_large")


class Upload:
    """One request's body.

    :param limit: bytes; 0 means none.
    """

    __slots__ = ("_body", "_limit", "_size")

    def __init__(self, body: Body, *, length: int, limit: int) -> None:
        self._body = body
        self._limit = limit
        self._size = 0
        if limit and length > limit:
            raise too_large()

    def at_hand(self) -> bytes | None:
        """The whole body as it goes on the wire, when all of it has come with the head; else None.

        :raises DownstreamError: ``too_large``.
        """
        body = self._body.at_hand()
        if body is None:
            return None
        return self._framed(body) + (LAST_CHUNK if self._body.chunked else b"")

    async def run(self, connection: UpstreamConnection, exchange: Exchange) -> None:
        """Send the body until it or the exchange is over; ends the exchange when the client breaks off."""
        connection.listen_to_the_end()
        self._body.accept()
        try:
            await self._pump(connection, exchange)
        except DownstreamError as error:
            exchange.fail(error)

    async def _pump(self, connection: UpstreamConnection, exchange: Exchange) -> None:
        while True:
            exchange.body_progress(waiting_for="client")
            data = await self._body.read()
            if exchange.over:
                return
            if not data:
                if self._body.chunked:
                    connection.write(LAST_CHUNK)
                exchange.body_sent()
                return
            connection.write(self._framed(data))
            if connection.write_paused:
                exchange.body_progress(waiting_for="upstream")
                await connection.drain()

    def _framed(self, data: bytes) -> bytes:
        self._size += len(data)
        if self._limit and self._size > self._limit:
            raise too_large()
        return b"%x\r\n%b\r\n" % (len(data), data) if self._body.chunked and data else data

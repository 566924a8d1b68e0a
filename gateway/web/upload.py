"""The request body on its way to the upstream: streamed, bounded by back-pressure, never decoded or re-encoded."""

from __future__ import annotations

from aiohttp import StreamReader, web

from gateway.core.errors import DownstreamError
from gateway.proxy.connection import UpstreamConnection
from gateway.proxy.exchange import Exchange

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"


def too_large() -> DownstreamError:
    """The body is larger than ``limits.body`` (413)."""
    return DownstreamError(
        "too_large", "The request body is too large.", mend="Send less, or raise `limits.body`."
    )


def broken_body() -> DownstreamError:
    """The client broke off, or its body is not framed as it said."""
    return DownstreamError("broken_body", "The request body is incomplete or malformed.")


class BodyError(TimeoutError):
    """What a client sends as its body is given up: ``broken_body`` or ``too_slow``.

    A TimeoutError, because aiohttp reads on after the answer and logs any other kind as a crash.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Upload:
    """One request's body.

    :param chunked: forward it in chunks. :param limit: bytes; 0 means none.
    """

    __slots__ = ("_chunked", "_content", "_expected", "_limit", "_request", "_size")

    def __init__(self, request: web.BaseRequest, *, chunked: bool, limit: int) -> None:
        self._request = request
        self._content: StreamReader = request.content
        self._chunked = chunked
        self._limit = limit
        self._size = 0
        self._expected = request.headers.get("Expect", "").lower() == "100-continue"
        if limit and (request.content_length or 0) > limit:
            raise too_large()

    def at_hand(self) -> bytes | None:
        """The whole body as it goes on the wire, when all of it has come with the head; else None.

        :raises DownstreamError: ``too_large``.
        """
        if not self._content.is_eof():
            return None
        body = self._content.read_nowait()
        return self._framed(body) + (LAST_CHUNK if self._chunked else b"")

    async def run(self, connection: UpstreamConnection, exchange: Exchange) -> None:
        """Send the body until it or the exchange is over; ends the exchange when the client breaks off."""
        if self._expected:
            self._answer_expectation()
        try:
            await self._pump(connection, exchange)
        except DownstreamError as error:
            exchange.fail(error)
        except BodyError as error:
            exchange.fail(DownstreamError(error.code))
        except Exception:  # noqa: BLE001 -- aiohttp raises many kinds here: all say that the client's body is broken
            exchange.fail(broken_body())

    async def _pump(self, connection: UpstreamConnection, exchange: Exchange) -> None:
        while True:
            exchange.body_progress(waiting_for="client")
            data = await self._content.readany()
            if exchange.over:
                return
            if not data:
                if self._chunked:
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
        return b"%x\r\n%b\r\n" % (len(data), data) if self._chunked and data else data

    def _answer_expectation(self) -> None:
        transport = self._request.transport
        if transport is not None and not transport.is_closing():
            transport.write(CONTINUE)

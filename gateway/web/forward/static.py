"""Answers from a directory (``file://`` upstreams), through the same header rules as every other response.

What does not fit into one piece goes by sendfile, or is copied piece by piece where that cannot be (TLS).
"""

from __future__ import annotations

import asyncio
import errno
from http import HTTPStatus

from gateway.core.http.facts import RequestFacts
from gateway.core.http.response_headers import ResponseHead, downstream_response_headers
from gateway.core.http.static_files import Conditions
from gateway.core.http.tab_injection import insertion, reframed
from gateway.proxy.files import FileAnswer, FileQuestion, FileUpstream
from gateway.proxy.sendfile import FileSender
from gateway.web.forward.downstream import ForwardedClient
from gateway.web.messages import Request, Sent
from gateway.web.statuses import status_of

_NOT_THIS_WAY = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})
"""What sendfile says of file systems that cannot do it."""
LARGEST_DOCUMENT = 1_048_576
"""Bytes of an HTML file that gets the tab script; it is read as a whole."""
_WRONG_METHOD = b"Method not allowed.\n"


class FileTransfer:
    """A file that did not fit into one piece, on its way to the client.

    :param idle: seconds the client may take for one piece.
    """

    def __init__(self, request: Request, client: ForwardedClient, answer: FileAnswer, idle: float) -> None:
        self._request = request
        self._client = client
        self._answer = answer
        self._idle = idle
        self._sender: FileSender | None = None

    def end(self, reason: str) -> None:
        """The session has ended: break off visibly."""
        self._client.abort()

    async def run(self, head: bytes) -> int:
        """Send it all, or break off; bytes of the file that were sent."""
        client, sent = self._client, 0
        transport = self._request.connection.transport
        if not client.gone and transport.get_extra_info("sslcontext") is None:
            self._sender = FileSender(transport, patience=self._idle)
            self._request.gone = self._sender.wake
            transport.set_write_buffer_limits(high=0)  # it may begin once nothing at all is left to send
        try:
            client.write(head + self._answer.first)
            if await self._room():
                sent = await self._rest()
        finally:
            self._let_go()
        if sent != self._answer.plan.length:
            client.abort()
        return sent

    async def _rest(self) -> int:
        sent = len(self._answer.first)
        while sent < self._answer.plan.length:
            try:
                size = (
                    await self._send(sent)
                    if self._sender is None
                    else await self._send_past(self._sender, sent)
                )
            except OSError as error:
                if self._sender is None or error.errno not in _NOT_THIS_WAY:
                    break  # the client has gone, or the disk
                self._let_go()
                continue
            if not size or self._client.gone:
                break
            sent += size
        return sent

    async def _send_past(self, sender: FileSender, sent: int) -> int:
        size = await self._answer.send(sender, sent)
        self._client.written += size
        self._request.connection.sends()
        return size

    async def _send(self, sent: int) -> int:
        piece = await self._answer.more(sent)
        if not await self._room():
            return 0
        self._client.write(piece)
        return len(piece)

    async def _room(self) -> bool:
        """Whether the client takes what waits in time."""
        client = self._client
        if client.blocked:
            try:
                async with asyncio.timeout(self._idle):
                    await client.drain()
            except TimeoutError:
                return False
        return not client.gone

    def _let_go(self) -> None:
        """The transport is alone with its socket again."""
        sender, self._sender = self._sender, None
        if sender is not None:
            sender.close()
            if not self._client.gone:
                self._request.connection.transport.set_write_buffer_limits()


async def serve_file(
    request: Request, client: ForwardedClient, facts: RequestFacts, files: FileUpstream, *, idle: float
) -> Sent:
    """Answer from a directory.

    :param idle: seconds the client may take for one piece.
    """
    if request.method not in {"GET", "HEAD"}:
        headers = ((b"Allow", b"GET, HEAD"), (b"Content-Length", b"%d" % len(_WRONG_METHOD)))
        return _response(client, status_of("wrong_method"), headers, _WRONG_METHOD)
    answer = await files.answer(_question(request, facts, plain=bool(client.script)))
    try:
        document = await _document(client, answer) if client.script else None
        if document is None and answer.left:
            return await _stream(request, client, answer, idle)
        if not client.stands:  # a disk may take longer than a sign-out
            client.abort()
            return Sent(answer.plan.status, b"", close=True)
        if document is not None:
            return document
        body = b"" if client.head_only else answer.first
        return _response(client, answer.plan.status, answer.plan.headers, body)
    finally:
        answer.close()


def _question(request: Request, facts: RequestFacts, *, plain: bool) -> FileQuestion:
    """:param plain: neither compressed, nor a part, nor whether it has changed."""
    return FileQuestion(
        path=facts.path,
        target=facts.raw_target,
        document=facts.document,
        head_only=request.method == "HEAD",
        accept_encoding="" if plain else request.header(b"accept-encoding"),
        conditions=Conditions()
        if plain
        else Conditions(
            if_none_match=request.header(b"if-none-match"),
            if_modified_since=request.header(b"if-modified-since"),
            if_range=request.header(b"if-range"),
            range=request.header(b"range"),
        ),
    )


async def _document(client: ForwardedClient, answer: FileAnswer) -> Sent | None:
    """The tab script in an HTML document; None for any other file."""
    status, length = answer.plan.status, answer.plan.length
    head = _built(client, status, answer.plan.headers)
    way = insertion(head, status, client.script)
    if way is None or length > LARGEST_DOCUMENT:
        return None
    body = answer.first
    while len(body) < length and (piece := await answer.more(len(body))):
        body += piece
    body = way.feed(body, last=True)
    head = reframed(head, length=len(body), http10=client.http10)
    return Sent(status, head.raw + body, close=head.close)


def _head(
    client: ForwardedClient, status: int, headers: tuple[tuple[bytes, bytes], ...]
) -> tuple[bytes, bool]:
    head = _built(client, status, headers)
    return head.raw, not head.close


def _built(client: ForwardedClient, status: int, headers: tuple[tuple[bytes, bytes], ...]) -> ResponseHead:
    return downstream_response_headers(
        status,
        HTTPStatus(status).phrase.encode(),
        headers,
        head_only=client.head_only,
        http10=client.http10,
        keep_alive=client.keep_alive,
        document=client.document,
        set_cookies=client.set_cookies,
    )


def _response(
    client: ForwardedClient, status: int, headers: tuple[tuple[bytes, bytes], ...], body: bytes
) -> Sent:
    head, keep_alive = _head(client, status, headers)
    return Sent(status, head + body, close=not keep_alive)


async def _stream(request: Request, client: ForwardedClient, answer: FileAnswer, idle: float) -> Sent:
    status, length = answer.plan.status, answer.plan.length
    head, keep_alive = _head(client, status, answer.plan.headers)
    transfer = FileTransfer(request, client, answer, idle)
    if not client.register(transfer.end):
        transfer.end("session ended")
    sent = await transfer.run(head)
    return Sent(status, b"", close=not keep_alive or sent != length, size=client.written)

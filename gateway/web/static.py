"""Answers from a directory (``file://`` upstreams), through the same header rules as every other response."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from gateway.core.facts import RequestFacts
from gateway.core.response_headers import ResponseHead, downstream_response_headers
from gateway.core.static_files import Conditions
from gateway.core.tab_injection import insertion, reframed
from gateway.proxy.files import FileAnswer, FileQuestion, FileUpstream
from gateway.web.downstream import ClientSide
from gateway.web.messages import Request, Sent

LARGEST_DOCUMENT = 1_048_576
"""Bytes of an HTML file that gets the tab script; it is read as a whole."""
_WRONG_METHOD = b"Method not allowed.\n"


class FileTransfer:
    """A file that did not fit into one piece, on its way to the client."""

    def __init__(self, client: ClientSide) -> None:
        self._client = client
        self.ended = False

    def end(self, reason: str) -> None:
        """The session has ended: break off visibly."""
        self.ended = True
        self._client.abort()


async def serve_file(
    request: Request, client: ClientSide, facts: RequestFacts, files: FileUpstream, *, idle: float
) -> Sent:
    """Answer from a directory.

    :param idle: seconds the client may take for one piece.
    """
    if request.method not in {"GET", "HEAD"}:
        headers = ((b"Allow", b"GET, HEAD"), (b"Content-Length", b"%d" % len(_WRONG_METHOD)))
        return _response(client, 405, headers, _WRONG_METHOD)
    answer = await files.answer(_question(request, facts, whole=bool(client.script)))
    try:
        if client.script and (document := await _document(client, answer)) is not None:
            return document
        if not answer.left:
            body = b"" if client.head_only else answer.first
            return _response(client, answer.plan.status, answer.plan.headers, body)
        return await _stream(client, answer, idle)
    finally:
        answer.close()


def _question(request: Request, facts: RequestFacts, *, whole: bool) -> FileQuestion:
    """:param whole: neither compressed, nor a part, nor whether it has changed."""
    return FileQuestion(
        path=facts.path,
        target=facts.raw_target,
        document=facts.document,
        head_only=request.method == "HEAD",
        accept_encoding="" if whole else request.header(b"accept-encoding"),
        conditions=Conditions()
        if whole
        else Conditions(
            if_none_match=request.header(b"if-none-match"),
            if_modified_since=request.header(b"if-modified-since"),
            if_range=request.header(b"if-range"),
            range=request.header(b"range"),
        ),
    )


async def _document(client: ClientSide, answer: FileAnswer) -> Sent | None:
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


def _head(client: ClientSide, status: int, headers: tuple[tuple[bytes, bytes], ...]) -> tuple[bytes, bool]:
    head = _built(client, status, headers)
    return head.raw, not head.close


def _built(client: ClientSide, status: int, headers: tuple[tuple[bytes, bytes], ...]) -> ResponseHead:
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


def _response(client: ClientSide, status: int, headers: tuple[tuple[bytes, bytes], ...], body: bytes) -> Sent:
    head, keep_alive = _head(client, status, headers)
    return Sent(status, head + body, close=not keep_alive)


async def _stream(client: ClientSide, answer: FileAnswer, idle: float) -> Sent:
    status, length = answer.plan.status, answer.plan.length
    head, keep_alive = _head(client, status, answer.plan.headers)
    transfer = FileTransfer(client)
    if not client.register(transfer.end):
        transfer.end("session ended")
    client.write(head + answer.first)
    sent = len(answer.first)
    while sent < length and not client.gone:
        piece = await answer.more(sent)
        if not piece or transfer.ended or not await _room(client, idle):
            client.abort()
            break
        client.write(piece)
        sent += len(piece)
    return Sent(status, b"", close=not keep_alive or sent != length, size=client.written)


async def _room(client: ClientSide, idle: float) -> bool:
    """Whether the client takes what waits within ``idle`` seconds."""
    if not client.blocked:
        return True
    try:
        async with asyncio.timeout(idle):
            await client.drain()
    except (TimeoutError, ConnectionError):
        return False
    return not client.gone

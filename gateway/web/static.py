"""Answers from a directory (``file://`` upstreams), through the same header rules as every other response."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from aiohttp import web

from gateway.core.facts import RequestFacts
from gateway.core.response_headers import downstream_response_headers
from gateway.core.static_files import Conditions
from gateway.proxy.files import FileAnswer, FileQuestion, FileUpstream
from gateway.web.downstream import ClientSide, Sent

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
    request: web.BaseRequest, client: ClientSide, facts: RequestFacts, files: FileUpstream, *, idle: float
) -> web.StreamResponse:
    """Answer from a directory.

    :param idle: seconds the client may take for one piece.
    """
    if request.method not in {"GET", "HEAD"}:
        headers = ((b"Allow", b"GET, HEAD"), (b"Content-Length", b"%d" % len(_WRONG_METHOD)))
        return _response(client, 405, headers, _WRONG_METHOD)
    answer = await files.answer(_question(request, facts))
    try:
        if not answer.left:
            body = b"" if client.head_only else answer.first
            return _response(client, answer.plan.status, answer.plan.headers, body)
        return await _stream(request, client, answer, idle)
    finally:
        answer.close()


def _question(request: web.BaseRequest, facts: RequestFacts) -> FileQuestion:
    get = request.headers.get
    return FileQuestion(
        path=facts.path,
        target=facts.raw_target,
        document=facts.document,
        head_only=request.method == "HEAD",
        accept_encoding=get("Accept-Encoding", ""),
        conditions=Conditions(
            if_none_match=get("If-None-Match", ""),
            if_modified_since=get("If-Modified-Since", ""),
            if_range=get("If-Range", ""),
            range=get("Range", ""),
        ),
    )


def _head(client: ClientSide, status: int, headers: tuple[tuple[bytes, bytes], ...]) -> tuple[bytes, bool]:
    head = downstream_response_headers(
        status,
        HTTPStatus(status).phrase.encode(),
        headers,
        head_only=client.head_only,
        http10=client.http10,
        keep_alive=client.keep_alive,
        document=client.document,
        set_cookies=client.set_cookies,
    )
    return head.raw, not head.close


def _response(
    client: ClientSide, status: int, headers: tuple[tuple[bytes, bytes], ...], body: bytes
) -> web.StreamResponse:
    head, keep_alive = _head(client, status, headers)
    return Sent(status, head + body, keep_alive=keep_alive)


async def _stream(
    request: web.BaseRequest, client: ClientSide, answer: FileAnswer, idle: float
) -> web.StreamResponse:
    status, length = answer.plan.status, answer.plan.length
    head, keep_alive = _head(client, status, answer.plan.headers)
    transfer = FileTransfer(client)
    if not client.register(transfer.end):
        transfer.end("session ended")
    client.write(head + answer.first)
    sent = len(answer.first)
    while sent < length and not client.gone:
        piece = await answer.more(sent)
        if not piece or transfer.ended or not await _room(request, client, idle):
            client.abort()
            break
        client.write(piece)
        sent += len(piece)
    return Sent(status, b"", keep_alive=keep_alive and sent == length, length=client.written)


async def _room(request: web.BaseRequest, client: ClientSide, idle: float) -> bool:
    """Whether the client takes what waits within ``idle`` seconds."""
    if not client.blocked:
        return True
    try:
        async with asyncio.timeout(idle):
            await request.writer.drain()
    except (TimeoutError, ConnectionError):
        return False
    return not client.gone

"""Okta as a transmitter of shared signals: discovery, the stream's own API, and polling (RFC 8936)."""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable

from aiohttp import web

from gateway.demo import dice
from gateway.demo.answers import json_answer
from gateway.demo.okta.outbound.streams import STATUSES, Stream, StreamError, Streams, metadata, shown
from gateway.demo.okta.state import Okta

TOKEN = "demo-ssf-token"  # noqa: S105 - published in the documentation
WELL_KNOWN = "/.well-known/ssf-configuration"
STREAM = "/api/v1/ssf/stream"
MOST = 100
"""Tokens in one answer to a poll."""

Handle = Callable[[web.Request, dict[str, object]], Awaitable[web.Response]]


class Transmitter:
    """One client, known by its bearer token, with one stream at most, as at Okta."""

    def __init__(self, okta: Okta, streams: Streams) -> None:
        self._okta = okta
        self._streams = streams

    def routes(self) -> list[web.RouteDef]:
        """Return this part's routes."""
        return [
            web.get(WELL_KNOWN, self._metadata, allow_head=False),
            web.post(STREAM, self._for_client(self._create)),
            web.get(STREAM, self._for_client(self._show), allow_head=False),
            web.put(STREAM, self._for_client(self._replace)),
            web.delete(STREAM, self._for_client(self._delete)),
            web.get(f"{STREAM}/status", self._for_client(self._status), allow_head=False),
            web.post(f"{STREAM}/status", self._for_client(self._set_status)),
            web.post(f"{STREAM}/verification", self._for_client(self._verify)),
            web.post("/api/v1/ssf/poll/{stream}", self._for_client(self._poll)),
        ]

    def _for_client(self, handle: Handle) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def checked(request: web.Request) -> web.Response:
            given = request.headers.get("Authorization", "")
            if not hmac.compare_digest(given.encode(), f"Bearer {TOKEN}".encode()):
                challenge = {"WWW-Authenticate": "Bearer"}
                return json_answer({"errorCode": "E0000011"}, status=401, headers=challenge)
            try:
                body = json.loads(await request.read() or b"{}")
                if not isinstance(body, dict):
                    raise StreamError("the body is a JSON object")
                return await handle(request, body)
            except ValueError as error:
                return json_answer({"errorCode": "E0000001", "errorSummary": str(error)}, status=400)

        return checked

    async def _metadata(self, request: web.Request) -> web.Response:
        return json_answer(metadata(self._okta))

    async def _create(self, request: web.Request, body: dict[str, object]) -> web.Response:
        if self._streams.current:
            return json_answer({"errorSummary": "there is a stream already"}, status=409)
        stream = self._streams.configure(f"esc{dice.token(12)}", body)
        return json_answer(shown(self._okta, stream), status=201)

    async def _show(self, request: web.Request, body: dict[str, object]) -> web.Response:
        return json_answer(shown(self._okta, self._named(request.query.get("stream_id"))))

    async def _replace(self, request: web.Request, body: dict[str, object]) -> web.Response:
        stream = self._named(body.get("stream_id"))
        return json_answer(shown(self._okta, self._streams.configure(stream.id, body)))

    async def _delete(self, request: web.Request, body: dict[str, object]) -> web.Response:
        self._named(request.query.get("stream_id"))
        self._streams.delete()
        return web.Response(status=204)

    async def _status(self, request: web.Request, body: dict[str, object]) -> web.Response:
        stream = self._named(request.query.get("stream_id"))
        return json_answer({"stream_id": stream.id, "status": stream.status})

    async def _set_status(self, request: web.Request, body: dict[str, object]) -> web.Response:
        stream = self._named(body.get("stream_id"))
        if body.get("status") not in STATUSES:
            raise StreamError(f"status is one of {', '.join(STATUSES)}")
        stream.status = str(body["status"])
        return json_answer({"stream_id": stream.id, "status": stream.status})

    async def _verify(self, request: web.Request, body: dict[str, object]) -> web.Response:
        stream = self._named(body.get("stream_id"))
        state = body.get("state")
        self._streams.verify(stream, str(state) if state is not None else None)
        return web.Response(status=204)

    async def _poll(self, request: web.Request, body: dict[str, object]) -> web.Response:
        """Answer at once, whether or not there is anything: `returnImmediately` is not waited for."""
        stream = self._named(request.match_info["stream"])
        acknowledged, refused = body.get("ack", []), body.get("setErrs", {})
        if not isinstance(acknowledged, list) or not isinstance(refused, dict):
            raise StreamError("ack is a list of jti, setErrs an object by jti")
        for jti in (*acknowledged, *refused):
            stream.waiting.pop(str(jti), None)
        wished = body.get("maxEvents")
        most = min(wished, MOST) if isinstance(wished, int) and wished >= 0 else MOST
        sets = dict(list(stream.waiting.items())[:most])
        return json_answer({"sets": sets, "moreAvailable": len(stream.waiting) > len(sets)})

    def _named(self, stream_id: object) -> Stream:
        """Return the stream; one that is not named is the only one there is."""
        stream = self._streams.current
        if stream is None or stream_id not in {None, stream.id}:
            body = json.dumps({"errorSummary": "there is no such stream"})
            raise web.HTTPNotFound(text=body, content_type="application/json")
        return stream

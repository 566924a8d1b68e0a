"""The demo application's own server: plain data, streams, and no notion of signing in.

It stands where a customer's API stands: behind the gateway, on loopback, believing the identity headers that
the gateway adds (``X-Auth-Request-*``, rule R31) because nothing else is meant to reach it. ``/api/me`` tells
what arrived.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import math
import re
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from email.utils import formatdate
from typing import Final
from urllib.parse import unquote

from aiohttp import WSCloseCode, WSMsgType, web

from gateway.demo.records import REPORTS, USERS

NOTE_LENGTH: Final = 280
NOTES_KEPT: Final = 50
BODY_LIMIT: Final = 16 * 1024
SLOW_CHUNK: Final = b"parcel,depot,minutes\n" + b"000000,Harbour,042\n" * 215
SLOW_LIMIT: Final = 600

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class _Ground:
    """What the handlers of one running API share."""

    tick: float
    on_event: Callable[[str], None]
    notes: deque[dict[str, object]]
    live: set[web.WebSocketResponse]


_GROUND: Final = web.AppKey("ground", _Ground)


class RunningApi:
    """A started API. ``port`` is the port it listens on; ``await close()`` ends every stream and frees it."""

    def __init__(self, runner: web.AppRunner, port: int) -> None:
        self._runner = runner
        self.port = port

    async def close(self) -> None:
        """Close the WebSockets with 1001 (RFC 6455 §7.4.1), cut the streams, stop listening."""
        await self._runner.cleanup()


async def start(
    host: str = "127.0.0.1",
    port: int = 8083,
    *,
    on_event: Callable[[str], None] = lambda _line: None,
    tick: float = 1.0,
) -> RunningApi:
    """Serve the API on a loopback address.

    :param host: a loopback address; anything else raises ``ValueError`` (rule R29).
    :param port: 0 for any free port.
    :param on_event: told one line of plain text when a stream opens or ends and when a note is written.
    :param tick: seconds between two messages of the streams.
    :raises OSError: the port is taken.
    """
    if not ipaddress.ip_address(host).is_loopback:
        raise ValueError(f"the demo listens on loopback only, not on {host}")
    ground = _Ground(tick, on_event, deque(maxlen=NOTES_KEPT), set())
    runner = web.AppRunner(_application(ground), access_log=None, shutdown_timeout=0.25)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError:
        await runner.cleanup()
        raise
    return RunningApi(runner, runner.addresses[0][1])


def _application(ground: _Ground) -> web.Application:
    app = web.Application(middlewares=[_faults_as_problems], client_max_size=BODY_LIMIT)
    app[_GROUND] = ground
    app.on_shutdown.append(_leave_live)
    app.add_routes(
        [
            web.get("/api/me", me),
            web.get("/api/reports", reports),
            web.get(r"/api/reports/{id:\d{1,9}}", report),
            web.get("/api/admin/users", admin_users),
            web.get("/api/notes", notes),
            web.post("/api/notes", add_note),
            web.get("/api/live", live, allow_head=False),
            web.get("/api/clock", clock, allow_head=False),
            web.get("/api/events", events, allow_head=False),
            web.get("/api/slow", slow, allow_head=False),
            web.get("/api/uncached", uncached),
        ]
    )
    return app


async def me(request: web.Request) -> web.Response:
    """Who the gateway says is calling, and which cookies came along, by name; never the gateway's own."""
    told = {
        name: value
        for name, value in sorted((name.lower(), value) for name, value in request.headers.items())
        if name.startswith(("x-auth-request-", "x-forwarded-"))
    }
    groups = request.headers.get("X-Auth-Request-Groups", "")
    return _json(
        {
            "user": _header_text(request, "X-Auth-Request-User"),
            "email": _header_text(request, "X-Auth-Request-Email"),
            "preferred_username": _header_text(request, "X-Auth-Request-Preferred-Username"),
            "groups": [unquote(group.strip()) for group in groups.split(",") if group.strip()],
            "headers": told,
            "authorization": request.headers.get("Authorization", "").partition(" ")[0] or None,
            "cookies": _cookie_names(request),
        }
    )


async def reports(_request: web.Request) -> web.Response:
    """The list of reports, without their figures."""
    brief = ("id", "title", "depot", "period", "status")
    return _json({"reports": [{key: entry[key] for key in brief} for entry in REPORTS]})


async def report(request: web.Request) -> web.Response:
    """One report by its number; 404 where there is none."""
    number = int(request.match_info["id"])
    for entry in REPORTS:
        if entry["id"] == number:
            return _json(entry)
    return _problem(404, "not_found", f"there is no report {number}")


async def admin_users(_request: web.Request) -> web.Response:
    """Everybody's account. Nothing here asks who is calling: that is what the gateway's policy is for."""
    return _json({"users": USERS})


async def notes(request: web.Request) -> web.Response:
    """The notes written since the start, newest first."""
    return _json({"notes": list(request.app[_GROUND].notes)})


async def add_note(request: web.Request) -> web.Response:
    """Keep one note: JSON ``{"text": …}`` of 1 to 280 characters; 201, 400 or 415."""
    if request.content_type != "application/json":
        return _problem(415, "not_json", "send application/json")
    try:
        body = json.loads(await request.read())
    except ValueError:
        return _problem(400, "bad_json", "the body is not JSON")
    text = body.get("text") if isinstance(body, dict) else None
    if not isinstance(text, str) or not 1 <= len(text.strip()) <= NOTE_LENGTH:
        return _problem(400, "bad_note", f"text must have 1 to {NOTE_LENGTH} characters")
    ground = request.app[_GROUND]
    note: dict[str, object] = {"text": text.strip(), "by": _who(request), "at": formatdate(usegmt=True)}
    ground.notes.appendleft(note)
    ground.on_event(f"note written by {_who(request)}")
    return _json(note, status=201)


async def live(request: web.Request) -> web.StreamResponse:
    """A WebSocket that sends a figure every tick and echoes what it is sent, text as JSON, bytes as bytes."""
    ground = request.app[_GROUND]
    socket = web.WebSocketResponse(heartbeat=30, max_msg_size=BODY_LIMIT)
    await socket.prepare(request)
    ground.live.add(socket)
    ticking = asyncio.create_task(_send_figures(socket, ground.tick))
    try:
        async with _announced(ground, request, "live feed"):
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await socket.send_json({"kind": "echo", "text": message.data})
                elif message.type is WSMsgType.BINARY:
                    await socket.send_bytes(message.data)
    finally:
        ground.live.discard(socket)
        ticking.cancel()
    return socket


async def _send_figures(socket: web.WebSocketResponse, tick: float) -> None:
    number = 0
    with contextlib.suppress(ConnectionError):
        while not socket.closed:
            await socket.send_json({"kind": "tick", "number": number, "parcels": _figure(number)})
            number += 1
            await asyncio.sleep(tick)


async def clock(request: web.Request) -> web.StreamResponse:
    """The time, one HTTP date (RFC 9110 §5.6.7) a line, for as long as somebody reads."""

    async def lines() -> AsyncIterator[bytes]:
        while True:
            yield f"{formatdate(usegmt=True)}\n".encode()

    return await _stream(request, "clock", lines(), {"Content-Type": "text/plain; charset=utf-8"})


async def events(request: web.Request) -> web.StreamResponse:
    """The figures of the live feed as server-sent events; numbering goes on after ``Last-Event-ID``."""
    last = request.headers.get("Last-Event-ID", "")
    first = int(last) + 1 if last.isascii() and last.isdecimal() and len(last) < 10 else 0

    async def feed() -> AsyncIterator[bytes]:
        number = first
        while True:
            data = json.dumps({"parcels": _figure(number)})
            yield f"event: tick\nid: {number}\ndata: {data}\n\n".encode()
            number += 1

    return await _stream(request, "event stream", feed(), {"Content-Type": "text/event-stream"})


async def slow(request: web.Request) -> web.StreamResponse:
    """A download of known length, one chunk a tick; ``?chunks=`` (1 to 600, default 60) sets how many."""
    asked = request.query.get("chunks", "60")
    if not (asked.isascii() and asked.isdecimal() and 1 <= int(asked[:9]) <= SLOW_LIMIT):
        return _problem(400, "bad_query", f"chunks must be a number from 1 to {SLOW_LIMIT}")
    count = int(asked)

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(count):
            yield SLOW_CHUNK

    head = {
        "Content-Type": "text/csv; charset=utf-8",
        "Content-Length": str(count * len(SLOW_CHUNK)),
        "Content-Disposition": 'attachment; filename="parcels.csv"',
    }
    return await _stream(request, "slow download", chunks(), head)


async def uncached(_request: web.Request) -> web.Response:
    """A printable page without any Cache-Control: what a browser may show again on Back (rule R27)."""
    rows = "".join(f"<li>{entry['title']}, {entry['depot']}, {entry['period']}</li>" for entry in REPORTS)
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><title>Printable list</title>'
        f'<h1>All reports</h1><ul>{rows}</ul><p><a href="/reports">Back to the reports</a></p></html>'
    )
    return web.Response(text=page, content_type="text/html")


async def _stream(
    request: web.Request, what: str, parts: AsyncIterator[bytes], headers: dict[str, str]
) -> web.StreamResponse:
    """Send the parts a tick apart, waiting for a slow reader (``write`` awaits the transport's drain)."""
    ground = request.app[_GROUND]
    response = web.StreamResponse(headers={"Cache-Control": "no-store", **headers})
    await response.prepare(request)
    async with _announced(ground, request, what):
        async for part in parts:
            await response.write(part)
            await asyncio.sleep(ground.tick)
        await response.write_eof()
    return response


@contextlib.asynccontextmanager
async def _announced(ground: _Ground, request: web.Request, what: str) -> AsyncIterator[None]:
    """Tell the console when a stream opens and ends; a reader that went away is an ordinary end."""
    ground.on_event(f"{what} opened by {_who(request)}")
    try:
        with contextlib.suppress(ConnectionError):
            yield
    finally:
        ground.on_event(f"{what} of {_who(request)} ended")


async def _leave_live(app: web.Application) -> None:
    for socket in tuple(app[_GROUND].live):
        await socket.close(code=WSCloseCode.GOING_AWAY, message=b"the demo stops")


@web.middleware
async def _faults_as_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn aiohttp's own refusals (404, 405, 413, 426 …) into problem details (RFC 9457)."""
    try:
        return await handler(request)
    except web.HTTPException as fault:
        name = type(fault).__name__.removeprefix("HTTP")  # the reason is another in other versions of Python
        answer = _problem(fault.status, re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower(), fault.reason)
        if "Allow" in fault.headers:
            answer.headers["Allow"] = fault.headers["Allow"]
        return answer


def _json(body: object, *, status: int = 200) -> web.Response:
    return web.json_response(body, status=status, headers={"Cache-Control": "no-store"})


def _problem(status: int, code: str, detail: str) -> web.Response:
    body = {"type": "about:blank", "title": code.replace("_", " ").capitalize(), "status": status}
    return web.json_response(
        body | {"code": code, "detail": detail},
        status=status,
        content_type="application/problem+json",
        headers={"Cache-Control": "no-store"},
    )


def _header_text(request: web.Request, name: str) -> str | None:
    """One identity header as text: outside printable ASCII it arrives percent-encoded (rule R31)."""
    value = request.headers.get(name)
    return None if value is None else unquote(value)


def _who(request: web.Request) -> str:
    return (
        _header_text(request, "X-Auth-Request-Email")
        or _header_text(request, "X-Auth-Request-User")
        or "nobody"
    )


def _cookie_names(request: web.Request) -> list[str]:
    pairs = ";".join(request.headers.getall("Cookie", [])).split(";")
    return [name for name in (pair.partition("=")[0].strip() for pair in pairs) if name]


def _figure(number: int) -> int:
    """Parcels a minute at one tick: a calm wave, the same at every start."""
    return round(64 + 18 * math.sin(number / 7) + 7 * math.sin(number / 2.3))

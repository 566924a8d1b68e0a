"""The demo's API over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime

import aiohttp
import pytest

from gateway.demo import api
from gateway.demo.records import REPORTS, USERS
from tests.fakes.patience import PATIENCE
from tests.fakes.ports import free_port

TICK = 0.02


class Console:
    """Keeps the lines that the API tells."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    async def wait_for(self, line: str) -> None:
        """Return once the line was told; the test fails after `PATIENCE` without it."""
        async with asyncio.timeout(PATIENCE):
            while line not in self.lines:
                await asyncio.sleep(TICK)


@pytest.fixture
def console() -> Console:
    """An empty console."""
    return Console()


@pytest.fixture
async def running(console: Console) -> AsyncIterator[api.RunningApi]:
    """An API on a free port, ticking fast."""
    started = await api.start(port=0, on_event=console.lines.append, tick=TICK)
    yield started
    await started.close()


@pytest.fixture
async def client(running: api.RunningApi) -> AsyncIterator[aiohttp.ClientSession]:
    """A client whose paths count from the API's address."""
    async with aiohttp.ClientSession(f"http://127.0.0.1:{running.port}") as session:
        yield session


async def test_me_tells_the_identity_that_arrived(client: aiohttp.ClientSession) -> None:
    """Identity headers come back decoded; a comma inside a group is not one between groups (R31)."""
    headers = {
        "X-Auth-Request-User": "00u1",
        "X-Auth-Request-Email": "zo%C3%AB@example.com",
        "X-Auth-Request-Groups": "admins,R%26D%2C north",
        "X-Forwarded-Proto": "https",
        "X-Unrelated": "1",
    }
    async with client.get("/api/me", headers=headers) as answer:
        told = await answer.json()
    assert (told["user"], told["email"]) == ("00u1", "zoë@example.com")
    assert told["groups"] == ["admins", "R&D, north"]
    assert set(told["headers"]) == {
        "x-auth-request-user",
        "x-auth-request-email",
        "x-auth-request-groups",
        "x-forwarded-proto",
    }


async def test_me_without_headers_is_nobody(client: aiohttp.ClientSession) -> None:
    """An absent header is null, not an empty name."""
    async with client.get("/api/me") as answer:
        told = await answer.json()
    assert (told["user"], told["email"], told["groups"], told["cookies"]) == (None, None, [], [])


async def test_me_names_cookies_and_shows_no_secret(client: aiohttp.ClientSession) -> None:
    """Of cookies the name is told and of Authorization the scheme, never a value."""
    headers = {"Cookie": "__Host-session=topsecret; theme=dark", "Authorization": "Bearer topsecret"}
    async with client.get("/api/me", headers=headers) as answer:
        text = await answer.text()
        told = await answer.json()
    assert told["cookies"] == ["__Host-session", "theme"]
    assert told["authorization"] == "Bearer"
    assert "topsecret" not in text


async def test_reports_are_listed_and_found(client: aiohttp.ClientSession) -> None:
    """The list is brief; one report has its figures."""
    async with client.get("/api/reports") as answer:
        listed = (await answer.json())["reports"]
    assert len(listed) == len(REPORTS)
    assert "figures" not in listed[0]
    async with client.get("/api/reports/7") as answer:
        assert await answer.json() == REPORTS[6]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/reports/999", 404, "not_found"),
        ("GET", "/api/reports/x", 404, "not_found"),
        ("DELETE", "/api/reports", 405, "method_not_allowed"),
        ("GET", "/api/slow?chunks=601", 400, "bad_query"),
        ("GET", "/api/slow?chunks=%C2%B2", 400, "bad_query"),
    ],
)
async def test_a_fault_is_a_problem(
    client: aiohttp.ClientSession, method: str, path: str, status: int, code: str
) -> None:
    """Every refusal is application/problem+json with a stable code (RFC 9457)."""
    async with client.request(method, path) as answer:
        problem = await answer.json()
        assert (answer.status, answer.content_type) == (status, "application/problem+json")
    assert (problem["status"], problem["code"]) == (status, code)


async def test_admin_users_are_plain_data(client: aiohttp.ClientSession) -> None:
    """The API asks nobody for a role: the gateway's policy guards the path."""
    async with client.get("/api/admin/users") as answer:
        assert len((await answer.json())["users"]) == len(USERS)


async def test_a_note_is_kept_with_its_author(client: aiohttp.ClientSession, console: Console) -> None:
    """A written note is listed first and signed with the identity that arrived."""
    headers = {"X-Auth-Request-Email": "bob@example.com"}
    for text in ("first", " second "):
        async with client.post("/api/notes", json={"text": text}, headers=headers) as answer:
            assert answer.status == 201
    async with client.get("/api/notes") as answer:
        kept = (await answer.json())["notes"]
    assert [(note["text"], note["by"]) for note in kept] == [
        ("second", "bob@example.com"),
        ("first", "bob@example.com"),
    ]
    assert console.lines == ["note written by bob@example.com"] * 2


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b'{"text": "x"}', "text/plain", 415, "not_json"),
        (b"{", "application/json", 400, "bad_json"),
        (b"[]", "application/json", 400, "bad_note"),
        (b'{"text": "  "}', "application/json", 400, "bad_note"),
        (b'{"text": 1}', "application/json", 400, "bad_note"),
        (b'{"text": "' + b"x" * 281 + b'"}', "application/json", 400, "bad_note"),
        (b'"' + b"x" * api.BODY_LIMIT + b'"', "application/json", 413, "request_entity_too_large"),
    ],
)
async def test_a_bad_note_is_refused(
    client: aiohttp.ClientSession, body: bytes, kind: str, status: int, code: str
) -> None:
    """Wrong type, wrong JSON, wrong shape and wrong size each have their own code, and nothing is kept."""
    async with client.post("/api/notes", data=body, headers={"Content-Type": kind}) as answer:
        problem = await answer.json()
        assert (answer.status, problem["code"]) == (status, code)
    async with client.get("/api/notes") as answer:
        assert (await answer.json())["notes"] == []


async def test_live_sends_figures_and_echoes(client: aiohttp.ClientSession, console: Console) -> None:
    """Ticks count up from 0; text comes back as an echo, bytes as bytes; both ends of the feed are told."""
    async with client.ws_connect("/api/live", headers={"X-Auth-Request-User": "00u1"}) as socket:
        ticks = [await socket.receive_json() for _ in range(3)]
        await socket.send_str("hello")
        await socket.send_bytes(b"\x00\xff")
        others = [message async for message in _until(socket, 2)]
    assert [(tick["kind"], tick["number"]) for tick in ticks] == [("tick", 0), ("tick", 1), ("tick", 2)]
    assert others[0].json() == {"kind": "echo", "text": "hello"}
    assert others[1].data == b"\x00\xff"
    await console.wait_for("live feed of 00u1 ended")
    assert console.lines[0] == "live feed opened by 00u1"


async def _until(socket: aiohttp.ClientWebSocketResponse, count: int) -> AsyncIterator[aiohttp.WSMessage]:
    """Yield the next messages that are not ticks."""
    while count:
        message = await socket.receive()
        if message.type is aiohttp.WSMsgType.BINARY or message.json()["kind"] != "tick":
            count -= 1
            yield message


async def test_live_without_a_handshake_is_refused(client: aiohttp.ClientSession) -> None:
    """A plain GET of the feed is a client's fault, told as a problem."""
    async with client.get("/api/live") as answer:
        assert (answer.status, answer.content_type) == (400, "application/problem+json")


async def test_clock_streams_dates(client: aiohttp.ClientSession, console: Console) -> None:
    """The clock is chunked, uncached text, one HTTP date a line, and ends when its reader leaves."""
    async with client.get("/api/clock") as answer:
        assert answer.headers["Transfer-Encoding"] == "chunked"
        assert answer.headers["Cache-Control"] == "no-store"
        lines = [await answer.content.readline() for _ in range(3)]
        answer.close()
    assert all(parsedate_to_datetime(line.decode().strip()).tzinfo is not None for line in lines)
    await console.wait_for("clock of nobody ended")


async def test_events_go_on_after_the_last_one_seen(client: aiohttp.ClientSession) -> None:
    """A reconnecting EventSource gets the number after its Last-Event-ID; nonsense there starts at 0."""
    for last, first in (("41", b"id: 42\n"), ("x", b"id: 0\n")):
        async with client.get("/api/events", headers={"Last-Event-ID": last}) as answer:
            assert answer.content_type == "text/event-stream"
            assert await answer.content.readline() == b"event: tick\n"
            assert await answer.content.readline() == first
            answer.close()


async def test_slow_has_the_length_it_promised(client: aiohttp.ClientSession) -> None:
    """A finished download has exactly Content-Length bytes; a cut one is therefore visible."""
    async with client.get("/api/slow?chunks=3") as answer:
        body = await answer.read()
        assert int(answer.headers["Content-Length"]) == len(body) == 3 * len(api.SLOW_CHUNK)


async def test_uncached_says_nothing_about_caching(client: aiohttp.ClientSession) -> None:
    """The printable page has no Cache-Control, Expires or validator: caching is the browser's guess (R27)."""
    async with client.get("/api/uncached") as answer:
        assert answer.content_type == "text/html"
        assert not {"Cache-Control", "Expires", "Last-Modified", "ETag"} & set(answer.headers)
        assert "All reports" in await answer.text()


async def test_close_ends_every_stream() -> None:
    """Closing says 1001 to WebSockets, cuts the clock and frees the port."""
    running = await api.start(port=free_port(), tick=TICK)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{running.port}") as session:
        socket = await session.ws_connect("/api/live")
        clock = await session.get("/api/clock")
        await clock.content.readline()
        reading = asyncio.create_task(_closing_code(socket))
        async with asyncio.timeout(PATIENCE):
            await running.close()
            assert await reading == aiohttp.WSCloseCode.GOING_AWAY
        with pytest.raises(aiohttp.ClientPayloadError):
            await clock.read()
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get("/api/me")
    again = await api.start(port=running.port)
    await again.close()


async def _closing_code(socket: aiohttp.ClientWebSocketResponse) -> int | None:
    """Read until the other side closes, as a browser does, and return the code it gave."""
    while (await socket.receive()).type is aiohttp.WSMsgType.TEXT:
        pass
    return socket.close_code


async def test_r29_the_demo_listens_on_loopback_only() -> None:
    """An address that others could reach is refused before anything listens."""
    with pytest.raises(ValueError, match="loopback"):
        await api.start("0.0.0.0", 0)


async def test_a_taken_port_is_an_error(running: api.RunningApi) -> None:
    """A second start on the same port says so."""
    with pytest.raises(OSError, match="in use"):
        await api.start(port=running.port)

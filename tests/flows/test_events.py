"""``/oauth2/events`` in the whole product: who gets a stream, and what ends it (rules R15, R16 and R22)."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from gateway.core import clock
from gateway.core.session.revocation_keys import email_key, sid_key
from gateway.core.signout.revocation import NewEntry
from tests.fakes.browser import Browser
from tests.fakes.door import Client, eventually
from tests.flows.conftest import Stand, later
from tests.flows.stores import BOTH

STORES = BOTH
pytestmark = pytest.mark.usefixtures("looked_at_by_hand")

FETCH = ("Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty", "Sec-Fetch-Site: same-origin")
LAST = b"event: logged-out\ndata: {}\n\n"


@pytest_asyncio.fixture
async def alice(stand: Stand) -> AsyncIterator[Browser]:
    """Signed in."""
    browser = stand.browser()
    await stand.sign_in(browser, "/api/me")
    yield browser


async def asked(stand: Stand, browser: Browser | None = None, path: str = "/oauth2/events") -> Client:
    """A connection on which ``path`` has been asked for."""
    client = Client(*await asyncio.open_connection("127.0.0.1", stand.port))
    cookie = (f"Cookie: {browser.cookie_header(stand.app)}",) if browser else ()
    lines = (f"GET {path} HTTP/1.1", f"Host: {stand.app.removeprefix('http://')}", *FETCH, *cookie, "", "")
    await client.send("\r\n".join(lines).encode())
    return client


async def greeted(client: Client) -> bytes:
    """The head, once the greeting is there as well."""
    head = await client.head()
    assert b"event: hello\n" in await client.reader.readuntil(b"\n\n")
    return head


async def test_a_live_session_gets_a_stream(stand: Stand, alice: Browser) -> None:
    """Nobody on the way is to store or to gather it; it is registered as what it is, and needs no upstream."""
    upstream = stand.gateway.forwarder.connections
    client = await asked(stand, alice)
    head = await greeted(client)
    assert head.startswith(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
    )
    assert b"\r\nX-Accel-Buffering: no\r\n" in head
    assert stand.gateway.live.counts["tabs"] == 1
    assert stand.gateway.forwarder.connections == upstream
    await client.close()
    await eventually(lambda: stand.gateway.live.counts["tabs"] == 0)


async def test_nobody_else_gets_one(stand: Stand) -> None:
    """A problem document says that nobody is signed in."""
    client = await asked(stand)
    answer = await client.response()
    assert (answer.status, json.loads(answer.body)["code"]) == (401, "login_required")
    await client.close()


async def test_r22_signing_out_ends_it(stand: Stand, alice: Browser) -> None:
    """The last event is there before the sign-out is answered; the same cookie gets no other stream."""
    client = await asked(stand, alice)
    await greeted(client)
    copied = await asked(stand, alice)
    await greeted(copied)
    cookie = alice.cookie_header(stand.app)
    await alice.navigate(f"{stand.app}/logout", method="POST", body="", site="same-origin")
    assert await client.rest() == LAST
    assert await copied.rest() == LAST
    alice.cookies.clear()
    again = Client(*await asyncio.open_connection("127.0.0.1", stand.port))
    host = stand.app.removeprefix("http://")
    await again.send(f"GET /oauth2/events HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\n\r\n".encode())
    answer = await again.response()
    assert (answer.status, json.loads(answer.body)["code"]) == (401, "logout_in_progress")
    for each in (client, copied, again):
        await each.close()


async def test_r22_a_revocation_from_elsewhere_ends_it(stand: Stand, alice: Browser) -> None:
    """Whoever wrote it into the log."""
    client = await asked(stand, alice)
    await greeted(client)
    (sid,) = stand.gateway.live._by_sid
    await stand.gateway.log.append([NewEntry(sid_key(sid), expires=clock.now() + 3_600, reason="admin")])
    assert await client.rest() == LAST
    await client.close()


async def test_r16_it_is_no_activity(stand: Stand, alice: Browser) -> None:
    """Where any other request would set the cookie anew, the stream does not; nor does it move the idle deadline."""
    with later(600):
        client = await asked(stand, alice)
        assert b"set-cookie" not in (await greeted(client)).lower()
        told = await alice.fetch(f"{stand.app}/oauth2/session")
        assert json.loads(told.text)["idle_in"] <= 1_200
        other = await asked(stand, alice, "/api/me")
        assert (b"set-cookie" in (await other.head()).lower()) is not stand.gateway.sessions.remote
    await client.close()
    await other.close()


async def test_it_outlives_no_idle_session(stand: Stand, alice: Browser) -> None:
    """A session that was idle for too long gets none."""
    with later(3_600):
        client = await asked(stand, alice)
        answer = await client.response()
        assert (answer.status, json.loads(answer.body)["reason"]) == (401, "idle_expired")
    await client.close()


async def test_an_old_cookie_is_no_reason_to_end_a_stream(stand: Stand, alice: Browser) -> None:
    """A stream knows only the cookie that it came with; the browser may have been active since, and got another one."""
    client = await asked(stand, alice)
    await greeted(client)
    log = stand.gateway.log
    with later(3_600):
        await log.append([NewEntry(email_key("bob@example.com"), expires=clock.now() + 60, reason="admin")])
        await eventually(lambda: not log.pending)
        assert stand.gateway.endings.sweep() == 0
    assert stand.gateway.live.counts["tabs"] == 1
    await log.append([NewEntry(email_key("alice@example.com"), expires=clock.now() + 60, reason="admin")])
    assert await client.rest() == LAST
    await client.close()


async def test_the_live_connections_of_an_idle_session_end(stand: Stand, alice: Browser) -> None:
    """WebSocket, the application's event stream and the tabs' own, once nobody can know of later activity; a person who
    was active keeps them, whatever goes through them meanwhile.
    """
    cookies = alice.cookie_header(stand.app)
    handshake = (
        f"GET /api/live HTTP/1.1\r\nHost: {stand.app.removeprefix('http://')}\r\nCookie: {cookies}\r\n"
        f"Origin: {stand.app}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    tabs, events = await asked(stand, alice), await asked(stand, alice, "/api/clock")
    socket = Client(*await asyncio.open_connection("127.0.0.1", stand.port))
    await socket.send(handshake.encode())
    for client, status in ((tabs, b" 200 "), (events, b" 200 "), (socket, b" 101 ")):
        assert status in (await client.head()).partition(b"\r\n")[0]
    endings, gateway = stand.gateway.idle_endings, stand.gateway
    with later(1_000):
        assert (await alice.fetch(f"{stand.app}/api/me")).status == 200
        await gateway.sightings.write(gateway.sign_ins)
    for seconds in (1_800, 1_921, 2_799, 2_850):
        with later(seconds):
            assert await endings.look() == 0
    with later(1_000 + 1_800 + 125):
        assert await endings.look() == 3
    assert (await tabs.rest()).endswith(LAST)
    assert (4_401).to_bytes(2) in await socket.rest()
    with contextlib.suppress(ConnectionResetError):
        await events.rest()
    for client in (tabs, events, socket):
        await client.close()

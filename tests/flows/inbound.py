"""What tests of the ways in from Okta have in common: a gateway that opens them, Okta's sender, messages of our own."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import aiohttp

from gateway.core import clock
from gateway.demo.keys import signing_key
from gateway.demo.okta.state import COGNITO_CLIENT_ID
from gateway.demo.options import HOOK_SECRET
from tests.fakes.door import eventually
from tests.fakes.forge import Forge, SigningKey
from tests.fakes.patience import PATIENCE
from tests.flows.conftest import Stand, standing
from tests.flows.raw import exchange, request

KEYS = "{okta}/oauth2/v1/keys"
CALL = f"  universal_logout: {{issuer: '{{okta}}', subject: {COGNITO_CLIENT_ID}, jwks_uri: '{KEYS}'}}\n"
EVENTS = f"  security_events: {{issuer: '{{okta}}', audience: '{{app}}', jwks_uri: '{KEYS}'}}\n"
HOOK = f"  okta_event_hook: {{issuer: '{{okta}}', secret: {HOOK_SECRET}, session_end: ignore}}\n"


@asynccontextmanager
async def opened(directory: Path, *ways: str, federation: str = "oidc") -> AsyncIterator[Stand]:
    """The product with these ways in, its Okta linked to Cognito's users."""
    inbound = "inbound:\n" + "".join(ways)
    async with standing(directory, federation=federation, inbound=inbound) as stand:
        yield stand


async def sent(stand: Stand, kind: str, *, times: int = 1, **wishes: object) -> list[int]:
    """The statuses that one message of Okta's got, sent so many times.

    On a busy machine the disk may answer too late, and the gateway says so: then it is sent again, as Okta does.
    """
    before = _not_durable(stand)
    statuses = [answer.status for answer in await stand.idp.sender.send(kind, times=times, **wishes)]
    if _not_durable(stand) == before:
        return statuses
    await eventually(lambda: not stand.gateway.log.pending, seconds=PATIENCE)
    return await sent(stand, kind, times=times, **wishes)


async def taken(again: Callable[[], Awaitable[int]]) -> int:
    """The status of a message of our own that is sent again for as long as the disk answers too late."""
    async with asyncio.timeout(PATIENCE):
        while (code := await again()) == 503:
            pass
    return code


def _not_durable(stand: Stand) -> list[str]:
    """What the metrics say of answers that the log came too late for."""
    told = stand.gateway.metrics.exposition().decode()
    return [line for line in told.splitlines() if 'result="not_durable"' in line]


def forge(stand: Stand) -> Forge:
    """With the emulated org's own key."""
    key = signing_key("okta org")
    return Forge(stand.okta, "", now=clock.now(), id_key=SigningKey(key.kid, key.private))


async def posted(
    stand: Stand, path: str, body: bytes, *headers: str, method: str = "POST"
) -> tuple[int, dict[str, str], bytes]:
    """What a message of our own gets, on a connection of its own."""
    length = (f"Content-Length: {len(body)}",) if method == "POST" else ()
    asked = request(stand, f"{method} /oauth2/{path} HTTP/1.1", *headers, *length, body=body)
    (answer,) = await exchange(stand, asked)
    told = {name.decode().lower(): value.decode() for name, value in answer.headers}
    return answer.status, told, answer.body


def json_of(body: bytes) -> Mapping[str, str]:
    found: dict[str, str] = json.loads(body)
    return found


async def status(stand: Stand, cookie: str) -> int:
    """What a session's cookie is worth."""
    (answer,) = await exchange(stand, request(stand, "GET /api/me HTTP/1.1", f"Cookie: {cookie}"))
    return answer.status


async def signed_in(stand: Stand, user: str = "alice@example.com") -> str:
    """The session cookie of a new browser of ``user``."""
    browser = stand.browser()
    await stand.sign_in(browser, "/api/me", user=user)
    cookie = browser.cookie_header(stand.app)
    assert await status(stand, cookie) == 200
    return cookie


def counted(stand: Stand, way: str, result: str) -> bool:
    """Whether the metric knows of exactly one such answer."""
    told = stand.gateway.metrics.exposition().decode()
    return f'gateway_inbound_total{{result="{result}",way="{way}"}} 1.0' in told


@asynccontextmanager
async def websocket(stand: Stand, cookie: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A WebSocket of the application under this session."""
    host = stand.app.partition("//")[2]
    headers = {"Host": host, "Cookie": cookie, "Origin": stand.app}
    url = f"http://127.0.0.1:{stand.port}/api/live"
    async with aiohttp.ClientSession() as session, session.ws_connect(url, headers=headers) as sock:
        await eventually(lambda: len(stand.gateway.live) == 1)
        yield sock


async def closed_with(sock: aiohttp.ClientWebSocketResponse) -> object:
    """The code that a WebSocket is closed with."""
    async with asyncio.timeout(PATIENCE):
        message = await sock.receive()
        while message.type is aiohttp.WSMsgType.TEXT:
            message = await sock.receive()
    return message.data


@contextmanager
def blocked(directory: Path) -> Iterator[None]:
    """The log takes nothing."""
    lock = sqlite3.connect(directory / "state.db", isolation_level=None, timeout=PATIENCE)
    lock.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        lock.execute("ROLLBACK")
        lock.close()

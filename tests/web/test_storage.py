"""The aiohttp_session storage: claims to read, one key to write, and no way to begin a session."""

from __future__ import annotations

import warnings
from dataclasses import replace

import aiohttp_session
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from gateway.core import clock, dice
from gateway.core.cookies import NO_COOKIES
from gateway.core.sealing import Deployment, KeyRing, SealingKey
from gateway.core.session import Principal, Session, SessionLimits
from gateway.web.session import Sessions
from gateway.web.storage import SessionStorage

pytestmark = pytest.mark.filterwarnings("ignore::aiohttp.web_exceptions.NotAppKeyWarning")


def a_session() -> Session:
    now = clock.now()
    return Session(
        sid="sid-1",
        log_id="log",
        principal=Principal("https://idp", "sub-1", "alice", "alice@example.com", ("admins",)),
        aliases=(),
        login_at=now,
        seen=0,
        idle_until=now + 600,
        absolute_until=now + 3600,
    )


def sessions() -> Sessions:
    ring = KeyRing([SealingKey.of(dice.key())], now=clock.now())
    return Sessions(
        ring, Deployment("https://app.example.com", "https://idp", "client"), SessionLimits(600, 3600)
    )


def cookie_of(lines: list[str]) -> dict[str, str]:
    return {"Cookie": "; ".join(line.split(";", 1)[0] for line in lines)}


async def ask(store: Sessions, handler, cookies: dict[str, str], *, alive: bool = True):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        app = web.Application()
        aiohttp_session.setup(app, SessionStorage(store, lambda session: alive))
        app.router.add_get("/", handler)
        async with TestClient(TestServer(app)) as client:
            response = await client.get("/", headers=cookies)
            return response.status, await response.text(), response.headers.getall("Set-Cookie", [])


async def show(request: web.Request) -> web.Response:
    session = await aiohttp_session.get_session(request)
    return web.json_response({"identity": session.identity, **dict(session)})


async def test_an_application_reads_who_is_signed_in() -> None:
    """Identity is the sid; user, e-mail and groups are there."""
    store = sessions()
    cookies = cookie_of(store.seal(a_session(), NO_COOKIES, clock.now()))
    status, text, _ = await ask(store, show, cookies)
    assert status == 200
    assert '"identity": "sid-1"' in text
    assert '"alice@example.com"' in text


@pytest.mark.parametrize("alive", [True, False])
async def test_a_dead_or_absent_session_is_empty(alive: bool) -> None:
    """A revoked session, and no session, give no identity."""
    store = sessions()
    cookies = {} if alive else cookie_of(store.seal(a_session(), NO_COOKIES, clock.now()))
    _, text, _ = await ask(store, show, cookies, alive=alive)
    assert text == '{"identity": null}'


async def test_what_a_page_keeps_comes_back() -> None:
    """The one key survives in the sealed cookie, and the session keeps its id."""

    async def keep(request: web.Request) -> web.Response:
        (await aiohttp_session.get_session(request))["page"] = {"tour": "seen"}
        return web.Response()

    store = sessions()
    session = a_session()
    status, _, lines = await ask(store, keep, cookie_of(store.seal(session, NO_COOKIES, clock.now())))
    assert status == 200
    carried = store.carried((cookie_of(lines)["Cookie"].encode(),), clock.now())
    assert carried.session == replace(session, page={"tour": "seen"})


@pytest.mark.parametrize(
    ("key", "value"), [("user", "mallory"), ("page", {"x": "y" * 512}), ("page", "text")]
)
async def test_nothing_else_can_be_written(key: str, value: object) -> None:
    """Claims are read-only, and what pages keep is bounded."""

    async def change(request: web.Request) -> web.Response:
        (await aiohttp_session.get_session(request))[key] = value
        return web.Response()

    store = sessions()
    status, _, lines = await ask(store, change, cookie_of(store.seal(a_session(), NO_COOKIES, clock.now())))
    assert (status, lines) == (500, [])


async def test_no_application_can_begin_a_session() -> None:
    """Writing without a session is refused."""

    async def begin(request: web.Request) -> web.Response:
        (await aiohttp_session.get_session(request))["page"] = {}
        return web.Response()

    status, _, lines = await ask(sessions(), begin, {})
    assert (status, lines) == (500, [])

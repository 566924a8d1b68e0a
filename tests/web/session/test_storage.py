"""The aiohttp_session storage: claims to read, one key to write, and no way to begin a session."""

from __future__ import annotations

import warnings
from dataclasses import replace

import aiohttp_session
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from gateway.core import clock, dice
from gateway.core.http.own_cookies import NO_COOKIES
from gateway.core.session.sealing import Deployment, KeyRing, SealingKey
from gateway.core.session.session import Principal, Session, SessionLimits
from gateway.web.session.session import Sessions
from gateway.web.session.storage import SessionStorage
from gateway.web.session.tickets import TicketSessions
from tests.fakes.tickets import MemoryTickets, Vault

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


@pytest.fixture(params=["cookie", "ticket"])
async def store(request: pytest.FixtureRequest) -> Sessions:
    """Sessions in their cookies, and with tickets."""
    ring = KeyRing([SealingKey.of(dice.key())], now=clock.now())
    here, limits = Deployment("https://app.example.com", "https://idp", "client"), SessionLimits(600, 3600)
    if request.param == "cookie":
        return Sessions(ring, here, limits)
    kept = MemoryTickets(Vault())
    await kept.open()
    return TicketSessions(ring, here, limits, kept)


async def signed_in(store: Sessions, session: Session) -> dict[str, str]:
    """The Cookie header of its browser."""
    return cookie_of(await store.begin(session, NO_COOKIES, clock.now()))


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


async def test_an_application_reads_who_is_signed_in(store: Sessions) -> None:
    """Identity is the sid; user, e-mail and groups are there."""
    cookies = await signed_in(store, a_session())
    status, text, _ = await ask(store, show, cookies)
    assert status == 200
    assert '"identity": "sid-1"' in text
    assert '"alice@example.com"' in text


@pytest.mark.parametrize("alive", [True, False])
async def test_a_dead_or_absent_session_is_empty(store: Sessions, alive: bool) -> None:
    """A revoked session, and no session, give no identity."""
    cookies = {} if alive else await signed_in(store, a_session())
    _, text, _ = await ask(store, show, cookies, alive=alive)
    assert text == '{"identity": null}'


async def test_what_a_page_keeps_comes_back(store: Sessions) -> None:
    """The one key survives, in the sealed cookie or where its ticket leads, and the session keeps its id."""

    async def keep(request: web.Request) -> web.Response:
        (await aiohttp_session.get_session(request))["page"] = {"tour": "seen"}
        return web.Response()

    session = a_session()
    cookies = await signed_in(store, session)
    status, _, lines = await ask(store, keep, cookies)
    assert (status, bool(lines)) == (200, not store.remote)
    cookies |= cookie_of(lines) if lines else {}
    found = store.carried((cookies["Cookie"].encode(),), clock.now()).session
    assert found is not None
    assert replace(found, ticket=None) == replace(session, page={"tour": "seen"})


@pytest.mark.parametrize(
    ("key", "value"), [("user", "mallory"), ("page", {"x": "y" * 512}), ("page", "text")]
)
async def test_nothing_else_can_be_written(store: Sessions, key: str, value: object) -> None:
    """Claims are read-only, and what pages keep is bounded."""

    async def change(request: web.Request) -> web.Response:
        (await aiohttp_session.get_session(request))[key] = value
        return web.Response()

    status, _, lines = await ask(store, change, await signed_in(store, a_session()))
    assert (status, lines) == (500, [])


async def test_no_application_can_begin_a_session(store: Sessions) -> None:
    """Writing without a session is refused."""

    async def begin(request: web.Request) -> web.Response:
        (await aiohttp_session.get_session(request))["page"] = {}
        return web.Response()

    status, _, lines = await ask(store, begin, {})
    assert (status, lines) == (500, [])


async def test_without_an_answer_of_redis_nobody_is_taken_for_signed_out() -> None:
    """503 instead, with a time to come back."""
    vault = Vault()
    kept = MemoryTickets(vault)
    await kept.open()
    ring = KeyRing([SealingKey.of(dice.key())], now=clock.now())
    made = [
        TicketSessions(
            ring, Deployment("https://app", "https://idp", "client"), SessionLimits(600, 3600), kept
        )
        for _ in range(2)
    ]
    cookies = await signed_in(made[0], a_session())
    vault.down = True
    status, _, _ = await ask(made[1], show, cookies)
    assert status == 503

"""Sessions kept in Redis: what is there of them, and what happens while Redis does not answer."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from gateway.state.redis.companion import WITHIN
from gateway.web.session.tickets import TicketSessions
from tests.fakes.door import Response
from tests.fakes.patience import PATIENCE
from tests.fakes.redis import RedisServer
from tests.flows.conftest import Stand, later
from tests.flows.front import fronted
from tests.flows.raw import exchange, request
from tests.flows.revoked import nothing_waits
from tests.flows.stores import Store, in_redis, redis_with_tls
from tests.flows.test_many_hosts import asked, beside, refused, signed_in
from tests.state.log_contract import within

STALLS = {
    "test_p17_without_redis_nobody_is_let_in_nor_sent_to_sign_in",
    "test_a_sign_out_needs_no_redis",
    "test_a_sign_in_without_redis_is_refused_with_a_page",
    "test_forward_auth_without_redis_is_an_error_and_no_refusal",
}

NAVIGATION = ("Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "Accept: text/html")


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis of the test's own, which it may stop."""
    with redis_with_tls(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def store(redis: RedisServer) -> Callable[[Path], Store]:
    return partial(in_redis, redis)


@pytest.fixture
async def second(stand: Stand, tmp_path: Path) -> AsyncIterator[Stand]:
    """Another instance, which remembers no session."""
    async with beside(stand, tmp_path / "gateway.yaml") as running:
        yield running


async def ask(stand: Stand, line: str, *headers: str) -> Response:
    (answer,) = await exchange(stand, request(stand, f"{line} HTTP/1.1", *headers))
    return answer


def kept(redis: RedisServer) -> list[bytes]:
    return [key for key in redis.ask("KEYS", "*") if b"}:session:" in key]


async def test_what_is_in_redis_goes_with_the_session(stand: Stand, redis: RedisServer) -> None:
    """Sealed, with an end of its own; removed by the sign-out, which does not depend on that."""
    browser, copied = await signed_in(stand)
    (key,) = kept(redis)
    assert 43_000 < redis.ask("TTL", key) <= 43_260
    value = redis.ask("HGET", key, "sealed")
    for secret in (b"alice", b"refresh", copied.encode()):
        assert secret not in value
    assert len(copied) < 600
    await stand.sign_out(browser, until="/logged-out")

    assert await asked(stand, copied) == 401
    assert await within(PATIENCE, lambda: not kept(redis))


async def test_every_sign_in_has_a_ticket_of_its_own(stand: Stand, redis: RedisServer) -> None:
    """Nothing that a browser had before is made a session of by somebody's sign-in."""
    browser, planted = await signed_in(stand)
    await stand.sign_out(browser)
    await stand.sign_in(browser, "/api/me")

    assert browser.cookie_header(stand.app) != planted
    assert await asked(stand, planted) == 401
    assert len(kept(redis)) == 1


async def test_a_lost_session_is_asked_to_sign_in_and_has_no_rights(
    stand: Stand, second: Stand, redis: RedisServer
) -> None:
    """Somebody deletes its key: an instance that remembers it notices within seconds."""
    _, copied = await signed_in(stand)
    redis.ask("DEL", *kept(redis))
    assert await asked(second, copied) == 401
    with later(5):
        assert await asked(stand, copied) == 401


async def test_p17_without_redis_nobody_is_let_in_nor_sent_to_sign_in(
    stand: Stand, second: Stand, redis: RedisServer
) -> None:
    """503 with a time to come back, in a quarter of a second and then at once, and no cookie is touched; an instance
    that remembers the session serves it, and who has none is told so without asking. Then all is as before.
    """
    _, copied = await signed_in(stand)
    redis.pause()
    try:
        for line in (
            "GET /api/me",
            "GET /",
            "GET /oauth2/start?rd=/",
            "GET /oauth2/landing",
            "GET /logged-out",
        ):
            page = await ask(second, line, f"Cookie: {copied}", *NAVIGATION)
            assert (page.status, page.value(b"retry-after")) == (503, b"5"), line
            assert b"you do not need to sign in again" in page.body
            assert page.value(b"set-cookie") is None
        for path in ("/api/me", "/oauth2/session", "/oauth2/sessions", "/oauth2/events"):
            problem = await ask(second, f"GET {path}", f"Cookie: {copied}")
            assert (problem.status, json.loads(problem.body)["code"]) == (503, "sessions_away")
        assert await asked(stand, copied) == 200
        assert (await ask(second, "GET /api/me")).status == 401
        assert second.gateway.health()["sessions"] != "ok"
    finally:
        redis.resume()
    assert await within(PATIENCE, lambda: second.gateway.log.age() < WITHIN)
    assert await _comes_back(second, copied)


async def _comes_back(stand: Stand, cookie: str) -> bool:
    statuses: list[int] = []
    while not statuses or statuses[-1] == 503:
        statuses.append(await asked(stand, cookie))
    return statuses[-1] == 200


async def test_a_sign_out_needs_no_redis(stand: Stand, second: Stand, redis: RedisServer) -> None:
    """Not even at an instance that has never seen the session: its ticket says enough to end it."""
    _, copied = await signed_in(stand)
    redis.pause()
    try:
        answer = await ask(second, "POST /logout", f"Cookie: {copied}", "Sec-Fetch-Site: same-origin")
        assert answer.status == 303
        gone = [line for line in answer.values(b"set-cookie") if line.startswith(b"__Host-session=;")]
        assert len(gone) == 1
        assert await asked(second, copied) == 401
    finally:
        redis.resume()
    await refused(stand, copied)


async def test_a_sign_in_without_redis_is_refused_with_a_page(stand: Stand, redis: RedisServer) -> None:
    """The session could not be kept: no ticket for nothing, no token left alive, and a way to try again."""
    browser = stand.browser()
    form = await browser.goto(f"{stand.app}/api/me")
    redis.pause()
    try:
        page = await browser.submit(form, username="alice@example.com", password="demo")
    finally:
        redis.resume()
    assert (page.status, page.header("Retry-After")) == (503, "5")
    assert "/oauth2/start" in page.text
    assert browser.cookie_names(stand.app) == set()
    await nothing_waits(stand.gateway)
    tokens = stand.idp.control.cognito.snapshot()["tokens"]
    assert [token["revoked"] for token in tokens if token["kind"] == "refresh"] == [True]


async def test_r10_forward_auth_keeps_a_session_alive(
    tmp_path: Path, redis: RedisServer, store: Callable[[Path], Store]
) -> None:
    """No renewed cookie has to reach the browser, so an idle deadline is possible there; passive requests do not count."""
    async with fronted(tmp_path, store=store(tmp_path)) as front:
        browser, sessions = front.stand.browser(), front.stand.gateway.sessions
        assert isinstance(sessions, TicketSessions)
        await front.stand.sign_in(browser, "/")
        before = browser.cookie_header(front.app)
        for seconds in (1_000, 2_500, 4_000):
            with later(seconds):
                assert (await browser.fetch(f"{front.app}/api/me")).status == 200
                assert await within(PATIENCE, lambda: not sessions._writing)
        assert browser.cookie_header(front.app) == before
        with later(5_000):
            assert (await browser.fetch(f"{front.app}/api/me", X_Auth_Passive="1")).status == 200
        with later(4_000 + 1_801):
            assert (await browser.fetch(f"{front.app}/api/me")).status == 401


async def test_forward_auth_without_redis_is_an_error_and_no_refusal(
    tmp_path: Path, redis: RedisServer, store: Callable[[Path], Store]
) -> None:
    """The proxy in front answers 5xx, and nobody is sent to sign in."""
    async with fronted(tmp_path, store=store(tmp_path)) as front:
        browser, sessions = front.stand.browser(), front.stand.gateway.sessions
        assert isinstance(sessions, TicketSessions)
        await front.stand.sign_in(browser, "/")
        sessions._held.forget()
        redis.pause()
        try:
            seen = await browser.navigate(f"{front.app}/")
            assert (seen.status, seen.location) == (500, "")
        finally:
            redis.resume()

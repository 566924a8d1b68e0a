"""Two instances on one Redis, as two hosts run them: what ends at one has ended at the other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.app import server
from gateway.app.wiring import Gateway
from gateway.config import load
from gateway.core.session.revocation_keys import EVERYONE
from tests.fakes.browser import Browser
from tests.fakes.hand import stopped
from tests.fakes.patience import PATIENCE
from tests.fakes.redis import RedisServer
from tests.flows.conftest import Stand, free_socket, later, standing
from tests.flows.raw import exchange, request
from tests.flows.test_refresh import LONG, SOON, TOKENS, refreshes, settled
from tests.state.log_contract import new, within

STALLS = {
    "test_g03_an_emptied_redis_signs_everybody_out",
    "test_g03_a_sign_out_without_redis_is_sent_when_it_is_back",
    "test_r05_an_instance_without_redis_is_not_ready",
    "test_p17_a_redis_that_hangs_hinders_no_session",
}


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path / "redis", "appendonly yes") as one:
        yield one


@pytest.fixture(params=["cookie", "ticket"])
async def first(request: pytest.FixtureRequest, redis: RedisServer, tmp_path: Path) -> AsyncIterator[Stand]:
    """One instance, with everything around it; sessions are in their cookies, or in Redis as well."""
    replaced = {
        f"sqlite://{tmp_path}/state.db": f"redis://127.0.0.1:{redis.port}/0",
        "key_files: [session-key]": f"key_files: [session-key]\n  store: {request.param}",
    }
    async with standing(tmp_path, replaced=replaced) as stand:
        yield stand


@pytest.fixture
async def second(first: Stand, tmp_path: Path) -> AsyncIterator[Stand]:
    """Another one with the same configuration, which no browser comes to by itself."""
    async with beside(first, tmp_path / "gateway.yaml") as stand:
        yield stand


@asynccontextmanager
async def beside(first: Stand, configuration: Path) -> AsyncIterator[Stand]:
    sock = free_socket()
    gateway = Gateway(load(configuration, {}))
    run, ready = server.Run(gateway), asyncio.Event()
    task = asyncio.create_task(server.serve_replica(run, sock, on_ready=ready.set, accept_for=0.0))
    await asyncio.wait([asyncio.create_task(ready.wait()), task], return_when=asyncio.FIRST_COMPLETED)
    try:
        yield replace(first, gateway=gateway, run=run, port=sock.getsockname()[1], browsers=[])
    finally:
        await stopped(run, task)


async def asked(stand: Stand, cookie: str) -> int:
    """The status of a request with a copied cookie, at this instance."""
    (answer,) = await exchange(stand, request(stand, "GET /api/me HTTP/1.1", f"Cookie: {cookie}"))
    return answer.status


async def decided(stand: Stand, cookie: str) -> int:
    """The same, asked again for as long as what is shared answers too late: 503 says no more than that."""
    async with asyncio.timeout(PATIENCE):
        while (found := await asked(stand, cookie)) == 503:
            await asyncio.sleep(0.005)
    return found


async def refused(stand: Stand, cookie: str) -> None:
    """Wait until a copied cookie is refused."""
    await comes_to(401, stand, cookie)


async def comes_to(status: int, stand: Stand, cookie: str) -> None:
    """Wait until a request with a copied cookie gets this; nobody is refused before who is not to be."""
    async with asyncio.timeout(PATIENCE):
        while (found := await asked(stand, cookie)) != status:
            assert found in {200, 503}, "it was refused"
            await asyncio.sleep(0.005)


async def signed_in(stand: Stand) -> tuple[Browser, str]:
    """A browser, and what somebody has copied out of it."""
    browser = stand.browser()
    await stand.sign_in(browser, "/api/me")
    return browser, browser.cookie_header(stand.app)


async def renewed(stand: Stand, cookie: str) -> bool:
    """Whether a request with a copied cookie is answered with another one."""
    (answer,) = await exchange(stand, request(stand, "GET /api/me HTTP/1.1", f"Cookie: {cookie}"))
    assert answer.status == 200
    return b"__Host-session" in (answer.value(b"set-cookie") or b"")


async def listed(stand: Stand, cookie: str) -> dict[str, object]:
    headers = (f"Cookie: {cookie}", "Accept: application/json")
    (answer,) = await exchange(stand, request(stand, "GET /oauth2/sessions HTTP/1.1", *headers))
    told: dict[str, object] = json.loads(answer.body)
    return told


async def test_g02_a_copied_cookie_is_refused_by_the_other_instance(first: Stand, second: Stand) -> None:
    """It was good at both; signed out at one, it is soon dead at both: how soon, `make bench-logout` measures."""
    browser, copied = await signed_in(first)
    assert (await asked(first, copied), await asked(second, copied)) == (200, 200)
    await first.sign_out(browser, until="/logged-out")

    assert await asked(first, copied) == 401
    await refused(second, copied)


async def test_g02_a_live_connection_at_the_other_instance_is_closed(first: Stand, second: Stand) -> None:
    """It would carry data for as long as nobody asked again."""
    browser, copied = await signed_in(first)
    reader, writer = await asyncio.open_connection("127.0.0.1", second.port)
    writer.write(request(second, "GET /api/clock HTTP/1.1", f"Cookie: {copied}"))
    head = await reader.readuntil(b"\r\n\r\n")
    assert b" 200 " in head
    await first.sign_out(browser, until="/logged-out")

    with suppress(ConnectionResetError):
        async with asyncio.timeout(PATIENCE):
            while await reader.read(4096):
                pass
    writer.close()


async def test_g03_an_emptied_redis_signs_everybody_out(
    first: Stand, second: Stand, redis: RedisServer
) -> None:
    """A lost log fails closed at every instance; who signs in again is in."""
    _, copied = await signed_in(first)
    redis.ask("FLUSHALL")
    logs = [first.gateway.log, second.gateway.log]
    before = logs[0].log_id
    assert await within(PATIENCE, lambda: all(log.log_id != before for log in logs))

    assert (await decided(first, copied), await decided(second, copied)) == (401, 401)
    _, copied = await signed_in(first)
    assert (await decided(first, copied), await decided(second, copied)) == (200, 200)


async def test_g03_a_sign_out_without_redis_is_sent_when_it_is_back(
    first: Stand, second: Stand, redis: RedisServer
) -> None:
    """Dead here at once, and said to be pending elsewhere; a restart later it is dead there too."""
    browser, copied = await signed_in(first)
    redis.kill()
    await first.sign_out(browser, until="/logged-out")
    receipt = await browser.fetch(f"{first.app}/logged-out", Accept="application/json")
    assert json.loads(receipt.text)["durable"] is False
    assert await decided(first, copied) == 401
    redis.start()

    await refused(second, copied)
    assert await within(PATIENCE, lambda: first.gateway.log.pending == 0)


async def test_r05_an_instance_without_redis_is_not_ready(
    first: Stand, redis: RedisServer, tmp_path: Path
) -> None:
    """It starts, answers 503 and says why; it never takes an index that it has not for an empty one."""
    _, copied = await signed_in(first)
    await first.gateway.log.append([new(EVERYONE)])
    assert await within(PATIENCE, lambda: first.gateway.log.pending == 0)
    redis.kill()
    async with beside(first, tmp_path / "gateway.yaml") as late:
        assert not late.gateway.usable
        assert late.gateway.health()["state"].startswith("not loaded")
        assert await asked(late, copied) == 503
        redis.start()

        assert await within(PATIENCE, lambda: late.gateway.usable)
        assert await decided(late, copied) == 401


async def test_r10_one_of_two_instances_refreshes(first: Stand, second: Stand) -> None:
    """However many requests come to both; then either answers copies of the old cookie with the same successor, which a
    ticket leads to as it is.
    """
    first.set(token_seconds=TOKENS, refresh_rotation=True, token_delay_seconds=1)
    _, old = await signed_in(first)
    first.set(token_seconds=LONG)
    with later(SOON):
        seen = await asyncio.gather(*(asked(stand, old) for stand in (first, second) * 10))
        assert set(seen) == {200}
        await settled(first)
        await settled(second)
        for stand in (first, second):
            async with asyncio.timeout(PATIENCE):
                while await renewed(stand, old) is stand.gateway.sessions.remote:
                    await settled(stand)  # it had given up waiting for the other, and looks again
    assert refreshes(first) == 1


async def test_a_sign_in_at_one_instance_is_listed_by_the_other(first: Stand, second: Stand) -> None:
    """Whichever is asked."""
    _, copied = await signed_in(first)
    for stand in (first, second):
        told = await listed(stand, copied)
        assert (told["total"], told["complete"]) == (1, True)


async def test_p17_a_redis_that_hangs_hinders_no_session(first: Stand, redis: RedisServer) -> None:
    """Its list is answered in time, as one that is not whole."""
    _, copied = await signed_in(first)
    redis.pause()
    assert (await listed(first, copied))["complete"] is False
    assert await asked(first, copied) == 200
    redis.resume()

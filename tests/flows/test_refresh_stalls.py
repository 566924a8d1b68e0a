"""A stall of what the processes share, or the end of one of them, signs nobody out, though each token is good once."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.core.session.session import Session
from gateway.web.session import refresh
from gateway.web.session.renewal import Renewed
from gateway.web.session.tickets import TicketSessions
from tests.fakes.door import eventually
from tests.fakes.patience import PATIENCE
from tests.fakes.redis import RedisServer
from tests.flows.conftest import Stand, later, standing
from tests.flows.stores import COOKIE
from tests.flows.test_many_hosts import asked, beside, signed_in
from tests.flows.test_refresh import OVER, SOON, TOKENS, refreshes, settled, unheard, with_tokens

LEASE = 1
"""Seconds, instead of ten."""
LOCK = """
import sqlite3, sys

db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
db.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""
Stall = Callable[[], AbstractContextManager[None]]


@dataclass
class Pair:
    """Two instances that share the state, and the way to stall it."""

    first: Stand
    second: Stand
    stalled: Stall


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Another process writes into the state file, and does not come to an end."""
    with subprocess.Popen(
        [sys.executable, "-c", LOCK, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holding:
        assert holding.stdout is not None
        assert holding.stdout.readline() == b"held\n"
        yield


@contextmanager
def frozen(server: RedisServer) -> Iterator[None]:
    server.pause()
    yield
    server.resume()


@pytest.fixture(autouse=True)
def short_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refresh, "LEASE", LEASE)
    monkeypatch.setattr(refresh, "HEAR_OUT", LEASE)


@pytest.fixture(params=["sqlite", "redis-cookie", "redis-ticket"])
async def pair(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Pair]:
    kind, _, store = str(request.param).partition("-")
    if kind == "sqlite":
        async with standing(tmp_path) as first, beside(first, tmp_path / "gateway.yaml") as second:
            yield Pair(first, second, lambda: locked(tmp_path / "state.db"))
        return
    with RedisServer(tmp_path / "redis") as server:
        replaced = {
            f"sqlite://{tmp_path}/state.db": f"redis://127.0.0.1:{server.port}/0",
            "key_files: [session-key]": f"key_files: [session-key]\n  store: {store}",
        }
        async with (
            standing(tmp_path, replaced=replaced) as first,
            beside(first, tmp_path / "gateway.yaml") as second,
        ):
            yield Pair(first, second, lambda: frozen(server))


async def lasting(pair: Pair, cookie: str, until: Callable[[], bool]) -> None:
    """Ask both with a copied cookie until that is so; nobody is signed out meanwhile."""
    async with asyncio.timeout(PATIENCE):
        while not until():
            for stand in (pair.first, pair.second):
                assert await asked(stand, cookie) == 200
            await asyncio.sleep(0.1)


def newest(stand: Stand) -> int:
    """The latest generation that this instance has."""
    known = [one.generation for one in stand.gateway.refresher._newest.values() if one is not None]
    if isinstance(sessions := stand.gateway.sessions, TicketSessions):
        kept = [held.session for held in filter(None, sessions._held.values())]
        known += [one.generation for one in kept if isinstance(one, Session)]
    return max(known, default=0)


async def killed_with_the_new_token(stand: Stand, cookie: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The provider has given it; nobody else hears of that."""
    renewal, killed = stand.gateway.refresher._renewal, asyncio.Event()
    original = renewal.of

    async def killed_afterwards(session: Session) -> Renewed:
        await original(session)
        killed.set()
        return await asyncio.Future()  # never

    with monkeypatch.context() as patched, later(SOON):
        patched.setattr(renewal, "of", killed_afterwards)
        assert await asked(stand, cookie) == 200
        await killed.wait()
        (task,) = stand.gateway.refresher._under_way.values()
        task.cancel()
        await asyncio.wait({task})


async def test_r10_a_stall_while_a_new_token_is_published_signs_nobody_out(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lasts for longer than the lease; then the other instance gets the new token, and spends no dead one."""
    # However late the first comes with it once the stall is over, it is heard out.
    monkeypatch.setattr(refresh, "HEAR_OUT", int(PATIENCE))
    pair.first.set(token_seconds=TOKENS, refresh_rotation=True)
    _, old = await signed_in(pair.first)
    with later(SOON), unheard(pair.first) as way:
        assert await asked(pair.first, old) == 200
        await way.answered.wait()
        with pair.stalled():
            way.open.set()
            await asyncio.sleep(1.5 * LEASE)
        await lasting(pair, old, lambda: newest(pair.second) == 1)
    assert refreshes(pair.first) == 1


async def test_r10_a_process_that_is_killed_with_the_new_token_signs_nobody_out(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is next is refused the old token, and does not believe that; the session goes on."""
    pair.first.set(token_seconds=TOKENS, refresh_rotation=True)
    _, old = await signed_in(pair.first)
    await killed_with_the_new_token(pair.first, old, monkeypatch)
    with later(SOON + 2 * LEASE):
        refused = [stand.gateway.metrics.refreshes_total["doubted"] for stand in (pair.first, pair.second)]
        await lasting(pair, old, lambda: any(count._value.get() > 0 for count in refused))
        for stand in (pair.first, pair.second):
            assert await asked(stand, old) == 200
    assert "revoked" not in pair.first.told()


async def test_a_user_who_was_disabled_is_signed_out_after_a_stall(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The refusal counts as soon as it is known that nobody has a newer token."""
    # However late the first comes with its refusal, its lease holds: the second doubts nothing.
    monkeypatch.setattr(refresh, "LEASE", int(PATIENCE))
    pair.first.set(token_seconds=TOKENS, refresh_rotation=True)
    _, old = await signed_in(pair.first)
    for token in pair.first.idp.cognito.common.issued:
        token.revoked = True
    with later(SOON), unheard(pair.first) as way:
        assert await asked(pair.first, old) == 200
        await way.answered.wait()
        with pair.stalled():
            way.open.set()
            await asyncio.sleep(1)
        async with asyncio.timeout(PATIENCE):
            while await asked(pair.second, old) != 401:
                await asyncio.sleep(0.1)
    await settled(pair.first)
    await eventually(lambda: "revoked" in pair.first.told() + pair.second.told())


async def test_who_cannot_have_a_fresh_token_signs_in_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upstream that wants one would otherwise be a dead end until the session is over."""
    async with with_tokens(tmp_path, COOKIE) as (stand, upstream):
        browser = stand.browser()
        stand.set(token_seconds=TOKENS, refresh_rotation=True)
        await stand.sign_in(browser, "/api/me")
        await killed_with_the_new_token(stand, browser.cookie_header(stand.app), monkeypatch)
        with later(OVER + LEASE):
            async with asyncio.timeout(PATIENCE):
                while (seen := await browser.fetch(f"{stand.app}/echo/")).status == 502:
                    await asyncio.sleep(0.1)
            assert (seen.status, json.loads(seen.text)["reason"]) == (401, "access_expired")
        assert upstream.calls == []

"""What the door, the gate and sign-outs remember, filled with the largest that gets in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.core.http.addresses import LONGEST
from gateway.core.http.own_cookies import NO_COOKIES
from gateway.core.session.lifecycle import Newest
from gateway.core.session.session import Principal, Session
from gateway.core.session.ticket import issued, ticket_of
from gateway.web.door.rates import SOURCES, TriesPerSource
from gateway.web.session.refresh import AT_ONCE, KNOWN
from gateway.web.session.session import Carried
from gateway.web.session.sightings import GATHERED, Sightings
from gateway.web.session.tickets import MOST
from gateway.web.signout.token_revocation import IN_MEMORY
from tests.bounds.listed import fill, fills, stated
from tests.fakes import deciding, refreshing, revoking, ticketing
from tests.fakes.tickets import Vault

Measured = Callable[[], int]
FACE = "\U0001f600"
"""One character of 4 bytes, also in memory."""


def largest(at: int, size: int = 4_000) -> Session:
    """A session of so many bytes and more, in characters of 4 bytes where it can have them, unlike any other."""
    many = min(40, size // 320)
    each, long = FACE * min(50, size // 80), "x" * (size // (2 * many) if many else 0)
    who = Principal(
        f"https://idp.example.com/{at}", f"{at}{each}", f"{at}{each}", email=f"{at}{each}@example.com",
        groups=tuple(f"{at} {n}" for n in range(many)),
        claims={f"{at} {n}": [n * 1_000, long] for n in range(many)},
    )  # fmt: skip
    return ticketing.session(
        sid=f"{at:022}", principal=who, aliases=(f"sub:{who.issuer}|{who.subject}", f"email:{who.email}"),
        refresh_token=f"{at}" + "r" * (size // 8), access_token=f"{at}" + "a" * (size // 8),
        page={"k": f"{at}" + "p" * 400},
    )  # fmt: skip


@fills(
    "web/session/session.py _by_cookies",
    "web/session/session.py _by_header",
    "core/session/session.py claims",
    "core/session/session.py page",
)
@pytest.mark.parametrize("size", [100, 4_000, 60_000])
def test_sessions_by_their_cookies(size: int, measured: Measured) -> None:
    """Each cookie opens to a session of its own, and comes in a header of its own, beside cookies that never repeat."""
    made = deciding.sessions()
    for memory, place in ((made._by_cookies, "_by_cookies"), (made._by_header, "_by_header")):
        before = measured() - memory.taken
        if memory is made._by_cookies:
            fill(
                memory,
                lambda at: made._by_cookies.keep(cookies(at), Carried(NO_COOKIES, largest(at, size))),
                6_200,
            )
        else:
            fill(
                memory,
                lambda at: made._by_header.keep(header(at), Carried(NO_COOKIES, largest(at, size))),
                1_600,
            )
        assert memory.kept > 8
        assert measured() - before <= memory.taken <= memory.size == stated(f"web/session/session.py {place}")
        memory.forget()


def cookies(at: int) -> tuple[frozenset[tuple[bytes, bytes]], frozenset[bytes], bytes, int]:
    return frozenset({(b"n%d" % at, b"v" * 4_000)}), frozenset(), b"k", 1


def header(at: int) -> tuple[tuple[bytes, ...], bytes, int]:
    return (b"%d" % at + b"h" * 4_000,), b"k", 1


async def test_cookies_that_are_none_are_not_remembered() -> None:
    """Whatever is in them: only what opens is kept, so nobody who is not signed in takes any room."""
    made = deciding.sessions()
    for at in range(100):
        made.carried((b"__Host-session=" + b"%d" % at + b"A" * 4_000, b"x=" + b"y" * 4_000), deciding.NOW)
    assert (made._by_cookies.kept, made._by_header.kept) == (0, 0)


@fills("web/session/tickets.py _held", "web/session/tickets.py _asking", "web/session/tickets.py _writing")
async def test_sessions_by_their_tickets(measured: Measured) -> None:
    """As many as are remembered and more, small ones and large ones; and as many questions and writes under way."""
    vault = Vault()
    replica = ticketing.Replica(vault)
    made = replica.sessions
    before = measured()
    for size, times in ((0, MOST + 100), (40_000, 800)):
        for at in range(times):
            session = issued(largest(at, size))
            made._hold(ticket_of(session), session, ticketing.NOW)
        assert measured() - before <= stated("web/session/tickets.py _held")
        assert made._held.kept <= MOST
    vault.held = True
    headers = [made.seal(issued(largest(at, 0)), NO_COOKIES, ticketing.NOW) for at in range(100)]
    before = measured()
    asking = [asyncio.create_task(made.fetch(ticketing.header(each), ticketing.NOW)) for each in headers]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(made._asking) == 100
    assert measured() - before <= 100 * stated("web/session/tickets.py _asking")
    for task in asking:
        task.cancel()


@fills(
    "web/session/refresh.py _newest", "web/session/refresh.py _looked", "web/session/refresh.py _alone", "web/session/refresh.py _under_way",
    "web/session/refresh.py _settling",
)  # fmt: skip
async def test_refreshes(measured: Measured) -> None:
    """Of more sessions than are remembered, and of large ones; and as many under way as requests ask for."""
    world = refreshing.World()
    made = world.replicas[0]
    before = measured() - made._newest.taken
    for size in (0, 40_000):
        fill(made._newest, lambda at: made._newest.keep(f"{at}", Newest(1, largest(at, size))), 6_200)  # noqa: B023 - called at once
        assert measured() - before <= made._newest.taken <= stated("web/session/refresh.py _newest")
    made._newest.forget()
    for name, kept in (("_looked", made._looked), ("_alone", made._alone)):
        before = measured()
        for at in range(2 * KNOWN):
            kept.keep(f"{at:0100}", at / 7)
        assert measured() - before <= stated(f"web/session/refresh.py {name}")
        assert kept.kept > KNOWN // 3
    world.provider.at_once = False
    sessions = [largest(at, 4_000) for at in range(100)]
    before = measured()
    for session in sessions:
        made.begin(session)
    await refreshing.settled()
    assert len(made._under_way) == 100
    assert measured() - before <= 100 * stated("web/session/refresh.py _under_way")
    world.store.down = True
    await _answer_all(world)
    assert 0 < len(made._settling) <= 2 * AT_ONCE
    assert measured() - before <= len(made._settling) * stated(
        "web/session/refresh.py _settling"
    ) + 100 * stated("web/session/refresh.py _looked")
    await _cancel(*made._under_way.values(), *made._settling.values())


async def _answer_all(world: refreshing.World) -> None:
    """Each token is good, and none can be published."""
    while world.provider.asked:
        world.provider.alive = {token for token, _ in world.provider.asked}
        while world.provider.asked:
            world.provider.answer()
        await refreshing.settled()


async def _cancel(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@fills("web/door/rates.py _left")
def test_sources_that_try(measured: Measured) -> None:
    """Also those that send from a new /64 every time, and what is no address."""
    tries = TriesPerSource()
    before = measured()
    for at in range(SOURCES):
        tries.spend(f"2001:db8:{at >> 8:x}:{at & 255:x}::1")
        tries.spend(f"{at}".ljust(LONGEST, FACE))
    assert tries._left.kept <= SOURCES
    assert measured() - before <= tries._left.taken <= stated("web/door/rates.py _left")


@fills("web/session/sightings.py _waiting")
def test_sightings(measured: Measured) -> None:
    """More sessions than are gathered, and from addresses as long as they can be."""
    made = Sightings()
    before = measured()
    for at in range(GATHERED + 1_000):
        made.note(f"{at:022}", f"2001:db8:{at:x}:ffff:ffff:ffff:255.255.255.255%{at:015}", 1_700_000_000 + at)
    assert len(made._waiting) == GATHERED
    assert measured() - before <= stated("web/session/sightings.py _waiting")


@fills("web/signout/token_revocation.py _mine", "web/signout/token_revocation.py _beside")
async def test_tokens_that_the_state_does_not_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, measured: Measured
) -> None:
    """The largest that a session can have in its cookie; beyond a number they are given up, and it is said."""
    world = revoking.World(tmp_path / "none" / "state.db", monkeypatch)
    replica = world.replica()
    monkeypatch.setattr(replica, "_store", Refusing())
    before = measured()
    for at in range(200):
        replica.dropped(revoking.signed_in(sid=f"{at}", refresh_token=f"{at}" + "r" * 7_000))
    assert len(replica._beside) == 200
    assert measured() - before <= 200 * stated("web/signout/token_revocation.py _beside")
    await revoking.beside(replica)
    for at in range(200, IN_MEMORY + 10):
        await replica.ended(revoking.signed_in(sid=f"{at}", refresh_token=f"{at}" + "r" * 7_000))
    assert len(replica._mine) == IN_MEMORY
    assert world.counted("no_room") == 10
    world.audit.clear()
    assert measured() - before <= IN_MEMORY * stated("web/signout/token_revocation.py _mine")


class Refusing:
    """A state that takes no token."""

    async def park(self, *_: object, **__: object) -> bool:
        return False

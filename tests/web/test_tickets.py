"""Sessions with tickets: when Redis is asked, what is remembered, what is written, and what happens without an answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import clock
from gateway.core import ticket as tickets
from gateway.core.cookies import NO_COOKIES, CookieTooLargeError
from gateway.core.errors import StateError
from gateway.core.facts import DoorRules, RequestFacts, build
from gateway.core.sealing import PROMOTE_AFTER, Deployment, KeyRing, SealingKey
from gateway.core.session import Known, Principal, Session, SessionLimits
from gateway.web import tickets as module
from gateway.web.sightings import Sightings
from gateway.web.tickets import FRESH, TicketSessions
from tests.fakes.refreshing import settled
from tests.fakes.tickets import MemoryTickets, Vault

NOW = 1_700_000_000
LIMITS = SessionLimits(idle=1_800, absolute=43_200)
HERE = Deployment("https://app.example.com", "https://idp", "client")
FIRST, SECOND = (SealingKey.of(bytes([n]) * 31 + b"k") for n in range(2))


class Replica:
    """One process's sessions, and the clock that all of them have."""

    def __init__(self, vault: Vault, *keys: SealingKey, deployment: Deployment = HERE) -> None:
        self.sightings = Sightings()
        self.store = MemoryTickets(vault)
        self.store._open = True
        self.ring = KeyRing(keys or (FIRST,), now=NOW - PROMOTE_AFTER)
        self.sessions = TicketSessions(self.ring, deployment, LIMITS, self.store, sightings=self.sightings)

    async def sign_in(self, **changes: object) -> tuple[bytes, ...]:
        """A new session; the Cookie header of its browser."""
        return header(await self.sessions.begin(session(**changes), NO_COOKIES, clock.now()))

    async def read(self, headers: tuple[bytes, ...]) -> Session | None:
        """What the gate gets, having waited for it."""
        await self.sessions.fetch(headers, clock.now())
        return self.sessions.carried(headers, clock.now()).session

    async def act(self, headers: tuple[bytes, ...]) -> list[str]:
        """A request that is activity; the cookies of its answer."""
        await self.sessions.fetch(headers, clock.now())
        carried = self.sessions.carried(headers, clock.now())
        assert carried.session is not None
        lines = self.sessions.renewed(carried.session, carried, clock.now(), active=True, client="192.0.2.1")
        await settled()
        return lines


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch):
    """Put the clock forward."""

    def put(seconds: int) -> None:
        monkeypatch.setattr(clock, "now", lambda: NOW + seconds)

    put(0)
    return put


@pytest.fixture
async def vault(at) -> AsyncIterator[Vault]:
    yield Vault()


@pytest.fixture
def one(vault: Vault) -> Replica:
    return Replica(vault)


@pytest.fixture
def other(vault: Vault) -> Replica:
    return Replica(vault)


def session(**changes: object) -> Session:
    principal = Principal("https://idp", "s-1", "alice", claims={"plan": "gold"})
    made = Session("sid-1", "log", principal, ("sub:https://idp|s-1",), NOW, 5, NOW + 1_800, NOW + 43_200)
    return replace(made, **changes)


def header(lines: list[str]) -> tuple[bytes, ...]:
    """The Cookie header of a browser that took these Set-Cookie values."""
    return ("; ".join(line.partition(";")[0] for line in lines if "Max-Age=0" not in line).encode(),)


async def test_what_one_replica_keeps_every_replica_reads(one: Replica, other: Replica, vault: Vault) -> None:
    """By one small cookie."""
    cookie = await one.sign_in()
    found = await other.read(cookie)

    assert found is not None
    assert replace(found, secret=None) == session()
    assert (len(cookie), len(cookie[0]) < 600) == (1, True)
    assert (await one.read(cookie), vault.reads) == (found, 1)


async def test_who_has_no_ticket_of_ours_never_costs_a_question(one: Replica, vault: Vault) -> None:
    """No cookie, nonsense, another deployment's ticket, one of a key that is not ours."""
    elsewhere = Replica(Vault(), deployment=replace(HERE, public_url="https://staging.example.com"))
    unknown = Replica(Vault(), SECOND)
    headers = [(), (b"a=b",), (b"__Host-session=" + b"A" * 300,), (b"__Host-session",)]
    headers += [await elsewhere.sign_in(), await unknown.sign_in()]

    assert [await one.read(each) for each in headers] == [None] * len(headers)
    assert vault.reads == 0


@given(st.lists(st.binary(max_size=80), max_size=3))
def test_no_cookie_raises(values: list[bytes]) -> None:
    """Whatever is in the headers is read as nothing of ours."""
    made = Replica(Vault()).sessions
    headers = tuple(b"__Host-session=" + value for value in values)
    assert made.carried(headers, NOW).session is None


async def test_a_key_file_alone_opens_nothing_though_the_session_is_in_memory(
    one: Replica, vault: Vault
) -> None:
    """Whoever can seal tickets still lacks the secret of each."""
    cookie = await one.sign_in()
    found = await one.read(cookie)
    assert found is not None
    forged = tickets.ticket_of(replace(found, secret=bytes(32)))
    cookie = header(
        one.sessions._session.set(tickets.to_plain(forged), one.ring, HERE, now=NOW, carried=NO_COOKIES)
    )
    read = await one.read(cookie)

    assert read is not None
    assert (read.known, read.principal.user) == (Known.GONE, "")


async def test_a_hot_session_is_asked_for_once_in_some_seconds(
    one: Replica, other: Replica, vault: Vault, at
) -> None:
    """And once by all who want it at the same time."""
    cookie = await one.sign_in()
    await asyncio.gather(*(other.read(cookie) for _ in range(50)))
    assert vault.reads == 1
    at(FRESH - 1)
    assert not other.sessions.waits(facts(cookie), clock.now())
    await other.read(cookie)
    assert vault.reads == 1
    at(FRESH)
    assert other.sessions.waits(facts(cookie), clock.now())
    await asyncio.gather(*(other.read(cookie) for _ in range(50)))
    assert vault.reads == 2


async def test_activity_is_written_once_a_minute_and_sets_no_cookie(
    one: Replica, other: Replica, vault: Vault, at
) -> None:
    """Every replica has it."""
    cookie = await one.sign_in()
    for second in range(0, 180, 10):
        at(second)
        assert await one.act(cookie) == []
    assert vault.writes == 2
    found = await other.read(cookie)

    assert found is not None
    assert found.idle_until == NOW + 120 + 1_800
    assert one.sightings._waiting["sid-1"].at == NOW + 120


async def test_p24_activity_elsewhere_keeps_a_session_alive_here(
    one: Replica, other: Replica, vault: Vault, at
) -> None:
    """A replica that remembers an older deadline asks before it takes somebody for idle; who is idle stays so."""
    cookie = await one.sign_in()
    at(1_797)
    await other.read(cookie)
    await one.act(cookie)
    at(1_800)
    found = await other.read(cookie)
    assert found is not None
    assert found.idle_until == NOW + 1_797 + 1_800
    at(1_797 + 1_800)
    reads = vault.reads
    for _ in range(5):
        found = await other.read(cookie)
        assert found is not None
        assert found.idle_until <= clock.now()
    assert vault.reads == reads + 1


async def test_two_replicas_that_write_at_the_same_time_lose_nothing(
    one: Replica, other: Replica, at
) -> None:
    """The later of them looks again: what a page has written is not overwritten by activity."""
    cookie = await one.sign_in()
    await other.read(cookie)
    found = await one.read(cookie)
    assert found is not None
    carried = one.sessions.carried(cookie, NOW)
    assert await one.sessions.keep(replace(found, page={"tour": "seen"}), carried, NOW) == []
    at(4)
    other.sessions.limits = SessionLimits(idle=2_400, absolute=43_200)
    await other.act(cookie)
    found = await other.read(cookie)
    assert found is not None
    assert found.page == {"tour": "seen"}


async def test_a_page_is_kept_onto_what_is_there_by_then(one: Replica, other: Replica, at) -> None:
    """Activity that was written elsewhere meanwhile is not undone."""
    cookie = await one.sign_in()
    found = await one.read(cookie)
    assert found is not None
    carried = one.sessions.carried(cookie, NOW)
    at(100)
    await other.act(cookie)
    await one.sessions.keep(replace(found, page={"a": 1}), carried, NOW + 100)
    found = await Replica(one.store.vault).read(cookie)

    assert found is not None
    assert (found.page, found.idle_until) == ({"a": 1}, NOW + 1_900)


async def test_r10_a_successor_is_written_by_the_request_that_shows_it(one: Replica, other: Replica) -> None:
    """Without a new cookie."""
    cookie = await one.sign_in()
    found = await one.read(cookie)
    assert found is not None
    later = replace(found, generation=1, refresh_token="next")
    carried = one.sessions.replaced(one.sessions.carried(cookie, NOW), later)
    assert one.sessions.renewed(later, carried, NOW, active=False, client="") == []
    await settled()

    assert await other.read(cookie) == later


async def test_r10_a_write_under_way_brings_no_removed_session_back(
    one: Replica, other: Replica, vault: Vault, at
) -> None:
    """Somebody signs out while activity is being written."""
    cookie = await one.sign_in()
    at(100)
    await one.sessions.fetch(cookie, clock.now())
    carried = one.sessions.carried(cookie, clock.now())
    assert carried.session is not None
    vault.held = True
    one.sessions.renewed(carried.session, carried, clock.now(), active=True, client="")
    removing = asyncio.create_task(other.sessions.remove(carried.session))
    await settled()
    vault.held = False
    vault.let_one_go_on(1)
    await removing
    vault.let_one_go_on()
    await settled()

    found = await one.read(cookie)
    assert found is not None
    assert found.known is Known.GONE
    assert vault.kept == {}


async def test_without_an_answer_what_is_remembered_goes_on(
    one: Replica, other: Replica, vault: Vault, at
) -> None:
    """For as long as it is not idle here; who is not remembered is neither in nor out, until there is an answer."""
    cookie = await one.sign_in()
    vault.down = True
    at(100)
    found = await one.read(cookie)
    assert found is not None
    assert found.known is Known.WHOLE
    lost = await other.read(cookie)
    assert lost is not None
    assert (lost.known, lost.sid, lost.principal.user) == (Known.AWAY, "sid-1", "")
    vault.down = False

    back = await other.read(cookie)
    assert back is not None
    assert back.known is Known.WHOLE


async def test_who_is_not_remembered_takes_nobodys_room(
    one: Replica, other: Replica, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many come while Redis does not answer; nor can a page keep anything then."""
    monkeypatch.setattr(module, "MOST", 2)
    mine = await one.sign_in(sid="mine")
    theirs = [await other.sign_in(sid=f"s{n}") for n in range(5)]
    vault.down = True
    for cookie in theirs:
        lost = await one.read(cookie)
        assert lost is not None
        assert lost.known is Known.AWAY
    found = await one.read(mine)
    assert found is not None
    assert found.known is Known.WHOLE
    for cookie in (mine, theirs[0]):
        carried = one.sessions.carried(cookie, NOW)
        assert carried.session is not None
        with pytest.raises(StateError):
            await one.sessions.keep(replace(carried.session, page={"a": 1}), carried, NOW)


async def test_activity_without_an_answer_is_made_up_for(
    one: Replica, other: Replica, vault: Vault, at
) -> None:
    """When Redis is back, the next activity is written as any other."""
    cookie = await one.sign_in()
    vault.down = True
    at(600)
    await one.act(cookie)
    vault.down = False
    at(606)
    await one.act(cookie)
    found = await other.read(cookie)

    assert found is not None
    assert found.idle_until == NOW + 606 + 1_800


async def test_no_session_begins_without_an_answer(one: Replica, vault: Vault) -> None:
    """Nobody gets a ticket for nothing."""
    vault.down = True
    with pytest.raises(StateError):
        await one.sign_in()
    assert vault.kept == {}


async def test_a_session_too_large_does_not_begin(one: Replica, vault: Vault) -> None:
    """And says how large it is."""
    claims = {"c": "a" * tickets.LARGEST}
    with pytest.raises(CookieTooLargeError):
        await one.sign_in(principal=Principal("https://idp", "s-1", "alice", claims=claims))
    assert vault.kept == {}


async def test_many_groups_are_told_and_too_many_refused(one: Replica, vault: Vault) -> None:
    """A hundred of sixty bytes, which no cookie would take; not so many that no server would take the header."""

    def groups(number: int) -> Principal:
        return Principal("https://idp", "s-1", "alice", groups=tuple(f"{n:060}" for n in range(number)))

    cookie = await one.sign_in(principal=groups(100))
    told = dict(one.sessions.carried(cookie, NOW).identity)
    assert told[b"X-Auth-Request-Groups"].count(b",") == 99
    with pytest.raises(CookieTooLargeError) as refused:
        await one.sign_in(sid="sid-2", principal=groups(300))
    assert refused.value.budget == module.MOST_TOLD
    assert len(vault.kept) == 1


async def test_r26_a_ticket_is_sealed_anew_when_its_key_is_replaced(one: Replica, at) -> None:
    """The session stays; the next answer brings the new cookie, and only that one."""
    cookie = await one.sign_in()
    one.ring.replace([SECOND, FIRST], now=NOW)
    assert await one.act(cookie) == []
    at(PROMOTE_AFTER)
    lines = await one.act(cookie)
    assert [line.partition("=")[0] for line in lines] == ["__Host-session"]
    anew = header(lines)
    assert await one.act(anew) == []
    one.ring.replace([SECOND], now=clock.now())

    assert await one.read(cookie) is None
    found = await one.read(anew)
    assert found is not None
    assert found.known is Known.WHOLE


async def test_what_cannot_be_opened_is_gone(
    one: Replica, other: Replica, vault: Vault, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody else has written there: no session, and a line in the log that names it."""
    cookie = await one.sign_in()
    revision, sealed, until = vault.kept["sid-1"]
    vault.kept["sid-1"] = revision, sealed[:-1] + bytes([sealed[-1] ^ 1]), until
    found = await other.read(cookie)

    assert found is not None
    assert found.known is Known.GONE
    assert "session_unreadable" in capsys.readouterr().out


async def test_what_is_remembered_has_a_bound(
    one: Replica, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In number and in bytes; what falls out is asked for again."""
    cookies = [await one.sign_in(sid=f"s{n}") for n in range(20)]
    size = one.sessions._held_bytes // 20
    for name, value in (("MOST", 10), ("MOST_BYTES", 5 * size + 20)):
        monkeypatch.setattr(module, name, value)
        await one.sign_in(sid=f"more than {name}")
        assert len(one.sessions._held) <= 10
    assert one.sessions._held_bytes == sum(held.size for held in one.sessions._held.values()) <= 5 * size + 20
    found = await one.read(cookies[0])
    assert found is not None
    assert found.sid == "s0"


async def test_closing_waits_for_what_is_being_written(one: Replica, vault: Vault, at) -> None:
    """The last activity before a restart counts."""
    cookie = await one.sign_in()
    at(100)
    await one.sessions.fetch(cookie, clock.now())
    carried = one.sessions.carried(cookie, clock.now())
    assert carried.session is not None
    one.sessions.renewed(carried.session, carried, clock.now(), active=True, client="")
    await one.sessions.close()

    assert vault.kept["sid-1"][0] == 2


def facts(cookie: tuple[bytes, ...]) -> RequestFacts:
    """A request with this Cookie header."""
    rules = DoorRules("https", frozenset({"app.example.com"}))
    return build("GET", "/", ((b"Host", b"app.example.com"), (b"Cookie", *cookie)), "192.0.2.1", rules)

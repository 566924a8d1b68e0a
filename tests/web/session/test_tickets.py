"""Sessions with tickets: when Redis is asked, what is remembered, and what happens without an answer."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import clock
from gateway.core.errors import StateError
from gateway.core.http.own_cookies import NO_COOKIES
from gateway.core.memo import Kept
from gateway.core.session import ticket as tickets
from gateway.core.session.cookies import CookieTooLargeError
from gateway.core.session.sealing import PROMOTE_AFTER
from gateway.core.session.session import Husk, Principal, Session
from gateway.web.session import tickets as module
from gateway.web.session.tickets import FRESH
from tests.fakes.ticketing import FIRST, HERE, NOW, SECOND, Replica, facts, header, session
from tests.fakes.tickets import Vault


async def test_what_one_replica_keeps_every_replica_reads(one: Replica, other: Replica, vault: Vault) -> None:
    """By one small cookie."""
    cookie = await one.sign_in()
    found = await other.read(cookie)

    assert found is not None
    assert replace(found, ticket=None) == session()
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
    assert isinstance(found, Session)
    forged = replace(tickets.ticket_of(found), secret=bytes(32))
    cookie = header(
        one.sessions._session.set(tickets.FORMAT.plain(forged), one.ring, HERE, now=NOW, carried=NO_COOKIES)
    )
    read = await one.read(cookie)

    assert isinstance(read, Husk)
    assert (read.away, read.who) == (False, ("https://idp", "s-1", ""))


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


async def test_without_an_answer_what_is_remembered_goes_on(
    one: Replica, other: Replica, vault: Vault, at
) -> None:
    """For as long as it is not idle here; who is not remembered is neither in nor out, until there is an answer."""
    cookie = await one.sign_in()
    vault.down = True
    at(100)
    found = await one.read(cookie)
    assert isinstance(found, Session)
    lost = await other.read(cookie)
    assert isinstance(lost, Husk)
    assert (lost.away, lost.sid) == (True, "sid-1")
    vault.down = False

    back = await other.read(cookie)
    assert isinstance(back, Session)


async def test_without_an_answer_nobody_is_taken_for_idle(
    one: Replica, other: Replica, vault: Vault, at
) -> None:
    """There may have been activity elsewhere. Who is known to have been idle is so without an answer too."""
    cookie = await one.sign_in()
    await other.read(cookie)
    at(1_800)
    vault.down = True
    lost = await one.read(cookie)
    assert isinstance(lost, Husk)
    assert lost.away
    vault.down = False
    idle = await other.read(cookie)
    vault.down = True
    at(1_810)
    assert isinstance(idle, Session)
    assert await other.read(cookie) == idle
    assert idle.idle_until <= clock.now()


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
        assert isinstance(lost, Husk)
        assert lost.away
    found = await one.read(mine)
    assert isinstance(found, Session)
    for asked in (found, tickets.issued(found)):
        with pytest.raises(StateError):
            await one.sessions.keep(replace(asked, page={"a": 1}), one.sessions.carried(mine, NOW), NOW)


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
    assert refused.value.budget == module.MOST_IDENTITY_BYTES
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
    assert isinstance(found, Session)


async def test_what_cannot_be_opened_is_gone(
    one: Replica, other: Replica, vault: Vault, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody else has written there: no session, and a line in the log that names it."""
    cookie = await one.sign_in()
    revision, sealed, until = vault.kept["sid-1"]
    vault.kept["sid-1"] = revision, sealed[:-1] + bytes([sealed[-1] ^ 1]), until
    found = await other.read(cookie)

    assert isinstance(found, Husk)
    assert not found.away
    assert "session_unreadable" in capsys.readouterr().out


async def test_what_is_remembered_has_a_bound(one: Replica) -> None:
    """In number and in bytes, headers included; what falls out is asked for again."""
    held = one.sessions._held
    assert (held.entries, held.size) == (module.MOST, module.MOST_BYTES)
    one.sessions._held = Kept(entries=10, size=module.MOST_BYTES, weigh=held._weigh)
    cookies = [await one.sign_in(sid=f"s{n}") for n in range(20)]
    assert one.sessions._held.kept <= 10
    assert one.sessions._held.taken > 10 * module.HELD
    found = await one.read(cookies[0])
    assert found is not None
    assert found.sid == "s0"

"""Questions beside the log: each answered in its time, whatever Redis does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from gateway.state.redis import companion as redis_companion
from gateway.state.redis.companion import WITHIN, CompanionLink, digest
from gateway.state.redis.link import Link, Reply
from gateway.state.redis.place import RedisPlace
from tests.fakes.patience import PATIENCE
from tests.fakes.redis import RedisServer, questions
from tests.fakes.slow_way import SlowWay

Ask = Callable[[], Awaitable[list[Reply] | None]]


@pytest.fixture
async def companion(redis: RedisServer) -> AsyncIterator[CompanionLink]:
    made = CompanionLink(redis.place(), "things", within=WITHIN)
    made.open()
    yield made
    await made.close()


@pytest.fixture
async def patient(redis: RedisServer) -> AsyncIterator[CompanionLink]:
    """One that waits for as long as a slow machine takes."""
    made = CompanionLink(redis.place(), "things", within=PATIENCE)
    made.open()
    yield made
    await made.close()


def connected(server: RedisServer) -> int:
    """Connections besides the one that asks."""
    return int(server.ask("INFO", "clients")["connected_clients"]) - 1


async def again(companion: CompanionLink, *command: str) -> list[Reply]:
    """What it answers, as soon as it does."""
    async with asyncio.timeout(PATIENCE):
        while (answer := await companion.ask(command or ("PING",))) is None:
            await asyncio.sleep(0.05)
    return answer


async def test_many_questions_share_one_connection(patient: CompanionLink, redis: RedisServer) -> None:
    """Each gets its own answer."""
    answers = await asyncio.gather(*(patient.ask(("ECHO", str(number))) for number in range(50)))

    assert answers == [[str(number).encode()] for number in range(50)]
    assert connected(redis) == 1


async def test_a_server_that_hangs_costs_few_little_time(
    companion: CompanionLink, redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those who come together wait together, for one answer; who comes after them is told at once, and asks nothing."""
    await again(companion)
    monkeypatch.setattr(redis_companion, "RETRY_EVERY", 3_600.0)
    redis.pause()
    asked = questions(monkeypatch)
    assert set(map(str, await asyncio.gather(*(companion.ask(("PING",)) for _ in range(20))))) == {"None"}
    for _ in range(200):
        assert await companion.ask(("PING",)) is None
    assert len(asked) <= 1  # none, if this process stood still for that long
    redis.resume()


async def test_it_works_again_by_itself(patient: CompanionLink, redis: RedisServer) -> None:
    """And is for everybody again: nobody is sent away because somebody else's question is under way."""
    redis.kill()
    assert await patient.ask(("PING",)) is None
    redis.start()
    await again(patient)
    first = asyncio.create_task(patient.ask(("BLPOP", "none", "0.1")))
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert await patient.ask(("PING",)) == [b"PONG"]
    assert await first == [None]


async def test_one_of_a_crowd_finds_out(patient: CompanionLink, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others do not try the same one after another, for as long as that takes."""
    tries: list[Link] = []

    async def refused(link: Link) -> None:
        tries.append(link)
        await asyncio.sleep(0)
        raise ConnectionRefusedError

    monkeypatch.setattr(Link, "_connect", refused)
    assert await asyncio.gather(*(patient.ask(("PING",)) for _ in range(20))) == [None] * 20
    assert len(tries) == 1


async def test_one_of_many_tries_again(
    companion: CompanionLink, redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it does, the others are told at once."""
    monkeypatch.setattr(redis_companion, "RETRY_EVERY", 0.0)
    redis.pause()
    await companion.ask(("PING",))
    async with companion._turn:  # given up by then
        pass
    trying = asyncio.create_task(companion.ask(("PING",)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    for _ in range(5):
        assert await companion.ask(("PING",)) is None
        assert not trying.done()
    assert await trying is None
    redis.resume()


async def test_what_came_too_late_is_not_asked(
    companion: CompanionLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asked has gone on without it; the connection that took so long is there for the next question."""
    connect = Link._connect

    async def slowly(link: Link) -> object:
        await asyncio.sleep(2 * WITHIN)
        return await connect(link)

    monkeypatch.setattr(Link, "_connect", slowly)
    assert await companion.ask(("SET", "late", "1")) is None
    at_once = asyncio.create_task(companion.ask(("PING",)))
    await asyncio.sleep(0)
    assert at_once.done()
    assert await again(companion, "EXISTS", "late") == [0]


async def test_a_server_that_was_restarted_is_found_at_once(
    patient: CompanionLink, redis: RedisServer
) -> None:
    """The old connection is only noticed when it is used."""
    await patient.ask(("PING",))
    redis.kill()
    redis.start()

    assert await patient.ask(("PING",)) == [b"PONG"]


async def test_a_right_that_is_missing_is_said_once(
    patient: CompanionLink, redis: RedisServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """The other questions are answered as before."""
    redis.ask("ACL", "SETUSER", "default", "-set")
    for _ in range(20):
        assert await patient.run("return redis.call('SET', KEYS[1], '1')", (patient.key("a"),)) is None
        assert await patient.ask(("PING",)) == [b"PONG"]
    (line,) = capsys.readouterr().out.splitlines()

    assert "state_unavailable" in line
    assert "things" in line
    assert "lacks a right" in line


async def test_a_server_that_is_gone_is_said_once(
    companion: CompanionLink,
    redis: RedisServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not each time it is tried."""
    monkeypatch.setattr(redis_companion, "RETRY_EVERY", 0.0)
    redis.kill()
    for _ in range(20):
        assert await companion.ask(("PING",)) is None

    assert len(capsys.readouterr().out.splitlines()) == 1


async def test_who_gives_up_does_not_hinder_the_next(patient: CompanionLink, redis: RedisServer) -> None:
    """The connection is kept: the answer is read, if by nobody."""
    await patient.ask(("PING",))
    giving_up = asyncio.create_task(patient.ask(("ECHO", "nobody's")))
    await asyncio.sleep(0)
    giving_up.cancel()
    before = redis.ask("INFO", "stats")["total_connections_received"]

    assert await patient.ask(("ECHO", "mine")) == [b"mine"]
    assert redis.ask("INFO", "stats")["total_connections_received"] == before + 1
    assert giving_up.cancelled()


async def test_closing_answers_those_who_wait(companion: CompanionLink, redis: RedisServer) -> None:
    """With nothing."""
    await companion.ask(("PING",))
    redis.pause()
    waiting = asyncio.create_task(companion.ask(("PING",)))
    await asyncio.sleep(0.05)
    await companion.close()

    assert await waiting is None
    redis.resume()


async def test_a_late_answer_costs_no_connection(redis: RedisServer) -> None:
    """A request goes on without it; what was asked for is done, and the next question needs no new connection."""
    async with SlowWay(redis.port, round_trip=0.4) as way:
        companion = CompanionLink(RedisPlace((("127.0.0.1", way.port),)), "things")
        companion.open()
        async with asyncio.timeout(PATIENCE):
            while companion._link is None or companion._link.pace.usual == 0:
                await companion.ask(("PING",))
                await asyncio.sleep(0.05)
        async with companion._turn:
            pass
        seen = None
        async with asyncio.timeout(PATIENCE):
            while seen != (b"1", 0):  # but where this process stood still: then it asks nothing, or anew
                redis.ask("DEL", "late")
                opened = way.connections
                assert await companion.ask(("SET", "late", "1")) is None
                async with companion._turn:
                    pass
                seen = redis.ask("GET", "late"), way.connections - opened
        await companion.close()


async def test_who_is_patient_gets_the_answer_of_a_server_that_is_far_away(redis: RedisServer) -> None:
    """However many ask."""
    async with SlowWay(redis.port, round_trip=0.4) as way:
        companion = CompanionLink(RedisPlace((("127.0.0.1", way.port),)), "things", patient=True)
        companion.open()
        await again(companion)
        answers = await asyncio.gather(*(again(companion, "ECHO", str(n)) for n in range(3)))
        assert answers == [[b"0"], [b"1"], [b"2"]]
        await companion.close()


def test_names_of_different_texts_differ() -> None:
    """However they are cut, and whatever is in them."""
    texts = [("a", "b"), ("ab",), ("a\0b",), ('a", "b',), ("\ud83d",), ("",), ()]

    assert len({digest(*parts) for parts in texts}) == len(texts)

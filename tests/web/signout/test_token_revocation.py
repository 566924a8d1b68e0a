"""Refresh tokens that are revoked late, again, or by somebody else: with a real store, and time in the test's hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.core import clock
from gateway.core.session.sealing import SealingKey
from gateway.core.signout import chain as chains
from gateway.core.signout import token_hold
from gateway.core.signout.chain import RETURNED
from gateway.core.signout.evidence import Evidence
from gateway.core.signout.token_hold import FURTHER
from gateway.idp.provider import Revocation
from gateway.state.sqlite.log import SqliteLog
from gateway.web.signout import token_revocation
from gateway.web.signout.token_revocation import AGAIN, KEEP, LEASE, TokenRevoker
from tests.fakes.revoking import AMPLE, LIMITS, World, asleep, begun, beside, signed_in


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    log = SqliteLog(tmp_path / "state.db")
    await log.open()
    made = World(tmp_path / "state.db", monkeypatch)
    yield made
    for replica in made.replicas:
        await replica.close()
    await log.close()


@pytest.fixture
async def one(world: World) -> TokenRevoker:
    """A replica whose worker sleeps until a test asks it to look."""
    return await asleep(world.replica())


async def test_it_waits_for_its_hop(world: World, one: TokenRevoker) -> None:
    """Whoever the browser comes back to says so, and anybody revokes; nothing is left."""
    other = await asleep(world.replica())
    await one.ended(signed_in())
    await one._look()
    assert (world.provider.asked, one.waiting) == ([], 1)
    other.follow(chains.settled(begun(), RETURNED, Evidence.CAME_BACK, LIMITS, now=clock.now()).chain)
    await beside(other)
    await one._look()

    assert world.provider.asked == ["first"]
    assert world.told() == [("token_revoked", None)]
    assert (world.audit[0].subject, world.audit[0].user) == ("s-1", "alice")
    await one._look()
    assert one.waiting == 0
    assert world.counted("revoked") == 1


async def test_a_browser_that_never_comes_back_delays_it_and_no_more(world: World, one: TokenRevoker) -> None:
    """Until the barrier is down; one that begins again and again, so much further."""
    await one.ended(signed_in())
    for _ in range(20):
        world.pass_seconds(40)
        one.follow(begun())
        await beside(one)
        await one._look()
    assert world.ahead == 800 > 120 + FURTHER
    assert world.provider.asked == ["first"]


async def test_where_the_chain_has_no_such_hop_it_is_at_once(world: World) -> None:
    """Whether the browser is about to walk it, or hears of its end later."""
    replica = await asleep(world.replica(own="keycloak"))
    await replica.ended(signed_in())
    await replica._look()
    await replica.ended_elsewhere(signed_in(sid="other", refresh_token="another"))
    await replica._look()
    assert world.provider.asked == ["first", "another"]


async def test_what_was_ended_elsewhere_waits_for_the_browser_longer(world: World, one: TokenRevoker) -> None:
    """It hears of it with its next request, and then has its chain before it."""
    await one.ended_elsewhere(signed_in())
    world.pass_seconds(FURTHER - 5)
    await one._look()
    assert world.provider.asked == []
    one.follow(begun())
    await beside(one)
    world.pass_seconds(10)
    await one._look()
    assert world.provider.asked == []
    one.follow(chains.settled(begun(), RETURNED, Evidence.CAME_BACK, LIMITS, now=clock.now()).chain)
    await beside(one)
    await one._look()
    assert world.provider.asked == ["first"]


async def test_the_session_is_forgotten_when_its_token_is_kept(world: World, one: TokenRevoker) -> None:
    """A session in the store is where its token is; that goes last."""
    park = one._store.park

    async def seen(*given: object, **more: object) -> bool:
        world.order.append(f"parked, {len(world.forgotten)} forgotten")
        return await park(*given, **more)  # type: ignore[arg-type]  # handed on as they came

    world.monkeypatch.setattr(one._store, "park", seen)
    await one.ended(signed_in())
    await one.ended(signed_in(sid="bare", refresh_token=None))
    assert world.order == ["parked, 0 forgotten"]
    assert world.forgotten == ["sid", "bare"]


async def test_r10_a_refresh_that_was_under_way_is_found(world: World, one: TokenRevoker) -> None:
    """Published before the session was parked, or after; the older token is revoked as well."""
    world.later["sid"] = signed_in(generation=1, refresh_token="second")
    await one.ended(signed_in())
    world.later["sid"] = signed_in(generation=2, refresh_token="third")
    world.pass_seconds(200)
    await one._look()
    assert world.provider.asked == ["third", "second", "first"]


async def test_r10_a_dropped_generation_waits_as_its_session_does(world: World, one: TokenRevoker) -> None:
    """The refresh was answered while the browser was on its way: the same hop settles both."""
    await one.ended(signed_in())
    one.dropped(signed_in(generation=1, refresh_token="second"))
    one.dropped(signed_in(generation=1, refresh_token=None))
    await beside(one)
    await one._look()
    assert world.provider.asked == []
    one.follow(chains.settled(begun(), RETURNED, Evidence.CAME_BACK, LIMITS, now=clock.now()).chain)
    await beside(one)
    await one._look()
    assert sorted(world.provider.asked) == ["first", "second"]


async def test_r01_an_unused_token_waits_for_the_chain_it_comes_with(world: World, one: TokenRevoker) -> None:
    """Also where the browser has no session that the chain could be known by."""
    chain = begun(sid="")
    await one.unused(None, chain)
    await one.unused("left over", chain)
    await one._look()
    assert world.provider.asked == []
    one.follow(chains.settled(chain, RETURNED, Evidence.CAME_BACK, LIMITS, now=clock.now()).chain)
    await beside(one)
    await one._look()
    assert world.provider.asked == ["left over"]
    assert world.audit[0].session is None  # there never was one


async def test_what_nobody_has_is_revoked_at_once(world: World, one: TokenRevoker) -> None:
    """A sign-in that could not be finished."""
    one.at_once("left over")
    one.at_once(None)
    await beside(one)
    await one._look()
    assert world.provider.asked == ["left over"]


async def test_a_provider_that_does_not_answer_is_asked_again(world: World, one: TokenRevoker) -> None:
    """After 5, 30, 120 and then every 600 seconds, by whoever is there; the audit hears of the end."""
    world.provider.says = lambda _: Revocation.UNANSWERED
    other = await asleep(world.replica())
    await one.ended(signed_in())
    world.pass_seconds(150)
    for tries, pause in enumerate((*AGAIN, AGAIN[-1]), 1):
        await (one, other)[tries % 2]._look()
        assert len(world.provider.asked) == tries
        world.pass_seconds(pause - 2)
        await (one, other)[tries % 2]._look()
        assert len(world.provider.asked) == tries
        world.pass_seconds(3)
    assert world.told() == []
    world.provider.says = lambda _: Revocation.CONFIRMED
    await one._look()
    assert world.told() == [("token_revoked", None)]
    assert (world.counted("unanswered"), world.counted("revoked")) == (5, 1)


async def test_it_is_given_up_after_a_day(world: World, one: TokenRevoker) -> None:
    """That is said, and nothing is left."""
    world.provider.says = lambda _: Revocation.UNANSWERED
    await one.ended(signed_in())
    world.pass_seconds(KEEP + 300)
    await one._look()
    assert world.told() == [("token_not_revoked", "given_up")]
    await one._look()
    assert one.waiting == 0
    assert world.counted("given_up") == 1


@pytest.mark.parametrize("said", [Revocation.REFUSED, Revocation.UNSUPPORTED])
async def test_an_answer_that_stays_the_same_settles_it(
    world: World, one: TokenRevoker, said: Revocation
) -> None:
    """It is not asked again, and nobody claims that the token is dead."""
    world.provider.says = lambda _: said
    one.at_once("first")
    await beside(one)
    await one._look()
    world.pass_seconds(1_000)
    await one._look()
    assert world.provider.asked == ["first"]
    assert world.told() == [("token_not_revoked", said.value)]


async def test_of_several_tokens_all_must_be_settled(world: World, one: TokenRevoker) -> None:
    """One without an answer is one to ask for again; one that is refused is not revoked."""
    world.later["sid"] = signed_in(generation=1, refresh_token="second")
    world.provider.says = lambda token: Revocation.UNANSWERED if token == "second" else Revocation.CONFIRMED
    await one.ended(signed_in())
    world.pass_seconds(150)
    await one._look()
    assert world.told() == []
    world.provider.says = lambda token: Revocation.REFUSED if token == "second" else Revocation.CONFIRMED
    world.pass_seconds(6)
    await one._look()
    assert world.told() == [("token_not_revoked", "refused")]


async def test_one_replica_at_a_time_has_a_token(world: World, one: TokenRevoker) -> None:
    """Another takes over when the first has died over it, and not before."""
    other = await asleep(world.replica())
    world.provider.hanging = asyncio.Event()
    one.at_once("first")
    await beside(one)
    dying = asyncio.create_task(one._look())
    async with asyncio.timeout(AMPLE):
        while not world.provider.asked:
            await asyncio.sleep(0.01)
    await other._look()
    assert world.provider.asked == ["first"]
    dying.cancel()
    world.provider.hanging = None
    world.pass_seconds(LEASE + 1)
    await other._look()
    assert world.provider.asked == ["first", "first"]
    assert world.told() == [("token_revoked", None)]


async def test_what_is_kept_is_sealed(world: World, one: TokenRevoker) -> None:
    """Nobody who has the state has the token."""
    await one.ended(signed_in(refresh_token="a-token-to-look-for"))
    assert b"a-token-to-look-for" not in b"".join(
        path.read_bytes() for path in world.path.parent.glob("state.db*")
    )


async def test_another_deployment_or_record_opens_nothing(world: World, one: TokenRevoker) -> None:
    """Nor does a key that is gone: then that is said, and the record is not kept for ever."""
    one.at_once("first")
    await beside(one)
    await (await asleep(world.replica(key=SealingKey.of(b"another key of thirty-two bytes!"))))._look()
    assert world.told() == [("token_not_revoked", "unreadable")]
    sealed = one._sealed(token_hold.Parked("sid", ("first",)))
    await one._store.park("somebody else", sealed, due=0, latest=0, keep=KEEP)
    await one._look()
    assert world.told() == [("token_not_revoked", "unreadable")] * 2
    assert world.provider.asked == []
    await one._look()
    assert one.waiting == 0


async def test_without_the_state_this_process_does_it(world: World, tmp_path: Path) -> None:
    """From its memory, when it is due; and what is not due yet is handed over when the state is back."""
    path = tmp_path / "away" / "state.db"
    replica = await asleep(world.replica(path=path))
    await replica.ended(signed_in(), durable=False)
    await replica.ended(signed_in(sid="other", refresh_token="second"), durable=False)
    await beside(replica)
    await replica._look()
    assert (world.provider.asked, replica.waiting, len(replica._mine)) == ([], 2, 2)
    replica.follow(chains.settled(begun(), RETURNED, Evidence.CAME_BACK, LIMITS, now=clock.now()).chain)
    await beside(replica)
    world.provider.says = lambda _: Revocation.UNANSWERED
    await replica._look()
    assert world.provider.asked == ["first"]
    world.provider.says = lambda _: Revocation.CONFIRMED
    world.pass_seconds(6)
    await replica._look()
    assert world.provider.asked == ["first", "first"]
    path.parent.mkdir()
    path.touch()
    await replica._look()
    assert replica._mine == []
    waiting = await replica._store.waiting()
    assert waiting is not None
    assert waiting.count == 1


async def test_memory_is_bounded_and_says_so(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A state that is away for long fills no memory."""
    monkeypatch.setattr(token_revocation, "IN_MEMORY", 2)
    replica = await asleep(world.replica(path=tmp_path / "away.db"))
    for n in range(3):
        await replica.ended(signed_in(sid=f"s{n}"))
    assert len(replica._mine) == 2
    assert world.told() == [("token_not_revoked", "no_room")]


async def test_closing_waits_for_nothing_that_the_state_has(world: World, one: TokenRevoker) -> None:
    """The next start goes on, however long the provider takes."""
    world.provider.hanging = asyncio.Event()
    await one.open()
    one.at_once("first")
    async with asyncio.timeout(AMPLE):
        while not world.provider.asked:
            await asyncio.sleep(0.01)
    await asyncio.wait_for(one.close(), AMPLE)
    assert world.told() == []
    world.provider.hanging = None
    world.pass_seconds(LEASE + 1)
    next_start = world.replica()
    await next_start.open()
    async with asyncio.timeout(AMPLE):
        while not world.told():
            await asyncio.sleep(0.01)
    assert world.told() == [("token_revoked", None)]


@pytest.mark.parametrize("rounds", range(6))
async def test_closing_ends_a_worker_that_is_just_woken(world: World, one: TokenRevoker, rounds: int) -> None:
    """However far it has come: a cancellation that falls together with its waking is not lost."""
    await one.open()
    await one._look()
    await asyncio.sleep(0.05)
    one._wake.set()
    for _ in range(rounds):
        await asyncio.sleep(0)
    await asyncio.wait_for(one.close(), AMPLE)


async def test_closing_loses_nothing_that_is_on_its_way_to_the_state(world: World, one: TokenRevoker) -> None:
    """A sign-in that failed, or a refresh that was dropped, in the very last moment."""
    await one.open()
    one.at_once("first")
    one.dropped(signed_in(generation=1, refresh_token="second"))
    await one.close()
    world.pass_seconds(200)
    await (await asleep(world.replica()))._look()
    assert sorted(world.provider.asked) == ["first", "second"]


async def test_closing_tries_once_what_only_this_process_has(world: World, tmp_path: Path) -> None:
    """Whatever the browser is doing: nobody else could do it later. What fails is said."""
    replica = await asleep(world.replica(path=tmp_path / "away.db"))
    await replica.ended(signed_in())
    await replica.ended(signed_in(sid="other", refresh_token="second"))
    world.provider.says = lambda token: Revocation.CONFIRMED if token == "first" else Revocation.UNANSWERED
    await replica.close()
    assert sorted(world.provider.asked) == ["first", "second"]
    assert sorted(world.told()) == [("token_not_revoked", "given_up"), ("token_revoked", None)]


async def test_closing_says_what_a_provider_that_hangs_has_left(world: World, tmp_path: Path) -> None:
    """It is not waited for."""
    world.monkeypatch.setattr(token_revocation, "LAST_TRY", 0.01)
    world.provider.hanging = asyncio.Event()
    replica = await asleep(world.replica(path=tmp_path / "away.db"))
    await replica.ended(signed_in())
    await asyncio.wait_for(replica.close(), AMPLE)
    assert world.told() == [("token_not_revoked", "given_up")]


async def test_what_is_too_large_for_the_state_stays_here(world: World, one: TokenRevoker) -> None:
    """And keeps nothing else from being handed over."""
    large = "".join(chr(33 + n * n % 90) + str(n) for n in range(12_000))
    await one.ended(signed_in(refresh_token=large))
    assert len(one._mine) == 1
    one._remember(token_hold.Parked("small", ("second",)), 120)
    await one._look()
    assert [mine.parked.sid for mine in one._mine] == ["sid"]


async def test_the_worker_goes_on_after_a_crash(world: World, one: TokenRevoker) -> None:
    """Whatever it was."""
    true = one._look

    async def once() -> float:
        world.monkeypatch.setattr(one, "_look", true)
        raise RuntimeError("a fault of ours")

    world.monkeypatch.setattr(one, "_look", once)
    await one.open()
    one.at_once("first")
    async with asyncio.timeout(AMPLE):
        while not world.told():
            await asyncio.sleep(0.01)
    assert world.provider.asked == ["first"]

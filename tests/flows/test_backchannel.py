"""Back-channel logout over real sockets: the provider says that a session has ended, and it has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
from structlog.testing import capture_logs

from gateway.core import clock
from gateway.core.session.revocation_keys import hop_name, isid_key
from gateway.core.signout.revocation import hop_marks
from gateway.demo.keys import signing_key
from gateway.demo.options import CLIENT_ID
from tests.fakes.browser import Browser
from tests.fakes.door import Client, eventually
from tests.fakes.forge import ABSENT, Forge, SigningKey
from tests.fakes.logout_tokens import logout_token
from tests.fakes.patience import PATIENCE
from tests.fakes.redis import RedisServer
from tests.fakes.serving import AMPLE, serving
from tests.flows.backchannel import OPEN, PATH, beside, form, patient, posted, sent, status, subject
from tests.flows.conftest import Stand, later, standing
from tests.flows.raw import request


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    """The gateway signs in at Okta directly, whose emulator sends what Keycloak would."""
    async with standing(tmp_path, federation="okta", replaced=OPEN) as running:
        yield patient(running)


@pytest.fixture
async def alice(stand: Stand) -> Browser:
    browser = stand.browser()
    await stand.sign_in(browser, "/api/me")
    return browser


async def test_r01_the_session_is_dead_at_once_and_the_browser_walks_the_chain(
    stand: Stand, alice: Browser
) -> None:
    """A copied cookie is refused, and the browser's next navigation leads through the chain, to the password."""
    copied = alice.cookie_header(stand.app)
    assert await status(stand, copied) == 200
    assert await sent(stand) == [200]
    assert await status(stand, copied) == 401
    end = await alice.goto(f"{stand.app}/api/me")
    assert "/logout/done/" in " ".join(urlsplit(seen.url).path for seen in alice.seen)
    assert end.path == "/logged-out"
    form = await alice.goto(f"{stand.app}/api/me")
    assert form.asks_for_password
    page = await alice.submit(form, username="alice@example.com", password="demo")
    assert (page.status, page.path) == (200, "/api/me")


async def test_honest_variants_end_it(stand: Stand) -> None:
    """What providers differ in: the names they send, the type (JWT, or none), and whether they say how long it is good."""
    for variant in ("sid_only", "wrong_typ", "no_typ", "no_exp", "sub_only"):
        browser = stand.browser()
        await stand.sign_in(browser, "/api/me")
        copied = browser.cookie_header(stand.app)
        seen = [await status(stand, copied), *await sent(stand, variant), await status(stand, copied)]
        assert seen == [200, 200, 401], variant


async def test_a_provider_that_names_no_end_is_told_of_once(stand: Stand, alice: Browser) -> None:
    """Its tokens count; an operator reads why they count for so long, and not with each of them."""
    with capture_logs() as told:
        assert [*await sent(stand), *await sent(stand, "no_exp"), *await sent(stand, "no_exp")] == [200] * 3
    (line,) = [each for each in told if each["event"] == "logout_token_without_exp"]
    assert line["taken_for"] == 300


async def test_all_sessions_of_a_subject_die_and_nobody_else_s(stand: Stand, alice: Browser) -> None:
    """With `sub` alone: the same user in two browsers; another user stays."""
    again, bob = stand.browser(), stand.browser()
    await stand.sign_in(again, "/api/me")
    await stand.sign_in(bob, "/api/me", user="bob@example.com")
    assert await sent(stand, "sub_only") == [200]
    seen = [await status(stand, each.cookie_header(stand.app)) for each in (alice, again, bob)]
    assert seen == [401, 401, 200]


async def test_one_session_of_a_subject_dies_alone(stand: Stand, alice: Browser) -> None:
    """With `sid`, the same user's session in another browser stays; of an unknown one it is a success as well (§2.7)."""
    again = stand.browser()
    await stand.sign_in(again, "/api/me")
    assert await sent(stand) == [200]  # the emulator names the latest
    assert await status(stand, again.cookie_header(stand.app)) == 401
    assert await status(stand, alice.cookie_header(stand.app)) == 200
    stranger = form(stand, sid="never-seen", sub=ABSENT)
    assert (await posted(stand, stranger))[0] == 200
    assert await status(stand, alice.cookie_header(stand.app)) == 200


async def test_r06_a_session_that_is_named_ends_whatever_the_clocks_say(stand: Stand) -> None:
    """The gateway's clock is behind the provider's or ahead of it, at the sign-in and when the token comes."""
    for ahead in (-40, 61, 150):
        browser = stand.browser()
        with later(ahead):
            await stand.sign_in(browser, "/api/me")
            copied = browser.cookie_header(stand.app)
            seen = [await status(stand, copied), *await sent(stand), await status(stand, copied)]
        assert seen == [200, 200, 401], ahead


async def test_r06_a_session_that_is_named_ends_when_the_event_happened_before_the_sign_in(
    stand: Stand, alice: Browser
) -> None:
    """By its own time, which the provider may have written when it noticed something, the event is minutes older."""
    (one,) = (await stand.gateway.sign_ins.all(limit=1)).sign_ins
    sid = next(alias for alias in one.aliases if alias.startswith("isid:")).rpartition("|")[2]
    token = form(stand, sid=sid, sub=ABSENT, iat=clock.now() - 280)
    assert (await posted(stand, token))[0] == 200
    assert await status(stand, alice.cookie_header(stand.app)) == 401


async def test_r20_the_names_that_count_are_those_of_the_sign_in(stand: Stand, alice: Browser) -> None:
    """The session at the provider is recorded, and is what the entry names."""
    assert await sent(stand, "sid_only") == [200]
    (entry,) = stand.gateway.log.index.live(clock.now())
    assert entry.key.startswith(isid_key(stand.okta, ""))
    assert await stand.gateway.sign_ins.known(entry.key)
    assert (entry.reason, entry.event_time is not None) == ("backchannel", True)


async def test_r21_news_of_our_own_sign_out_ends_nobody_else(stand: Stand, alice: Browser) -> None:
    """A token without `sid`, two minutes around a sign-out that began here; one that names a session is obeyed."""
    (one,) = (await stand.gateway.sign_ins.all(limit=1)).sign_ins
    await stand.gateway.log.append(hop_marks(map(hop_name, one.aliases), clock.now() - 60))
    assert await sent(stand, "sub_only") == [200]
    assert await status(stand, alice.cookie_header(stand.app)) == 200
    told = stand.gateway.metrics.exposition().decode()
    assert 'gateway_inbound_total{result="own_hop",way="backchannel"} 1.0' in told
    assert await sent(stand) == [200]
    assert await status(stand, alice.cookie_header(stand.app)) == 401


async def test_r21_trap_41_one_sign_out_swallows_one_token(stand: Stand, alice: Browser) -> None:
    """The provider's own word of it, sent again or not; the next one is an administrator's, and is obeyed."""
    elsewhere = stand.browser()
    await stand.sign_in(elsewhere, "/api/me")
    await stand.sign_out(alice)
    ours = form(stand, sid=ABSENT, sub=await subject(stand))
    assert [(await posted(stand, ours))[0] for _ in range(2)] == [200, 200]
    assert await status(stand, elsewhere.cookie_header(stand.app)) == 200
    assert await sent(stand, "sub_only") == [200]
    assert await status(stand, elsewhere.cookie_header(stand.app)) == 401


async def test_r21_until_the_browser_is_sent_there_the_provider_has_nothing_of_ours_to_tell(
    stand: Stand, alice: Browser
) -> None:
    """The sign-out has begun here, and what the provider tells is another's doing: it ends the other browser's session."""
    elsewhere = stand.browser()
    await stand.sign_in(elsewhere, "/api/me")
    await stand.sign_out(alice, until=f"{stand.app}/logout/hop")
    assert await sent(stand, "sub_only") == [200]
    assert await status(stand, elsewhere.cookie_header(stand.app)) == 401


async def test_r21_a_hop_that_is_skipped_spares_nobody(stand: Stand, alice: Browser) -> None:
    """The browser has lost its hint: Okta is not asked by it, but at its other address, and that is when it is sent."""
    elsewhere = stand.browser()
    await stand.sign_in(elsewhere, "/api/me")
    await stand.sign_out(alice, until=f"{stand.app}/logout/hop")
    alice.cookies.pop((urlsplit(stand.app).netloc, "__Secure-session-hint"))
    skipped = await alice.navigate(f"{stand.app}/logout/hop", site="same-origin")
    assert skipped.location.startswith(f"{stand.okta}/login/signout")
    assert await sent(stand, "sub_only") == [200]
    assert await status(stand, elsewhere.cookie_header(stand.app)) == 200


async def test_r21_pressed_twice_it_is_one_sign_out(stand: Stand, alice: Browser) -> None:
    """The second press begins the chain anew, and the provider tells of it once."""
    elsewhere = stand.browser()
    await stand.sign_in(elsewhere, "/api/me")
    await stand.sign_out(alice, until=f"{stand.okta}/")
    await stand.sign_out(alice)
    assert await sent(stand, "sub_only") == [200]
    assert await status(stand, elsewhere.cookie_header(stand.app)) == 200
    assert await sent(stand, "sub_only") == [200]
    assert await status(stand, elsewhere.cookie_header(stand.app)) == 401


async def test_a_replay_is_answered_alike_and_does_nothing(stand: Stand, alice: Browser) -> None:
    """Whoever signs in after the first stays signed in; a provider that missed our answer is not told of a failure."""
    token = form(stand, sub=ABSENT)
    assert [(await posted(stand, token))[0] for _ in range(2)] == [200, 200]
    assert await sent(stand, times=3) == [200, 200, 200]
    ended = [event for event in stand.audit if event.reason == "backchannel"]
    assert len(ended) == 2
    told = stand.gateway.metrics.exposition().decode()
    assert 'gateway_inbound_total{result="replayed",way="backchannel"} 3.0' in told
    assert 'gateway_inbound_total{result="ended",way="backchannel"} 2.0' in told


async def test_the_trail_says_who_asked(stand: Stand, alice: Browser) -> None:
    """And nothing of the token."""
    await sent(stand, "sub_only")
    event = stand.audit[-1]
    assert (event.kind.value, event.reason, event.durable) == ("revoked", "backchannel", True)
    assert event.source == stand.okta
    assert event.client == "127.0.0.1"
    await sent(stand, "with_nonce")
    told = stand.gateway.metrics.exposition().decode()
    assert 'gateway_inbound_total{result="token_rejected",way="backchannel"} 1.0' in told


async def test_live_connections_end_at_once(stand: Stand, alice: Browser) -> None:
    """A stream of the application and the tabs' own hear of it while the provider waits for its answer."""
    clients = []
    for path in ("/oauth2/events", "/api/clock"):
        client = Client(*await asyncio.open_connection("127.0.0.1", stand.port))
        lines = (
            f"Cookie: {alice.cookie_header(stand.app)}",
            "Sec-Fetch-Site: same-origin",
            "Sec-Fetch-Mode: cors",
        )
        await client.send(request(stand, f"GET {path} HTTP/1.1", *lines))
        assert b" 200 " in await client.head()
        clients.append(client)
    await eventually(lambda: len(stand.gateway.live) == 2)
    assert await sent(stand) == [200]
    assert len(stand.gateway.live) == 0
    assert (await clients[0].rest()).endswith(b"event: logged-out\ndata: {}\n\n")
    for client in clients:
        with suppress(ConnectionResetError):  # a stream that is cut looks cut
            await client.rest()
        await client.close()


async def test_a_websocket_is_closed(stand: Stand, alice: Browser) -> None:
    """With the code that says why."""
    url = f"http://127.0.0.1:{stand.port}/api/live"
    headers = {
        "Host": urlsplit(stand.app).netloc,
        "Cookie": alice.cookie_header(stand.app),
        "Origin": stand.app,
    }
    async with aiohttp.ClientSession() as session, session.ws_connect(url, headers=headers) as sock:
        await eventually(lambda: len(stand.gateway.live) == 1)
        assert await sent(stand) == [200]
        message = await sock.receive(PATIENCE)
        while message.type is aiohttp.WSMsgType.TEXT:
            message = await sock.receive(PATIENCE)
        assert message.data == 4401


async def test_workers_share_what_was_ended_and_which_tokens_were_taken(
    stand: Stand, alice: Browser, tmp_path: Path
) -> None:
    """Told to one, done at both, and a replay at the other is one."""
    token = form(stand, sid=ABSENT, sub=await subject(stand))
    async with beside(stand, tmp_path / "gateway.yaml") as (other, port):
        assert (await posted(stand, token))[0] == 200
        at_first, stand.port = stand.port, port
        assert await status(stand, alice.cookie_header(stand.app)) == 401
        position = other.log.index.position
        assert (await posted(stand, token))[0] == 200
        assert other.log.index.position == position
        assert 'result="replayed",way="backchannel"} 1.0' in other.metrics.exposition().decode()
        stand.port = at_first


async def test_r04_worker_processes_share_it_at_once(tmp_path: Path) -> None:
    """Of two workers one hears of it, whichever the kernel chose; from the answer on neither lets the cookie in."""
    async with serving(tmp_path, workers=2, env=AMPLE, extra="inbound: {backchannel: true}\n") as gateway:
        browser = gateway.browser()
        await gateway.sign_in(browser)
        cookie = browser.cookie_header(gateway.app)
        assert gateway.idp is not None
        key = signing_key("cognito id")
        sender = Forge(
            gateway.idp.options.issuer,
            CLIENT_ID,
            now=clock.now(),
            id_key=SigningKey(key.kid, key.private),
        )
        (session,) = (await gateway.operate("GET", "/api/sessions"))[1]["sessions"]
        token = {"logout_token": logout_token(sender, sub=session["sub"], sid=ABSENT)}
        assert {await gateway.status(cookie) for _ in range(10)} == {200}
        async with gateway.client.post(f"{gateway.app}{PATH}", data=token) as answer:
            assert answer.status == 200
        assert {await gateway.status(cookie) for _ in range(40)} == {401}
        async with gateway.client.post(f"{gateway.app}{PATH}", data=token) as again:
            assert again.status == 200
        told = (await gateway.probe("/metrics"))[1]
        assert 'gateway_inbound_total{result="ended",way="backchannel"} 1.0' in told
        assert 'gateway_inbound_total{result="replayed",way="backchannel"} 1.0' in told


async def test_g02_replicas_on_one_redis_end_it_within_a_second(tmp_path: Path) -> None:
    """Told to one: at the other the cookie is dead, its stream is cut, and the same token is a replay."""
    with RedisServer(tmp_path / "redis", "appendonly yes") as redis:
        place = {f"sqlite://{tmp_path}/state.db": f"redis://127.0.0.1:{redis.port}/0"}
        async with (
            standing(tmp_path, federation="okta", replaced={**OPEN, **place}) as first,
            beside(first, tmp_path / "gateway.yaml") as (other, port),
        ):
            browser = first.browser()
            await first.sign_in(browser, "/api/me")
            cookie = browser.cookie_header(first.app)
            token = form(first, sid=ABSENT, sub=await subject(first))
            second = replace(first, port=port)
            stream = Client(*await asyncio.open_connection("127.0.0.1", port))
            await stream.send(request(second, "GET /api/clock HTTP/1.1", f"Cookie: {cookie}"))
            assert b" 200 " in await stream.head()
            assert (await posted(first, token))[0] == 200
            async with asyncio.timeout(PATIENCE):
                while await status(second, cookie) != 401:
                    await asyncio.sleep(0.005)
            with suppress(ConnectionResetError):
                await stream.rest()
            await stream.close()
            assert (await posted(second, token))[0] == 200
            assert 'result="replayed",way="backchannel"} 1.0' in other.metrics.exposition().decode()

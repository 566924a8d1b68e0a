"""Back-channel logout over real sockets: the provider says that a session has ended, and it has."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import aiohttp
import pytest

from gateway import server
from gateway.app import Gateway
from gateway.config import load
from gateway.core import clock
from gateway.core.revocation import hop_entries, isid_key
from gateway.demo.keys import signing_key
from gateway.demo.options import CLIENT_ID
from tests.fakes.browser import Browser
from tests.fakes.door import Client, eventually
from tests.fakes.forge import ABSENT, Forge, SigningKey
from tests.fakes.logout_tokens import logout_token
from tests.fakes.redis import RedisServer
from tests.flows.conftest import Stand, free_socket, standing
from tests.flows.raw import exchange, request

PATH = "/oauth2/backchannel-logout"
OPEN = {"  frontchannel: true\n": "  backchannel: true\n"}
"""What the generated configuration opens, and what is opened here."""
FORM = "Content-Type: application/x-www-form-urlencoded"
REFUSED = [
    *("wrong_iss", "wrong_aud", "no_jti", "expired", "no_exp", "too_old", "from_the_future", "alg_none"),
    *(
        "hs256_with_the_public_key",
        "wrong_key",
        "unknown_kid",
        "neither_sub_nor_sid",
        "with_nonce",
        "no_events",
    ),
    *("other_event", "event_is_no_object", "an_id_token"),
    *("given_twice", "no_logout_token", "wrong_content_type"),
]


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    """The gateway signs in at Okta directly, whose emulator sends what Keycloak would."""
    async with standing(tmp_path, federation="okta", **OPEN) as running:
        yield running


@pytest.fixture
async def alice(stand: Stand) -> Browser:
    browser = stand.browser()
    await stand.sign_in(browser, "/api/me")
    return browser


async def sent(
    stand: Stand, variant: str = "good", *, times: int = 1, user: str = "alice@example.com"
) -> list[int]:
    """The statuses that one message got, sent so many times."""
    answers = await stand.idp.sender.send("logout_token", variant=variant, times=times, user=user)
    return [answer.status for answer in answers]


def forge(stand: Stand) -> Forge:
    """With the emulator's own key."""
    key = signing_key("okta org")
    return Forge(stand.okta, CLIENT_ID, now=clock.now(), id_key=SigningKey(key.kid, key.private))


async def posted(
    stand: Stand, body: bytes, *headers: str, host: str = ""
) -> tuple[int, dict[str, str], bytes]:
    """What a body of our own gets, on a connection of its own."""
    length = f"Content-Length: {len(body)}"
    asked = request(stand, f"POST {PATH} HTTP/1.1", *(headers or (FORM,)), length, host=host, body=body)
    (answer,) = await exchange(stand, asked)
    told = {name.decode().lower(): value.decode() for name, value in answer.headers}
    return answer.status, told, answer.body


async def status(stand: Stand, cookie: str) -> int:
    (answer,) = await exchange(stand, request(stand, "GET /api/me HTTP/1.1", f"Cookie: {cookie}"))
    return answer.status


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
    assert 'name="password"' in form.text
    page = await alice.submit(form, username="alice@example.com", password="demo")
    assert (page.status, page.path) == (200, "/api/me")


async def test_the_answer_is_empty_and_never_stored(stand: Stand, alice: Browser) -> None:
    """Back-Channel Logout 1.0 §2.8; a refusal says why, in JSON."""
    token = urlencode({"logout_token": logout_token(forge(stand))}).encode()
    code, headers, body = await posted(stand, token)
    assert (code, body, headers["cache-control"]) == (200, b"", "no-store")
    assert "set-cookie" not in headers
    code, headers, body = await posted(stand, b"logout_token=nonsense")
    assert (code, headers["cache-control"], headers["content-type"]) == (400, "no-store", "application/json")
    assert json.loads(body)["error"] == "invalid_request"
    assert json.loads(body)["error_description"].startswith("form: ")


async def test_hostile_variants_end_nothing(stand: Stand, alice: Browser) -> None:
    """Each is refused, and leaves no entry."""
    position = stand.gateway.log.index.position
    seen = {variant: await sent(stand, variant) for variant in REFUSED}
    assert seen == {variant: [400] for variant in REFUSED}
    assert stand.gateway.log.index.position == position
    assert await status(stand, alice.cookie_header(stand.app)) == 200


async def test_honest_variants_end_it(stand: Stand) -> None:
    """What providers differ in: the names they send, and the type (JWT, or none)."""
    for variant in ("sid_only", "wrong_typ", "no_typ", "sub_only"):
        browser = stand.browser()
        await stand.sign_in(browser, "/api/me")
        copied = browser.cookie_header(stand.app)
        seen = [await status(stand, copied), *await sent(stand, variant), await status(stand, copied)]
        assert seen == [200, 200, 401], variant


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
    stranger = urlencode({"logout_token": logout_token(forge(stand), sid="never-seen", sub=ABSENT)}).encode()
    assert (await posted(stand, stranger))[0] == 200
    assert await status(stand, alice.cookie_header(stand.app)) == 200


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
    await stand.gateway.log.append(hop_entries(one.aliases, clock.now() - 60))
    assert await sent(stand, "sub_only") == [200]
    assert await status(stand, alice.cookie_header(stand.app)) == 200
    told = stand.gateway.metrics.exposition().decode()
    assert 'gateway_inbound_total{result="own_hop",way="backchannel"} 1.0' in told
    assert await sent(stand) == [200]
    assert await status(stand, alice.cookie_header(stand.app)) == 401


async def test_a_replay_is_answered_alike_and_does_nothing(stand: Stand, alice: Browser) -> None:
    """Whoever signs in after the first stays signed in; a provider that missed our answer is not told of a failure."""
    token = urlencode({"logout_token": logout_token(forge(stand), sub=ABSENT)}).encode()
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
    assert event.evidence == f"on the word of {stand.okta}"
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
        message = await sock.receive(5)
        while message.type is aiohttp.WSMsgType.TEXT:
            message = await sock.receive(5)
        assert message.data == 4401


async def test_no_rule_for_browsers_is_in_the_way(stand: Stand, alice: Browser) -> None:
    """R8 is about cookies, of which none is looked at; which host is meant is asked all the same."""
    token = urlencode({"logout_token": logout_token(forge(stand), sub=ABSENT, sid="x")}).encode()
    strange = (
        FORM,
        "Origin: https://elsewhere.example",
        "Sec-Fetch-Site: cross-site",
        "Cookie: __Host-session=junk",
    )
    assert (await posted(stand, token, *strange))[0] == 200
    assert (await posted(stand, token, host="elsewhere.example"))[0] == 421
    (answer,) = await exchange(stand, request(stand, f"GET {PATH} HTTP/1.1"))
    assert (answer.status, answer.value(b"allow")) == (405, b"POST")


NO_FORMS = [
    *(b"", b"logout_token=", b"logout_token=%ff", b"logout_token=\xff", b"logout_token=a&logout%5ftoken=b"),
    *(b"&" * 100 + b"logout_token=x", b"=" * 60_000, b"a=&" * 100),
]


async def test_forms_that_are_none_are_refused(stand: Stand) -> None:
    """Never an error of ours; more than 64 KiB are not read."""
    assert [(await posted(stand, body))[0] for body in NO_FORMS] == [400] * len(NO_FORMS)
    code, headers, _ = await posted(stand, b"logout_token=" + b"a" * 70_000)
    assert (code, headers["connection"]) == (413, "close")


async def test_other_parameters_and_a_charset_are_no_fault(stand: Stand, alice: Browser) -> None:
    """§2.5 lets the body hold other values."""
    token = urlencode(
        {"client_id": "x", "logout_token": logout_token(forge(stand), sub=ABSENT, sid="x")}
    ).encode()
    assert (await posted(stand, token, f"{FORM}; charset=UTF-8"))[0] == 200


async def test_r05_what_the_log_cannot_hold_is_not_acknowledged(
    stand: Stand, alice: Browser, tmp_path: Path
) -> None:
    """Dead here at once, 503 to the provider; the same token is a success once the log has it."""
    token = urlencode(
        {"logout_token": logout_token(forge(stand), sid=ABSENT, sub=await subject(stand))}
    ).encode()
    lock = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    code, headers, body = await posted(stand, token)
    assert (code, headers["retry-after"], headers["cache-control"]) == (503, "5", "no-store")
    assert json.loads(body) == {"error": "temporarily_unavailable"}
    assert await status(stand, alice.cookie_header(stand.app)) == 401
    lock.execute("ROLLBACK")
    lock.close()
    await eventually(lambda: not stand.gateway.log.pending, seconds=10)
    assert (await posted(stand, token))[0] == 200
    told = stand.gateway.metrics.exposition().decode()
    assert 'gateway_inbound_total{result="not_durable",way="backchannel"} 1.0' in told


async def subject(stand: Stand) -> str:
    return (await stand.gateway.sign_ins.all(limit=1)).sign_ins[0].subject


async def test_a_flood_of_unknown_keys_does_not_lose_a_true_token(stand: Stand, alice: Browser) -> None:
    """While fresh keys are not due, an unknown id may be the provider's new key: that is no refusal."""
    assert await sent(stand, "unknown_kid") == [400]
    assert await sent(stand, "unknown_kid") == [503]
    assert await sent(stand) == [200]


@asynccontextmanager
async def beside(stand: Stand, configuration: Path) -> AsyncIterator[tuple[Gateway, int]]:
    """Another process's worth of gateway on the same state."""
    sock = free_socket()
    gateway = Gateway(load(configuration, {}))
    run, ready = server.Run(gateway), asyncio.Event()
    task = asyncio.create_task(server.serve_replica(run, sock, on_ready=ready.set, accept_for=0.0))
    await asyncio.wait([asyncio.create_task(ready.wait()), task], return_when=asyncio.FIRST_COMPLETED)
    try:
        yield gateway, sock.getsockname()[1]
    finally:
        run.stop.set()
        await task


async def test_without_keys_nothing_is_decided(stand: Stand, tmp_path: Path) -> None:
    """The provider is away, so nobody can say whether the token is good: it may come again."""
    token = urlencode({"logout_token": logout_token(forge(stand))}).encode()
    await stand.idp.close()
    async with beside(stand, tmp_path / "gateway.yaml") as (other, stand.port):
        code, headers, body = await posted(stand, token)
        assert (code, headers["retry-after"]) == (503, "5")
        assert json.loads(body) == {"error": "temporarily_unavailable"}
        assert 'result="no_keys",way="backchannel"} 1.0' in other.metrics.exposition().decode()


async def test_workers_share_what_was_ended_and_which_tokens_were_taken(
    stand: Stand, alice: Browser, tmp_path: Path
) -> None:
    """Told to one, done at both, and a replay at the other is one."""
    token = urlencode(
        {"logout_token": logout_token(forge(stand), sid=ABSENT, sub=await subject(stand))}
    ).encode()
    async with beside(stand, tmp_path / "gateway.yaml") as (other, port):
        assert (await posted(stand, token))[0] == 200
        at_first, stand.port = stand.port, port
        assert await status(stand, alice.cookie_header(stand.app)) == 401
        position = other.log.index.position
        assert (await posted(stand, token))[0] == 200
        assert other.log.index.position == position
        assert 'result="replayed",way="backchannel"} 1.0' in other.metrics.exposition().decode()
        stand.port = at_first


async def test_g02_replicas_on_one_redis_end_it_within_a_second(tmp_path: Path) -> None:
    """Told to one: at the other the cookie is dead, its stream is cut, and the same token is a replay."""
    with RedisServer(tmp_path / "redis", "appendonly yes") as redis:
        place = {f"sqlite://{tmp_path}/state.db": f"redis://127.0.0.1:{redis.port}/0"}
        async with (
            standing(tmp_path, federation="okta", **OPEN, **place) as first,
            beside(first, tmp_path / "gateway.yaml") as (other, port),
        ):
            browser = first.browser()
            await first.sign_in(browser, "/api/me")
            cookie = browser.cookie_header(first.app)
            token = urlencode(
                {"logout_token": logout_token(forge(first), sid=ABSENT, sub=await subject(first))}
            )
            second = replace(first, port=port)
            stream = Client(*await asyncio.open_connection("127.0.0.1", port))
            await stream.send(request(second, "GET /api/clock HTTP/1.1", f"Cookie: {cookie}"))
            assert b" 200 " in await stream.head()
            assert (await posted(first, token.encode()))[0] == 200
            async with asyncio.timeout(1):
                while await status(second, cookie) != 401:
                    await asyncio.sleep(0.005)
            with suppress(ConnectionResetError):
                await stream.rest()
            await stream.close()
            assert (await posted(second, token.encode()))[0] == 200
            assert 'result="replayed",way="backchannel"} 1.0' in other.metrics.exposition().decode()


async def test_it_is_closed_unless_it_is_asked_for(tmp_path: Path) -> None:
    """404 without the key; nothing of it is there."""
    async with standing(tmp_path, federation="okta") as stand:
        assert (await posted(stand, b"logout_token=x"))[0] == 404

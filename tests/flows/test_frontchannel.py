"""Front-channel logout over real sockets: a frame in the provider's page ends the session, and tells nobody anything."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlencode, urlsplit

import pytest

from gateway.core import clock
from gateway.core.session.revocation_keys import isid_key
from gateway.state.sqlite.sign_ins import SqliteSignIns
from gateway.web.door.rates import BURST, TriesPerSource
from gateway.web.endpoints.inbound.frontchannel import AGAIN_BURST
from tests.fakes.browser import Browser
from tests.fakes.door import Response, eventually
from tests.fakes.patience import PATIENCE
from tests.flows.backchannel import beside, patient
from tests.flows.conftest import Stand, standing
from tests.flows.inbound import blocked
from tests.flows.raw import exchange, request
from tests.flows.stores import BOTH, Store

PATH = "/oauth2/frontchannel-logout"
STORES = ("cookie",)
T = TypeVar("T")


@pytest.fixture
def spent_tries_stay_spent(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it takes to spend them."""
    named = TriesPerSource.__init__.__kwdefaults__ or {}
    assert "clock" in named
    monkeypatch.setattr(TriesPerSource.__init__, "__kwdefaults__", {**named, "clock": lambda: 0.0})


@pytest.fixture
async def stand(tmp_path: Path, store: Callable[[Path], Store]) -> AsyncIterator[Stand]:
    """The gateway signs in at Okta directly, which names its session and has front-channel logout."""
    async with standing(tmp_path, federation="okta", store=store(tmp_path)) as running:
        yield patient(running)


def wherever_sessions_are(test: T) -> T:
    """In their cookies, and in Redis."""
    test.stores = BOTH  # type: ignore[attr-defined]  # read by pytest_generate_tests
    return test


@pytest.fixture
async def alice(stand: Stand) -> Browser:
    browser = stand.browser()
    await stand.sign_in(browser, "/api/me")
    return browser


async def framed(stand: Stand, query: str, *headers: str) -> Response:
    """What a frame in somebody's page gets: from another site, without a cookie of ours."""
    sent = ("Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe", *headers)
    (answer,) = await exchange(stand, request(stand, f"GET {PATH}{query} HTTP/1.1", *sent))
    return answer


def undated(answer: Response) -> bytes:
    """Every byte but the date."""
    lines = answer.raw.split(b"\r\n")
    return b"\r\n".join(line for line in lines if not line.startswith(b"Date: ")) + answer.body


async def provider_session(stand: Stand) -> str:
    """What the provider calls the latest session."""
    aliases = (await stand.gateway.sign_ins.all(limit=1)).sign_ins[0].aliases
    (name,) = (alias for alias in aliases if alias.startswith("isid:"))
    return name.partition("|")[2]


def named(stand: Stand, sid: str) -> str:
    return "?" + urlencode({"iss": stand.okta, "sid": sid})


async def status(stand: Stand, browser: Browser) -> int:
    cookie = f"Cookie: {browser.cookie_header(stand.app)}"
    (answer,) = await exchange(stand, request(stand, "GET /api/me HTTP/1.1", cookie))
    return answer.status


def counted(stand: Stand, result: str) -> float:
    """Of ``gateway_inbound_total``."""
    sign = f'gateway_inbound_total{{result="{result}",way="frontchannel"}} '
    lines = stand.gateway.metrics.exposition().decode().splitlines()
    return sum(float(line.removeprefix(sign)) for line in lines if line.startswith(sign))


@wherever_sessions_are
async def test_a_frame_without_a_cookie_ends_the_session(stand: Stand, alice: Browser) -> None:
    """The way browsers that block foreign cookies load it."""
    answer = await framed(stand, named(stand, await provider_session(stand)))
    assert answer.status == 200
    assert await status(stand, alice) == 401
    (entry,) = stand.gateway.log.index.live(clock.now())
    assert (entry.key, entry.reason) == (isid_key(stand.okta, await provider_session(stand)), "frontchannel")
    event = stand.audit[-1]
    assert (event.kind.value, event.source) == ("revoked", stand.okta)
    assert counted(stand, "ended") == 1


async def test_r01_the_browser_walks_the_chain_next(stand: Stand, alice: Browser) -> None:
    """Its cookie is dead, and still leads it out of everything before anybody signs in again."""
    await framed(stand, named(stand, await provider_session(stand)))
    end = await alice.goto(f"{stand.app}/api/me")
    assert "/logout/done/" in " ".join(urlsplit(seen.url).path for seen in alice.seen)
    assert end.path == "/logged-out"
    form = await alice.goto(f"{stand.app}/api/me")
    assert form.asks_for_password


async def test_the_emulated_okta_s_sign_out_page_ends_it(stand: Stand, alice: Browser) -> None:
    """Somebody signs out at Okta itself; of its page's frames ours is loaded, as the address that Okta made."""
    stand.set(signout_fans_out=True)
    page = await alice.navigate(f"{stand.okta}/login/signout")
    (address,) = (unescape(found) for found in re.findall(r'<iframe [^>]*src="([^"]*)"', page.text))
    assert address.startswith(f"{stand.app}{PATH}?")
    frame = await alice.send("GET", address, {"Sec-Fetch-Dest": "iframe"}, None, cross_site=True)
    assert frame.status == 200
    assert (await alice.fetch(f"{stand.app}/api/me")).status == 401


async def test_the_page_may_be_framed_by_the_provider_alone(stand: Stand) -> None:
    """And is stored by nobody, runs nothing, sets nothing."""
    answer = await framed(stand, "")
    policy = answer.value(b"content-security-policy") or b""
    assert policy == f"default-src 'none'; frame-ancestors {stand.okta}".encode()
    assert answer.value(b"x-frame-options") is None
    assert answer.value(b"cache-control") == b"no-store"
    assert answer.value(b"set-cookie") is None
    assert len(answer.body) < 100


async def test_r20_every_call_is_answered_with_the_same_bytes(stand: Stand, alice: Browser) -> None:
    """Of a session that is known, of one that is not, of nonsense: nobody learns which there are; one entry is made."""
    sid = await provider_session(stand)
    other = urlencode({"iss": "https://other.example", "sid": sid})
    asked = [
        *("", "?", f"?sid={sid}", "?" + urlencode({"iss": stand.okta}), f"?{other}"),
        *(named(stand, each) for each in ("never-seen", "", "a" * 256, "a\r\nb", "\0", "é")),
        *(named(stand, sid) + "&sid=x", named(stand, sid) + f"&iss={stand.okta}", "?%ff=%ff&sid=%ff"),
        "?" + "&".join(f"a{number}=1" for number in range(50)),
    ]
    position = stand.gateway.log.index.position
    answers = [undated(await framed(stand, query)) for query in asked]
    assert (stand.gateway.log.index.position, await status(stand, alice)) == (position, 200)
    answers.append(undated(await framed(stand, named(stand, sid))))
    assert await status(stand, alice) == 401
    assert len(set(answers)) == 1
    assert (counted(stand, "ignored"), counted(stand, "ended")) == (len(asked), 1)


@pytest.mark.usefixtures("spent_tries_stay_spent")
async def test_r20_whoever_guesses_is_slowed_down_and_not_told(stand: Stand, alice: Browser) -> None:
    """After a burst of misses nothing is looked up for that address; the answer stays the same."""
    sid = await provider_session(stand)
    first = undated(await framed(stand, named(stand, "guess")))
    for number in range(BURST + 10):
        assert undated(await framed(stand, named(stand, f"guess-{number}"))) == first
    assert undated(await framed(stand, named(stand, sid))) == first
    assert await status(stand, alice) == 200


@pytest.mark.usefixtures("spent_tries_stay_spent")
async def test_r20_one_session_s_name_fills_no_log(stand: Stand, alice: Browser) -> None:
    """Ended again and again, it makes a handful of entries: more than one, since it may have come back meanwhile."""
    query = named(stand, await provider_session(stand))
    for _ in range(20):
        assert (await framed(stand, query)).status == 200
    assert counted(stand, "ended") == AGAIN_BURST


@wherever_sessions_are
async def test_a_browser_s_own_cookie_vouches_where_the_record_is_lost(
    stand: Stand, alice: Browser, tmp_path: Path
) -> None:
    """The provider is of the same site, so the cookie comes along, to whichever process: no record is needed."""
    sid = await provider_session(stand)
    listed = await stand.gateway.sign_ins.all(limit=10)
    await stand.gateway.sign_ins.forget([one.sid for one in listed.sign_ins])
    assert (await framed(stand, named(stand, sid))).status == 200
    assert await status(stand, alice) == 200
    async with beside(stand, tmp_path / "gateway.yaml") as (_, port):
        elsewhere = replace(stand, port=port)
        await framed(elsewhere, named(stand, sid), f"Cookie: {alice.cookie_header(stand.app)}")
    assert await status(stand, alice) == 401


async def test_r05_what_the_log_cannot_hold_is_not_acknowledged(
    stand: Stand, alice: Browser, tmp_path: Path
) -> None:
    """Dead here at once, 503 all the same; who names no session of ours still gets the page, as nothing is to be held."""
    query = named(stand, await provider_session(stand))
    patient(stand, 0.25)
    with blocked(tmp_path):
        answer = await framed(stand, query)
        assert (answer.status, answer.value(b"retry-after")) == (503, b"5")
        assert await status(stand, alice) == 401
        assert (await framed(stand, named(stand, "guess"))).status == 200
    await eventually(lambda: not patient(stand).gateway.log.pending, seconds=PATIENCE)
    assert (await framed(stand, query)).status == 200


async def test_only_get_and_only_where_it_is_asked_for(
    stand: Stand, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """405 for other methods, 404 without the key."""
    (answer,) = await exchange(stand, request(stand, f"POST {PATH} HTTP/1.1", "Content-Length: 0"))
    assert (answer.status, answer.value(b"allow")) == (405, b"GET, HEAD")
    shut = {"  frontchannel: true\n": "  frontchannel: false\n"}
    async with standing(tmp_path_factory.mktemp("closed"), federation="okta", replaced=shut) as closed:
        assert (await framed(closed, "")).status == 404


async def test_r20_without_the_record_nobody_is_told_anything(
    stand: Stand, alice: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether there is such a session cannot be said now: 503, to whoever asks, of whatever session."""
    sid = await provider_session(stand)
    sign_ins = stand.gateway.sign_ins
    assert isinstance(sign_ins, SqliteSignIns)
    # For the record alone: were the file away for all, the log's beat would make another one.
    for table in sign_ins._tables:
        monkeypatch.setattr(table, "_path", tmp_path / "gone")
    answers = [await framed(stand, named(stand, each)) for each in (sid, "guess")]
    assert [answer.status for answer in answers] == [503, 503]
    assert undated(answers[0]) == undated(answers[1])
    assert counted(stand, "no_record") == 2

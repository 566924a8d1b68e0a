"""Signing in, when all goes well and when it does not (pains P11, P13, P14, P22; rules R1, R2, R33, R35)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest
import pytest_asyncio

from gateway.core.session.attempt import LOOP_LIMIT
from tests.corpus.read import lines
from tests.fakes import production_log
from tests.fakes.browser import Browser
from tests.flows.conftest import Stand, later, standing, switched
from tests.flows.stores import BOTH

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("the_clock_stands")]
STORES = BOTH
ALICE = {"username": "alice@example.com", "password": "demo"}


@pytest_asyncio.fixture(loop_scope="module")
async def browser(shared: Stand) -> AsyncIterator[Browser]:
    made = Browser.open()
    yield made
    await made.close()


def attempts(browser: Browser, stand: Stand) -> set[str]:
    return {name for name in browser.cookie_names(stand.app) if name.startswith("__Host-login_")}


async def who(browser: Browser, stand: Stand) -> str | None:
    """The user of the session, None when there is none."""
    answer = await browser.fetch(f"{stand.app}/oauth2/session")
    user: str | None = json.loads(answer.text).get("user")
    return user


async def at_the_callback(stand: Stand, browser: Browser, path: str = "/api/me") -> str:
    """Sign in up to the address that Cognito sends the browser back to; that is not yet asked for."""
    form = await browser.goto(stand.app + path)
    page = await browser.submit(form, until=f"{stand.app}/oauth2/callback", **ALICE)
    return page.location


def without_attempts(browser: Browser) -> None:
    """The browser keeps everything but the cookies of its attempts."""
    browser.cookies = {key: value for key, value in browser.cookies.items() if key[1][:13] != "__Host-login_"}


async def test_the_authorization_request_is_complete(shared: Stand, browser: Browser) -> None:
    """Code flow with PKCE S256, nonce and state, our own redirect address; a fresh set for each attempt."""
    queries = []
    for _ in range(2):
        page = await browser.goto(f"{shared.app}/api/me", until=shared.cognito)
        queries.append(
            {key: values[0] for key, values in parse_qs(urlsplit(page.continue_url()).query).items()}
        )
    for query in queries:
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        assert query["redirect_uri"] == f"{shared.app}/oauth2/callback"
        assert query["identity_provider"] == "Okta"
        assert "prompt" not in query
    for name in ("state", "nonce", "code_challenge"):
        assert queries[0][name] != queries[1][name]


async def test_p22_the_deep_link_survives(shared: Stand, browser: Browser) -> None:
    """Path and query come back; the landing page restores the fragment by the attempt's name."""
    page = await shared.sign_in(browser, "/api/reports?sort=a%2Fb&x=%20")
    assert page.path == "/api/reports?sort=a%2Fb&x=%20"
    landing = next(seen for seen in browser.seen if "/oauth2/landing" in seen.url)
    start = next(seen for seen in browser.seen if "/oauth2/start" in seen.url)
    names = [seen.text.partition('data-attempt="')[2][:8] for seen in (start, landing)]
    assert names[0] == names[1]


async def test_p22_a_long_deep_link_waits_in_the_tab(shared: Stand, browser: Browser) -> None:
    """What has no room in the state is handed to the page, in one piece, and never lost."""
    target = "/reports?" + "&".join(f"filter{n}={n * 7919}" for n in range(30))
    page = await browser.goto(f"{shared.app}{target}", until=shared.cognito)
    assert f'data-rd="{target.replace("&", "&amp;")}"' in page.text
    for line in page.set_cookies():
        assert len(line.partition(";")[0]) <= 300


async def test_p22_a_client_without_script_keeps_its_long_deep_link(shared: Stand, browser: Browser) -> None:
    """Without Sec-Fetch headers there is no page to keep it, so the cookie is larger."""
    target = "/reports?" + "x" * 900
    answer = await browser.send(
        "GET", f"{shared.app}/oauth2/start?rd={quote(target)}", {"Accept": "text/html"}, None
    )
    assert answer.status == 302
    assert answer.location.startswith(shared.cognito)
    (cookie,) = answer.set_cookies()
    assert 1_000 > len(cookie) > 200


async def test_p11_parallel_tabs_do_not_disturb_each_other(shared: Stand, browser: Browser) -> None:
    """Two tabs begin; both finish; the second finds the first one's session and only goes where it wanted."""
    first = await browser.goto(f"{shared.app}/api/me", until=shared.cognito)
    second = await browser.goto(f"{shared.app}/api/reports", until=shared.cognito)
    assert len(attempts(browser, shared)) == 2
    form = await browser.follow(first, site="cross-site")
    assert (await browser.submit(form, **ALICE)).path == "/api/me"
    session = browser.cookie_header(shared.app).partition("__Host-session=")[2].partition(";")[0]
    logins = shared.told().count("login")
    done = await browser.follow(second, site="cross-site")
    assert (done.status, done.path) == (200, "/api/reports")
    assert f"__Host-session={session}" in browser.cookie_header(shared.app)
    assert shared.told().count("login") == logins


async def test_p11_at_most_five_attempts_are_kept(shared: Stand, browser: Browser) -> None:
    """The oldest are dropped, so the header budget of 7,000 bytes holds (rule R33)."""
    for path in range(8):
        await browser.goto(f"{shared.app}/reports/{path}?{'y' * 60}", until=shared.cognito)
    kept = attempts(browser, shared)
    assert len(kept) == 5
    sizes = [len(name) + 1 + len(browser.cookies[urlsplit(shared.app).netloc, name][0]) for name in kept]
    assert max(sizes) <= 300


async def test_p11_a_lost_state_with_a_session_goes_on(shared: Stand, browser: Browser) -> None:
    """A callback that is asked for again, or comes late, leads to its own address and not to an error."""
    callback = await at_the_callback(shared, browser)
    assert (await browser.goto(callback, source=shared.cognito)).path == "/api/me"
    again = await browser.navigate(callback, site="cross-site")
    assert again.continue_url() == f"{shared.app}/oauth2/onward?rd=/api/me"
    assert (await browser.follow(again, site="cross-site")).path == "/api/me"


async def test_p11_a_lost_state_without_a_session_restarts_once(shared: Stand, browser: Browser) -> None:
    """The first time sign-in begins again by itself, the second time a page says what happened; both know the way."""
    callback = await at_the_callback(shared, browser)
    without_attempts(browser)
    first = await browser.navigate(callback, site="cross-site")
    assert (first.status, urlsplit(first.location).path) == (302, "/oauth2/start")
    assert "rd=/api/me&" in first.location
    page = await browser.follow(first, site="cross-site", until=f"{shared.app}/oauth2/callback")
    without_attempts(browser)
    second = await browser.navigate(page.location, site="cross-site")
    assert second.status == 400
    assert "state_unknown" in second.text
    assert "/oauth2/start?rd=/api/me&amp;" in second.text


@pytest.mark.parametrize(
    "query",
    ["", "a", "code=x&code=y", "state=a&state=b&code=x", "code=x&error=y", "code=%00&state=a", "code=%ff", "code=%",
     "code=" + "a" * 9_000, "&" * 60, "state=x", "code=x&state=%0d%0aSet-Cookie:%20a=b"],
)  # fmt: skip
async def test_cve_2023_27496_a_hostile_callback_is_400(shared: Stand, browser: Browser, query: str) -> None:
    """Missing, doubled, broken or endless parameters: a page of ours, no session, no crash."""
    answer = await browser.navigate(f"{shared.app}/oauth2/callback?{query}", site="cross-site")
    assert answer.status == 400
    assert answer.set_cookies() == []


async def test_another_attempts_answer_is_refused(shared: Stand, browser: Browser) -> None:
    """A state whose front is right and whose rest is not is somebody's guess."""
    callback = await at_the_callback(shared, browser)
    state = parse_qs(urlsplit(callback).query)["state"][0]
    answer = await browser.navigate(callback.replace(state, state[:-4] + "AAAA"), site="cross-site")
    assert answer.status == 400
    assert await who(browser, shared) is None


async def test_login_csrf_a_foreign_code_signs_nobody_in(shared: Stand, browser: Browser) -> None:
    """An attacker's callback in the victim's browser begins the victim's own sign-in, not the attacker's session."""
    attacker = shared.browser()
    callback = await at_the_callback(shared, attacker)
    answer = await browser.navigate(callback, site="cross-site")
    assert urlsplit(answer.location).path == "/oauth2/start"
    assert await who(browser, shared) is None


async def test_p13_the_loop_detector_names_the_likely_cause(shared: Stand, browser: Browser) -> None:
    """Three sign-ins within a minute whose session does not stay end on a page; its button starts afresh."""
    await shared.sign_in(browser, "/api/me")
    for _ in range(LOOP_LIMIT - 1):
        browser.cookies.pop((urlsplit(shared.app).netloc, "__Host-session"))
        assert (await browser.goto(f"{shared.app}/api/me")).status == 200
    browser.cookies.pop((urlsplit(shared.app).netloc, "__Host-session"))
    page = await browser.goto(f"{shared.app}/api/me")
    assert page.status == 400
    assert "login_loop" in page.text
    assert "cookie" in page.text
    assert attempts(browser, shared) == set()
    assert (await browser.goto(f"{shared.app}/oauth2/start?rd=/api/me")).path == "/api/me"


async def test_p13_blocked_cookies_are_told(shared: Stand) -> None:
    """A browser that keeps no cookie of ours gets one page that says so, not a loop."""
    browser = shared.browser()
    callback = await at_the_callback(shared, browser)
    answer = await browser.navigate(callback, site="cross-site")
    assert urlsplit(answer.location).path == "/oauth2/landing"
    browser.cookies.clear()
    page = await browser.navigate(answer.location, site="cross-site")
    assert page.status == 400
    assert "cookies_blocked" in page.text
    failed = [event.reason for event in shared.audit if event.kind.value == "login_failed"]
    assert failed[-1] == "cookies_blocked"


async def test_p14_the_session_comes_back_from_another_site(shared: Stand, browser: Browser) -> None:
    """All our cookies are Lax, so the return from the provider, a cross-site GET, carries them."""
    await shared.sign_in(browser, "/api/me")
    ours = {name: policy for (host, name), (_, policy) in browser.cookies.items() if host in shared.app}
    assert set(ours.values()) == {"Lax"}


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Purpose": "prefetch"},
        {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Purpose": "prefetch;prerender"},
        {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
        {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
        {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
        {"Accept": "text/html", "Purpose": "prefetch"},
    ],
)
async def test_r35_only_a_tab_starts_an_attempt(
    shared: Stand, browser: Browser, headers: dict[str, str]
) -> None:
    """No prefetch, frame, fetch or image starts a sign-in or leaves a cookie."""
    answer = await browser.send("GET", f"{shared.app}/oauth2/start?rd=/", headers, None)
    assert answer.status == 403
    assert answer.set_cookies() == []


async def test_cve_2020_11053_the_way_back_is_a_local_path(shared: Stand, browser: Browser) -> None:
    """The corpus against ``rd``, at the start and at the landing: refused, or a place of this origin."""
    texts = lines("open_redirects.txt")
    for at, text in enumerate(texts[::9]):
        page = ("start", "landing")[at % 2]
        rd = quote(text.encode("utf-8", "surrogatepass"), safe="")
        answer = await browser.send(
            "GET", f"{shared.app}/oauth2/{page}?rd={rd}", {"Accept": "text/html"}, None
        )
        target = urlsplit(answer.location)
        assert answer.status == 400 or f"{target.scheme}://{target.netloc}" in {shared.app, shared.cognito}
        assert "evil.example" not in answer.location.partition("state=")[0]


async def test_a_url_of_this_origin_is_taken_for_its_path(shared: Stand, browser: Browser) -> None:
    """Recipes of other proxies send one; every other origin is refused (CVE-2021-21291)."""
    await shared.sign_in(browser, "/api/me")
    own = await browser.navigate(f"{shared.app}/oauth2/start?rd={quote(shared.app + '/reports/1', safe='')}")
    assert own.location == f"{shared.app}/reports/1"
    for other in (
        f"{shared.app}.evil.example/",
        f"{shared.app}@evil.example/",
        f"{shared.app}//evil.example",
    ):
        assert (await browser.navigate(f"{shared.app}/oauth2/start?rd={quote(other, safe='')}")).status == 400


async def test_a_parameter_that_comes_twice_is_400(shared: Stand, browser: Browser) -> None:
    """And so are more parameters than any link of ours has."""
    for query in ("rd=/a&rd=/b", "&".join(f"x{n}=1" for n in range(60))):
        answer = await browser.navigate(f"{shared.app}/oauth2/start?{query}")
        assert (answer.status, "bad_parameter" in answer.text) == (400, True)


async def test_the_providers_refusal_is_told(shared: Stand, browser: Browser) -> None:
    """A page with a way on as somebody else, to where one wanted to go; the attempt is over."""
    with switched(shared, authorize_error="access_denied"):
        page = await browser.goto(f"{shared.app}/api/me")
        if page.status == 200:
            page = await browser.submit(page, **ALICE)
    assert page.status == 400
    assert "sign_in_refused" in page.text
    assert "/logout?via=page&amp;switch=/api/me" in page.text
    assert attempts(browser, shared) == set()


async def test_a_refusal_without_state_is_told_as_well(shared: Stand, browser: Browser) -> None:
    """Cognito leaves the state out of some; hostile text is escaped."""
    query = "error=invalid_request&error_description=%3Cscript%3Ealert(1)%3C/script%3E"
    page = await browser.navigate(f"{shared.app}/oauth2/callback?{query}", site="cross-site")
    assert (page.status, "sign_in_refused" in page.text) == (400, True)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
    assert "<script>" not in page.text


async def test_a_provider_that_fails_is_502_with_a_way_on(shared: Stand, browser: Browser) -> None:
    """At the token endpoint: a page, no session, the deep link in its button (guarantee 3)."""
    callback = await at_the_callback(shared, browser, "/api/reports?x=1")
    with switched(shared, token_answer="503"):
        page = await browser.navigate(callback, site="cross-site")
    assert page.status == 502
    assert "rd=/api/reports%3Fx%3D1" in page.text
    assert "__Host-session" not in browser.cookie_names(shared.app)
    assert "login_failed" in shared.told()


async def test_a_claim_that_gives_nobody_a_group_is_in_the_log(tmp_path: Path) -> None:
    """Once, at the first sign-in, where policies ask for groups; the next one is not told of."""
    with production_log.production_log() as log:
        async with standing(
            tmp_path, replaced={"headers: {": "headers: {groups: 'custom:groups', "}
        ) as stand:
            for _ in range(2):
                await stand.sign_in(stand.browser())
    (line,) = production_log.lines(log, "nobody_has_groups")
    assert (line["claim"], line["there"], "cognito:groups" in str(line["names"])) == (
        "custom:groups",
        False,
        True,
    )


async def test_the_session_id_is_new_at_every_sign_in(shared: Stand) -> None:
    """No session is fixed by what the browser carried before."""
    sids = set()
    for _ in range(2):
        browser = shared.browser()
        await shared.sign_in(browser, "/api/me")
        sids.add([event.sid for event in shared.audit if event.kind.value == "login"][-1])
    assert len(sids) == 2


async def test_an_idle_session_ends_and_an_active_one_does_not_outlive_its_day(shared: Stand) -> None:
    """Idle after 30 minutes; activity moves that, passive requests do not (pain P24); twelve hours are the end."""
    browser = shared.browser()
    await shared.sign_in(browser, "/api/me")
    with later(1_000):
        polled = await browser.fetch(f"{shared.app}/api/me", X_Auth_Passive="1")
        assert (polled.status, polled.set_cookies()) == (200, [])
        worked = await browser.fetch(f"{shared.app}/api/me")
        renewed = any(line.startswith("__Host-session=") for line in worked.set_cookies())
        assert renewed is not shared.gateway.sessions.remote
    with later(2_500):
        assert (await browser.fetch(f"{shared.app}/api/me")).status == 200
    with later(2_500 + 1_801):
        answer = await browser.fetch(f"{shared.app}/api/me")
        assert (answer.status, json.loads(answer.text)["reason"]) == (401, "idle_expired")
    with later(43_201):
        answer = await browser.fetch(f"{shared.app}/api/me")
        assert json.loads(answer.text)["reason"] == "absolute_expired"


async def test_cve_2026_33544_parallel_sign_ins_do_not_mix(shared: Stand) -> None:
    """Twenty browsers at once, two users: each is who it signed in as."""

    async def one(user: str) -> None:
        browser = Browser.open()
        try:
            await shared.sign_in(browser, "/api/me", user=user)
            assert await who(browser, shared) == user
        finally:
            await browser.close()

    await asyncio.gather(*(one(("alice@example.com", "bob@example.com")[n % 2]) for n in range(10)))

"""An application with sign-in code of its own, whose tokens are in localStorage, as Amplify has them (rule R23).

It signs in and out at Cognito by itself, and its sign-out comes back to ``/logout``. Nothing of it clears what it kept:
its own code does so in the tab where its own button is pressed, and in no other case.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from gateway.demo.options import CLIENT_ID
from tests.browser.driver import Tab, shows, stays_at
from tests.browser.person import ALICE, ALL_ENDED, BOB, NOBODY, SIGN_OUT, Person, sessions
from tests.browser.world import OVER_TLS, taking_place
from tests.fakes.upstream import Call, FakeUpstream, reply

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PAGE = """<!doctype html><html><head><title>x</title></head><body><h1>Starting</h1><button id="out">Sign out</button><script>
const idp = "%(cognito)s", client = {client_id: "%(client)s"}, secret = {client_secret: "%(secret)s"};
const key = "CognitoIdentityServiceProvider.idToken", here = location.origin + "/own/";
const show = (words) => { document.querySelector("h1").textContent = words; };
const url64 = (text) => btoa(text).replace(/\\+/g, "-").replace(/\\//g, "_").replace(/=+$/, "");
const whose = (token) => JSON.parse(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/"))).email;
async function signIn() {
  const verifier = url64(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(33))));
  sessionStorage.verifier = verifier;
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  const challenge = url64(String.fromCharCode(...new Uint8Array(digest)));
  location.replace(idp + "/oauth2/authorize?" + new URLSearchParams({...client, response_type: "code",
    scope: "openid email", redirect_uri: here, state: "x", code_challenge: challenge, code_challenge_method: "S256",
    identity_provider: "Okta"}));
}
async function redeem(code) {
  const body = new URLSearchParams({...client, ...secret, grant_type: "authorization_code", code, redirect_uri: here,
    code_verifier: sessionStorage.verifier});
  const answer = await (await fetch(idp + "/oauth2/token", {method: "POST", body})).json();
  localStorage.setItem(key, answer.id_token);
  show("Signed in by itself as " + whose(answer.id_token));
}
document.querySelector("#out").onclick = () => location.assign(
  idp + "/logout?" + new URLSearchParams({...client, logout_uri: location.origin + "/logout"}));
const kept = localStorage.getItem(key), code = new URLSearchParams(location.search).get("code");
if (kept) show("Began with the tokens of " + whose(kept)); else if (code) redeem(code); else signIn();
</script></body></html>"""


class Application:
    """The application, as an upstream; it learns where its provider is when there is one."""

    def __init__(self) -> None:
        self.page = b""

    async def __call__(self, call: Call) -> None:
        await call.send(reply(self.page, b"Content-Type: text/html; charset=utf-8"))

    def behind(self, person: Person) -> None:
        """Register it at Cognito with a callback and a sign-out URL of its own, like any client."""
        stand, cognito = person.stand, person.stand.idp.cognito.common
        cognito.options = replace(
            cognito.options, callback_urls=(f"{stand.app}/own/",), sign_out_urls=(f"{stand.app}/logout",)
        )
        told = {"cognito": stand.cognito, "client": CLIENT_ID, "secret": cognito.options.client_secret}
        self.page = (PAGE % told).encode()


@pytest.fixture
def application() -> Application:
    return Application()


@pytest_asyncio.fixture(loop_scope="session")
async def upstream(application: Application) -> AsyncIterator[FakeUpstream]:
    running = await FakeUpstream(application).start()
    yield running
    await running.close()


def configured(upstream: FakeUpstream, *, cross_site: str = "confirm", browser: str = "{}") -> dict[str, str]:
    """The application under /own/, beside the demo's."""
    return {
        "upstreams:\n": f"upstreams:\n  - {{path: /own/, url: {upstream.url}}}\n",
        "logout:\n": f"logout:\n  cross_site: {cross_site}\n",
        "log: {": f"browser: {browser}\nlog: {{",
    }


CLEARING = "{clear_storage: true, spa_has_own_tokens: true}"


async def signed_in(person: Person, application: Application) -> Tab:
    """Alice, at the gateway and in the application."""
    application.behind(person)
    tab = await person.tab("/own/")
    await person.give_password(tab, ALICE)
    await shows(tab, f"Signed in by itself as {ALICE}")
    await tab.open(f"{person.stand.app}/own/")
    await shows(tab, f"Began with the tokens of {ALICE}")
    return tab


class TestOwnSignOut:
    """Its own button leads to Cognito, and from there to ``/logout``."""

    @pytest.fixture
    def product(self, upstream: FakeUpstream) -> dict[str, str]:
        return configured(upstream, browser=CLEARING)

    @taking_place(*OVER_TLS)
    async def test_r23_one_click_more_ends_all_and_the_next_user_begins_with_nothing(
        self, person: Person, application: Application
    ) -> None:
        """The gateway asks, because another site leads there; bob never begins with alice's tokens."""
        tab = await signed_in(person, application)
        await tab.click("#out")
        await stays_at(tab, f"{person.stand.app}/logout")
        await tab.click(SIGN_OUT)
        assert await person.receipt(tab) == ALL_ENDED
        assert sessions(person.stand) == NOBODY
        await tab.open(f"{person.stand.app}/own/")
        await person.give_password(tab, BOB)
        await shows(tab, f"Signed in by itself as {BOB}")


class TestWithoutAQuestion:
    """``logout.cross_site: allow``."""

    @pytest.fixture
    def product(self, upstream: FakeUpstream) -> dict[str, str]:
        return configured(upstream, cross_site="allow", browser=CLEARING)

    @taking_place(*OVER_TLS)
    async def test_r23_its_own_sign_out_ends_all_at_once(
        self, person: Person, application: Application
    ) -> None:
        """No click but its own, and the same for the next user."""
        tab = await signed_in(person, application)
        await tab.click("#out")
        assert await person.receipt(tab) == ALL_ENDED
        assert sessions(person.stand) == NOBODY
        assert await tab.run("return localStorage.length") == 0
        await tab.open(f"{person.stand.app}/own/")
        await person.give_password(tab, BOB)
        await shows(tab, f"Signed in by itself as {BOB}")


class TestWithoutClearing:
    """What ``gateway check`` refuses for an application that says it has tokens of its own."""

    @pytest.fixture
    def product(self, upstream: FakeUpstream) -> dict[str, str]:
        return configured(upstream, cross_site="allow")

    async def test_r23_without_clear_storage_bob_begins_with_alice_s_tokens(
        self, person: Person, application: Application
    ) -> None:
        """The harm is real: the sessions are ended, the tokens stay, and the tests above would notice."""
        tab = await signed_in(person, application)
        await tab.click("#out")
        assert await person.receipt(tab) == ALL_ENDED
        await tab.open(f"{person.stand.app}/own/")
        await person.give_password(tab, BOB)
        await shows(tab, f"Began with the tokens of {ALICE}")

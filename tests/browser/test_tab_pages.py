"""The tab script in pages of other applications: put in by the gateway, under strict policies, behind a service worker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.core import clock
from gateway.core.session.revocation_keys import email_key
from gateway.core.signout.revocation import NewEntry
from gateway.web.pages.catalogue import message
from tests.browser.driver import Tab, arrives, eventually, sets_off, shows
from tests.browser.person import (
    ALICE,
    ALL_ENDED,
    APPLICATION,
    SESSION_COOKIE,
    SIGN_OUT_UNSEEN,
    UNHURRIED,
    Person,
    replayed,
    running,
)
from tests.browser.world import OVER_TLS, taking_place
from tests.fakes.browser import Kept
from tests.fakes.door import eventually as soon
from tests.fakes.upstream import Call, FakeUpstream, reply

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

POLICIES = {
    "self": "default-src 'none'; script-src 'self'; connect-src 'self'",
    "nonce": "default-src 'none'; script-src 'nonce-r4nd0m' 'strict-dynamic'; connect-src 'self'",
}
PAGE = b"<!doctype html><html><head><title>x</title></head><body><h1>Other application</h1></body></html>"
SCRIPT = b'<script src="/oauth2/tab.js" async></script>'
OPEN = """
@id("visitors") permit (principal is Anonymous, action, resource) when { context.path like "/other/*" };
@id("people") permit (principal is User, action, resource);
"""
SHELL = (
    b"<!doctype html><html><head><title>x</title></head><body><h1>Shell from the worker</h1></body></html>"
)
REGISTERING = b"""<!doctype html><html><head><title>x</title></head><body><h1>Other application</h1><script>
navigator.serviceWorker.register(location.pathname + "-worker", {scope: "/"});
navigator.serviceWorker.ready.then(() => { document.querySelector("h1").textContent = "Worker is ready"; });
</script></body></html>"""
WORKER = b"""
const SHELL = `%s`;
addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(
  caches.open("app").then((cache) => cache.put("/kept", new Response("of alice"))).then(() => clients.claim())));
addEventListener("fetch", (event) => {
  if (event.request.mode === "navigate" && event.request.method === "GET")
    event.respondWith(new Response(SHELL, {headers: {"Content-Type": "text/html"}}));
});
addEventListener("message", (event) => event.waitUntil(
  caches.open("told").then((cache) => cache.put("/told", new Response(event.data)))));
"""
HTML = b"Content-Type: text/html; charset=utf-8"


async def application(call: Call) -> None:
    """By path: a page under each policy, pages that register a worker, and the workers: theirs has the script, or not."""
    name = call.request_line.split()[1].rpartition(b"/")[2].decode()
    if name in POLICIES:
        await call.send(reply(PAGE, HTML, b"Content-Security-Policy: " + POLICIES[name].encode()))
    elif name == "visited":
        await call.send(reply(PAGE.replace(b"</title>", b"</title>" + SCRIPT), HTML))
    elif name.endswith("-worker"):
        shell = SHELL.replace(b"</title>", b"</title>" + SCRIPT) if name == "with-worker" else SHELL
        fields = b"Content-Type: text/javascript", b"Service-Worker-Allowed: /"
        await call.send(reply(WORKER % shell.replace(b"</", b"<\\/"), *fields))
    else:
        await call.send(reply(REGISTERING if name in {"with", "without"} else PAGE, HTML))


@pytest_asyncio.fixture(loop_scope="session")
async def other() -> AsyncIterator[FakeUpstream]:
    """The other application."""
    upstream = await FakeUpstream(application).start()
    yield upstream
    await upstream.close()


def behind(other: FakeUpstream, browser: str) -> dict[str, str]:
    """The other application under /other/, and the configuration's section."""
    return {
        "upstreams:\n": f"upstreams:\n  - {{path: /other/, url: {other.url}}}\n",
        "log: {": f"browser: {{{browser}}}\nlog: {{",
    }


async def signed_in_elsewhere(person: Person) -> list[Kept]:
    """The cookies of a sign-in that no tab of this browser has seen."""
    browser = person.stand.browser()
    await person.stand.sign_in(browser, "/reports")
    return browser.kept()


async def runs(tab: Tab) -> None:
    await eventually(lambda: tab.run("return Boolean(window.gatewaySignOut)"), bool, what="tab.js runs")


class TestInjection:
    """``browser.inject_tab_script``."""

    @pytest.fixture
    def product(self, other: FakeUpstream) -> dict[str, str]:
        return behind(other, "inject_tab_script: true")

    @taking_place(*OVER_TLS)
    async def test_under_strict_policies(self, person: Person) -> None:
        """With 'self', and with a nonce that nobody else knows: each page leaves when the session ends. An application
        that brings the script too, as the demo does, works, and it runs once.
        """
        first = await person.has_signed_in("/reports")
        await shows(first, APPLICATION)
        loaded = await first.run("return document.querySelectorAll('script[src^=\"/oauth2/tab.js\"]').length")
        assert loaded == 2
        await runs(first)
        tabs = [await person.tab(f"/other/{name}") for name in POLICIES]
        for tab in tabs:
            await shows(tab, "Other application")
            await runs(tab)
        assert await person.sign_out(first) == ALL_ENDED
        for tab in tabs:
            await arrives(tab, f"{person.stand.app}/logged-out")


async def with_worker(person: Person, script: str) -> Tab:
    """A tab whose navigations a service worker answers with the application's shell, whatever their address.

    :param script: ``with`` or ``without`` the tab script in that shell.
    """
    tab = await person.has_signed_in("/reports")
    await tab.open(f"{person.stand.app}/other/{script}")
    await shows(tab, "Worker is ready")
    await tab.open(f"{person.stand.app}/other/anywhere")
    await shows(tab, "Shell from the worker")
    return tab


REGISTERED = "return (await navigator.serviceWorker.getRegistrations()).length"
TOLD = "return (await (await (await caches.open('told')).match('/told'))?.text()) || ''"
UPDATE = (
    "(await navigator.serviceWorker.getRegistrations()).map((each) => each.update().catch(() => 0)); return 0"
)
SEND_FORM = """
const form = Object.assign(document.createElement("form"), {method: "post", action: "/logout"});
document.body.append(form);
setTimeout(() => form.submit(), 0);
"""
SIGN_OUT_THERE = "await fetch('/logout', {method: 'POST', headers: {accept: 'application/json'}})"


class TestVisitor:
    """A page that is open to everybody and loads the script."""

    @pytest.fixture
    def product(self, other: FakeUpstream, tmp_path: Path) -> dict[str, str]:
        policies = tmp_path / "policies"
        policies.mkdir()
        (policies / "all.cedar").write_text(OPEN)
        routes = {"upstreams:\n": f"upstreams:\n  - {{path: /other/, url: {other.url}}}\n"}
        return {**routes, "builtin:groups": str(policies)}

    async def test_it_stays_until_somebody_has_been_signed_in(self, person: Person) -> None:
        """A visitor reads on, with an ended session in the cookies too, and also after coming back to the tab; who
        signs in in another tab is signed out in this one as well.
        """
        tab = await person.tab("/other/visited")
        await running(tab)
        await tab.run('dispatchEvent(new PageTransitionEvent("pagehide", {persisted: true}))')
        await tab.run('dispatchEvent(new PageTransitionEvent("pageshow", {persisted: true}))')
        asked_again = "return performance.getEntriesByName(location.origin + '/oauth2/session').length > 1"
        await eventually(lambda: tab.run(asked_again), bool, what="tab.js has asked again")
        seen = "return document.documentElement.style.opacity == '' && location.pathname"
        await eventually(lambda: tab.run(seen), lambda where: where == "/other/visited", what="it is seen")
        await person.profile.take(await signed_in_elsewhere(person))
        await tab.run('dispatchEvent(new Event("visibilitychange"))')
        await soon(lambda: person.stand.gateway.live.counts["tabs"] == 1)
        ended = NewEntry(email_key(ALICE), clock.now() + 3_600, "admin")
        await person.stand.gateway.log.append([ended])
        await shows(tab, message("session_ended.title"))
        back = await person.tab("/other/visited")
        await running(back)
        await shows(back, "Other application")


class TestWorker:
    """A worker with a navigation fallback that knows nothing of us (rule R14)."""

    @pytest.fixture
    def product(self, other: FakeUpstream) -> dict[str, str]:
        return behind(other, "inject_tab_script: false")

    async def test_r14_the_tab_leaves_all_the_same(self, person: Person) -> None:
        """The worker is told; it shows the application at the signed-out page too, and has to go for that."""
        tab = await with_worker(person, "with")
        await running(tab)
        await tab.run(SIGN_OUT_UNSEEN)
        await shows(tab, message("signing_out.continue"))
        place = await eventually(lambda: tab.run("return sessionStorage['gateway:place']"), bool)
        assert (
            place == f"{person.stand.app}/other/anywhere"
        )  # where "Sign in again" leads; the worker's page is none
        await eventually(lambda: tab.run(REGISTERED), lambda count: count == 0, what="the worker is gone")
        await eventually(lambda: tab.run(TOLD), lambda told: told == "logged-out", what="the worker was told")

    async def test_r14_a_link_to_logout_is_swallowed_and_a_form_is_not(self, person: Person) -> None:
        """The worker shows the shell in place of the sign-out, and nothing has ended; the form reaches the gateway."""
        tab = await with_worker(person, "without")
        copied = await tab.cookies()
        await sets_off(tab, "setTimeout(() => location.assign('/logout'), 0)")
        await arrives(tab, f"{person.stand.app}/logout")
        await shows(tab, "Shell from the worker")
        assert await replayed(person.stand, copied) == 200
        await sets_off(tab, SEND_FORM)
        await eventually(lambda: replayed(person.stand, copied), lambda status: status == 401, what="it ends")
        await eventually(tab.cookies, lambda cookies: SESSION_COOKIE not in cookies, what="its cookie goes")

    async def test_r14_a_swallowed_return_costs_one_click(self, person: Person) -> None:
        """The worker takes the way back from Cognito as well, so that is not confirmed until the person goes on."""
        tab = await with_worker(person, "with")
        await running(tab)
        await sets_off(tab, f"{UNHURRIED}; gatewaySignOut()")
        await shows(tab, message("signing_out.title"), "Now waiting for Cognito")
        await tab.click("#continue")
        assert await person.receipt(tab) == ALL_ENDED


class TestLastWorker:
    """``browser.unregister_workers``."""

    @pytest.fixture
    def product(self, other: FakeUpstream) -> dict[str, str]:
        return behind(other, "unregister_workers: true")

    async def test_r14_a_signed_out_browser_loses_the_worker_and_its_caches(self, person: Person) -> None:
        """Where no tab runs the script: when the browser asks for the worker's script again, it gets the last one."""
        tab = await with_worker(person, "without")
        await tab.run(SIGN_OUT_THERE)
        await tab.open(f"{person.stand.app}/reports")
        await shows(tab, "Shell from the worker")
        await tab.run(UPDATE)
        await eventually(lambda: tab.run(REGISTERED), lambda count: count == 0, what="the worker is gone")
        await eventually(
            lambda: tab.run("return await caches.keys()"), lambda kept: kept == [], what="its caches go"
        )
        await tab.open(f"{person.stand.app}/reports")
        await shows(tab, message("signing_out.title"))

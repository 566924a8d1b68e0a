"""The gateway's pages in a real Chromium: policies hold, scripts do what they should."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Browser, ConsoleMessage, Error, Request, async_playwright
from playwright.async_api import Page as Tab

from gateway.web.pages import pages
from gateway.web.pages.catalogue import message
from gateway.web.pages.pages import Page
from tests.browser.chromium import FLAGS, INTERRUPTED, TIMEOUT
from tests.programs import program
from tests.web.page_samples import SAMPLES, receipt

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("pages")]


def made(make: Callable[[], Page], _: web.BaseRequest) -> web.Response:
    """The page, which does not look again by itself as long as somebody looks at it."""
    page = make()
    return answer(replace(page, body=re.sub(rb'data-wait="\d+"', b'data-wait="86400"', page.body)))


Pages = dict[str, Callable[[web.BaseRequest], web.StreamResponse]]
STILL: Pages = {
    f"/{name}": partial(made, make)
    for name, make in SAMPLES.items()
    if not name.startswith(("start", "landing", "onward", "leaving", "hop"))
}
LONG_RD = "/search?q=" + "x" * 2000


def answer(page: Page) -> web.Response:
    """The page as an aiohttp response."""
    return web.Response(status=page.status, body=page.body, headers=dict(page.headers))


def text(body: str) -> web.Response:
    """An upstream's page: nothing but its text."""
    return web.Response(text=body, content_type="text/html")


@asynccontextmanager
async def serving(answers: Pages) -> AsyncIterator[int]:
    """A server on an ephemeral port of both loopback names; unknown paths are 404."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        make = answers.get(request.path)
        return make(request) if make else web.Response(status=404)

    runner = web.ServerRunner(web.Server(handle))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Browser]:
    """One Chromium for this file; each test has a private context of its own."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program("chromium"), args=FLAGS, timeout=TIMEOUT
        )
        yield browser
        await browser.close()


async def test_no_page_breaks_its_own_policy(chromium: Browser) -> None:
    """In light and dark, no page raises a policy violation, a script error or a request of its own."""
    complaints: list[str] = []
    async with serving(STILL) as port:
        for scheme in ("light", "dark"):
            tab = await opened(chromium, color_scheme="dark" if scheme == "dark" else "light")
            note_complaints(tab, complaints)
            for path in STILL:
                await tab.goto(f"http://localhost:{port}{path}")
                styled = await tab.evaluate("getComputedStyle(document.querySelector('main')).borderRadius")
                assert styled == "16px", path
            await tab.context.close()
    assert complaints == []


def note_complaints(tab: Tab, complaints: list[str]) -> None:
    """Collect what the browser says against a page; that an error page has an error status is none."""

    def on_console(message: ConsoleMessage) -> None:
        if not message.text.startswith("Failed to load resource: the server responded with a status of"):
            complaints.append(f"{tab.url}: {message.text}")

    def on_request(request: Request) -> None:
        if not request.is_navigation_request():
            complaints.append(f"{tab.url}: asked for {request.url}")

    tab.on("console", on_console)
    tab.on("pageerror", lambda error: complaints.append(f"{tab.url}: {error}"))
    tab.on("request", on_request)


def sign_in(rd: str, target: str, seen: list[str]) -> Pages:
    """Start, an identity provider that only sends back, landing, and an application on every other path."""

    def provider(request: web.BaseRequest) -> web.StreamResponse:
        seen.append(request.headers.get("Referer", ""))
        return web.Response(
            status=302, headers={"Location": f"http://localhost:{request.url.port}/oauth2/landing"}
        )

    return {
        "/oauth2/start": lambda request: answer(
            pages.start(
                authorize_url=f"http://idp.localhost:{request.url.port}/authorize", attempt="attempt-1", rd=rd
            )
        ),
        "/authorize": provider,
        "/oauth2/landing": lambda _: answer(pages.landing(target=target, attempt="attempt-1")),
        "/reports/7": lambda _: text("<h1>application</h1>"),
        "/search": lambda _: text("<h1>application</h1>"),
        "/": lambda _: text("<h1>application</h1>"),
    }


async def signed_in_tab(chromium: Browser, port: int, fragment: str, *, scripts: bool = True) -> Tab:
    """A tab that went through start and landing and shows the application."""
    tab = await opened(chromium, java_script_enabled=scripts)
    await goes_past(tab, f"http://localhost:{port}/oauth2/start?rd=/reports/7{fragment}")
    await tab.wait_for_selector("h1:text-is('application')")
    return tab


async def opened(chromium: Browser, **options: Any) -> Tab:
    """A tab of a context of its own, which waits as long as all tests do."""
    context = await chromium.new_context(**options)
    context.set_default_timeout(TIMEOUT)
    return await context.new_page()


async def goes_past(tab: Tab, url: str) -> None:
    """To a page that moves on by itself, perhaps before the driver has seen it arrive."""
    try:
        await tab.goto(url, wait_until="commit")
    except Error as error:
        assert any(each in error.message for each in INTERRUPTED), error.message


async def test_p22_the_fragment_survives_sign_in(chromium: Browser) -> None:
    """start keeps `#fragment` for this attempt, landing restores it and forgets it, whatever is in it."""
    fragment, kept = "#/tab/2?x=%22&y=</script>", "#/tab/2?x=%22&y=%3C/script%3E"  # as the browser writes it
    seen: list[str] = []
    async with serving(sign_in("", "/reports/7?year=2026", seen)) as port:
        tab = await signed_in_tab(chromium, port, fragment)
        assert tab.url == f"http://localhost:{port}/reports/7?year=2026{kept}"
        assert await tab.evaluate("sessionStorage.length") == 0
        assert seen == [""]  # rule R34: no Referer towards the identity provider


async def test_neither_page_stays_in_the_history(chromium: Browser) -> None:
    """Back from the application does not lead into start or landing again."""
    async with serving(sign_in("/reports/7", "/reports/7", [])) as port:
        tab = await signed_in_tab(chromium, port, "#x")
        assert await tab.evaluate("history.length") <= 2  # about:blank and the application


async def test_r33_a_long_return_address_survives_sign_in(chromium: Browser) -> None:
    """An address too long for the cookie waits in sessionStorage and wins over the target of the page."""
    async with serving(sign_in(LONG_RD, "/", [])) as port:
        tab = await signed_in_tab(chromium, port, "#end")
        assert tab.url == f"http://localhost:{port}{LONG_RD}#end"


async def test_sign_in_goes_on_without_scripts(chromium: Browser) -> None:
    """Without scripts the deep link still works; only the fragment is lost."""
    async with serving(sign_in("/reports/7", "/reports/7", [])) as port:
        tab = await signed_in_tab(chromium, port, "#x", scripts=False)
        assert tab.url.startswith(f"http://localhost:{port}/reports/7")


DISTRUSTED = (
    '{"rd":"//evil.localhost/"}',
    '{"rd":"/\\\\evil.localhost/"}',
    '{"rd":"/\\t/evil.localhost/"}',
    '{"rd":"javascript:alert(1)"}',
    '{"rd":"http://evil.localhost/"}',
    '{"rd":{"startsWith":1},"fragment":7}',
    "not JSON",
    "null",
    "[]",
)


async def test_landing_does_not_believe_what_is_stored(chromium: Browser) -> None:
    """Whatever stands in sessionStorage, landing stays on its origin and reaches its target."""
    tab = await opened(chromium)
    async with serving(sign_in("/", "/reports/7", [])) as port:
        for kept in DISTRUSTED:
            await tab.goto(f"http://localhost:{port}/")
            await tab.evaluate("kept => sessionStorage.setItem('gateway:attempt-1', kept)", kept)
            await tab.evaluate("setTimeout(() => { location.href = '/oauth2/landing'; })")
            await tab.wait_for_url("**/reports/7")
            assert tab.url == f"http://localhost:{port}/reports/7", kept
    await tab.context.close()


def logging_out(answered: Callable[[str], web.Response]) -> Pages:
    """The confirm page, the answer to its form, and two providers, of which the first leads on to the second."""

    def at(request: web.BaseRequest, name: str) -> str:
        return f"http://{name}.localhost:{request.url.port}/{name}"

    return {
        "/confirm": lambda _: answer(pages.confirm_logout(action="/logout?via=page&to=shop")),
        "/logout": lambda request: answered(at(request, "cognito")),
        "/cognito": lambda request: web.Response(status=302, headers={"Location": at(request, "okta")}),
        "/okta": lambda _: text("<h1>hop</h1>"),
    }


async def test_trap_26_the_confirm_form_leads_through_providers_that_lead_on(chromium: Browser) -> None:
    """Its form ends at a page of ours, which moves on: `form-action 'self'` stops nothing behind it."""
    async with serving(logging_out(lambda url: answer(pages.leaving(url=url)))) as port:
        tab = await opened(chromium)
        await tab.goto(f"http://localhost:{port}/confirm")
        async with tab.expect_request("**/logout?*") as posting:
            await tab.get_by_role("button", name=message("confirm_logout.sign_out")).click()
        posted = await posting.value
        assert (posted.method, posted.url) == ("POST", f"http://localhost:{port}/logout?via=page&to=shop")
        assert (await posted.all_headers())["origin"] == f"http://localhost:{port}"
        await tab.wait_for_selector("text=hop")


async def test_a_redirect_behind_the_confirm_form_would_be_stopped(chromium: Browser) -> None:
    """Chromium holds form-action against redirects: this is why our forms are answered with a page."""
    complaints: list[str] = []
    redirected = partial(web.Response, status=303)
    async with serving(logging_out(lambda url: redirected(headers={"Location": url}))) as port:
        tab = await opened(chromium)
        note_complaints(tab, complaints)
        await tab.goto(f"http://localhost:{port}/confirm")
        async with tab.expect_console_message(lambda said: "form-action" in said.text):
            await tab.get_by_role("button", name=message("confirm_logout.sign_out")).click()
        await tab.wait_for_timeout(500)
        assert tab.url == f"http://localhost:{port}/confirm"
    assert "form-action" in complaints[0]


async def test_times_are_shown_in_the_readers_zone(chromium: Browser) -> None:
    """The receipt's times are put into local time, with the zone named; UTC stays in the element."""
    tab = await opened(chromium, timezone_id="Asia/Tokyo")
    async with serving({"/logged-out": lambda _: answer(SAMPLES["receipt"]())}) as port:
        await tab.goto(f"http://localhost:{port}/logged-out")
        time = tab.locator("li time").first
        assert await time.inner_text() in {"23:03:12 GMT+9", "23:03:12 JST"}
        assert await time.get_attribute("datetime") == "2026-10-07T14:03:12Z"


async def test_the_waiting_page_looks_again(chromium: Browser) -> None:
    """The waiting page reloads by itself and shows whatever has come of it."""
    states = [answer(pages.waiting(resume_url="/resume", hop_label="Okta", seconds=1)), answer(receipt())]
    async with serving({"/waiting": lambda _: states.pop(0)}) as port:
        tab = await opened(chromium)
        await goes_past(tab, f"http://localhost:{port}/waiting")
        await tab.wait_for_selector("text=No sign-out on record")


AXE = """async () => {
  const {violations} = await axe.run(document, {resultTypes: ["violations"]});
  return violations.map(({id, impact, nodes}) => `${id} (${impact}): ${nodes.map((node) => node.html)}`);
}"""
ALIKE = "refused-"
"""Pages of refusals are of one make; these differ in what they offer."""
HELD = {
    name: make
    for name, make in SAMPLES.items()
    if not name.startswith(ALIKE)
    or name in {"refused-unknown_host", "refused-connect_failed", "refused-denied"}
}


def held(make: Callable[[], Page], _: web.BaseRequest) -> web.Response:
    """The page without its script, which would lead away."""
    page = make()
    return answer(replace(page, body=page.body.split(b"<script>")[0] + b"</body></html>"))


async def test_axe_finds_nothing_on_any_page(chromium: Browser, node_modules: Path) -> None:
    """No page in any state has a barrier that axe-core knows of, its best practices included; in light and in dark."""
    script = (node_modules / "axe-core/axe.min.js").read_text("utf-8")
    found: dict[str, list[str]] = {}
    async with serving({f"/{name}": partial(held, make) for name, make in HELD.items()}) as port:
        for scheme in ("light", "dark"):
            tab = await opened(
                chromium, color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce"
            )
            for name in HELD:
                await tab.goto(f"http://localhost:{port}/{name}")
                await tab.evaluate(script)
                if said := await tab.evaluate(AXE):
                    found[f"{name}, {scheme}"] = said
            await tab.context.close()
    assert found == {}


async def test_no_page_scrolls_sideways(chromium: Browser) -> None:
    """Down to 320 px (WCAG 2.2, 1.4.10) nothing is cut off, and buttons stay large enough to hit (2.5.8)."""
    tab = await opened(chromium)
    async with serving(STILL) as port:
        for path in STILL:
            await tab.goto(f"http://localhost:{port}{path}")
            for width in (1280, 360, 320):
                await tab.set_viewport_size({"width": width, "height": 640})
                assert await tab.evaluate("document.documentElement.scrollWidth") <= width, path
                heights = await tab.evaluate(
                    "[...document.querySelectorAll('.button')].map(b => b.offsetHeight)"
                )
                assert all(height >= 44 for height in heights), path
    await tab.context.close()

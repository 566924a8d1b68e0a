"""The gateway in front of a small application, signed in at a provider in the manners of a kind."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from gateway.app import server
from gateway.app.wiring import Gateway
from gateway.config import load
from gateway.core import dice
from gateway.core.session.key_file import format_key
from gateway.telemetry.audit import AuditEvent
from tests.fakes.ample import ample_for_a_gateway
from tests.fakes.browser import Browser, Seen
from tests.fakes.hand import stopped
from tests.fakes.pieces import put
from tests.fakes.sso import CLIENT, SECRET, Sso, running
from tests.flows.conftest import free_socket
from tests.flows.stores import COOKIE, Store

_TEMPLATE = """\
public_url: {app}
listen: 127.0.0.1:0
upstreams: [{{path: /, url: "file://{files}"}}]
provider: {{kind: {kind}, issuer: "{issuer}", client_id: {client}, client_secret: {secret}}}
{session}state: sqlite://{state}
headers: {{groups: groups}}
probes: {{listen: 127.0.0.1:0}}
admin: {{listen: 127.0.0.1:0}}
log: {{level: error, access: false}}
"""
SESSION = "session:\n  key_files: [session-key]\n"


@dataclass
class House:
    """A running gateway and its provider."""

    app: str
    gateway: Gateway
    sso: Sso
    audit: list[AuditEvent] = field(default_factory=list)
    browsers: list[Browser] = field(default_factory=list)

    def browser(self) -> Browser:
        browser = Browser.open()
        self.browsers.append(browser)
        return browser

    async def sign_in(self, browser: Browser, path: str = "/", *, user: str = "alice") -> Seen:
        form = await browser.goto(self.app + path)
        assert form.asks_for_password, (form.url, form.status, form.text[:500])
        return await browser.submit(form, username=user, password="demo")

    async def press_sign_out(self, browser: Browser) -> Seen:
        """The form to /logout, its redirect not followed."""
        await browser.navigate(f"{self.app}/logged-out", site="same-origin")
        return await browser.navigate(f"{self.app}/logout", method="POST", body="", site="same-origin")

    async def sign_out(self, browser: Browser, until: str = "\0") -> Seen:
        return await browser.follow(await self.press_sign_out(browser), site="same-origin", until=until)

    async def receipt(self, browser: Browser) -> dict[str, str]:
        """Hop to status."""
        answer = await browser.fetch(f"{self.app}/logged-out", Accept="application/json")
        return {hop["hop"]: hop["status"] for hop in json.loads(answer.text)["hops"]}

    async def evidence(self, browser: Browser) -> dict[str, str]:
        answer = await browser.fetch(f"{self.app}/logged-out", Accept="application/json")
        return {hop["hop"]: hop["evidence"] for hop in json.loads(answer.text)["hops"]}


async def walked(here: House) -> dict[str, str]:
    """Sign in, sign out; the receipt."""
    browser = here.browser()
    page = await here.sign_in(browser)
    assert "the application" in page.text
    end = await here.sign_out(browser)
    assert end.path == "/logged-out"
    assert "__Host-session" not in browser.cookie_names(here.app)
    return await here.receipt(browser)


@asynccontextmanager
async def house(
    directory: Path, sso: Sso, *, chain: str | None = None, session: str = SESSION, store: Store = COOKIE
) -> AsyncIterator[House]:
    """Start both. ``chain`` is ``logout.chain`` as YAML, ``PORT`` the provider's; None: what the kind implies."""
    async with running(sso), opened(directory, sso, chain=chain, session=session, store=store) as found:
        yield found


@asynccontextmanager
async def opened(
    directory: Path, sso: Sso, *, chain: str | None = None, session: str = SESSION, store: Store = COOKIE
) -> AsyncIterator[House]:
    """The gateway alone: its provider may be away. Started twice in a directory it is another deployment of the same."""
    place = directory / "address"
    sock = free_socket(int(place.read_text()) if place.exists() else 0)
    port = sock.getsockname()[1]
    place.write_text(str(port))
    app = f"http://app.localhost:{port}"
    sso.callback = f"{app}/oauth2/callback"
    hops = ("oidc", "keycloak", "entra", "auth0", "url")
    sso.returns = [f"{app}/logout/done/{hop}" for hop in hops]
    (directory / "index.html").write_text(
        '<p>the application</p><form method="post" action="/logout"><button>Sign out</button></form>'
    )
    key = directory / "session-key"
    if not key.exists():
        key.touch(mode=0o600)
        key.write_text(format_key(dice.key()) + "\n")
    text = _TEMPLATE.format(
        app=app,
        files=directory,
        kind=sso.kind,
        issuer=sso.issuer,
        client=CLIENT,
        secret=SECRET,
        state=directory / "state.db",
        session=session,
    )
    path = directory / "gateway.yaml"
    written = f"logout: {{chain: {chain}}}\n".replace("PORT", str(sso.port)) if chain is not None else ""
    path.write_text(put(text, store.replaced) + store.extra + written)
    audit: list[AuditEvent] = []
    with ample_for_a_gateway():
        gateway = Gateway(load(path, {}), on_audit=audit.append)
    run = server.Run(gateway)
    ready = asyncio.Event()
    task = asyncio.create_task(server.serve_replica(run, sock, on_ready=ready.set, accept_for=0.0))
    await asyncio.wait([asyncio.create_task(ready.wait()), task], return_when=asyncio.FIRST_COMPLETED)
    found = House(app, gateway, sso, audit)
    try:
        yield found
    finally:
        for browser in found.browsers:
            await browser.close()
        await stopped(run, task)

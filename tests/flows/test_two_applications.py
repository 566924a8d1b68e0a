"""Two applications with a host of their own each on one state: who signs out of one (rule R30)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.app import server
from gateway.app.wiring import Gateway
from gateway.config import load
from gateway.demo.options import DemoOptions
from gateway.web.pages.catalogue import message
from tests.fakes.browser import Browser
from tests.fakes.configured import NOTHING
from tests.fakes.hand import stopped
from tests.fakes.patience import PATIENCE
from tests.fakes.redis import RedisServer
from tests.flows.conftest import Stand, free_socket, later, standing

USER = {"logout:\n": "logout:\n  scope: user\n"}


@asynccontextmanager
async def applications(
    directory: Path, federation: str, replaced: Mapping[str, str] = NOTHING
) -> AsyncIterator[tuple[Stand, Stand]]:
    """app.localhost and desk.localhost, with the same provider, client and state file."""
    sock = free_socket()
    desk = f"http://desk.localhost:{sock.getsockname()[1]}"
    registered = DemoOptions(
        callback_urls=(f"{desk}/oauth2/callback",),
        sign_out_urls=(f"{desk}/logout/done/cognito",),
        trusted_origins=(desk,),
    )
    async with standing(directory, federation=federation, demo=registered, replaced=replaced) as app:
        text = (directory / "gateway.yaml").read_text()
        path = directory / "desk.yaml"
        path.write_text(text.replace(f"public_url: {app.app}", f"public_url: {desk}"))
        async with running(app, path, sock) as gateway:
            yield app, replace(app, app=desk, gateway=gateway, port=sock.getsockname()[1])


@asynccontextmanager
async def running(beside: Stand, path: Path, sock: socket.socket) -> AsyncIterator[Gateway]:
    gateway = Gateway(load(path, {}))
    run, ready = server.Run(gateway), asyncio.Event()
    task = asyncio.create_task(server.serve_replica(run, sock, on_ready=ready.set, accept_for=0.0))
    await asyncio.wait([asyncio.create_task(ready.wait()), task], return_when=asyncio.FIRST_COMPLETED)
    try:
        yield gateway
    finally:
        await stopped(run, task)


async def alive(stand: Stand, browser: Browser) -> bool:
    return (await browser.fetch(f"{stand.app}/api/me")).status == 200


async def signed_in_at_both(app: Stand, desk: Stand) -> Browser:
    """One browser, one sign-in at the provider, a session at each host."""
    browser = app.browser()
    await app.sign_in(browser, "/api/me")
    await browser.goto(f"{desk.app}/api/me")
    assert (await alive(app, browser), await alive(desk, browser)) == (True, True)
    return browser


@asynccontextmanager
async def stream_of(stand: Stand, browser: Browser) -> AsyncIterator[asyncio.StreamReader]:
    """What the application tells for as long as it is let."""
    reader, writer = await asyncio.open_connection("127.0.0.1", stand.port)
    host, cookies = stand.app.partition("//")[2], browser.cookie_header(stand.app)
    writer.write(f"GET /api/clock HTTP/1.1\r\nHost: {host}\r\nCookie: {cookies}\r\n\r\n".encode())
    assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
    yield reader
    writer.close()


async def closed(reader: asyncio.StreamReader) -> None:
    with suppress(ConnectionResetError):
        async with asyncio.timeout(PATIENCE):
            while await reader.read(4096):
                pass


CASES = [("oidc", USER), ("saml", USER), ("okta", {})]


@pytest.mark.parametrize(("federation", "replaced"), CASES, ids=["user", "user-saml", "provider-session"])
async def test_r30_signing_out_at_one_host_ends_the_other_s_session(
    tmp_path: Path, federation: str, replaced: dict[str, str]
) -> None:
    """By ``scope: user``, or because both came of one session at the provider: streams are closed as well."""
    async with applications(tmp_path, federation, replaced=replaced) as (app, desk):
        browser = await signed_in_at_both(app, desk)
        copied = browser.cookie_header(desk.app)
        async with stream_of(desk, browser) as stream:
            await app.sign_out(browser)
            await closed(stream)
        assert not await alive(desk, browser)
        thief = desk.browser()
        answer = await thief.send(
            "GET", f"{desk.app}/api/me", {"Cookie": copied, "Sec-Fetch-Mode": "cors"}, None
        )
        assert answer.status == 401
        told = await browser.navigate(f"{desk.app}/logged-out", site="same-origin")
        assert message("session_over.elsewhere") in told.text


async def test_r30_the_hosts_may_share_a_redis(tmp_path: Path) -> None:
    """As several machines do: it is heard of there within a second."""
    with RedisServer(tmp_path / "redis", "appendonly yes") as redis:
        shared = {f"sqlite://{tmp_path}/state.db": f"redis://127.0.0.1:{redis.port}/0"}
        async with applications(tmp_path, "oidc", {**USER, **shared}) as (app, desk):
            browser = await signed_in_at_both(app, desk)
            async with stream_of(desk, browser) as stream:
                await app.sign_out(browser)
                await closed(stream)
            assert not await alive(desk, browser)


async def test_r30_alone_a_sign_out_ends_its_own_host_s_session(tmp_path: Path) -> None:
    """Without ``scope: user``, behind Cognito, which gives each sign-in an id of its own."""
    async with applications(tmp_path, "oidc") as (app, desk):
        browser = await signed_in_at_both(app, desk)
        await app.sign_out(browser)

        assert await alive(desk, browser)


async def test_r30_the_other_browsers_of_the_user_are_signed_out_too(tmp_path: Path) -> None:
    """A user's other browser goes through the chain at its next navigation; other people's stay."""
    async with standing(tmp_path, replaced=USER) as stand:
        here, there, bob = stand.browser(), stand.browser(), stand.browser()
        for browser in (here, there):
            await stand.sign_in(browser, "/api/me")
        await stand.sign_in(bob, "/api/me", user="bob@example.com")
        await stand.sign_out(here)

        assert (await alive(stand, there), await alive(stand, bob)) == (False, True)
        told = await there.navigate(f"{stand.app}/logged-out", site="same-origin")
        assert message("session_over.elsewhere") in told.text
        end = await there.goto(f"{stand.app}/api/me")
        assert end.path == "/logged-out"
        assert message("line.confirmed_outcome") in end.text
        assert (await there.goto(f"{stand.app}/api/me")).asks_for_password


async def test_r30_a_dead_cookie_ends_nothing_but_itself(tmp_path: Path) -> None:
    """The other browser comes back with its dead session, or an old one runs out: the user's new sign-in stays."""
    async with standing(tmp_path, replaced=USER) as stand:
        here, there, old = stand.browser(), stand.browser(), stand.browser()
        for browser in (here, there):
            await stand.sign_in(browser, "/api/me")
        await stand.sign_out(here)
        await stand.sign_in(here, "/api/me")
        await there.goto(f"{stand.app}/api/me")
        await stand.sign_out(there)
        assert await alive(stand, here)

        await stand.sign_in(old, "/api/me")
        with later(31 * 60):
            await stand.sign_out(old)
        assert await alive(stand, here)

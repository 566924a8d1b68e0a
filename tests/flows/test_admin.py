"""What an operator ends is ended: the session, its connections, and the way back in (rule R1)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.app.server import Desk
from gateway.telemetry.metrics import TABLE
from tests.fakes.browser import Browser, Loopback
from tests.fakes.patience import PATIENCE
from tests.flows.conftest import Stand, free_socket, later, standing
from tests.flows.revoked import nothing_waits

TOKEN = "operators-token"
ADMIN = pytest.mark.parametrize(
    "stand",
    [{"replaced": {"admin: {listen: 127.0.0.1:0": f"admin: {{token: {TOKEN}, listen: 127.0.0.1:0"}}],
    indirect=True,
)


class Operator:
    """Probes and admin API of the stand."""

    def __init__(self, probes: int, admin: int, client: aiohttp.ClientSession) -> None:
        self._probes = f"http://127.0.0.1:{probes}"
        self._admin = f"http://127.0.0.1:{admin}"
        self.client = client

    async def revoke(self, **asked: object) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with self.client.post(f"{self._admin}/api/revocations", json=asked, headers=headers) as answer:
            assert answer.status == 200
            told: dict[str, Any] = await answer.json()
            return told

    async def sessions(self) -> list[dict[str, Any]]:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with self.client.get(f"{self._admin}/api/sessions", headers=headers) as answer:
            listed: list[dict[str, Any]] = (await answer.json())["sessions"]
            return listed

    async def metrics(self) -> dict[str, float]:
        """Sample name and labels to value."""
        async with self.client.get(f"{self._probes}/metrics") as answer:
            lines = [line for line in (await answer.text()).splitlines() if not line.startswith("#")]
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


@pytest.fixture
async def operator(stand: Stand) -> AsyncIterator[Operator]:
    probes, admin = free_socket(), free_socket()
    desk = Desk(stand.run.readiness, stand.gateway.metrics.exposition, stand.gateway.admin())
    ports = probes.getsockname()[1], admin.getsockname()[1]
    await desk.open(probes, admin)
    async with aiohttp.ClientSession() as client:
        yield Operator(*ports, client)
    await desk.close()


@ADMIN
@pytest.mark.parametrize("how", ["sub", "email", "sid", "all"])
async def test_r01_the_next_navigation_of_a_revoked_browser_enters_the_logout_chain(
    stand: Stand, browser: Browser, operator: Operator, how: str
) -> None:
    """It must not slip back in through the provider's own session: it walks through all hops to the receipt."""
    await stand.sign_in(browser, "/api/me")
    (listed,) = await operator.sessions()
    asked = {"all": True} if how == "all" else {how: listed[how]}
    told = await operator.revoke(**asked)
    assert told["durable"] is True
    refused = await browser.fetch(f"{stand.app}/api/me")
    assert (refused.status, '"reason": "revoked"' in refused.text) == (401, True)
    first = await browser.navigate(f"{stand.app}/api/me")
    assert first.status == 302
    assert first.location.startswith(f"{stand.cognito}/logout?")
    receipt = await browser.follow(first, site="none")
    assert receipt.path == "/logged-out"
    assert not stand.idp.control.okta.snapshot()["sessions"]
    assert not stand.idp.control.cognito.snapshot()["sessions"]
    form = await browser.goto(f"{stand.app}/api/me")
    assert form.asks_for_password
    assert (await browser.submit(form, username="alice@example.com", password="demo")).status == 200
    assert "revoked" in stand.told()


@ADMIN
async def test_r01_the_refresh_token_of_a_revoked_session_dies_with_its_next_navigation(
    stand: Stand, browser: Browser, operator: Operator
) -> None:
    """The gateway has it only in the cookie, so that is when it can; after the hop to its provider."""
    await stand.sign_in(browser, "/api/me")
    await operator.revoke(email="alice@example.com")
    await browser.goto(f"{stand.app}/api/me")
    await nothing_waits(stand.gateway)
    tokens = stand.idp.control.cognito.snapshot()["tokens"]
    assert [token["revoked"] for token in tokens if token["kind"] == "refresh"] == [True]


@ADMIN
async def test_a_revocation_ends_live_connections_of_its_people_and_no_others(
    stand: Stand, browser: Browser, operator: Operator
) -> None:
    """The answer counts those of this process; they close with 4401."""
    await stand.sign_in(browser, "/api/me")
    other = stand.browser()
    await stand.sign_in(other, "/api/me", user="bob@example.com")
    connector = aiohttp.TCPConnector(resolver=Loopback(), use_dns_cache=False)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as client:
        socks = []
        for one in (browser, other):
            headers = {"Cookie": one.cookie_header(stand.app), "Origin": stand.app}
            socks.append(await client.ws_connect(f"{stand.app}/api/live", headers=headers))
        told = await operator.revoke(email="ALICE@example.com")
        assert told["live_closed"] == 1
        while (message := await socks[0].receive(PATIENCE)).type not in {
            aiohttp.WSMsgType.CLOSE,
            aiohttp.WSMsgType.CLOSED,
        }:
            pass
        assert message.data == 4401
        assert not socks[1].closed
        await socks[1].close()
    assert (await other.fetch(f"{stand.app}/api/me")).status == 200
    assert [session["email"] for session in await operator.sessions()] == ["bob@example.com"]


@ADMIN
async def test_every_metric_of_the_table_is_fed(stand: Stand, browser: Browser, operator: Operator) -> None:
    """After sign-in, refresh, WebSocket, logout, revocation, a call of Okta's and nonsense no metric is as before."""
    before = await operator.metrics()
    stand.set(token_seconds=1_000)
    await stand.sign_in(browser, "/api/me")
    with later(900):
        await browser.fetch(f"{stand.app}/api/me")
        async with asyncio.timeout(PATIENCE):
            while not (await operator.metrics()).get('gateway_refreshes_total{result="renewed"}'):
                await asyncio.sleep(0.01)
    connector = aiohttp.TCPConnector(resolver=Loopback(), use_dns_cache=False)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as client:
        headers = {"Cookie": browser.cookie_header(stand.app), "Origin": stand.app}
        await client.ws_connect(f"{stand.app}/api/live", headers=headers)
        stand.gateway._set_gauges()
        during = await operator.metrics()
        answer = await browser.navigate(f"{stand.app}/logout", method="POST", body="", site="same-origin")
        await stand.gateway.tokens._look()
        stand.gateway._set_gauges()
        leaving = await operator.metrics()
        await browser.follow(answer, site="same-origin")
        await nothing_waits(stand.gateway)
    await operator.revoke(sub="somebody")
    await stand.idp.sender.send("event_hook", secret="wrong")
    reader, writer = await asyncio.open_connection("127.0.0.1", stand.port)
    writer.write(b"nonsense\r\n")
    await reader.read()
    writer.close()
    stand.gateway._set_gauges()
    after = await operator.metrics()
    unfed = []
    for row in TABLE:
        samples = [
            name for name in (after | during | leaving)
            if name.partition("{")[0] in {row.name, f"{row.name}_count"}
        ]  # fmt: skip
        if not any(
            before.get(name) != seen.get(name) for name in samples for seen in (during, leaving, after)
        ):
            unfed.append(row.name)
    # No proxy asks, nothing waits for a log that works, nor has it to be another one, and what runs does not change.
    state = [
        "gateway_state_log_pending",
        "gateway_state_log_renewals_total",
        "gateway_state_spool_used_ratio",
    ]
    assert unfed == ["gateway_forward_auth_refused_total", *state, "gateway_build_info"]
    assert during['gateway_live_connections{kind="websocket"}'] == 1
    assert after['gateway_live_connections{kind="websocket"}'] == 0
    assert during["gateway_upstream_connections"] >= 1
    assert after['gateway_revocations_total{durable="yes",reason="operator"}'] == 1
    assert after['gateway_revocations_total{durable="yes",reason="logout"}'] == 1
    assert after['gateway_verdicts_total{reason="session",verdict="allow"}'] >= 2
    assert after["gateway_sessions_sealed_total"] == after["gateway_cookie_bytes_count"] == 1
    assert 500 < after["gateway_cookie_bytes_sum"] < 5_500
    assert after['gateway_upstream_requests_total{result="ok",route="/api/"}'] >= 2


@ADMIN
@pytest.mark.usefixtures("looked_at_by_hand")
async def test_r26_p19_a_key_that_is_put_in_front_opens_and_seals_without_a_restart(
    stand: Stand, browser: Browser, operator: Operator
) -> None:
    """Sessions of the old key go on while it is listed, and end when it is gone."""
    await stand.sign_in(browser, "/api/me")
    (file,) = stand.gateway.settings.session.key_files
    old = file.read_text()
    file.write_text("nonsense\n")
    for watched in stand.gateway.watched:
        await watched.look()
    assert "session-key" in stand.run.readiness().details["keys"]
    assert stand.run.readiness().ready
    assert (await browser.fetch(f"{stand.app}/api/me")).status == 200
    file.write_text("q5tBFmSmVdQ0bVSOC4h9Jp0xg2nGe1vLr8sKtYwZaXc=\n")
    for watched in stand.gateway.watched:
        await watched.look()
    assert (await browser.fetch(f"{stand.app}/api/me")).status == 401
    file.write_text(old)
    for watched in stand.gateway.watched:
        await watched.look()
    assert (await browser.fetch(f"{stand.app}/api/me")).status == 200
    assert browser.cookie_names(stand.app) >= {"__Host-session"}


@pytest.mark.usefixtures("looked_at_by_hand")
async def test_policies_are_replaced_without_a_restart(tmp_path: Path) -> None:
    """What the new set denies is denied at once, though the old one's decisions were remembered; a bad one is not taken."""
    directory = tmp_path / "policies"
    directory.mkdir()
    file = directory / "mine.cedar"
    file.write_text('@id("everybody")\npermit (principal is User, action, resource);\n')
    async with standing(tmp_path, replaced={"builtin:groups": "policies"}) as stand:
        browser = stand.browser()
        await stand.sign_in(browser, "/api/me", user="bob@example.com")
        file.write_text('@id("admins")\npermit (principal in Group::"admins", action, resource);\n')
        for watched in stand.gateway.watched:
            await watched.look()
        denied = await browser.fetch(f"{stand.app}/api/me")
        assert (denied.status, '"denied"' in denied.text) == (403, True)
        file.write_text("permit (principal, action, resource);\n")
        for watched in stand.gateway.watched:
            await watched.look()
        assert (await browser.fetch(f"{stand.app}/api/me")).status == 403
        assert "mine.cedar:1" in stand.run.readiness().details["policies"]

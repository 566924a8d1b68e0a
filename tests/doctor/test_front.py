"""A proxy in front that asks the gateway."""

from __future__ import annotations

from pathlib import Path

from tests.doctor.deployment import OK, UNKNOWN, Deployment

ASKED = {
    "forward_auth": {"caller": "nginx"},
    "trusted_proxies": ["127.0.0.1"],
    "session": {"key_files": ["session-key"], "idle": "1h", "absolute": "1h"},
}


async def test_trap_32_the_check_sets_no_cookie_that_a_proxy_could_lose(cognito: Deployment) -> None:
    """nginx passes on one Set-Cookie at the most, so there is none."""
    cognito.pieces |= ASKED
    cookies, _ = await cognito.seen("forward-auth")
    assert cookies.verdict is OK
    assert "without cookies" in cookies.what


async def test_r30_what_the_proxy_in_front_keeps_alive(cognito: Deployment) -> None:
    """The guarantee about open connections is its own timeout there, by its name."""
    cognito.pieces |= ASKED
    _, open_connections = await cognito.seen("forward-auth")
    assert open_connections.verdict is UNKNOWN
    assert "proxy_read_timeout" in open_connections.what


async def test_r07_policies_that_ask_for_clients_need_a_proxy_that_names_them(
    cognito: Deployment, tmp_path: Path
) -> None:
    """Only where there are such; what has to be written is named, and where it shows when it is not."""
    cognito.pieces |= {**ASKED, "policies": str(tmp_path / "policies"), "client_ip_header": "X-Real-IP"}
    (tmp_path / "policies").mkdir()
    policy = tmp_path / "policies" / "a.cedar"
    policy.write_text('@id("a") permit (principal is User, action, resource);')
    assert len(await cognito.seen("forward-auth")) == 2
    policy.write_text(
        policy.read_text()
        + '@id("b") forbid (principal, action, resource) unless { context.client.isInRange(ip("10.0.0.0/8")) };'
    )
    *_, clients = await cognito.seen("forward-auth")
    assert (clients.verdict, "context.client" in clients.what) == (UNKNOWN, True)
    assert "write X-Real-IP into its question" in clients.fix
    assert "client_unknown" in clients.fix


async def test_it_is_silent_where_nobody_asks(cognito: Deployment) -> None:
    """Forward-auth is off."""
    assert await cognito.seen("forward-auth") == []

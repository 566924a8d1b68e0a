"""A proxy in front that asks the gateway."""

from __future__ import annotations

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


async def test_it_is_silent_where_nobody_asks(cognito: Deployment) -> None:
    """Forward-auth is off."""
    assert await cognito.seen("forward-auth") == []

"""/__control: what it shows, what it takes, whom it answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.demo.switches import SWITCHES
from tests.demo.lab import Lab

JSON = {"Content-Type": "application/json"}


async def control(lab: Lab, url: str, body: object = None, **headers: str) -> tuple[int, dict[str, Any]]:
    method = "GET" if body is None else "POST"
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with lab.browser.session.request(
        method, f"{url}/__control", data=None if body is None else data, headers=JSON | headers
    ) as response:
        text = await response.text()
        return response.status, json.loads(text) if response.content_type == "application/json" else {}


async def test_snapshot_has_the_four_parts(lab: Lab) -> None:
    """Switches, sessions, tokens and calls, each in its fixed form, on both emulators."""
    await lab.tokens(await lab.sign_in())
    seen = {}
    for url in (lab.options.cognito, lab.options.okta):
        status, shown = await control(lab, url)
        assert status == 200
        assert set(shown) == {"switches", "sessions", "tokens", "calls"}
        assert set(shown["switches"]) == {switch.name for switch in SWITCHES}
        assert [session["user"] for session in shown["sessions"]] == ["alice@example.com"]
        assert set(shown["sessions"][0]) == {"user", "created"}
        assert set(shown["calls"][0]) == {"method", "path", "query", "status", "at"}
        seen[url] = shown

    cognito = seen[lab.options.cognito]
    assert cognito["tokens"] == [
        {"kind": kind, "user": "alice@example.com", "revoked": False} for kind in ("access", "id", "refresh")
    ]
    first = cognito["calls"][0]
    assert (first["method"], first["path"], first["status"]) == ("GET", "/oauth2/authorize", 302)
    assert first["query"] == lab.authorize_url().partition("?")[2]


async def test_set_and_reset(lab: Lab) -> None:
    """Set changes switches of either emulator; reset returns them and forgets sessions, tokens and calls."""
    await lab.tokens(await lab.sign_in())
    url = lab.options.cognito

    status, shown = await control(lab, url, {"set": {"refresh_rotation": True, "okta_slo": "on"}})
    assert (status, shown["switches"]["refresh_rotation"], shown["switches"]["okta_slo"]) == (200, True, True)
    status, shown = await control(lab, url, {"reset": True, "set": {"extra_groups": 3}})

    assert shown["switches"]["refresh_rotation"] is False
    assert shown["switches"]["extra_groups"] == 3
    assert shown["sessions"] == shown["tokens"] == shown["calls"] == []
    assert lab.idp.okta.live_sessions()
    await control(lab, lab.options.okta, {"reset": True})
    assert lab.idp.okta.live_sessions() == []


@pytest.mark.parametrize(
    "body",
    [
        {"set": {"no_such_switch": 1}},
        {"set": {"refresh_rotation": True, "extra_groups": 101}},
        {"set": {"refresh_rotation": "perhaps"}},
        {"set": {"branding": "neither"}},
        {"set": {"extra_groups": True}},
        {"set": []},
        {"sett": {}},
        [],
        b"{",
        b"\xff",
    ],
)
async def test_bad_changes_are_400_and_change_nothing(lab: Lab, body: object) -> None:
    """An unknown name or a wrong value lists every switch; all or nothing."""
    status, shown = await control(lab, lab.options.okta, body)

    assert status == 400
    assert shown["switches"] == [switch.name for switch in SWITCHES]
    assert shown["error"]
    assert lab.idp.switches.flag("refresh_rotation") is False


async def test_r29_only_its_own_host_and_json_are_answered(lab: Lab) -> None:
    """Another Host is 421, another content type 415, another method 405."""
    port = lab.options.okta.rpartition(":")[2]
    upper = f"OKTA.localhost:{port}"

    assert (await control(lab, lab.options.okta, None, Host="evil.example"))[0] == 421
    assert (await control(lab, lab.options.okta, None, Host=f"127.0.0.1:{port}"))[0] == 421
    assert (await control(lab, lab.options.okta, None, Host=upper))[0] == 421
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        assert (await control(lab, lab.options.okta, {"reset": True}, **{"Content-Type": kind}))[0] == 415
    async with lab.browser.session.delete(f"{lab.options.okta}/__control") as response:
        assert response.status == 405
    assert "Access-Control-Allow-Origin" not in (await lab.browser.get(f"{lab.options.okta}/__control")).text

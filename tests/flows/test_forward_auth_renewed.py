"""Callers that hand the cookies of a pass on to the browser: Traefik, and Envoy over gRPC."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.pieces import put
from tests.flows.conftest import later
from tests.flows.contracts import GRPC
from tests.flows.front import fronted, signed_in


@pytest.mark.parametrize(("caller", "asked"), [("traefik", ", renews_cookies: true"), ("envoy-grpc", "")])
async def test_a_session_that_is_used_lives_on(tmp_path: Path, caller: str, asked: str) -> None:
    """By the cookies of a pass, which these put into the application's answer, beside the application's own."""
    async with fronted(tmp_path, caller=caller, asked=asked) as front:
        browser = front.stand.browser()
        await signed_in(front, browser)
        before = browser.cookie_header(front.app)
        most_of_it = int(0.6 * front.stand.gateway.settings.session.idle)
        with later(most_of_it):
            answer = await browser.navigate(f"{front.app}/cookie")
            assert answer.status == 200
            names = [line.partition("=")[0] for line in answer.set_cookies()]
            assert "own" in names
            assert any(name.startswith("__Host-session") for name in names)
        with later(2 * most_of_it):
            assert (await browser.navigate(f"{front.app}/x")).status == 200
            head = f"GET /x HTTP/1.1\nHost: {front.host}\nCookie: {before}\nConnection: close\n\n"
            assert not (await front.raw(head)).startswith(b"HTTP/1.1 200 ")


async def test_over_grpc_the_table_holds_too(tmp_path: Path) -> None:
    """A refusal is as the gateway wrote it, and without the gateway nothing passes."""
    async with fronted(tmp_path, caller="envoy-grpc") as front:
        browser = front.stand.browser()
        refused = await browser.fetch(f"{front.app}/x")
        assert (refused.status, refused.header("Content-Type")) == (401, "application/problem+json")
        nobody = {"address: 127.0.0.1, port_value: 9092": "address: 127.0.0.2, port_value: 9092"}
        await front.exchange(lambda text: put(text, nobody))
        assert (await browser.fetch(f"{front.app}/x")).status == GRPC.down
        assert not front.application.calls

"""``upstreams[].method_override``: whether the application may be told to take a request for another method."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.demo import configuration
from tests.fakes.upstream import FakeUpstream, always, reply
from tests.flows.conftest import standing


@pytest.mark.parametrize(
    ("written", "arrives"),
    [("", False), (", method_override: refuse", False), (", method_override: allow", True)],
)
async def test_r32_an_override_reaches_only_who_asked_for_it(
    tmp_path: Path, written: str, arrives: bool
) -> None:
    """What was decided as POST is not executed as DELETE, unless the operator says that the application may."""
    upstream = await FakeUpstream(always(reply())).start()
    try:
        there = {f'"file://{configuration.SPA}"': f'"{upstream.url}"{written}'}
        async with standing(tmp_path, replaced=there) as stand:
            browser = stand.browser()
            await stand.sign_in(browser, "/")
            override = {"X-HTTP-Method-Override": "DELETE"}
            answer = await browser.fetch(f"{stand.app}/things/1", method="POST", body="", **override)

        assert answer.status == 200
        (call,) = [call for call in upstream.calls if b"/things/1" in call.request_line]
        assert call.request_line.startswith(b"POST ")
        assert call.values(b"x-http-method-override") == ([b"DELETE"] if arrives else [])
    finally:
        await upstream.close()

"""The tab script as it is sent: small, whole, for strict policies; tests/browser shows what it does."""

from __future__ import annotations

import asyncio
import gzip
import re
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deploy.demo.build import node_and_npm
from gateway.web.endpoints.tab import TabScript, script
from gateway.web.pages.shell import asset
from tests.fakes.door import Client, listener
from tests.fakes.patience import PATIENCE

LARGEST = 1_072
"""Bytes, compressed, with everything switched on. 24 more than before it kept the tab's place for signing in again."""


def test_it_is_no_larger_than_promised() -> None:
    """A kilobyte or so, compressed as well as gzip can."""
    text = script("/oauth2", reports_input=True).encode()
    assert len(gzip.compress(text, compresslevel=9, mtime=0)) <= LARGEST


def test_the_source_can_be_squeezed_as_it_is() -> None:
    """No string has a space, no literal is a template or a pattern, and no statement ends with its line alone."""
    lines = [line.strip() for line in asset("tab.js").splitlines()]
    code = [line for line in lines if line and not line.startswith("//")]
    assert len(code) > 50
    assert [line for line in code if "//" in line or "`" in line or "/*" in line] == []
    assert [text for line in code for text in re.findall(r'"[^"]*"', line) if " " in text] == []
    assert {line[-1] for line in code} <= set("{};,()=>?:")


def test_what_is_sent_is_sound(tmp_path: Path) -> None:
    """Node reads it, as a script and as a module."""
    node, _ = node_and_npm()
    for name in ("tab.js", "tab.mjs"):
        file = tmp_path / name
        file.write_text(script("/auth", reports_input=True))
        subprocess.run([node, "--check", file], check=True, timeout=PATIENCE)


def test_it_knows_its_gateway() -> None:
    """The prefix, and whether input is reported, are in it; nothing is left to fill in."""
    assert 'let[prefix,input,user]=["/auth",false]' in script("/auth", reports_input=False)
    assert '=["/oauth2",true,""]' in script("/oauth2", reports_input=True, needed=True)
    assert "SETTINGS" not in script("/oauth2", reports_input=True)


@pytest.mark.parametrize("query", [None, "v=3", "signed-in"])
@pytest.mark.parametrize("accepts", ["gzip, deflate, br", "gzip;q=0, identity", ""])
async def test_it_is_compressed_where_that_is_asked_for(accepts: str, query: str | None) -> None:
    """Nobody stores it, and no page of another origin may load it; pages say whether they need somebody signed in."""
    endpoint = TabScript("/oauth2", reports_input=False)
    made: Any = SimpleNamespace(query=query)
    door = listener(lambda request: endpoint(request, made))
    server = await asyncio.get_running_loop().create_server(door, "127.0.0.1", 0)
    client = Client(*await asyncio.open_connection(*server.sockets[0].getsockname()))
    answer = await client.get("/oauth2/tab.js", f"Accept-Encoding: {accepts}")
    packed = "gzip," in accepts
    assert answer.value(b"content-type") == b"text/javascript; charset=utf-8"
    assert answer.value(b"cache-control") == b"no-store"
    assert answer.value(b"cross-origin-resource-policy") == b"same-origin"
    assert answer.value(b"content-encoding") == (b"gzip" if packed else None)
    body = gzip.decompress(answer.body) if packed else answer.body
    assert body.decode() == script("/oauth2", reports_input=False, needed=query == "signed-in")
    await client.close()
    server.close()
    await door.shutdown(0.1)

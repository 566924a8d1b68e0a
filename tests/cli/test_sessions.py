"""``gateway sessions``: what an operator types against a gateway that runs, with two workers."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.patience import PATIENCE
from tests.fakes.serving import Serving, serving


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Serving]:
    async with serving(tmp_path, workers=2) as running:
        yield running


async def command(config: Path, *words: str) -> tuple[int, str, str]:
    """Exit status and both outputs of ``gateway sessions``."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", "sessions", *words, "-c", str(config),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    return process.returncode or 0, out.decode(), err.decode()


async def test_an_operator_lists_sessions_and_ends_them(gateway: Serving) -> None:
    """All workers' sessions are listed; each way of naming them ends them, and only them."""
    browsers = [gateway.browser() for _ in range(3)]
    for browser in browsers:
        await gateway.sign_in(browser)
    cookies = [browser.cookie_header(gateway.app) for browser in browsers]
    status, out, err = await command(gateway.config, "list")
    assert (status, err) == (0, "3 sessions\n")
    header, *rows = out.splitlines()
    assert header.split("  ")[0].strip() == "SID"
    assert len(rows) == 3
    assert all("alice@example.com" in row for row in rows)
    status, out, _ = await command(gateway.config, "list", "--json")
    sid = json.loads(out)["sessions"][0]["sid"]

    status, out, _ = await command(gateway.config, "revoke", "--sid", sid)
    assert (status, out) == (0, f"sid {sid}: ended\n")
    assert sorted([await gateway.status(cookie) for cookie in cookies]) == [200, 200, 401]
    assert (await command(gateway.config, "list"))[2] == "2 sessions\n"
    assert (await command(gateway.config, "revoke", "--email", "Alice@example.com"))[0] == 0
    assert [await gateway.status(cookie) for cookie in cookies] == [401, 401, 401]
    assert (await command(gateway.config, "revoke", "--all"))[1] == "every session: ended\n"
    assert gateway.told().count('"revoked"') >= 3


async def test_what_cannot_be_done_is_said_in_one_line(gateway: Serving, tmp_path: Path) -> None:
    """Wrong use is 2; no gateway, no token and a wrong one are 1, each with its mend."""
    for words in ((), ("--sid", "a", "--all"), ("--sub", "a", "--email", "b")):
        status, _, err = await command(gateway.config, "revoke", *words)
        assert (status, err) == (2, "gateway: give exactly one of --sid, --sub, --email and --all\n")
    status, _, err = await command(gateway.config, "list", "--admin", "127.0.0.1:1")
    assert status == 1
    assert "is the gateway running there?" in err
    text = gateway.config.read_text()
    other = gateway.config.with_name("other.yaml")
    other.write_text(text.replace("operators-token", "another-token"))
    status, _, err = await command(other, "list")
    assert status == 1
    assert "Wrong or missing token" in err
    other.write_text(text.replace(", token: operators-token", ""))
    status, _, err = await command(other, "list")
    assert status == 1
    assert "admin.token_file is not set" in err
    assert "operators-token" not in err
    assert err.count("\n") == 1

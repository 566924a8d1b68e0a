"""``gateway sessions``: what an operator types against a gateway that runs, with two workers."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from typer.testing import CliRunner

from gateway.cli.main import app
from gateway.demo.options import DemoOptions
from tests.fakes.patience import PATIENCE
from tests.fakes.serving import AMPLE, Application, Serving, serving, written


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Serving]:
    async with serving(tmp_path, workers=2, env=AMPLE) as running:
        yield running


async def command(config: Path, *words: str) -> tuple[int, str, str]:
    """Exit status and both outputs of ``gateway sessions``."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", "sessions", *words, "-c", str(config),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    return process.returncode or 0, out.decode(), err.decode()


async def here(config: Path, *words: str) -> tuple[int, str, str]:
    """The same in this process, which saves the start of another."""
    ran = await asyncio.to_thread(CliRunner().invoke, app, ["sessions", *words, "-c", str(config)])
    return ran.exit_code, ran.stdout, ran.stderr


async def test_an_operator_lists_sessions_and_ends_them(gateway: Serving) -> None:
    """All workers' sessions are listed; each way of naming them ends them, and only them."""
    browsers = [gateway.browser() for _ in range(3)]
    for browser in browsers:
        await gateway.sign_in(browser)
    cookies = [browser.cookie_header(gateway.app) for browser in browsers]
    status, out, err = await command(gateway.config, "list")
    assert (status, err) == (0, "3 sessions\n")
    header, *rows = out.splitlines()
    assert header.split()[:2] == ["SESSION", "SID"]
    assert len(rows) == 3
    assert all("alice@example.com" in row for row in rows)
    status, out, _ = await here(gateway.config, "list", "--json")
    sid = json.loads(out)["sessions"][0]["sid"]
    (row,) = [row for row in rows if row.split()[1] == sid]
    mark = row.split()[0]

    status, out, _ = await here(gateway.config, "revoke", "--sid", sid)
    assert (status, out) == (0, f"sid {sid}: ended 1 sign-in\n")
    assert f'"revocation": "sid:{mark}"' in gateway.told()
    assert sorted([await gateway.status(cookie) for cookie in cookies]) == [200, 200, 401]
    assert (await here(gateway.config, "list"))[2] == "2 sessions\n"
    status, out, _ = await here(gateway.config, "revoke", "--email", "Alice@example.com")
    assert (status, out) == (0, "email Alice@example.com: ended 2 sign-ins\n")
    assert [await gateway.status(cookie) for cookie in cookies] == [401, 401, 401]
    for words in (("--all",), ("--sid", sid), ("--email", "alise@example.com")):
        status, out, err = await here(gateway.config, "revoke", *words)
        assert (status, out, "nobody is signed in so, and nothing has ended" in err) == (1, "", True)
    assert gateway.told().count('"revoked"') >= 3


async def test_what_cannot_be_done_is_said_in_one_line(gateway: Serving, tmp_path: Path) -> None:
    """Wrong use is 2; no gateway, no token and a wrong one are 1, each with its fix."""
    for words in ((), ("--sid", "a", "--all"), ("--sub", "a", "--email", "b")):
        status, _, err = await here(gateway.config, "revoke", *words)
        assert (status, err) == (2, "gateway: give exactly one of --sid, --sub, --email and --all\n")
    for wrong in ("http://127.0.0.1:9090", "127.0.0.1", "::1:9090"):
        status, _, err = await here(gateway.config, "list", "--admin", wrong)
        assert (status, f"`{wrong}` is not a host and a port; write it as 127.0.0.1:9090" in err) == (2, True)
    status, _, err = await here(gateway.config, "list", "--admin", "127.0.0.1:1")
    assert status == 1
    assert "is the gateway running there?" in err
    text = gateway.config.read_text()
    other = gateway.config.with_name("other.yaml")
    other.write_text(text.replace("operators-token", "another-token"))
    status, _, err = await here(other, "list")
    assert status == 1
    assert "Wrong or missing token" in err
    other.write_text(text.replace(", token: operators-token", ""))
    status, _, err = await here(other, "list")
    assert status == 1
    assert "admin.token_file is not set" in err
    assert "operators-token" not in err
    assert err.count("\n") == 1


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[tuple[Path, dict[str, object]]]:
    """A configuration, and what the operator's API of its gateway answers."""
    answer: dict[str, object] = {}
    api = web.Application()

    async def told(_: web.Request) -> web.Response:
        return web.json_response(answer)

    api.router.add_route("*", "/{path:.*}", told)
    runner = web.AppRunner(api)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    application = Application()
    application.port = 9
    config = written(tmp_path, DemoOptions(), application)
    address = "{}:{}".format(*runner.addresses[0])
    text = re.sub(r"admin: \{listen: [^,]*", f"admin: {{listen: {address}", config.read_text())
    config.write_text(text)
    yield config, answer
    await runner.cleanup()


async def test_what_is_missing_from_a_list_is_said(desk: tuple[Path, dict[str, object]]) -> None:
    """More sessions than are shown; and a list that could not be had as a whole is status 1."""
    config, answer = desk
    one = {
        "session": "m",
        "sid": "s",
        "user": "alice",
        "email": None,
        "device": "Firefox",
        "client": None,
        "login_at": 0,
        "last_seen": 60,
    }
    answer |= {"sessions": [one], "total": 3, "complete": True}
    status, out, err = await here(config, "list")
    assert (status, err) == (0, "3 sessions, the 1 last active shown\n")
    assert out.splitlines()[1].split() == [
        *("m", "s", "alice", "-", "Firefox", "-", "1970-01-01", "00:00:00Z", "1970-01-01", "00:01:00Z"),
    ]
    answer |= {"complete": False, "note": "the state does not answer"}
    status, _, err = await here(config, "list")
    assert (status, err.splitlines()[-1]) == (1, "gateway: the state does not answer")


async def test_an_end_that_the_log_has_not_taken_is_no_success(desk: tuple[Path, dict[str, object]]) -> None:
    """It holds in that process alone."""
    config, answer = desk
    answer |= {"durable": False}
    status, out, err = await here(config, "revoke", "--sub", "s-1")
    assert (status, out) == (1, "")
    assert err.startswith("gateway: sub s-1: ended in that process only; the log did not take it yet")


@pytest.mark.parametrize(
    ("ended", "said"),
    [(0, "ended; how many sign-ins is not known"), (1_000, "ended at least 1000 sign-ins\n")],
)
async def test_a_list_that_is_not_whole_counts_nobody_out(
    desk: tuple[Path, dict[str, object]], ended: int, said: str
) -> None:
    """What could not be counted has ended all the same."""
    config, answer = desk
    answer |= {"durable": True, "ended": ended, "complete": False}
    status, out, _ = await here(config, "revoke", "--sub", "s-1")
    assert (status, out.startswith(f"sub s-1: {said}")) == (0, True)


async def test_a_configuration_that_cannot_be_used_says_why(tmp_path: Path) -> None:
    """Before anybody is asked."""
    config = tmp_path / "gateway.yaml"
    config.write_text("listen: nowhere\n")
    status, out, err = await here(config, "list")
    assert (status, out) == (1, "")
    assert "listen" in err

"""``gateway serve`` as operators meet it: how fast it starts, how it fails, and what it survives."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import aiohttp
import pytest

from gateway.app.wiring import Gateway
from gateway.config import load
from gateway.core.http.request_head import RequestHead, read_block
from gateway.demo.options import DemoOptions
from gateway.web.messages import Request, Response
from tests.fakes.configured import NOTHING
from tests.fakes.patience import PATIENCE
from tests.fakes.pieces import put
from tests.fakes.serving import Application, launched, serving, written

ROOT = Path(__file__).parents[2]


def configured(directory: Path, extra: str = "", replaced: Mapping[str, str] = NOTHING) -> Path:
    """A configuration whose upstream and provider are not there."""
    application = Application()
    application.port = 9
    path = written(directory, DemoOptions(), application, extra)
    path.write_text(put(path.read_text(), replaced))
    return path


def refused(path: Path, workers: int) -> str:
    """What ``gateway serve`` says before it ends with status 1."""
    command = [sys.executable, "-m", "gateway", "serve", "-c", str(path), "--workers", str(workers)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert run.returncode == 1, run.stderr
    assert "Traceback" not in run.stderr
    assert not run.stdout
    return run.stderr


def complaint(path: Path, workers: int) -> str:
    """The one line that is not a log line."""
    lines = [line for line in refused(path, workers).splitlines() if not line.startswith("{")]
    assert len(lines) == 1, lines
    assert lines[0].startswith("gateway: ")
    assert "; " in lines[0]
    return lines[0]


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("key", ["listen", "probes.listen", "admin.listen"])
def test_a_taken_port_is_one_clear_line(tmp_path: Path, key: str, workers: int) -> None:
    """It names the address and the key of the configuration."""
    path = configured(tmp_path)
    section = path.read_text().split(f"{key.removesuffix('.listen')}: ")[1].split("\n")[0]
    address = section.removeprefix("{listen: ").split("}")[0].split(",")[0]
    with socket.create_server(("127.0.0.1", int(address.rpartition(":")[2]))):
        line = complaint(path, workers)
    assert line.startswith(
        f"gateway: cannot listen on {address} ({key}): Address already in use; choose another {key}"
    )


@pytest.mark.parametrize("workers", [1, 2])
def test_a_state_file_that_is_none_is_one_clear_line(tmp_path: Path, workers: int) -> None:
    """Found after the fork, told by the parent."""
    path = configured(tmp_path)
    (tmp_path / "state.db").write_bytes(b"this is no database, but long enough to be taken for one" * 100)
    assert "state.db" in complaint(path, workers)


def test_a_bad_policy_is_a_finding_with_its_place(tmp_path: Path) -> None:
    """File and line of the policy, and of the key that names it."""
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "mine.cedar").write_text('@id("a")\npermit (principal, action, resource);\n')
    path = configured(tmp_path, replaced={"builtin:groups": "policies"})
    said = refused(path, 1)
    assert "policies/mine.cedar:2" in said or "policies/mine.cedar:1" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("name", ["session-key", "client-secret"])
def test_a_secret_that_cannot_be_read_is_a_finding(tmp_path: Path, name: str) -> None:
    """It names the key of the configuration and the file."""
    path = configured(tmp_path)
    (tmp_path / name).unlink()
    said = refused(path, 1)
    assert name in said
    assert "does not exist" in said


async def test_what_a_client_may_take_is_as_configured(tmp_path: Path) -> None:
    """Header bytes, body bytes and connections reach the listener; 0 is no limit."""
    text = "limits: {header: 16KiB, body: 1MiB, connections: 40, connections_per_client: 7}\n"

    gateway = Gateway(load(configured(tmp_path, text), {}))
    limits = gateway.door.listener().limits
    await gateway.close()

    assert (limits.header, limits.body, limits.together, limits.per_client) == (16_384, 1 << 20, 40, 7)


def test_a_configuration_that_is_not_there_is_a_finding(tmp_path: Path) -> None:
    """Not a traceback."""
    assert "does not exist" in refused(tmp_path / "gateway.yaml", 1)


async def test_the_command_line_serves_and_drains(tmp_path: Path) -> None:
    """Ready, and 0 after SIGTERM and its five seconds, in which it says that it is about to leave."""
    application = Application()
    await application.start()
    path = written(tmp_path, DemoOptions(), application)
    probes = path.read_text().split("probes: {listen: ")[1].split("}")[0]
    arguments = ("-m", "gateway", "serve", "-c", str(path), "--workers", "2")
    process = await launched(path, *arguments, workers=2, accept_for=5)
    async with aiohttp.ClientSession() as client:
        while True:
            try:
                async with client.get(f"http://{probes}/readyz") as response:
                    if response.status == 200:
                        break
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(0.01)
            assert process.returncode is None
        process.terminate()
        seen = [(200, "serving")]
        with contextlib.suppress(
            aiohttp.ClientConnectionError
        ):  # five seconds pass, if nobody looks for so long
            while seen[-1][0] == 200:
                async with client.get(f"http://{probes}/readyz") as response:
                    seen.append((response.status, (await response.json())["phase"]))
        assert set(seen) <= {(200, "serving"), (503, "draining")}
    assert await process.wait() == 0
    assert '"draining"' in (tmp_path / "log").read_text()
    await application.close()


def test_serve_imports_nothing_of_the_demo() -> None:
    """Nor Redis, nor a metrics module before the directory of its files can be set (rules R12, R29)."""
    code = (
        "import sys, gateway.cli.main, gateway.workers.parent\n"
        "assert 'prometheus_client' not in sys.modules\n"
        "import gateway.app.server\n"
        "found = {name.split('.')[0] for name in sys.modules} & {'redis', 'lxml', 'signxml', 'h2', 'google'}\n"
        "assert not found, found\n"
        "assert not [name for name in sys.modules if name.startswith('gateway.demo')]\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


async def test_guarantee_3_an_identity_provider_that_is_down_loses_no_session(tmp_path: Path) -> None:
    """The gateway starts without it and is ready, sessions go on, /readyz and the metrics tell (pain P18)."""
    async with serving(tmp_path) as gateway:
        browser = gateway.browser()
        await gateway.sign_in(browser)
        cookie = browser.cookie_header(gateway.app)
        assert await gateway.stop() == 0
        assert gateway.idp is not None
        await gateway.idp.close()
        gateway.process = await launched(gateway.config, workers=1, accept_for=0.1)
        told = await gateway.until("/readyz", 200)
        assert not told["idp"].startswith("up")
        assert await gateway.status(cookie) == 200
        async with asyncio.timeout(PATIENCE):
            while "gateway_idp_up 0.0" not in (await gateway.probe("/metrics"))[1]:
                await asyncio.sleep(0.1)


async def test_guarantee_3_a_restart_loses_no_revocation(tmp_path: Path) -> None:
    """Killed without warning right after a logout, it still refuses the copied cookie."""
    async with serving(tmp_path) as gateway:
        browser = gateway.browser()
        await gateway.sign_in(browser)
        copied = browser.cookie_header(gateway.app)
        await browser.navigate(f"{gateway.app}/logout", method="POST", body="", site="same-origin")
        gateway.process.kill()
        await gateway.ends()
        gateway.process = await launched(gateway.config, workers=1, accept_for=0.1)
        await gateway.until("/readyz", 200)
        assert await gateway.status(copied) == 401


async def test_guarantee_3_a_lost_log_fails_closed(tmp_path: Path) -> None:
    """Sessions of a log that is gone are refused, because nobody knows which of them were ended (rule R4)."""
    async with serving(tmp_path) as gateway:
        browser = gateway.browser()
        await gateway.sign_in(browser)
        cookie = browser.cookie_header(gateway.app)
        assert await gateway.stop() == 0
        for file in tmp_path.glob("state.db*"):
            file.unlink()
        gateway.process = await launched(gateway.config, workers=1, accept_for=0.1)
        await gateway.until("/readyz", 200)
        assert await gateway.status(cookie) == 401


async def test_r26_p19_a_key_is_rotated_without_a_restart_and_nobody_is_logged_out(tmp_path: Path) -> None:
    """A new key in front is taken in within seconds; a session of the old one goes on; /readyz tells of a bad file."""
    async with serving(tmp_path) as gateway:
        browser = gateway.browser()
        await gateway.sign_in(browser)
        cookie = browser.cookie_header(gateway.app)
        key = (tmp_path / "session-key").read_text()
        (tmp_path / "session-key").write_text("not a key\n")
        async with asyncio.timeout(PATIENCE):
            while (told := await gateway.until("/readyz", 200))["keys"] == "ok":
                await asyncio.sleep(0.05)
        assert "session-key" in told["keys"]
        assert "not a key" not in gateway.told()
        assert await gateway.status(cookie) == 200
        (tmp_path / "session-key").write_text(key)
        async with asyncio.timeout(PATIENCE):
            while (await gateway.until("/readyz", 200))["keys"] != "ok":
                await asyncio.sleep(0.05)
        assert await gateway.status(cookie) == 200


async def test_closing_writes_the_access_lines_that_wait(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The last request before the end has its line."""
    gateway = Gateway(load(configured(tmp_path, replaced={"access: false": "access: true"}), {}))
    await gateway.open()
    head = RequestHead("GET", "/last", False, read_block(b"", 100))
    request = Request(SimpleNamespace(peer="192.0.2.1"), head, None)  # the request only asks for its peer
    gateway.access_log.note(request, None, Response(400), 0.1)
    assert '"event":"access"' not in capsys.readouterr().out
    await gateway.close()
    assert '"event":"access"' in capsys.readouterr().out

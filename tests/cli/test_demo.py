"""``gateway demo``: what stops it at once, and what its console says. What it runs is tested in ``tests/demo``."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from itertools import takewhile
from urllib.parse import urlsplit

import pytest
import typer
from typer.testing import CliRunner

from gateway.cli import demo, main
from gateway.telemetry.audit import AuditEvent, AuditKind
from tests.fakes.patience import PATIENCE
from tests.fakes.ports import free_ports


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.mark.parametrize(("words", "ports"), [(["demo"], "EVERYTHING"), (["demo", "idp"], "EMULATORS")])
def test_a_taken_port_is_named_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, taken: int, words: list[str], ports: str
) -> None:
    """One line with the port, before any configuration is printed or anything is started."""
    app = typer.Typer()
    demo.register(app)
    monkeypatch.setattr(demo, ports, (0, taken))

    result = CliRunner().invoke(app, words)

    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == (
        f"gateway: port {taken} of 127.0.0.1 is taken: Address already in use; stop what listens there\n"
    )


def test_the_ports_are_those_that_are_documented() -> None:
    """The gateway's, the emulators', the application's, the operator's and the probes'."""
    assert sorted(demo.EVERYTHING) == [8080, 8081, 8082, 8083, 9090, 9091]
    assert sorted(demo.EMULATORS) == [8081, 8082]


def test_a_sign_out_is_told_as_one_would_say_it(capsys: pytest.CaptureFixture[str]) -> None:
    """With a session it says whose was killed and whether the log has it; without one nothing was."""
    started = AuditKind.LOGOUT_STARTED
    demo._tell(AuditEvent(started, reason="get"))
    demo._tell(AuditEvent(started, sid="s" * 22, user="alice", reason="post", durable=False))

    without, within = capsys.readouterr().out.splitlines()
    assert without == "gateway: a sign-out without a session began (get)"
    assert within.startswith("gateway: session ")
    assert within.endswith(" of alice killed by post (not yet in the log)")


RUN = """
import os
from functools import partial
from gateway.cli import demo, main
from gateway.demo import api, configuration
from gateway.demo.options import DemoOptions
from tests.fakes.ports import free_ports, on_ports

door, notes, probes, admin = (f"127.0.0.1:{port}" for port in free_ports(4))

def options(federation, switches):
    app = "http://app.localhost:" + door.split(":")[1]
    made = DemoOptions(app=app, federation=federation, switches=demo._pairs(switches))
    taken = os.environ.get("TAKEN")
    return on_ports(made, *(map(int, taken.split()) if taken else free_ports(2)))

configuration.write = partial(configuration.write, listen=door, api=notes, probes=probes, admin=admin)
api.start = partial(api.start, port=int(notes.split(":")[1]))
demo._options = options
demo._need = lambda ports: None
main.main()
"""
"""`gateway`, with a demo on ports that nobody else has: the documented ones may be taken on a machine with other tests."""


def test_everything_runs_until_it_is_told_to_stop() -> None:
    """The configuration comes first, then the addresses; the application is behind the gateway, and is answered 302."""
    command = [sys.executable, "-c", RUN, "demo", "--federation", "oidc"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = list(takewhile(lambda line: line != "ready\n", process.stdout))
        app = next(line.split()[1] for line in said if line.startswith("public_url: "))
        found = HTTPConnection("127.0.0.1", int(urlsplit(app).port or 0), timeout=PATIENCE)
        headers = {"Host": urlsplit(app).netloc, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
        found.request("GET", "/reports", headers=headers)
        answer = found.getresponse()
        assert (answer.status, answer.headers["Location"]) == (302, "/oauth2/start?rd=/reports")
        found.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    assert said[0].startswith("# gateway.yaml of this demo, at ")


def run(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", RUN, *words],
        env={**os.environ, **environ}, timeout=PATIENCE, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_switch_that_there_is_not_is_named() -> None:
    """With all that there are; and nothing goes on running."""
    ran = run("demo", "idp", "--set", "bananas=3")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("gateway: ")
    assert "bananas" in ran.stderr
    assert "token_seconds" in ran.stderr


def test_what_is_taken_at_the_last_moment_is_said() -> None:
    """Somebody was quicker than the emulators, after their ports had been looked at."""
    with contextlib.ExitStack() as stack:
        ports = free_ports(2)
        for port in ports:
            stack.enter_context(socket.create_server(("127.0.0.1", port)))
        ran = run("demo", "idp", TAKEN=" ".join(map(str, ports)))
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith("gateway: cannot listen: ")
    assert "must be free" in ran.stderr


@pytest.mark.parametrize("words", [["demo"], ["demo", "idp"]])
def test_a_demo_that_is_not_installed_says_how(monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    """It is an extra, and the gateway itself needs none of it."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    ran = CliRunner().invoke(main.app, words)
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert "pip install 'spa-auth-gateway[demo]'" in ran.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--set", "bananas"], "--set takes NAME=VALUE, not 'bananas'"),
        (["--federation", "carrier pigeons"], "carrier pigeons"),
    ],
)
def test_wrong_use_is_status_2(words: list[str], said: str) -> None:
    """Before anything is looked at."""
    ran = CliRunner().invoke(main.app, ["demo", *words])
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert said in ran.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_emulators_alone_run_until_they_are_told_to_stop(number: signal.Signals) -> None:
    """A process of its own, as signals go to one: it says where it is, answers there, and ends well."""
    command = [sys.executable, "-c", RUN, "demo", "idp"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = list(takewhile(lambda line: line != "ready\n", process.stdout))
        issuer = next(line.split()[1] for line in said if line.startswith("issuer"))
        port = int(urlsplit(issuer).port or 0)
        found = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        found.request(
            "GET",
            "/eu-west-1_demo/.well-known/openid-configuration",
            headers={"Host": urlsplit(issuer).netloc},
        )
        assert json.load(found.getresponse())["issuer"] == issuer
        found.close()
        process.send_signal(number)
        assert process.wait(PATIENCE) == 0
    assert any("demo-secret" in line for line in said)

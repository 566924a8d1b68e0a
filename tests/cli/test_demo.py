"""``gateway demo``: what stops it at once, and what its console says. What it runs is tested in ``tests/demo``."""

from __future__ import annotations

import json
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

from gateway.cli import demo
from gateway.telemetry.audit import AuditEvent, AuditKind


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
from gateway.cli import demo, main
from gateway.demo.options import DemoOptions
from tests.fakes.ports import on_free_ports

demo._options = lambda federation, switches: on_free_ports(DemoOptions(federation=federation))
demo._need = lambda ports: None
main.main()
"""
"""`gateway`, with a demo on ports that nobody else has: the documented ones may be taken on a machine with other tests."""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_emulators_alone_run_until_they_are_told_to_stop(number: signal.Signals) -> None:
    """A process of its own, as signals go to one: it says where it is, answers there, and ends well."""
    command = [sys.executable, "-c", RUN, "demo", "idp"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = list(takewhile(lambda line: line != "ready\n", process.stdout))
        issuer = next(line.split()[1] for line in said if line.startswith("issuer"))
        port = int(urlsplit(issuer).port or 0)
        found = HTTPConnection("127.0.0.1", port, timeout=10)
        found.request(
            "GET",
            "/eu-west-1_demo/.well-known/openid-configuration",
            headers={"Host": urlsplit(issuer).netloc},
        )
        assert json.load(found.getresponse())["issuer"] == issuer
        found.close()
        process.send_signal(number)
        assert process.wait(20) == 0
    assert any("demo-secret" in line for line in said)

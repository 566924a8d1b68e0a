"""A port that a test was given is that test's."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.app.accepting import listening_sockets
from gateway.demo.options import DemoOptions, port_of
from gateway.settings.addresses import ListenAddress
from tests.fakes import ports
from tests.fakes.ports import free_port, free_ports, on_free_ports

ROOT = Path(__file__).parents[2]
TAKE = "import socket, sys; sock = socket.socket(); sock.bind(('127.0.0.1', int(sys.argv[1])))"


def test_nobody_else_is_given_a_port() -> None:
    """Neither in this process nor in another, which would find it taken."""
    port = free_port()
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", port))
    taken = subprocess.run(
        [sys.executable, "-c", TAKE, str(port)], check=False, capture_output=True, text=True, cwd=ROOT
    )
    assert "Address already in use" in taken.stderr


@pytest.mark.parametrize("count", [1, 3])
def test_who_was_given_it_can_listen_again_and_again(count: int) -> None:
    """A gateway with one socket and with several, and whatever else allows an address to be used again."""
    port = free_port()
    for _ in range(2):
        doors = listening_sockets(ListenAddress("127.0.0.1", port), "listen", count)
        with socket.create_connection(("127.0.0.1", port)):
            pass
        for door in doors:
            door.close()
    with socket.create_server(("127.0.0.1", port)), socket.create_connection(("127.0.0.1", port)):
        pass


def test_nobody_answers_where_nobody_listens() -> None:
    """A held port refuses, as a free one does."""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", free_port()))


def test_they_are_distinct_and_bounded() -> None:
    """However many were given, a process keeps few."""
    assert len(set(free_ports(40))) == 40
    for _ in range(5):
        free_ports(40)
    assert len(ports._kept) <= ports._KEPT


def test_the_emulators_keep_their_names() -> None:
    """On two ports, of which the issuer's is Cognito's."""
    options = on_free_ports(DemoOptions())
    assert port_of(options.cognito) == port_of(options.issuer) != port_of(options.okta)
    assert "//cognito.localhost:" in options.cognito
    assert options.issuer.endswith("/eu-west-1_demo")

"""Applications behind TLS: who they are is proved before anything is sent to them."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from ssl import SSLSocket

import pytest
from structlog.testing import capture_logs

from gateway.web.pages.catalogue import message
from tests.conformance.conftest import running
from tests.conformance.recorder import Recorder, plain
from tests.conformance.wire import Door
from tests.fakes.certificates import Authority


class InTheClear:
    """A server without TLS, which takes a handshake for a bad request."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._seen = b""
        threading.Thread(target=self._serve, daemon=True).start()

    def contains(self, data: bytes) -> bool:
        return data in self._seen

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                sock, _ = self._listening.accept()
            except OSError:
                return
            with sock:
                self._seen += sock.recv(1 << 16)
                sock.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


@dataclass
class Secure:
    """A door before applications that speak TLS.

    :ivar good: the application that proves who it is. :ivar asked: the names it was asked for (SNI).
    """

    door: Door
    good: Recorder
    others: list[Recorder | InTheClear]
    asked: list[str | None] = field(default_factory=list)


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    directory = tmp_path_factory.mktemp("tls")
    authority = Authority.make(directory)
    context = authority.server("localhost")
    context.set_alpn_protocols(["h2", "http/1.1"])
    asked: list[str | None] = []
    context.sni_callback = lambda _sock, name, _context: asked.append(name)
    expired = _directory(directory, "expired")
    good = Recorder(context)
    late = Recorder(Authority.make(expired, "late").server("localhost", good_for=timedelta(hours=-1)))
    clear = InTheClear()
    ca = authority.file
    routes = (
        f"  - {{path: /good/, url: 'https://localhost:{good.port}', ca_file: {ca}}}\n"
        f"  - {{path: /wrong-name/, url: 'https://127.0.0.1:{good.port}', ca_file: {ca}}}\n"
        f"  - {{path: /untrusted/, url: 'https://localhost:{good.port}'}}\n"
        f"  - {{path: /expired/, url: 'https://localhost:{late.port}', ca_file: {expired / 'late.pem'}}}\n"
        f"  - {{path: /clear/, url: 'https://localhost:{clear.port}', ca_file: {ca}}}\n"
    )
    with running(_directory(directory, "door"), routes=routes) as door:
        yield Secure(door, good, [late, clear], asked)
    assert good.faults() == []
    for each in (good, late, clear):
        each.close()


def _directory(above: Path, name: str) -> Path:
    made = above / name
    made.mkdir()
    return made


def test_an_application_is_asked_by_its_name_and_for_the_users_host(secure: Secure) -> None:
    """SNI is the upstream's name, ``Host`` stays what the browser asked for; HTTP/1.1 is agreed on."""
    with secure.door.open() as wire:
        assert wire.get("/good/a").body == b"application"
    (call,) = secure.good.find("/good/a")
    assert secure.asked[-1] == "localhost"
    assert call.head.values(b"host") == [secure.door.authority.encode()]
    assert call.head.values(b"x-forwarded-host") == [secure.door.authority.encode()]
    sock = secure.good.connections[call.connection].sock
    assert isinstance(sock, SSLSocket)
    assert sock.selected_alpn_protocol() == "http/1.1"


def test_a_connection_is_kept(secure: Secure) -> None:
    """What TLS itself sends between two requests (session tickets) is no reason to give it up."""
    with secure.door.open() as wire:
        for _ in range(5):
            assert wire.get("/good/kept").body == b"application"
    assert len({call.connection for call in secure.good.find("/good/kept")}) == 1


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/wrong-name/", "IP address mismatch"),
        ("/untrusted/", "unable to get local issuer certificate"),
        ("/expired/", "certificate has expired"),
        ("/clear/", "WRONG_VERSION_NUMBER"),
    ],
)
def test_an_application_that_does_not_prove_itself_gets_nothing(secure: Secure, path: str, why: str) -> None:
    """502 with a code of its own; the log says what is wrong, the answer does not; no byte of the request is sent."""
    with secure.door.open() as wire, capture_logs() as lines:
        answer = wire.get(path, "X-Secret: in-a-request")
        assert wire.get("/").body == b"application"
    problem = json.loads(answer.body)
    assert (answer.status, problem["code"]) == (502, "tls_failed")
    assert message("reason.tls_failed.what") in problem["detail"]
    assert "ca_file" in problem["detail"]
    (line,) = [line for line in lines if line["event"] == "upstream_failed"]
    assert (line["reason"], line["route"]) == ("tls_failed", path)
    assert why in line["detail"]
    assert why.encode() not in answer.body
    assert not any(each.contains(b"in-a-request") for each in (secure.good, *secure.others))


def test_large_bodies_pass_both_ways(secure: Secure) -> None:
    """A megabyte up and five down, byte for byte."""
    body = bytes(range(256)) * 4_096
    path = secure.good.on(lambda call: call.send(plain(call.body() * 5)), "/good/")
    with secure.door.open() as wire:
        answer = wire.get(path, f"Content-Length: {len(body)}", method="POST", body=body)
    assert answer.body == body * 5

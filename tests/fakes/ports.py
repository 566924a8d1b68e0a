"""Ports for servers that are told their port before they bind it, each kept for who asked."""

from __future__ import annotations

import atexit
import random
import socket
from collections import deque
from dataclasses import replace
from urllib.parse import urlsplit

from gateway.demo.options import DemoOptions

_KEPT = 128
"""As many a process keeps at most; the oldest belong to servers that listen or have ended."""
_kept: deque[socket.socket] = deque()


def free_ports(number: int) -> list[int]:
    """Distinct ports of loopback that nobody else has or is given, in this process or in another.

    Between 12000 and 32000, below the kernel's ephemeral range: a port of that range could be taken by any connection
    between the asking and the binding. Until then, and between the end of a server and its next start, each port is
    held by a socket that does not listen. It is bound alone, so no two can hold the same one, and shares its address
    afterwards, so a server that allows that too, as all do that may be started again, can bind and listen.
    """
    found = [_reserved() for _ in range(number)]
    _kept.extend(found)
    while len(_kept) > _KEPT:
        _kept.popleft().close()
    return sorted(sock.getsockname()[1] for sock in found)


def free_port() -> int:
    """One such port."""
    return free_ports(1)[0]


def on_free_ports(options: DemoOptions) -> DemoOptions:
    """Return *options* with the same host names on two such ports."""
    return on_ports(options, *free_ports(2))


def on_ports(options: DemoOptions, cognito: int, okta: int) -> DemoOptions:
    """The same on these two."""
    return replace(
        options,
        cognito=_with_port(options.cognito, cognito),
        issuer=_with_port(options.issuer, cognito),
        okta=_with_port(options.okta, okta),
    )


def _with_port(url: str, port: int) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=f"{parts.hostname}:{port}").geturl()


def _reserved() -> socket.socket:
    while True:
        sock = socket.socket()
        try:
            sock.bind(("127.0.0.1", random.randrange(12_000, 32_000)))
        except OSError:
            sock.close()
            continue
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return sock


@atexit.register
def _let_go() -> None:
    while _kept:
        _kept.popleft().close()

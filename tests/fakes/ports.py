"""Ports for servers that are told their port before they bind it."""

from __future__ import annotations

import random
import socket


def free_ports(number: int) -> list[int]:
    """Distinct ports that are free now and that the kernel gives to nobody who asks for any port.

    Between 12000 and 32000, below the kernel's ephemeral range: a port of that range could be taken by any connection
    between the asking and the binding.
    """
    found: set[int] = set()
    while len(found) < number:
        port = random.randrange(12_000, 32_000)
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) != 0 and _binds(port):
                found.add(port)
    return sorted(found)


def free_port() -> int:
    """One such port."""
    return free_ports(1)[0]


def _binds(port: int) -> bool:
    with socket.socket() as sock:
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True

"""A client's connection that ends with RST, on either side."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct

_NO_TIME = struct.pack("ii", 1, 0)
"""SO_LINGER without time: closing sends RST."""


def has_come(transport: asyncio.Transport) -> bool:
    """Whether a client that sends no more has refused what was sent to it; nobody reads, so nobody is told."""
    sock = transport.get_extra_info("socket")
    return sock is not None and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0


def send(transport: asyncio.Transport) -> None:
    """End it so that an answer that ends with its connection is seen to be broken: a close would make it whole."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):  # closed already: then the client has seen the end
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_TIME)
    transport.abort()

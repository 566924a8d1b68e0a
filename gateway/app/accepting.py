"""Listening sockets, and the connections that wait at them.

Workers do not share one socket: of all that wait for it the kernel would wake the same worker again and again, and with
kept connections one worker would have nearly all of them. Each has a socket of its own on the same address, and the
kernel deals connections out by a hash of their addresses (SO_REUSEPORT). The parent holds all of the sockets, so what
is queued at one survives its worker, and whoever else runs takes what waits there for too long.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import select
import socket
import ssl
import struct
from collections.abc import Sequence
from typing import Final

from gateway.app.descriptors import shares_of_process
from gateway.core.errors import ConfigurationError
from gateway.settings.addresses import ListenAddress
from gateway.web.door.arrivals import Acceptor, accept_all
from gateway.web.door.listener import Listener

HANDSHAKES = 5.0
"""Seconds that connections from the queue may take for TLS."""
_LOOK = 0.05
_LOOKS = 4
"""A socket at which somebody waits at so many looks in a row has nobody who takes them: 0.2 seconds."""
HALF_OPEN = 0.2
"""Seconds that a connection may take from its first packet to its third: a round trip round half the world."""
_SO_ATTACH_FILTER: Final = 26
_SO_DETACH_FILTER: Final = 27
_DROP_SYN: Final = b"".join(
    struct.pack("HBBI", *step)
    for step in (
        (0x30, 0, 0, 13),  # load the byte of TCP's flags
        (0x54, 0, 0, 0x12),  # of them SYN and ACK
        (0x15, 0, 1, 0x02),  # SYN alone opens a connection:
        (0x06, 0, 0, 0),  # drop it
        (0x06, 0, 0, 0xFFFFFFFF),  # everything else passes
    )
)
"""A program of the kernel's packet filter, see socket(7) and the kernel's Documentation/networking/filter.rst."""


def backlog() -> int:
    """Connections that may wait at a socket: no more than this process can open at once."""
    return shares_of_process(1, 1).backlog


def listening_socket(address: ListenAddress, key: str) -> socket.socket:
    """A bound, listening TCP socket.

    :param key: of the configuration, for the error.
    :raises ConfigurationError: the address is taken or not ours.
    """
    return listening_sockets(address, key, 1)[0]


def listening_sockets(address: ListenAddress, key: str, count: int) -> tuple[socket.socket, ...]:
    """As many on one address; where the system cannot deal out connections, one and the same so many times."""
    try:
        bound = _bound(address)
        if count > 1 and hasattr(socket, "SO_REUSEPORT"):
            # Bound alone first: those that share would share with another gateway of the same user as well.
            port = bound.getsockname()[1]
            bound.close()
            found = tuple(_bound(ListenAddress(address.host, port), shared=True) for _ in range(count))
        else:
            found = (bound,) * count
        for sock in found:
            sock.listen(backlog())
            sock.setblocking(False)
    except OSError as error:
        what = f"cannot listen on {address} ({key}): {error.strerror or error}"
        raise ConfigurationError("cannot_listen", what, fix=f"choose another {key}, or free it") from error
    return found


def _bound(address: ListenAddress, *, shared: bool = False) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((address.host, address.port))
    except OSError:
        sock.close()
        raise
    return sock


def let_nobody_in(sock: socket.socket) -> bool:
    """Have the kernel pass over whoever wants to connect, so that nobody is queued between a last look and the close.

    Connections that stand go on. A client that is passed over tries again a second later, and is then refused, or
    taken by the next gateway at this address; one that was queued would lose what it has sent.

    :returns: False: the system does not allow it. Linux 6.18 wants CAP_NET_ADMIN for it.
    """
    program = ctypes.create_string_buffer(_DROP_SYN, len(_DROP_SYN))
    steps = len(_DROP_SYN) // struct.calcsize("HBBI")
    try:
        sock.setsockopt(
            socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", steps, ctypes.addressof(program))
        )
    except OSError:
        return False
    return True


def let_everybody_in(sock: socket.socket) -> None:
    """The other way round; nothing happens where nobody was kept out."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)


async def accepting(
    sock: socket.socket, listener: Listener, tls: ssl.SSLContext | None
) -> asyncio.Server | Acceptor:
    """Take connections from now on, until the result is closed."""
    if tls is not None or listener.limits.proxied:
        return Acceptor(sock, listener, tls, backlog())
    return await asyncio.get_running_loop().create_server(listener, sock=sock, backlog=backlog())


async def take_queued(sock: socket.socket, listener: Listener, tls: ssl.SSLContext | None) -> None:
    """Accept what the kernel has queued, because a client whose connection stands would lose its request; close."""
    with sock:
        accepting = accept_all(sock, listener, tls, backlog())
    if accepting:
        await asyncio.wait(accepting, timeout=HANDSHAKES)


async def stand_in(beside: Sequence[socket.socket], listener: Listener, tls: ssl.SSLContext | None) -> None:
    """Take what waits at other workers' sockets for too long, for their workers are dead or stuck. Never ends."""
    poll = select.poll()
    for sock in beside:
        poll.register(sock, select.POLLIN)
    looks = dict.fromkeys(beside, 0)
    accepting: set[asyncio.Future[None]] = set()
    while True:
        await asyncio.sleep(_LOOK)
        waited_at = {fd for fd, _ in poll.poll(0)}
        for sock in beside:
            looks[sock] = looks[sock] + 1 if sock.fileno() in waited_at else 0
            if looks[sock] >= _LOOKS:
                accepting.update(accept_all(sock, listener, tls, backlog()))
        accepting = {task for task in accepting if not task.done()}

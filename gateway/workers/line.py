"""A child's end of its line to the parent."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Callable
from typing import Any


class Line:
    """See the module. Made in the event loop that listens to it.

    :param heard: told of every message of the parent's. :param ended: called when the parent is gone.
    """

    def __init__(
        self, sock: socket.socket, *, heard: Callable[[Any], None], ended: Callable[[], None]
    ) -> None:
        self._sock = sock
        self._heard = heard
        self._ended = ended
        self._unread = b""
        sock.setblocking(False)
        asyncio.get_running_loop().add_reader(sock, self._readable)

    def say(self, **message: object) -> None:
        """Tell the parent. What it does not take is dropped: reports are repeated."""
        with contextlib.suppress(OSError):
            self._sock.send(json.dumps(message).encode() + b"\n")

    def _readable(self) -> None:
        try:
            data = self._sock.recv(65_536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self._sock)
            self._ended()
            return
        *lines, self._unread = (self._unread + data).split(b"\n")
        for line in lines:
            self._heard(json.loads(line))

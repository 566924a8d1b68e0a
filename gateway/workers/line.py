"""The line between the parent and a child: JSON messages over a socket pair, one a line."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Callable
from typing import Any


class Wire:
    """One end of a line. Never blocks: what the other end does not take is dropped, for all that is said is repeated.

    :ivar sock: non-blocking.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._unread = b""
        self._unsent = b""
        sock.setblocking(False)

    def say(self, **message: object) -> None:
        """Tell the other end. A message that has gone in part goes on with the next one, so that none is garbled."""
        with contextlib.suppress(OSError):
            if self._unsent:
                self._unsent = self._unsent[self.sock.send(self._unsent) :]
            if not self._unsent:
                data = json.dumps(message).encode() + b"\n"
                self._unsent = data[self.sock.send(data) :]

    def hear(self) -> list[Any] | None:
        """What has been said since; None when the other end is gone."""
        try:
            data = self.sock.recv(65_536)
        except BlockingIOError:
            return []
        except OSError:
            return None
        if not data:
            return None
        *lines, self._unread = (self._unread + data).split(b"\n")
        return [json.loads(line) for line in lines]


class Line:
    """A child's end, heard by its event loop.

    :param on_message: told of every message of the parent's. :param ended: called when the parent is gone.
    """

    def __init__(
        self, sock: socket.socket, *, on_message: Callable[[Any], None], ended: Callable[[], None]
    ) -> None:
        self._wire = Wire(sock)
        self._on_message = on_message
        self._ended = ended
        self.say = self._wire.say
        asyncio.get_running_loop().add_reader(sock, self._readable)

    def close(self) -> None:
        """Hang up; the parent still hears what was said."""
        asyncio.get_running_loop().remove_reader(self._wire.sock)
        self._wire.sock.close()

    def _readable(self) -> None:
        messages = self._wire.hear()
        if messages is None:
            asyncio.get_running_loop().remove_reader(self._wire.sock)
            self._ended()
            return
        for message in messages:
            self._on_message(message)

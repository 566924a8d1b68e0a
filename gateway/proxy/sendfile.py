"""The short way of a file to a client: from the page cache into its socket, past the process (sendfile(2)).

uvloop has no ``loop.sendfile``, so the bytes go beside the client's transport, through a duplicate of its socket. That
is right only while the transport has nothing left to send and is given nothing, and only where bytes go out as they
are: not under TLS.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import TypeVar

from gateway.proxy.signal import Signal

MOST = 1 << 20
"""Bytes for one call: how long the disk may keep a thread."""
_T = TypeVar("_T")


async def off_loop(work: Callable[[], _T]) -> _T:
    """What ``work`` gives, done in a thread: a disk may be slow.

    A cancellation waits until the thread is back, for whoever is cancelled closes descriptors, and a number that was
    closed may be somebody else's socket a moment later.
    """
    call = asyncio.get_running_loop().run_in_executor(None, work)
    cancelled = False
    while not call.done():
        try:
            await asyncio.wait([call])
        except asyncio.CancelledError:
            cancelled = True
    task = asyncio.current_task()
    if cancelled and task is not None:
        task.uncancel()
        task.cancel()  # to be met at the next await
    return call.result()


class FileSender:
    """Sends parts of files to one socket. Close it.

    :param transport: plain TCP or a Unix socket, with an empty write buffer.
    :param patience: seconds that the socket may take nothing.
    """

    __slots__ = ("_over", "_patience", "_socket", "_woken")

    def __init__(self, transport: asyncio.Transport, *, patience: float) -> None:
        self._socket = os.dup(transport.get_extra_info("socket").fileno())
        self._patience = patience
        self._woken = Signal()
        self._over = False

    async def send(self, descriptor: int, start: int, size: int) -> int:
        """Send some of a file, once the socket takes any.

        :returns: bytes sent; 0 at the file's end, once woken, and when the client takes nothing for too long.
        :param start: of the part, in bytes. :param size: of the part; more than ``MOST`` takes more than one call.
        :raises OSError: the client has gone; ``EINVAL`` and its like: this file cannot go this way.
        """
        while not self._over:
            try:
                return await off_loop(lambda: os.sendfile(self._socket, descriptor, start, min(size, MOST)))
            except BlockingIOError:
                await self._writable()
        return 0

    def wake(self) -> None:
        """Wait for the client no longer: it has gone, or is to get no more."""
        self._over = True
        self._woken.wake()

    def close(self) -> None:
        """Let go of the socket, which stays the transport's; doing this twice is no error."""
        number, self._socket = self._socket, -1
        if number >= 0:
            os.close(number)

    async def _writable(self) -> None:
        if self._over:  # since the thread asked the socket: nobody would wake it a second time
            return
        loop = asyncio.get_running_loop()
        loop.add_writer(self._socket, self._woken.wake)
        limit = loop.call_later(self._patience, self.wake)
        try:
            await self._woken.wait()
        finally:
            limit.cancel()
            loop.remove_writer(self._socket)

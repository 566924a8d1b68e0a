"""One call: a message that comes, and the message or the status that answers it (gRPC's PROTOCOL-HTTP2.md).

One that watches is answered with a message each time that what it watches becomes another, until it is ended.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.web.ext_authz.connection import CallerConnection

PREFIX = 5
"""Bytes before a message: whether it is compressed, and its length."""
WATCHES = 4
"""Calls of one connection that watch: each has a service to ask about, and a few services there may be."""
INVALID_ARGUMENT, NOT_FOUND, RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE = 3, 5, 8, 12, 13, 14
"""Of ``google.rpc.Code``."""

_Trailers = tuple[tuple[bytes, bytes], ...]
_GOOD: _Trailers = ((b"grpc-status", b"0"),)


class GrpcCall:
    """See the module.

    :ivar stream: its number. :ivar method: its path. :ivar secret: what its caller has sent to be believed.
    :ivar peer: address of the caller.
    :ivar unread: bytes that have not been acknowledged. :ivar deadline: loop time.
    :ivar message: the answer, None for a status alone. :ivar unsent: what of it has not gone yet.
    :ivar ended: the caller sends nothing more. :ivar waiting: somebody is answering it.
    :ivar begun: the headers of its answer have gone.
    """

    __slots__ = (
        "_come", "_connection", "_longest", "_watched", "answered", "begun", "deadline", "ended", "message", "method",
        "secret", "stream", "trailers", "unread", "unsent", "waiting",
    )  # fmt: skip

    def __init__(
        self,
        connection: CallerConnection,
        stream: int,
        method: bytes,
        longest: int,
        deadline: float,
        secret: bytes = b"",
    ) -> None:
        self._connection = connection
        self._come = b""
        self._longest = longest
        self.stream = stream
        self.method = method
        self.secret = secret
        self.deadline = deadline
        self.unread = 0
        self.answered = self.begun = self.ended = self.waiting = False
        self._watched: Callable[[], bytes] | None = None
        self.message: bytes | None = None
        self.unsent = b""
        self.trailers: _Trailers = _GOOD

    @property
    def peer(self) -> str:
        return self._connection.peer

    @property
    def asked(self) -> bytes:
        """The message of the caller."""
        return self._come[PREFIX:]

    @property
    def watches(self) -> bool:
        """More may be answered to it."""
        return self._watched is not None

    def put(self, data: bytes) -> bool:
        """A part of the message; False: it is, or says that it will be, longer than one may be."""
        self._come += data
        announced = int.from_bytes(self._come[1:PREFIX]) if len(self._come) >= PREFIX else 0
        return max(announced, len(self._come) - PREFIX) <= self._longest

    def complete(self) -> bool:
        """The caller has sent all; whether that is one message, and no status was the answer."""
        self.ended = True
        if self._come[:1] == b"\1":
            self.fail(UNIMPLEMENTED, "no message may be compressed")
        elif len(self._come) < PREFIX or len(self._come) != PREFIX + int.from_bytes(self._come[1:PREFIX]):
            self.fail(INVALID_ARGUMENT, "one message is asked for")
        return not self.answered

    def reply(self, message: bytes) -> None:
        """Answer with a message, once."""
        if not self.answered:
            self.answered = True
            self._say(message)

    def watch(self, watched: Callable[[], bytes]) -> None:
        """Answer with what ``watched`` gives, and again whenever that is another; how often is looked says `look`."""
        if self._connection.watching >= WATCHES:
            self.fail(RESOURCE_EXHAUSTED, f"a connection has {WATCHES} watches at the most")
        else:
            self._watched = watched
            self._say(watched())

    def look(self, deadline: float) -> None:
        """Whether there is something new for one that watches. While what was said before has not gone nothing is
        added to it: the latest is what counts.

        :param deadline: loop time until which that has to be taken.
        """
        if self._watched is not None and not self.unsent and (message := self._watched()) != self.message:
            self.deadline = deadline
            self._say(message)

    def _say(self, message: bytes) -> None:
        self.message = message
        self.unsent = struct.pack(">BI", 0, len(message)) + message
        self._connection.send(self)

    def fail(self, status: int, why: str) -> None:
        """Answer with a status alone, which is no pass.

        :param why: plain ASCII.
        """
        if not self.answered:
            self.answered = True
            self._watched = None
            self.trailers = ((b"grpc-status", b"%d" % status), (b"grpc-message", why.encode("ascii")))
            self._connection.send(self)

    def too_large(self) -> None:
        """It says, or has shown, that it is longer than a question may be."""
        self.fail(RESOURCE_EXHAUSTED, f"a question has {self._longest} bytes at the most")

    def settled(self) -> None:
        """Nobody is answering it any more; twice is no error."""
        if self.waiting:
            self.waiting = False
            self._connection.settled(self)

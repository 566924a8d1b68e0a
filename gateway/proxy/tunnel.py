"""A WebSocket after its handshake: bytes both ways, untouched, with frame boundaries followed (rule R22).

One side may end behind its Close and still be sent to: the other has a while to answer.

When the session ends, a Close frame with code 4401 is put at the next frame boundary of each direction, masked towards
the upstream; nothing but that frame passes any more. What has found no boundary after a quarter of a second is cut.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from gateway.core import dice
from gateway.core.http.websocket_frames import GOING_AWAY, SESSION_ENDED, FrameTracker, close_frame
from gateway.proxy.connection import UpstreamConnection
from gateway.proxy.deadlines import Deadlines
from gateway.proxy.signal import Signal

GRACE = 0.25
"""Seconds from the end of a session to the end of its tunnels."""
LINGER = 10.0
"""Seconds from the end of one side, right behind its Close, to the other's: what `websockets` allows for a Close."""


class TunnelClient(Protocol):
    """The client's end of a tunnel."""

    @property
    def blocked(self) -> bool:
        """More is waiting to be sent than should be."""

    def write(self, data: bytes) -> None:
        """Send to the client."""

    def pause_reading(self) -> None:
        """Take no more from the client."""

    def resume_reading(self) -> None:
        """Take more again."""

    def finish(self) -> None:
        """Send what waits and nothing after it, but go on reading."""

    def close(self) -> None:
        """Send what waits, then end the connection."""

    def abort(self) -> None:
        """End it at once."""


class Tunnel:
    """See the module.

    :param idle: seconds for which nobody need say anything.
    :ivar over: both ends are closed. :ivar client_blocked: reading from the upstream waits for the client.
    """

    __slots__ = (
        "_client", "_closing", "_code", "_connection", "_deadline", "_deadlines", "_idle", "_reason", "_timer",
        "_to_client", "_to_upstream", "_woken", "client_blocked", "over",
    )  # fmt: skip

    def __init__(
        self,
        client: TunnelClient,
        connection: UpstreamConnection,
        deadlines: Deadlines,
        idle: float = float("inf"),
    ) -> None:
        self._client = client
        self._connection = connection
        self._deadlines = deadlines
        self._idle = idle
        self._deadline = deadlines.after(idle)
        if idle < float("inf"):
            deadlines.watch(self)
        self._to_client = FrameTracker()
        self._to_upstream = FrameTracker()
        self._closing: set[FrameTracker] = set()
        self._reason: str | None = None
        self._code = SESSION_ENDED
        self._timer: asyncio.TimerHandle | None = None
        self._woken = Signal()
        self.client_blocked = False
        self.over = False

    async def changed(self) -> None:
        """Wait until the tunnel is over or the client is blocked."""
        if self.over or self.client_blocked:
            return
        await self._woken.wait()

    # From the client

    def from_client(self, data: bytes) -> None:
        """Bytes of the client's."""
        if self.over:
            return
        if self._reason is not None:
            self._last_bytes(self._to_upstream, data)
            return
        self._deadline = self._deadlines.after(self._idle)
        self._to_upstream.advance(data)
        self._connection.write(data)
        if self._connection.write_paused:
            self._client.pause_reading()

    def client_ended(self) -> bool:
        """The client sends no more; True while the upstream's Close is still to come."""
        if self._answered(self._to_upstream, self._to_client):
            return False
        self._connection.finish()
        return True

    def client_lost(self) -> None:
        """The client has gone: what it sent still goes out, then the upstream sees the end."""
        if not self.over:
            self._connection.close()
            self._finish()

    # From the upstream (a connection's receiver)

    def received(self, data: bytes) -> None:
        """Bytes of the upstream's."""
        if self._reason is not None:
            self._last_bytes(self._to_client, data)
            return
        self._deadline = self._deadlines.after(self._idle)
        self._to_client.advance(data)
        self._client.write(data)
        if self._client.blocked and not self.client_blocked:
            self.client_blocked = True
            self._connection.transport.pause_reading()
            self._woken.wake()

    def writable(self) -> None:
        """The upstream takes more again."""
        if not self.over:
            self._client.resume_reading()

    def ended(self) -> bool:
        """The upstream sends no more; True while the client's Close is still to come."""
        if self._answered(self._to_client, self._to_upstream):
            return False
        self._client.finish()
        return True

    def lost(self, error: Exception | None) -> None:
        """The upstream has gone. Once its Close has passed the client has all there is, and gets it in any case."""
        if self.over:
            return
        if error is None or self._to_client.complete:
            self._client.close()
        else:
            self._client.abort()
        self._finish()

    def client_unblocked(self) -> None:
        """The client has taken what waited."""
        self.client_blocked = False
        if not self.over:
            self._connection.transport.resume_reading()

    def _answered(self, ended: FrameTracker, other: FrameTracker) -> bool:
        """Whether nothing needs to be waited for after the end of one way; else the wait is bounded."""
        if self._reason is not None or not ended.complete or other.complete:
            return True
        self._timer = asyncio.get_running_loop().call_later(LINGER, self.cut)
        return False

    # The end of the session

    def end(self, reason: str) -> None:
        """Close both ways with 4401, or cut."""
        self._end(reason, SESSION_ENDED)

    def leave(self) -> None:
        """The gateway stops: close both ways with 1001, or cut."""
        self._end("the gateway is restarting", GOING_AWAY)

    def check(self, now: float) -> None:
        """A tick (:class:`gateway.proxy.deadlines.HasDeadline`): nobody has said anything for too long."""
        if now >= self._deadline:
            self._end("idle", GOING_AWAY)

    def _end(self, reason: str, code: int) -> None:
        if self.over or self._reason is not None:
            return
        self._reason, self._code = reason, code
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(GRACE, self._cut_off)
        # Both ends may be paused by back-pressure; their boundaries, and their answers, must be able to come.
        self._client.resume_reading()
        if self.client_blocked:
            self.client_unblocked()
        for tracker in (self._to_client, self._to_upstream):
            if tracker.at_boundary:
                self._close(tracker)

    def _last_bytes(self, tracker: FrameTracker, data: bytes) -> None:
        if tracker in self._closing:
            return
        rest = data[: tracker.advance_to_boundary(data)]
        if tracker is self._to_client:
            self._client.write(rest)
        else:
            self._connection.write(rest)
        if tracker.at_boundary:
            self._close(tracker)

    def _close(self, tracker: FrameTracker) -> None:
        self._closing.add(tracker)
        if tracker.closed:
            return
        reason = self._reason or ""
        if tracker is self._to_client:
            self._client.write(close_frame(self._code, reason))
        else:
            self._connection.write(close_frame(self._code, reason, mask=dice.nonce96()[:4]))

    def _cut_off(self) -> None:
        if self.over:
            return
        if self._to_client in self._closing:
            self._client.close()
        else:
            self._client.abort()
        if self._to_upstream in self._closing:
            self._connection.close()
        else:
            self._connection.abort()
        self._finish()

    def cut(self) -> None:
        """End both sides at once."""
        if not self.over:
            self._client.abort()
            self._connection.abort()
            self._finish()

    def _finish(self) -> None:
        self.over = True
        self._deadlines.unwatch(self)
        if self._timer is not None:
            self._timer.cancel()
        self._woken.wake()

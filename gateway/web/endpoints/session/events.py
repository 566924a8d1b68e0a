"""``/oauth2/events``: tells a browser's tabs that their session has ended (rules R15 and R22).

One stream for each browser, open for hours. So it costs neither a task nor a timer of its own: the connection is
written to when there is something to say, and one slow tick looks after all of them. It is never activity.
"""

from __future__ import annotations

from binascii import crc32

from gateway.core import clock
from gateway.core.http.facts import RequestFacts
from gateway.core.http.sse import LOGGED_OUT
from gateway.core.session.session import Session, absolute_deadline
from gateway.proxy.deadlines import Deadlines
from gateway.proxy.live import TABS, LiveConnections
from gateway.web.endpoints.session.session import LiveSession
from gateway.web.messages import CLIENT_GONE, Request, Response, Sent
from gateway.web.pages import pages
from gateway.web.pages.respond import send

BEAT = 25.0
"""Seconds between two comments: proxies cut what is silent for a minute (nginx's proxy_read_timeout, AWS's ALB)."""
COMMENT = b":\n\n"
_HEAD = "\r\n".join(
    [
        "HTTP/1.1 200 OK",
        *(f"{name}: {value}" for name, value in pages.own_headers("text/event-stream", "default-src 'none'")),
        "X-Accel-Buffering: no",
        "Connection: close",
        "Server: gateway",
        "",
    ]
)
"""There is no length, so the stream ends with its connection; no proxy in front is to wait for more of it."""


class SseStream:
    """One open stream.

    :param lifetime: seconds until the session is over. :param every: seconds between two comments.
    """

    __slots__ = ("_beat", "_deadlines", "_every", "_live", "_request", "_token", "_until", "_written")

    def __init__(
        self,
        request: Request,
        session: Session,
        live: LiveConnections,
        deadlines: Deadlines,
        *,
        lifetime: float,
        every: float,
    ) -> None:
        self._request = request
        self._live = live
        self._deadlines = deadlines
        self._written = 0
        deadlines.watch(self)
        self._until = deadlines.now + lifetime
        self._every = every
        self._beat = deadlines.now + every
        request.gone = self._over
        self._token = live.add(session.sid, self.end, session=session, kind=TABS, leave=self._over)
        self._write(f"{_HEAD}Date: {clock.http_date()}\r\n\r\n".encode())
        self._write(greeting(session))

    def end(self, reason: str) -> None:
        """The session has ended: say so, and end."""
        self._write(LOGGED_OUT)
        self._over()

    def check(self, now: float) -> None:
        """A tick (:class:`gateway.proxy.deadlines.HasDeadline`)."""
        if now >= self._until:
            self.end("session expired")
        elif now >= self._beat:
            self._beat = now + self._every
            if self._request.connection.writing_paused:  # nobody reads any more
                self._request.connection.transport.abort()
            else:
                self._write(COMMENT)

    def _write(self, data: bytes) -> None:
        self._written += len(data)
        self._request.connection.write(data)

    def _over(self) -> None:
        """Nothing more will be said: the session has ended, the gateway stops, or the client has left."""
        self._deadlines.unwatch(self)
        self._live.discard(self._token)
        self._request.gone = None
        self._request.settle(Sent(200, b"", close=True, size=self._written))


class Events:
    """Opens the streams.

    :param tick: seconds between two looks at all of them. :param beat: seconds between two comments on each.
    """

    def __init__(
        self, who: LiveSession, live: LiveConnections, *, tick: float = 1.0, beat: float = BEAT
    ) -> None:
        self._who = who
        self._live = live
        self._beat = beat
        self._deadlines = Deadlines(tick)

    async def __call__(self, request: Request, facts: RequestFacts) -> Response | Sent | None:
        """A stream for a live session, 401 for anybody else."""
        now = clock.now()
        found = await self._who(facts, now)
        if isinstance(found, Response):
            return found
        if request.connection.closed:
            return Sent(CLIENT_GONE, b"", close=True)
        if facts.method == "HEAD":
            return send(pages.Page(200, b"", pages.own_headers("text/event-stream", "default-src 'none'")))
        _, session = found
        request.sid = session.sid
        lifetime = absolute_deadline(session, self._who.standing.rules.session) - now
        SseStream(request, session, self._live, self._deadlines, lifetime=lifetime, every=self._beat)
        return None


def greeting(session: Session) -> bytes:
    """The first event. A browser comes back one to three seconds after a broken stream, not all of them at once."""
    return b"retry: %d\nevent: hello\ndata: {}\n\n" % (1_000 + crc32(session.sid.encode()) % 2_000)

"""What is measured, and what a right answer is."""

from __future__ import annotations

from dataclasses import dataclass

from tests.bench.peers.peer import Peer, Role
from tests.bench.stand import file_body

UPLOAD = 1 << 20
PACE = 16
"""Milliseconds that a connection of the paced case waits on average between an answer and its next request."""
CORS = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Sec-Fetch-Site": "same-origin"}

GATED = frozenset({Role.REFERENCE, Role.GATED})
PROXIES = GATED | {Role.PLAIN}


@dataclass(frozen=True)
class Case:
    """One table.

    :ivar path: asked for by the load and by the check; ``/u/…`` is the 1 KB file under any name.
    :ivar about: what there is to know beyond the title.
    :ivar mode: what ``wrk.lua`` does: ``get``, ``unique``, ``unseen``, ``paced`` or ``upload``; ``echo`` is the
        WebSocket generator.
    :ivar roles: of the peers that take part.
    :ivar long: measured for twice the time; for what a target depends on.
    :ivar signed_in: the load carries the person's cookies; otherwise it must be refused.
    :ivar unit: what is counted.
    """

    key: str
    title: str
    path: str
    about: str = ""
    mode: str = "get"
    connections: int = 32
    roles: frozenset[Role] = PROXIES
    long: bool = False
    signed_in: bool = True
    unit: str = "request"

    @property
    def status(self) -> int:
        return 200 if self.signed_in else 401

    @property
    def method(self) -> str:
        return "POST" if self.mode == "upload" else "GET"

    def path_at(self, peer: Peer) -> str:
        return self.path if self.signed_in else peer.refused

    def headers(self, peer: Peer, cookie: str) -> dict[str, str]:
        """What a browser's fetch sends; ``X-Requested-With`` tells mod_auth_openidc that it is one."""
        headers = {"Host": peer.origin.removeprefix("http://"), "Accept": "application/json, */*", **CORS}
        if self.method == "POST" or self.mode == "echo":
            headers["Origin"] = peer.origin
        if not self.signed_in:
            headers |= {"Accept": "application/json", "X-Requested-With": "XMLHttpRequest"}
        if self.signed_in and cookie:
            headers["Cookie"] = cookie
        return headers

    def body(self) -> str | None:
        """The body of a right answer; None where it is the peer's own."""
        if self.mode == "upload":
            return str(UPLOAD)
        if not self.signed_in:
            return None
        return file_body("100k" if self.key == "100k" else "1k").decode()


CASES = (
    Case("1k", "1 KB GET, keep-alive", "/1k", roles=PROXIES | {Role.LOGGING}, long=True),
    Case("unique", "1 KB GET, a new path with every request", "/u/checked", mode="unique", roles=GATED, long=True),
    Case(
        "unseen", "1 KB GET, new path and new Cookie header with every request", "/u/checked",
        "Beside the session a cookie of the application's that is never the same: nothing that a proxy remembers of"
        " earlier requests helps.",
        mode="unseen", roles=GATED,
    ),
    Case(
        "paced", f"1 KB GET, at most {32_000 // PACE:,} requests/s", "/1k",
        f"Every connection waits up to {2 * PACE} ms, {PACE} on average, before its next request, so that no proxy is"
        " saturated: the latencies are what a proxy adds on an ordinary day. They include the load generator's own.",
        mode="paced",
    ),
    Case("100k", "100 KB GET", "/100k", roles=PROXIES | {Role.LOGGING}, long=True),
    Case(
        "401", "401 of a fetch that is not signed in", "",
        "nginx has a fixed answer here.", roles=GATED | {Role.LOGGING}, signed_in=False,
    ),
    Case("upload", "1 MB upload", "/live/upload", mode="upload", connections=8),
    Case("echo", "WebSocket, echo of 64 bytes", "/live/ws", mode="echo", unit="message"),
    Case(
        "auth", "1 KB GET through a proxy that asks an authorizer", "/1k",
        "The proxy and the authorizer share one core.", roles=frozenset({Role.REFERENCE, Role.ASKED}),
    ),
    Case("workers", "1 KB GET, one worker and two", "/1k", roles=frozenset({Role.WORKERS}), long=True),
)  # fmt: skip

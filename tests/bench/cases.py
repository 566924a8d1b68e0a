"""What is measured, and what a right answer is."""

from __future__ import annotations

from dataclasses import dataclass

from tests.bench.peers.peer import Peer
from tests.bench.stand import file_body

UPLOAD = 1 << 20
CORS = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Sec-Fetch-Site": "same-origin"}


@dataclass(frozen=True)
class Case:
    """One table.

    :ivar path: asked for by the load and by the check; ``/u/…`` is one file under any name.
    :ivar mode: what ``wrk.lua`` does: ``get``, ``unique`` or ``upload``; ``echo`` is the WebSocket generator.
    :ivar signed_in: the load carries the person's cookies; otherwise it must be refused.
    :ivar unit: what is counted.
    """

    key: str
    title: str
    path: str
    mode: str = "get"
    connections: int = 32
    signed_in: bool = True
    forward_auth: bool = False
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

    def fits(self, peer: Peer) -> bool:
        if peer.forward_auth != self.forward_auth and not peer.reference:
            return False
        return self.signed_in or bool(peer.refused)


CASES = (
    Case("1k", "1 KB GET, keep-alive", "/1k"),
    Case("unique", "1 KB GET, a new path with every request", "/u/checked", mode="unique"),
    Case("100k", "100 KB GET", "/100k"),
    Case("401", "401 of a fetch that is not signed in", "", signed_in=False),
    Case("upload", "1 MB upload", "/live/upload", mode="upload", connections=8),
    Case("echo", "WebSocket, echo of 64 bytes", "/live/ws", mode="echo", unit="message"),
    Case("auth", "1 KB GET through nginx that asks an authorizer (auth_request)", "/1k", forward_auth=True),
)

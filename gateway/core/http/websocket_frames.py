"""Where WebSocket frames begin and end, from their headers alone (RFC 6455 §5.2, rule R22).

The tunnel forwards bytes untouched; it must only know when it stands between two frames, because there, and nowhere
else, a Close frame of the gateway's own may be put. Nothing is copied but the few header bytes that a read cut off.
"""

from __future__ import annotations

CLOSE_OPCODE = 0x8
SESSION_ENDED = 4401
"""Close code for a session that ended: private use (RFC 6455 §7.4.2), after HTTP's 401."""
GOING_AWAY = 1001
"""Close code of a server that goes down (RFC 6455 §7.4.1)."""
MAX_REASON = 123
"""Bytes of a close reason: a control frame carries at most 125, two of them the code (RFC 6455 §5.5)."""


class FrameTracker:
    """Follows one direction of a WebSocket.

    :ivar closed: a Close frame has begun to pass; no further frame may follow it.
    """

    __slots__ = ("_header", "_payload", "closed")

    def __init__(self) -> None:
        self._header = b""
        self._payload = 0
        self.closed = False

    @property
    def at_boundary(self) -> bool:
        """Whether all bytes so far make whole frames."""
        return not self._payload and not self._header

    @property
    def complete(self) -> bool:
        """Whether a Close frame has passed, and to its last byte."""
        return self.closed and self.at_boundary

    def advance(self, data: bytes) -> None:
        """All of ``data`` has passed."""
        at, end = 0, len(data)
        while at < end:
            at = self._step(data, at, end)

    def advance_to_boundary(self, data: bytes) -> int:
        """Pass ``data`` up to the first boundary only.

        :returns: how many bytes passed; all of them when no boundary lies within. At a boundary already: 0.
        """
        at, end = 0, len(data)
        while at < end and not self.at_boundary:
            at = self._step(data, at, end)
        return at

    def _step(self, data: bytes, at: int, end: int) -> int:
        if self._payload:
            taken = min(self._payload, end - at)
            self._payload -= taken
            return at + taken
        return self._read_header(data, at, end)

    def _read_header(self, data: bytes, at: int, end: int) -> int:
        known = len(self._header)
        header = self._header + data[at : min(end, at + _LONGEST_HEADER - known)]
        size = _header_size(header)
        if len(header) < size:
            self._header = header
            return end
        self._header = b""
        self._payload = _payload_size(header)
        if header[0] & 0x0F == CLOSE_OPCODE:
            self.closed = True
        return at + size - known


_LONGEST_HEADER = 14


def _header_size(header: bytes) -> int:
    """Bytes of the header that ``header`` begins; 2 while its second byte is unknown."""
    if len(header) < 2:
        return 2
    mask = 4 if header[1] & 0x80 else 0
    return 2 + mask + {126: 2, 127: 8}.get(header[1] & 0x7F, 0)


def _payload_size(header: bytes) -> int:
    short = header[1] & 0x7F
    if short == 126:
        return int.from_bytes(header[2:4])
    return int.from_bytes(header[2:10]) if short == 127 else short


def close_frame(code: int, reason: str, *, mask: bytes | None = None) -> bytes:
    """A Close frame.

    :param reason: cut to 123 bytes. :param mask: four bytes when it travels from client to server (RFC 6455 §5.3).
    """
    text = reason.encode()[:MAX_REASON].decode("utf-8", "ignore").encode()
    payload = code.to_bytes(2) + text
    if mask is None:
        return bytes((0x80 | CLOSE_OPCODE, len(payload))) + payload
    masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
    return bytes((0x80 | CLOSE_OPCODE, 0x80 | len(payload))) + mask + masked

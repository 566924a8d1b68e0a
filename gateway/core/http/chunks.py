"""Chunked bodies, read strictly (RFC 9112 §7.1).

Extensions and trailers are read over, for nobody behind the gateway is told of them; both are bounded, so that a
client cannot hide gigabytes between the bytes it is asked for (CVE-2023-39326).
"""

from __future__ import annotations

import re

from gateway.core.http.request_head import MAX_FIELDS, is_field, malformed

LONGEST_LINE = 256
"""Bytes of a chunk's line, extensions included."""
OVERHEAD = 16
"""Bytes of framing for one of the body, beyond the first 64 KiB; a chunk of one byte takes six."""
LONGEST_TRAILER = 8_192
_NEVER_TRAILERS = frozenset({b"content-length", b"transfer-encoding", b"host"})
"""RFC 9110 §6.5.1: a framing cannot come after its body."""

_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})(?:;[\t -~\x80-\xff]*)?")

_FREE_OVERHEAD = 65_536

_LINE, _DATA, _DATA_END, _TRAILERS = range(4)


class ChunkReader:
    """Takes the bytes of one body as they come.

    :ivar complete: the last chunk and the trailers have come.
    """

    __slots__ = ("_framing", "_left", "_line", "_size", "_state", "_trailers", "complete")

    def __init__(self) -> None:
        self.complete = False
        self._state = _LINE
        self._left = 0
        self._line = b""
        self._trailers = 0
        self._size = 0
        self._framing = 0

    def feed(self, data: bytes, at: int = 0) -> tuple[bytes, int]:
        """The bytes of the body that begin at ``at`` of ``data``, and where what follows them begins.

        :raises DownstreamError: ``malformed_request``.
        """
        pieces: list[bytes] = []
        while at < len(data) and not self.complete:
            if self._state == _DATA:
                piece = data[at : at + self._left]
                pieces.append(piece)
                at += len(piece)
                self._left -= len(piece)
                self._size += len(piece)
                if not self._left:
                    self._state = _DATA_END
                continue
            line, at = self._to_line_end(data, at)
            if line is not None:
                self._take(line)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces), at

    def _to_line_end(self, data: bytes, at: int) -> tuple[bytes | None, int]:
        """A whole line without its end, and where the next begins; None while it has not come."""
        end = data.find(b"\n", at)
        line = self._line + (data[at:] if end < 0 else data[at:end])
        if len(line) > (LONGEST_TRAILER if self._state == _TRAILERS else LONGEST_LINE):
            raise malformed("line_too_long")
        if self._state == _DATA_END and line[:1] not in {b"", b"\r"}:
            raise malformed("chunk_too_long")
        if end < 0:
            self._line = line
            return None, len(data)
        self._line = b""
        if not line.endswith(b"\r"):
            raise malformed("line_end")
        return line[:-1], end + 1

    def _take(self, line: bytes) -> None:
        self._framing += len(line) + 2
        if self._framing > _FREE_OVERHEAD and self._framing > self._size * OVERHEAD:
            raise malformed("more_framing")
        if self._state == _LINE:
            found = _CHUNK.fullmatch(line)
            if found is None:
                raise malformed("chunk_size")
            self._left = int(found[1], 16)
            self._state = _DATA if self._left else _TRAILERS
        elif self._state == _DATA_END:
            if line:
                raise malformed("chunk_too_long")
            self._state = _LINE
        elif not line:
            self.complete = True
        else:
            self._trailers += 1
            name = line.partition(b":")[0].lower()
            if self._trailers > MAX_FIELDS or name in _NEVER_TRAILERS or not is_field(line):
                raise malformed("trailers")

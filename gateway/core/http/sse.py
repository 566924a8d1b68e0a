"""Where the events of a ``text/event-stream`` end, and the last one the gateway adds (rule R22)."""

from __future__ import annotations

LOGGED_OUT = b"event: logged-out\ndata: {}\n\n"

_ENDS = (b"\n\n", b"\r\r", b"\r\n\r\n", b"\n\r\n")
"""An empty line after any of the three line ends (WHATWG HTML §9.2.6)."""


class EventTracker:
    """Follows the body of an event stream; keeps its last four bytes."""

    __slots__ = ("_tail",)

    def __init__(self) -> None:
        self._tail = b""

    def advance(self, data: bytes) -> None:
        """``data`` has passed."""
        self._tail = (self._tail + data[-4:])[-4:]

    @property
    def at_boundary(self) -> bool:
        """Whether the stream stands between two events."""
        return not self._tail or self._tail.endswith(_ENDS)

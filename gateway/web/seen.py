"""Which sessions this process has seen, for the operator's list.

Sessions live in their cookies, so nobody has a list of them. This one is what came by since the process started: it is
noted when a cookie is opened for the first time, which happens at sign-in and again after each renewal, never on the
way of an ordinary request.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.core.session import Session

KEPT = 10_000
"""Sessions remembered: some 10 MB."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One session as its last cookie told it.

    :ivar client: address it was last seen from; empty when not known. :ivar at: seconds.
    """

    session: Session
    client: str
    at: int


class SeenSessions:
    """The sessions seen last, by sid.

    :param since: seconds; when this process began to look.
    """

    def __init__(self, since: int, *, keep: int = KEPT) -> None:
        self.since = since
        self._keep = keep
        self._by_sid: OrderedDict[str, Seen] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_sid)

    def __iter__(self) -> Iterator[Seen]:
        """The one seen last comes first."""
        return reversed(self._by_sid.values())

    def note(self, session: Session, client: str, now: int) -> None:
        """A cookie of ``session`` was opened."""
        self._by_sid[session.sid] = Seen(session, client, now)
        self._by_sid.move_to_end(session.sid)
        if len(self._by_sid) > self._keep:
            self._by_sid.popitem(last=False)

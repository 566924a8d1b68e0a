"""An exchange whose response gets the tab script, where it is an HTML document (``browser.inject_tab_script``)."""

from __future__ import annotations

from typing import Protocol

from gateway.core.http.tab_injection import Insertion, insertion, reframed
from gateway.proxy.deadlines import Deadlines
from gateway.proxy.exchange import Downstream, Exchange, Limits


class Documented(Downstream, Protocol):
    """A client that takes documents.

    :ivar script: path of the script.
    """

    script: str


class InsertingExchange(Exchange):
    """See the module."""

    __slots__ = ("_insertion", "_looked", "_script")

    def __init__(self, downstream: Documented, deadlines: Deadlines, limits: Limits) -> None:
        super().__init__(downstream, deadlines, limits)
        self._script = downstream.script
        self._looked = False
        self._insertion: Insertion | None = None

    def _flush(self) -> None:
        if self._looked:
            if self._insertion is not None:
                self._insert(self._insertion)
        else:
            self._look()
        super()._flush()

    def _look(self) -> None:
        """The head is there, and perhaps some of the body, or all of it."""
        self._looked = True
        head = self.head
        assert head is not None
        way = self._insertion = insertion(head, self.status, self._script)
        if way is not None:
            size = self._insert(way)
            length = size if self.complete else None
            self.head = reframed(head, length=length, http10=self.downstream.http10)

    def _insert(self, way: Insertion) -> int:
        body = way.feed(b"".join(self._body), last=self.complete)
        self._body[:] = [body]
        return len(body)

"""The spool beside the log of one host, which is read together with it, by the log's own thread."""

from __future__ import annotations

from gateway.core import clock
from gateway.core.signout.revocation import Entry, RevocationIndex
from gateway.state.contract.outbox import Outbox
from gateway.state.contract.shared_spool import SharedSpool
from gateway.state.contract.spool import Spool
from gateway.state.sqlite.files import LogSnapshot


class SqliteSpool(SharedSpool):
    """Holds what other processes have left there until it is gone from there, which is when the log has it."""

    def __init__(self, spool: Spool, index: RevocationIndex, outbox: Outbox) -> None:
        super().__init__(spool, outbox)
        self._index = index
        self._theirs: dict[str, list[Entry]] = {}

    @property
    def theirs(self) -> int:
        """How many entries of other processes wait there."""
        return sum(map(len, self._theirs.values()))

    def see(self, seen: LogSnapshot) -> str:
        """What the files had, after the tail was applied; why more is missing, empty where nothing is."""
        theirs = {batch.id: batch for batch in seen.spooled if batch.id not in self._outbox}
        for name in [name for name in self._theirs if name not in theirs]:
            for entry in self._theirs.pop(name):
                self._index.release(entry)
        now = clock.now()
        for name in theirs.keys() - self._theirs.keys():
            self._theirs[name] = [self._index.hold(entry, now) for entry in theirs[name].entries]
        return self.noticed(seen.stamp, seen.marks)

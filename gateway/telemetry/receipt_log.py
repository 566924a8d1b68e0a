"""What a log of audit lines proves: its receipts read back, and compared with the lines around them.

A log is a file that many could have written to, so nothing in it is believed but what a key of the gateway has signed.
What can be found:

* a receipt that is none of ours, or was changed; a line that says something else than its receipt;
* a line written twice; a sign-out's line that has lost its receipt, where others have theirs;
* a line that was taken out: every process numbers its receipts, and a gap in the numbers stays.

What cannot: that all lines of a process are gone, or all from some number on, for then nothing is left that would show
it. Send the log to a place that this machine cannot change.

A sign-out that started and never finished is none of that: somebody closed the tab. It is told as a note, and so is
what may be in an earlier or later file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import BinaryIO

from gateway.core.errors import ProviderError
from gateway.oidc.jose.jwks import KeySet
from gateway.oidc.signout.signed_receipt import FINISHED, STARTED, LogoutReceipt, verified
from gateway.oidc.wire import json_object, printable
from gateway.telemetry.receipts import ended

LONGEST = 256 * 1024
"""Bytes of a line. An audit line has a few thousand; what is longer is none, and is passed over piece by piece."""
SLACK = 60
"""Seconds between a receipt and the time of its line."""
_STATES = {"logout_started": STARTED, "logout_finished": FINISHED}


@dataclass(frozen=True, slots=True)
class AuditFinding:
    """Something to be told about a line.

    :ivar line: counted from 1; 0 for the log as a whole. :ivar note: nothing is wrong with it.
    """

    line: int
    what: str
    note: bool = False


@dataclass(slots=True)
class _Logout:
    """One sign-out so far. :ivar lines: of its states."""

    receipt: LogoutReceipt
    lines: dict[str, int] = field(default_factory=dict)


class ReceiptLog:
    """Takes in a log line by line.

    :ivar lines: read so far. :ivar receipts: good ones among them. :ivar unread: lines that are no JSON of ours.
    """

    def __init__(self, keys: KeySet) -> None:
        self.lines = 0
        self.receipts = 0
        self.unread = 0
        self._keys = keys
        self._logouts: dict[str, _Logout] = {}
        self._runs: dict[str, dict[int, int]] = {}
        self._began_at: dict[str, int] = {}

    @property
    def sign_outs(self) -> int:
        """How many there are receipts of."""
        return len(self._logouts)

    def examine(self, lines: Iterable[bytes | None]) -> Iterator[AuditFinding]:
        """What there is to tell; all of it once the iterator has come to its end.

        :param lines: as `lines_of` reads them.
        """
        for line in lines:
            self.lines += 1
            if line is None:
                self.unread += 1
            elif b'"receipt"' in line or b'"logout_' in line:
                for what, note in self._line(line):
                    yield AuditFinding(self.lines, what, note)
        yield from self._gaps()
        yield from self._unfinished()
        if not self.receipts:
            yield AuditFinding(0, "there is no good receipt in it, so nothing is proven")

    def _line(self, line: bytes) -> Iterator[tuple[str, bool]]:
        try:
            fields = json_object(line[line.find(b"{") :], "the line", code="not_json")
        except ProviderError as error:
            self.unread += 1
            if b'"receipt"' in line:
                yield f"{error.detail}, though a receipt seems to be in it", False
            return
        state = _STATES.get(str(fields.get("event"))) if fields.get("audit") is True else None
        token = fields.get("receipt")
        if token is None:
            if state is not None:
                yield "the line of a sign-out has no receipt", not self.receipts
            return
        try:
            receipt = verified(token if isinstance(token, str) else "", self._keys)
        except ProviderError as error:
            yield f"no receipt of ours: {error.detail}", False
            return
        self.receipts += 1
        differing = list(_differences(fields, receipt, state))
        if differing:
            yield f"the line was changed: it differs from its receipt in {', '.join(differing)}", False
        yield from self._place(receipt)

    def _place(self, receipt: LogoutReceipt) -> Iterator[tuple[str, bool]]:
        """A good receipt, among the others."""
        if receipt.run is not None:
            numbers = self._runs.setdefault(receipt.run, {})
            first = numbers.setdefault(receipt.number, self.lines)
            if first != self.lines:
                yield f"written twice: line {first} has the same number of its process", False
                return
        known = self._logouts.setdefault(receipt.logout, _Logout(receipt))
        again = known.lines.get(receipt.state)
        if again is not None:
            yield f"the sign-out of line {again} was told once more: its browser came twice", True
        known.lines[receipt.state] = self.lines
        if receipt.started != known.receipt.started or receipt.session != known.receipt.session:
            yield "another session or another beginning than the other receipt of this sign-out has", False
        if receipt.session is not None and receipt.state == STARTED:
            self._began_at[receipt.session] = self.lines

    def _gaps(self) -> Iterator[AuditFinding]:
        for run, lines in self._runs.items():
            numbers = sorted(lines)
            if numbers[0] > 1:
                what = f"process {run} begins with number {numbers[0]}: what was before is elsewhere, or gone"
                yield AuditFinding(lines[numbers[0]], what, note=True)
            for before, after in pairwise(numbers):
                if after > before + 1:
                    missing = f"{before + 1}" if after == before + 2 else f"{before + 1} to {after - 1}"
                    yield AuditFinding(lines[after], f"missing before it: number {missing} of process {run}")

    def _unfinished(self) -> Iterator[AuditFinding]:
        for known in self._logouts.values():
            started, finished = known.lines.get(STARTED), known.lines.get(FINISHED)
            if started is None and finished is not None:
                yield AuditFinding(finished, "the beginning of this sign-out is not in this log", note=True)
            elif started is not None and finished is None:
                again = self._began_at.get(known.receipt.session or "", started)
                after = f"; line {again} began anew" if again > started else ""
                yield AuditFinding(started, f"this sign-out never finished in this log{after}", note=True)


def lines_of(stream: BinaryIO) -> Iterator[bytes | None]:
    """The lines of a file; None for one that is longer than any of ours."""
    while line := stream.readline(LONGEST + 1):
        if len(line) <= LONGEST:
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = stream.readline(LONGEST)
        yield None


def _differences(line: Mapping[str, object], receipt: LogoutReceipt, state: str | None) -> Iterator[str]:
    """The names of the fields in which a line says something else than its receipt."""
    who, hops = receipt.who, ended(receipt.hops) if receipt.state == FINISHED else ()
    claimed: dict[str, object | None] = {
        "logout": receipt.logout,
        "session": receipt.session,
        "subject": who.subject if who else None,
        "reason": receipt.how,
        "durable": receipt.durable,
        "hops": list(hops) or None,
        "evidence": None,
    }
    if "evidence" in line:  # of an older version, which wrote the same codes as a phrase
        phrase = ", ".join(hops).replace(":", " ") or "no hops"
        claimed |= {"hops": None, "evidence": phrase if receipt.state == FINISHED else None}
    if who is None or who.user:
        claimed["user"] = who.user if who else None
    if state != receipt.state:
        yield "event"
    yield from (name for name, value in claimed.items() if line.get(name) != value)
    time = line.get("time")
    if isinstance(time, bool) or not isinstance(time, int | float) or not abs(time - receipt.at) <= SLACK:
        yield "time"


def printable_finding(finding: AuditFinding, name: str) -> str:
    """A finding as a line for people; nothing of the log's text gets into a terminal as it stands.

    :param name: of the log.
    """
    place = f"{name}:{finding.line}" if finding.line else name
    return printable(f"{place}: {'note: ' if finding.note else ''}{finding.what}", 400)

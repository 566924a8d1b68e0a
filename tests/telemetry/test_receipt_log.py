"""A log read back: what was written by the gateway is good, and every change to it is found."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import clock
from gateway.core.signout import chain as chains
from gateway.core.signout.chain import ChainLimits
from gateway.core.signout.evidence import Evidence
from gateway.oidc.jose.jwks import KeySet
from gateway.oidc.signout.signed_receipt import ReceiptKey
from gateway.telemetry.audit import AuditTrail
from gateway.telemetry.log import configure, get_logger
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.receipt_log import LONGEST, AuditFinding, ReceiptLog, lines_of, printable_finding
from gateway.telemetry.receipts import ReceiptBook
from gateway.web.signout.session_events import SessionEvents

KEY = ReceiptKey.new()
KEYS = KeySet((KEY.public,))
LIMITS = ChainLimits(30, 120)
STARTED, FINISHED, LAST_STARTED, LAST_FINISHED = 1, 3, 4, 6
"""Where the receipts of a log of two sign-outs are; the hop of each is between them."""


def sign_out(events: SessionEvents, user: str, *, finish: bool = True, now: int | None = None) -> None:
    """As ``web/signout/logout.py`` tells it."""
    now = clock.now() if now is None else now
    begun = chains.begin(["cognito"], LIMITS, now=now, nonce=f"nonce of {user}").chain
    begun = replace(begun, who=(f"mark-of-{user}", f"subject of {user}", user))
    events.logout_started(begun, "post")
    if finish:
        done = chains.returned(begun, "cognito", Evidence.CAME_BACK, LIMITS, now=now + 1)
        assert done is not None
        events.hop(done.chain.hops[0])
        events.logout_finished(done.chain)


def events(key: ReceiptKey | None = KEY) -> SessionEvents:
    book = ReceiptBook("https://app.example.com", "https://idp", key) if key else None
    return SessionEvents(AuditTrail(), Metrics(), book)


def written(write: Callable[[], None]) -> list[bytes]:
    """The log of what ``write`` does, through the gateway's own logging."""
    text = io.StringIO()
    configure(stream=text)
    try:
        write()
    finally:
        structlog.reset_defaults()
    return [f"{line}\n".encode() for line in text.getvalue().splitlines()]


@pytest.fixture(scope="module")
def log() -> list[bytes]:
    """Two sign-outs, among other lines."""

    def write() -> None:
        book = events()
        get_logger("app").info("ready")
        sign_out(book, "alice")
        sign_out(book, "bob")
        get_logger("app").info("stopped")

    return written(write)


def examined(lines: list[bytes], keys: KeySet = KEYS) -> tuple[list[AuditFinding], ReceiptLog]:
    book = ReceiptLog(keys)
    found = list(book.examine(lines_of(io.BytesIO(b"".join(lines)))))
    return found, book


def faults(lines: list[bytes]) -> list[tuple[int, str]]:
    found, _ = examined(lines)
    return [(finding.line - 1, finding.what) for finding in found if not finding.note]


def notes(lines: list[bytes]) -> list[str]:
    return [finding.what for finding in examined(lines)[0] if finding.note]


def changed(log: list[bytes], at: int, **fields: object) -> list[bytes]:
    line = {**json.loads(log[at]), **fields}
    kept = {name: value for name, value in line.items() if value is not None}
    return [*log[:at], json.dumps(kept).encode() + b"\n", *log[at + 1 :]]


def test_what_the_gateway_writes_is_good(log: list[bytes]) -> None:
    """Nothing to tell, and everything counted."""
    found, book = examined(log)
    assert found == []
    assert (book.lines, book.receipts, book.sign_outs, book.unread) == (8, 4, 2, 0)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("user", "mallory"),
        ("user", None),
        ("subject", "s-2"),
        ("session", "another"),
        ("durable", False),
        ("reason", "everywhere"),
        ("logout", "another"),
        ("event", "logout_finished"),
        ("event", "login"),
        ("audit", False),
        ("time", 0),
        ("time", "now"),
        ("time", float("inf")),
    ],
)
def test_a_changed_line_differs_from_its_receipt(log: list[bytes], field: str, value: object) -> None:
    """The line alone, its receipt untouched."""
    (fault,) = faults(changed(log, STARTED, **{field: value}))
    assert fault[0] == STARTED


def test_what_became_of_the_hops_cannot_be_changed(log: list[bytes]) -> None:
    """A failed hop does not become a confirmed one."""
    ((at, what),) = faults(changed(log, FINISHED, hops=["cognito:failed"]))
    assert (at, what) == (FINISHED, "the line was changed: it differs from its receipt in hops")
    ((at, what),) = faults(changed(log, FINISHED, hops=None, evidence="cognito failed"))
    assert (at, what) == (FINISHED, "the line was changed: it differs from its receipt in evidence")


def test_the_log_of_an_older_version_is_good_too(log: list[bytes]) -> None:
    """It had the same codes as a phrase."""
    assert faults(changed(log, FINISHED, hops=None, evidence="cognito returned")) == []


@pytest.mark.parametrize("at", [STARTED, FINISHED, LAST_STARTED])
def test_a_line_taken_out_leaves_a_gap(log: list[bytes], at: int) -> None:
    """In the numbers of its process, before the next line; the first one as a note, for it may be in another file."""
    left = [*log[:at], *log[at + 1 :]]
    gaps = [what for _, what in faults(left) if what.startswith("missing before it: number ")]
    assert len(gaps) == (0 if at == STARTED else 1)
    assert at != STARTED or any("begins with number 2" in note for note in notes(left))


def test_several_lines_taken_out_are_counted(log: list[bytes]) -> None:
    """Two in a row."""
    ((at, what),) = faults([*log[: STARTED + 1], *log[LAST_FINISHED:]])
    assert (at, what.split(" of ")[0]) == (STARTED + 1, "missing before it: number 2 to 3")


def test_lines_in_another_order_are_no_gap(log: list[bytes]) -> None:
    """Collectors of logs shuffle."""
    assert faults(log[::-1]) == []


def test_a_line_copied_is_found(log: list[bytes]) -> None:
    """The same receipt, written twice."""
    what = f"written twice: line {FINISHED + 1} has the same number of its process"
    assert faults([*log, log[FINISHED]]) == [(8, what)]


def test_a_receipt_put_into_another_line_is_found(log: list[bytes]) -> None:
    """Bob's line with alice's receipt."""
    alice = json.loads(log[STARTED])["receipt"]
    found = faults(changed(log, LAST_STARTED, receipt=alice))
    assert [at for at, _ in found if at == LAST_STARTED] == [LAST_STARTED] * 2
    assert any("differs" in what for _, what in found)
    assert any("written twice" in what for _, what in found)


def test_a_sign_out_without_its_receipt_is_found(log: list[bytes]) -> None:
    """Where others have theirs; before the first it may be that none were signed yet."""
    assert (LAST_STARTED, "the line of a sign-out has no receipt") in faults(
        changed(log, LAST_STARTED, receipt=None)
    )
    before = written(lambda: sign_out(events(None), "carol"))
    assert faults([*before, *log]) == []
    assert "the line of a sign-out has no receipt" in notes([*before, *log])


def test_a_sign_out_that_never_finished_is_a_note() -> None:
    """Somebody closed the tab; began anew, it says where."""

    def write() -> None:
        book = events()
        sign_out(book, "alice", finish=False)
        sign_out(book, "bob", finish=False)
        now = chains.begin(["cognito"], LIMITS, now=clock.now(), nonce="another").chain
        book.logout_started(replace(now, who=("mark-of-bob", "subject of bob", "bob")), "get")

    lines = written(write)
    assert faults(lines) == []
    assert notes(lines) == [
        "this sign-out never finished in this log",
        "this sign-out never finished in this log; line 3 began anew",
        "this sign-out never finished in this log",
    ]


def test_a_sign_out_whose_beginning_is_elsewhere_is_a_note(log: list[bytes]) -> None:
    """The log was cut into files, or the browser came to another host."""
    assert faults(log[FINISHED:]) == []
    assert "the beginning of this sign-out is not in this log" in notes(log[FINISHED:])


def test_a_sign_out_that_was_told_twice_is_a_note(log: list[bytes]) -> None:
    """A browser may bring the same return twice; each telling has a number of its own."""

    def write() -> None:
        book, now = events(), clock.now()
        sign_out(book, "alice", now=now)
        sign_out(book, "alice", now=now)

    lines = written(write)
    assert faults(lines) == []
    assert sum("was told once more" in note for note in notes(lines)) == 2


@pytest.mark.parametrize("changes", [{"started": 1}, {"who": ("mark-of-bob", "subject of alice", "alice")}])
def test_receipts_that_contradict_each_other_are_found(changes: dict[str, Any]) -> None:
    """Both are signed, and yet they cannot be of one sign-out: somebody else has the key."""

    def write() -> None:
        book, now = events(), clock.now()
        begun = chains.begin(["cognito"], LIMITS, now=now, nonce="n").chain
        begun = replace(begun, who=("mark-of-alice", "subject of alice", "alice"))
        book.logout_started(begun, "post")
        done = chains.returned(replace(begun, **changes), "cognito", Evidence.CAME_BACK, LIMITS, now=now + 1)
        assert done is not None
        book.logout_finished(done.chain)

    ((at, what),) = faults(written(write))
    assert (at, what.split(" than ")[0]) == (1, "another session or another beginning")


def test_two_processes_in_one_log_are_two_rows() -> None:
    """Each has its own numbers."""

    def write() -> None:
        first, second = events(), events()
        for user in ("alice", "bob"):
            sign_out(first, user)
            sign_out(second, f"{user}2")

    assert examined(written(write))[0] == []


def test_receipts_of_another_key_prove_nothing(log: list[bytes]) -> None:
    """Each is named, and so is that none is left."""
    found, book = examined(log, KeySet((ReceiptKey.new().public,)))
    assert [finding.line - 1 for finding in found] == [STARTED, FINISHED, LAST_STARTED, LAST_FINISHED, -1]
    assert book.receipts == 0


def test_an_empty_log_is_not_good() -> None:
    """Nothing is proven by nothing."""
    assert faults([]) == [(-1, "there is no good receipt in it, so nothing is proven")]


HOSTILE = {
    "binary": b"\x00\xff\xfe\x80" * 40 + b"\n",
    "no JSON": b'{"receipt": \n',
    "half a line": b'{"event":"logout_started","audit":true,"receipt":"eyJ',
    "a member twice": b'{"audit":true,"event":"logout_started","receipt":"a","receipt":"b"}\n',
    "a receipt that is no text": b'{"audit":true,"event":"logout_started","receipt":[1]}\n',
    "a number without end": b'{"receipt":' + b"9" * 5_000 + b"}\n",
    "deep nesting": b'{"receipt":' + b"[" * 100_000 + b"\n",
    "half a surrogate": b'{"audit":true,"event":"\\ud800","receipt":"\\ud800"}\n',
    "NaN": b'{"receipt":NaN}\n',
    "a list": b'["receipt"]\n',
    "control bytes": b'{"audit":true,"event":"logout_started","receipt":"\\u001b[2J"}\n',
}


@pytest.mark.parametrize("name", list(HOSTILE))
def test_a_hostile_line_is_a_finding_and_no_more(log: list[bytes], name: str) -> None:
    """It hides nothing of the lines around it, and nothing of it reaches the terminal as it is."""
    lines = [log[0], HOSTILE[name].rstrip(b"\n") + b"\n", *log[1:]]
    found, book = examined(lines)
    assert book.receipts == 4
    assert [finding.line for finding in found] == ([] if name == "binary" else [2])
    assert all(printable_finding(finding, "x.log").isprintable() for finding in found)


def test_a_huge_line_is_passed_over(log: list[bytes]) -> None:
    """It is not kept in memory, and what comes behind it is read."""
    huge = b'{"receipt":"' + b"A" * (3 * LONGEST) + b'"}\n'
    found, book = examined([huge, *log, huge.rstrip(b"\n")])
    assert (found, book.receipts, book.unread, book.lines) == ([], 4, 2, 10)


class Watched(io.BytesIO):
    """Knows how much was asked of it at once."""

    most = 0

    def readline(self, size: int | None = -1, /) -> bytes:
        self.most = max(self.most, size if size is not None and size >= 0 else 1 << 60)
        return super().readline(size)


def test_no_line_is_read_whole_unless_it_is_short() -> None:
    """Whoever writes the log does not decide how much memory this takes."""
    stream = Watched(b"x" * (2 * LONGEST) + b"\n")
    assert list(lines_of(stream)) == [None]
    assert stream.most == LONGEST + 1


def corrupted(lines: list[bytes], seed: int) -> Iterator[bytes]:
    dice = random.Random(seed)
    for line in lines:
        raw = bytearray(line)
        for _ in range(dice.choice([0, 0, 1, 3, 50])):
            raw[dice.randrange(len(raw))] = dice.randrange(256)
        yield bytes(raw[: dice.choice([len(raw), len(raw), dice.randrange(len(raw))])])


@given(st.integers(0, 1 << 32))
def test_a_corrupted_log_never_breaks_the_reader(log: list[bytes], seed: int) -> None:
    """Whatever the bytes are, there are findings, and no receipt that was not signed."""
    found, book = examined(list(corrupted(log, seed)))
    assert book.receipts <= 4
    assert all(printable_finding(finding, "x.log").isprintable() for finding in found)


@given(st.binary(max_size=2_000))
def test_any_bytes_are_a_log(raw: bytes) -> None:
    """Without a receipt that proves anything."""
    found, book = examined([raw, b'{"receipt":', raw])
    assert book.receipts == 0
    assert not found[-1].note

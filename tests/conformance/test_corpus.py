"""The corpus of requests, over the wire: what is refused is refused whole, what passes passes byte for byte."""

from __future__ import annotations

import itertools
import time

import pytest

from tests.conformance import strict
from tests.conformance.corpus import Case, cases
from tests.conformance.wire import Door, Wire

_numbers = itertools.count()
_PAUSE = 0.002
"""Seconds between segments, so that each is read by itself."""
_SMALL = 2_000
"""Larger requests are not sent byte by byte."""

OWN = frozenset(
    {
        b"host", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"x-auth-request-user",
        b"x-auth-request-email", b"x-auth-request-groups", b"x-auth-request-preferred-username", b"sec-fetch-site",
    }
)  # fmt: skip
"""What the gateway says itself, and what every request of these tests has."""


def _send(wire: Wire, data: bytes, segments: str) -> None:
    try:
        if segments == "at once":
            wire.send(data)
            return
        first, second = data[: len(data) // 2], data[len(data) // 2 :]
        pieces = [first, second] if segments == "in halves" else [bytes((byte,)) for byte in data]
        for piece in pieces:
            wire.send(piece)
            if segments == "in halves":
                time.sleep(_PAUSE)
    except ConnectionError:
        pass  # the gateway has heard enough


def _smuggled(door: Door) -> tuple[str, bytes]:
    path = f"/smuggled/{next(_numbers)}"
    return path, door.request(path)


def _answers(data: bytes) -> list[strict.Message]:
    found = []
    while data:
        message, data = strict.response(data, ended=True)
        if message.status >= 200:
            found.append(message)
    return found


def _segmentations(case: Case) -> list[str]:
    if 413 in case.statuses:  # each waits a while for the rest of its body
        return ["at once"]
    small = len(case.send) + len(case.then) < _SMALL and "*" not in case.send
    return ["at once", "in halves", "byte by byte"] if small else ["at once", "in halves"]


REJECTED = [
    pytest.param(case, segments, id=f"{case.id}, {segments}")
    for case in cases("reject", "close")
    for segments in _segmentations(case)
]


@pytest.mark.parametrize(("case", "segments"), REJECTED)
def test_what_two_parsers_could_read_differently_is_rejected(door: Door, case: Case, segments: str) -> None:
    """One answer, then the end of the connection: nothing is forwarded, nothing behind it is read."""
    before = door.upstream.mark()
    path, second = _smuggled(door)
    with door.open() as wire:
        _send(wire, case.bytes(door)[0] + second, segments)
        answers = _answers(wire.rest())
    told = [each.status for each in answers]
    assert len(told) == (0 if case.kind == "close" else 1), (told, case.why)
    assert case.statuses.issuperset(told), (told, case.why)
    door.upstream.settled()
    assert door.upstream.mark() == before, case.why
    assert not door.upstream.contains(path.encode())


@pytest.mark.parametrize("case", cases("refuse"), ids=lambda case: case.id)
def test_what_cannot_be_decided_on_is_refused(door: Door, case: Case) -> None:
    """The answer says no, nothing is forwarded, and a request behind it is only ever one of its own."""
    before = door.upstream.mark()
    path, second = _smuggled(door)
    with door.open() as wire:
        wire.send(case.bytes(door)[0])
        assert wire.response().status in case.statuses, case.why
        door.upstream.settled()
        assert door.upstream.mark() == before, case.why
        try:
            wire.send(second)
            assert wire.response().body == b"application"
        except (ConnectionError, strict.IncompleteError):
            assert not door.upstream.find(path)
        else:
            assert len(door.upstream.find(path)) == 1


@pytest.mark.parametrize("split", [False, True], ids=["at once", "behind its head"])
@pytest.mark.parametrize("case", cases("break"), ids=lambda case: case.id)
def test_a_body_that_breaks_its_framing_never_becomes_whole(door: Door, case: Case, split: bool) -> None:
    """The application never sees the end of it, the client is told or cut off, and nothing behind it is read."""
    path, second = _smuggled(door)
    target = door.upstream.on(lambda call: call.close() if call.body() else None)
    head, body = (part.replace(b" /x ", b" %b " % target.encode()) for part in case.bytes(door))
    with door.open() as wire:
        if split:
            wire.send(head)
            door.upstream.wait(target)
            head = b""
        _send(wire, head + body + second, "at once")
        answers = _answers(wire.rest())
    told = [each.status for each in answers]
    assert len(told) == 1, (told, case.why)
    assert case.statuses.issuperset(told), (told, case.why)
    door.upstream.settled()
    assert all(call.whole is None for call in door.upstream.find(target)), case.why
    assert not door.upstream.contains(path.encode())


FORWARDED = [
    pytest.param(case, segments, id=f"{case.id}, {segments}")
    for case in cases("forward")
    for segments in _segmentations(case)
]


@pytest.mark.parametrize(("case", "segments"), FORWARDED)
def test_what_is_unambiguous_is_forwarded_as_it_came(door: Door, case: Case, segments: str) -> None:
    """Once, with the method, target, headers and body that were sent; a request behind it is another one, or unread."""
    calls = len(door.upstream.calls)
    path, second = _smuggled(door)
    sent = case.bytes(door)[0]
    method, target = sent.split(None, 2)[:2]
    old = b" HTTP/1.0\r\n" in sent
    with door.open() as wire:
        _send(wire, sent if old else sent + second, segments)
        first = wire.response(method)
        assert (first.status, case.why) == (200, case.why)
        if old or first.value(b"connection") == b"close":
            assert wire.rest() == b""
        else:
            assert wire.response().body == b"application"
    call = door.upstream.calls[calls]
    assert (call.head.method, call.head.target) == (method, case.target or target)
    assert call.head.values(b"host") == [door.authority.encode()], case.why
    assert call.whole is not None
    if case.body is not None:
        assert call.whole.body == case.body
    if case.headers is not None:
        passed = [name + b": " + value for name, value in call.head.headers if name.lower() not in OWN]
        assert passed == [line.encode("latin-1") for line in case.headers]
    for behind in door.upstream.calls[calls + 1 :]:
        assert behind.path == path.encode()
        assert [name.lower() for name, _ in behind.head.headers if name.lower() not in OWN] == []


def test_the_corpus_says_why() -> None:
    """Every case has a name of its own, a sentence and an origin."""
    every = cases()
    assert len({case.id for case in every}) == len(every) > 150
    assert all(case.why.endswith((".", "?")) and case.origin for case in every)
    assert {case.kind for case in every} <= {"reject", "refuse", "break", "forward", "close"}

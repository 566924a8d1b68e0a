"""Mutated requests: whatever comes, the gateway neither fails nor forwards what a strict reader would not accept."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conformance import strict
from tests.conformance.conftest import AMPLE, BODY_LIMIT, running
from tests.conformance.corpus import Case, cases
from tests.conformance.recorder import Call
from tests.conformance.test_corpus import OWN
from tests.conformance.wire import Door, Wire
from tests.fakes.hand import Hand

_FRAGMENTS = [
    b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b"\x00", b"\x0b", b"\x7f", b"\xff", b"\xa0", b"0", b"5", b";", b",", b"#", b"%2f", b"/../",
    b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: identity\r\n",
    b"Transfer-Encoding:\x0bchunked\r\n", b"Connection: close\r\n", b"Connection: upgrade\r\nUpgrade: websocket\r\n",
    b"Connection: upgrade\r\nUpgrade: h2c\r\n", b"Expect: 100-continue\r\n", b"Host: evil.example\r\n", b"X-Auth-Request-User: mallory\r\n",
    b"\r\n\r\n", b"0\r\n\r\n", b"5\r\nhello\r\n", b"GET /smuggled HTTP/1.1\r\n", b"HTTP/1.0", b"HTTP/2.0", b"\r\n folded: b",
]  # fmt: skip
_SEEDS = [case for case in cases() if "*" not in case.send and "*" not in case.then]

mutations = st.lists(
    st.tuples(
        st.sampled_from(["insert", "delete", "replace", "double"]),
        st.floats(0, 1),
        st.integers(1, 12),
        st.sampled_from(_FRAGMENTS) | st.binary(min_size=1, max_size=3),
    ),
    max_size=3,
)


def _mutated(data: bytes, steps: list[tuple[str, float, int, bytes]]) -> bytes:
    for how, where, size, fragment in steps:
        at = int(where * len(data))
        if how == "insert":
            data = data[:at] + fragment + data[at:]
        elif how == "delete":
            data = data[:at] + data[at + size :]
        elif how == "replace":
            data = data[:at] + fragment + data[at + len(fragment) :]
        else:
            data = data[:at] + data[at : at + size] + data[at:]
    return data


def _accepted(data: bytes) -> list[tuple[strict.Message, bool]]:
    """The requests that a strict reader finds at the beginning of ``data``, and whether each is whole."""
    found: list[tuple[strict.Message, bool]] = []
    while data := _plain(data):
        try:
            message, data = strict.request(data, any_target=True)
        except (strict.MalformedError, strict.IncompleteError):
            with contextlib.suppress(strict.MalformedError, strict.IncompleteError):
                found.append((strict.request_head(data, any_target=True)[0], False))
            return found
        found.append((message, True))
    return found


def _plain(data: bytes) -> bytes:
    """``data`` without what RFC 9112 lets a recipient be lenient about, and llhttp is: empty lines before a request
    (§2.2), and more than one blank between the parts of its first line (§3). None of it is forwarded.
    """
    first, end, rest = data.lstrip(b"\r\n").partition(b"\r\n")
    return re.sub(rb" +", b" ", first) + end + rest


def _origin_form(target: bytes, host: bytes) -> bytes:
    """Of a whole address of our host what is forwarded for it (RFC 9112 §3.2.2). Any other is as it was written, and never
    forwarded.
    """
    found = re.fullmatch(rb"(?i:https?://%b)([/?].*)?" % re.escape(host), target)
    return target if found is None else b"/" + (found[1] or b"").removeprefix(b"/")


def _matches(call: Call, message: strict.Message, whole: bool, host: bytes) -> bool:
    if (call.head.method, call.head.target) != (message.method, _origin_form(message.target, host)):
        return False
    sent = {(name.lower(), value) for name, value in message.headers}
    passed = {(name.lower(), value) for name, value in call.head.headers if name.lower() not in OWN}
    chunked = (b"transfer-encoding", b"chunked")
    if not passed - {chunked, *((name, value) for name, value in passed if name == b"cookie")} <= sent:
        return False
    return call.whole is None or (whole and call.whole.body == message.body)


@dataclass
class Timeless:
    """A door at which time goes by only while nothing comes: it ends what a client never ends, and is never too slow."""

    door: Door
    limits: Hand

    def rest(self, wire: Wire) -> bytes:
        """All that comes until it closes."""
        coming = True
        while coming:
            if wire.comes(0):
                coming = wire.more()
            else:
                self.limits.goes_elsewhere(1)
        return wire.unread


@pytest.fixture(scope="module")
def timeless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Timeless]:
    limits = Hand()
    with ExitStack() as opened:
        with pytest.MonkeyPatch.context() as patch:
            limits.put(patch)
            extra = f"timeouts: {{{AMPLE}, first_byte: 1d, idle: 1d}}\nlimits: {{body: {BODY_LIMIT}}}\n"
            door = opened.enter_context(running(tmp_path_factory.mktemp("timeless"), extra=extra))
        yield Timeless(door, limits)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.sampled_from(_SEEDS), mutations, st.floats(0, 1))
def test_nothing_is_forwarded_that_a_strict_reader_would_refuse(
    timeless: Timeless, case: Case, steps: list[tuple[str, float, int, bytes]], cut: float
) -> None:
    """Each forwarded request is one of those that were sent, in their order and as they were sent; no answer is a 5xx."""
    door = timeless.door
    calls = len(door.upstream.calls)
    data = _mutated(b"".join(case.bytes(door)), steps) + door.request("/last", "Connection: close")
    with door.open() as wire:
        with contextlib.suppress(ConnectionError):
            wire.send(data[: int(cut * len(data))])
            wire.send(data[int(cut * len(data)) :])
        answers = timeless.rest(wire)
    door.upstream.settled()
    assert re.search(rb"^HTTP/1\.\d 5", answers, re.MULTILINE) is None
    expected = iter(_accepted(data))
    for call in door.upstream.calls[calls:]:
        assert any(_matches(call, *each, door.authority.encode()) for each in expected), (call.head.raw, data)
    assert door.upstream.faults() == []

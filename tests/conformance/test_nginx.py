"""What the door forwards, nginx forwards as the same request: nothing is accepted that two servers read differently."""

from __future__ import annotations

import pytest

from tests.conformance.corpus import Case, cases
from tests.conformance.nginx import LiveNginx
from tests.conformance.recorder import Call
from tests.conformance.test_corpus import OWN
from tests.conformance.wire import Door

HOP = frozenset(
    {b"te", b"expect", b"connection", b"upgrade", b"http2-settings", b"trailer", b"cookie"}
    | {b"transfer-encoding", b"content-length"}
)
"""What proxies take out, or change, each in its own way; the bodies are compared by themselves."""


NGINX_IS_STRICTER = frozenset({"chunked after a tab", "length before blanks"})
"""RFC 9110 §5.5 takes a tab for white space around a value; nginx refuses these."""


def told(call: Call) -> dict[bytes, list[bytes]]:
    """The headers of a request that no proxy has to change, by name; those with an underscore end at our door."""
    names = {name.lower() for name, _ in call.head.headers if b"_" not in name} - OWN - HOP
    return {name: call.head.values(name) for name in names}


@pytest.mark.parametrize("case", cases("forward"), ids=lambda case: case.id)
def test_nginx_forwards_what_the_door_forwards(door: Door, nginx: LiveNginx, case: Case) -> None:
    """The same method, target, headers and body, once."""
    data = case.bytes(door)[0]
    before = len(door.upstream.calls)
    with door.open() as wire:
        wire.send(data)
        assert wire.response(data.split(None, 1)[0]).status == 200
    (ours,) = door.upstream.calls[before:]
    theirs = nginx.forwards(data)
    if case.name in NGINX_IS_STRICTER:
        assert theirs == []
        return
    assert len(theirs) == 1, case.why
    assert (ours.head.method, ours.head.target) == (theirs[0].head.method, theirs[0].head.target)
    assert ours.whole is not None
    assert theirs[0].whole is not None
    assert ours.whole.body == theirs[0].whole.body
    assert told(ours) == told(theirs[0])

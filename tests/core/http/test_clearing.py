"""What an application may clear in the browser: never cookies."""

from __future__ import annotations

import pytest

from gateway.core.http.clearing import without_cookies
from gateway.core.http.response_headers import (
    downstream_response_headers,
    interim_head,
    plain_response_head,
    switching_head,
    trailer_lines,
)

ALL_ELSE = b'"cache", "storage", "executionContexts"'
CASES = [
    (b'"cookies"', b""),
    (b'"Cookies", cookies , "cookies" ', b""),
    (b'"cookies", "storage"', b'"storage"'),
    (b'"cache" ,"cookies","storage"', b'"cache", "storage"'),
    (b'"*"', ALL_ELSE),
    (b'"cookies", "*"', ALL_ELSE),
    (b'"cache", "storage"', b'"cache", "storage"'),
    (b'"cookies" "storage"', b""),
    (b'"cookies', b""),
]


@pytest.mark.parametrize(("said", "left"), CASES)
def test_the_rest_stays(said: bytes, left: bytes) -> None:
    assert without_cookies(said) == left


@pytest.mark.parametrize(("said", "left"), CASES)
@pytest.mark.parametrize("name", [b"Clear-Site-Data", b"clear-site-data"])
@pytest.mark.parametrize("status", [200, 303, 401, 503])
def test_in_every_head(said: bytes, left: bytes, name: bytes, status: int) -> None:
    """However it is read, whatever it answers, and where Connection names it."""
    lines = [(name, said), (b"Content-Length", b"0"), (b"Connection", b"keep-alive, clear-site-data")]
    raw = downstream_response_headers(status, b"X", lines).raw
    assert (name + b": " + left + b"\r\n" in raw) == bool(left)
    assert b"ookies" not in raw
    head = b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n%b: %b" % (status, name, said)
    found = plain_response_head(head, keep_alive=True, document=False)
    assert found is not None
    assert b"ookies" not in found[1].raw


def test_neither_before_nor_after_the_answer() -> None:
    """Early hints, a switch to WebSocket and trailers clear nothing at all."""
    lines = [(b"Clear-Site-Data", b'"*"'), (b"Upgrade", b"websocket")]
    for made in (interim_head(103, b"Early Hints", lines), switching_head(b"X", lines), trailer_lines(lines)):
        assert b"lear-" not in made

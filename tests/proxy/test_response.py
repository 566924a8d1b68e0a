"""The response reader's bounds and what it takes for surplus; arbitrary splits are in test_exchange.py."""

from __future__ import annotations

from tests.proxy.test_exchange import body_of, chunked, message, run


def test_r36_the_next_messages_headers_are_no_trailers():
    """Surplus that arrives with the end of a chunked body adds nothing to it."""
    raw = chunked(b"ok", trailers=b"X-T: 1\r\n") + b"HTTP/1.1 200 OK\r\nX-Evil: 1\r\nX-More: 2\r\n\r\n"

    client, exchange, reusable = run([raw])

    assert body_of(message(exchange, client)) == (b"ok", b"X-T: 1\r\n\r\n")
    assert not reusable


def test_trailers_have_a_bound():
    """As many fields as a head may have."""
    _, exchange, _ = run([chunked(b"ok", trailers=b"X: y\r\n" * 300)])

    assert exchange.error is not None
    assert exchange.complete_response is None


def test_a_response_head_has_bounds():
    """Bytes and fields, also when no line ever ends."""
    for lie in (b"HTTP/1.1 200 " + b"x" * 70_000, b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 300):
        _, exchange, _ = run([lie[:100], lie[100:]])
        assert exchange.error is not None


def test_http10_upstreams_are_not_kept():
    """Unless they say so, their connection ends with the response."""
    _, exchange, reusable = run([b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"])

    assert exchange.complete_response is not None
    assert not reusable


def test_interim_responses_have_a_bound():
    """An upstream that only ever promises is broken."""
    _, exchange, _ = run([b"HTTP/1.1 103 E\r\n\r\n"] * 20)

    assert exchange.error is not None

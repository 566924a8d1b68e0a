"""From a page to a response on the wire."""

from __future__ import annotations

import pytest

from gateway.web.pages.pages import problem
from gateway.web.pages.respond import Prepared, redirect, send


def test_a_page_goes_with_its_headers_and_cookies() -> None:
    """Several cookies are several headers, and no server's version is told."""
    page = problem(status=403, code="x", title="X")
    answer = send(page, ["a=1", "b=2"], [("Allow", "GET")])
    assert (answer.status, answer.body) == (403, page.body)
    assert answer.headers.getall("Set-Cookie") == ["a=1", "b=2"]
    assert answer.headers["Allow"] == "GET"
    assert b"\r\nServer: gateway\r\n" in answer.wire(head_only=False, http10=False, close=False)
    assert len(answer.headers.getall("Content-Type")) == 1


@pytest.mark.parametrize(
    "location", ["/a?b=%2F%20&c=d;e", "https://idp.example.com/x?y=%E2%82%AC", "/a%20b|c"]
)
def test_a_redirect_keeps_its_location_byte_for_byte(location: str) -> None:
    """Cognito compares addresses byte for byte, so nothing is quoted anew (protocol facts C.9)."""
    answer = redirect(location, status=303, cookies=["a=1"])
    assert (answer.status, answer.headers["Location"]) == (303, location)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers.getall("Set-Cookie") == ["a=1"]


def test_a_prepared_answer_is_the_same_bytes() -> None:
    """Preparing saves work and changes nothing; what is done to one answer is not done to the next."""
    page = problem(status=401, code="x", title="X")
    prepared, plain = Prepared(page, [("X-Why", "y")]), send(page, headers=[("X-Why", "y")])
    one = prepared.response()
    one.close = True
    other = prepared.response()
    assert not other.close
    for form in ({"head_only": True, "http10": False}, {"head_only": False, "http10": True}):
        assert other.wire(**form, close=False) == plain.wire(**form, close=False)
    assert other.size == plain.size


def test_a_prepared_answer_takes_cookies() -> None:
    """They go to one client; the next answer has none of them."""
    prepared = Prepared(problem(status=401, code="x", title="X"))
    with_cookies = prepared.response(["a=1", "b=2"]).wire(head_only=True, http10=False, close=False)
    assert b"\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n" in with_cookies
    assert b"Set-Cookie" not in prepared.response().wire(head_only=True, http10=False, close=False)

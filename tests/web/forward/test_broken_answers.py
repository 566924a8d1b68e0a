"""What an upstream's answer is refused for is said in the log, whether the client can still be told or not."""

from __future__ import annotations

from contextlib import suppress

import pytest
from structlog.testing import capture_logs

from tests.fakes.door import eventually, open_lab

lab = pytest.fixture(open_lab)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", "Duplicate Content-Length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\n", "Invalid character in Content-Length"),
        (b"HTTP/1.1 200 OK\r\nX-A: \x01\r\n\r\n", "Invalid header value char"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "Expected HTTP/"),
        (b"HTTP/1.1 200 OK\r\nX-A: b", "broke off within the head"),
        (b"", "broke off before the head"),
    ],
)
async def test_a_refused_answer_says_what_was_wrong_with_it(lab, answer, why):
    """Not only that it cannot be used: the log has the parser's own words, which hold nothing of the answer."""

    async def broken(call):
        await call.send(answer)
        return "close"

    door, _, client = await lab(broken)

    assert (await client.get("/")).status == 502
    (error,) = door.errors
    assert why in error.detail


async def test_an_answer_that_breaks_off_is_told_of_too(lab):
    """The client can be told nothing any more, so the log is: once, with the route."""

    async def half(call):
        await call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
        return "close"

    door, _, client = await lab(half)

    with capture_logs() as lines:
        await client.ask()
        with suppress(ConnectionError):
            await client.rest()
        await eventually(lambda: any(line["event"] == "upstream_failed" for line in lines))
    (line,) = [line for line in lines if line["event"] == "upstream_failed"]
    assert (line["reason"], line["route"]) == ("broken_response", "/")
    assert line["detail"].endswith("within the body of its response.")
    assert not door.errors

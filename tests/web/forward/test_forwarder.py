"""The forwarder between a raw client and a raw upstream: what passes, and how it is framed."""

from __future__ import annotations

import asyncio

import pytest

from gateway.core.http.routes import Route
from gateway.core.session.identity_headers import IdentityOptions
from gateway.web.forward.forwarder import Forwarder
from tests.fakes.door import Door, eventually, open_lab
from tests.fakes.upstream import FakeUpstream, always, reply

lab = pytest.fixture(open_lab)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"


async def test_a_small_response_passes_and_both_connections_are_kept(lab):
    """Three requests on one client connection use one upstream connection and answer whole."""
    _, upstream, client = await lab(always(reply(b"hello", b"Content-Type: text/plain")))

    answers = [await client.get(f"/{n}") for n in range(3)]

    assert [answer.body for answer in answers] == [b"hello"] * 3
    assert upstream.connections == 1
    assert [call.request_line for call in upstream.calls] == [b"GET /%d HTTP/1.1" % n for n in range(3)]


async def test_a_whole_response_is_one_write(lab):
    """A response that comes with its head goes out in one piece, with its head."""
    _, _, client = await lab(always(reply(b"hello")))

    await client.ask("/")
    first = await client.reader.read(65_536)

    assert first.endswith(b"\r\n\r\nhello")


async def test_a_large_response_streams(lab):
    """A response of many reads arrives byte for byte."""
    body = bytes(range(256)) * 8_192
    _, upstream, client = await lab(always(reply(body)))

    answers = [await client.get("/") for _ in range(2)]

    assert [answer.body for answer in answers] == [body, body]
    assert upstream.connections == 1


async def test_a_chunked_response_with_trailers_passes(lab):
    """Chunked stays chunked, and trailers follow the last chunk; a cookie is no trailer."""
    _, upstream, client = await lab(
        always(
            CHUNKED + b"Trailer: X-Sum\r\n\r\n",
            b"5\r\nhello\r\n",
            b"6;ext=1\r\n world\r\n",
            b"0\r\nX-Sum: 42\r\nSet-Cookie: a=b\r\n\r\n",
            pause=0.02,
        )
    )

    answer = await client.get("/")

    assert answer.body == b"hello world"
    assert answer.trailers == [b"X-Sum: 42"]
    assert answer.value(b"trailer") == b"X-Sum"
    await client.get("/")
    assert upstream.connections == 1


async def test_a_chunked_response_that_comes_at_once_stays_chunked(lab):
    """Even when it is whole at once it is not turned into one with a length."""
    _, _, client = await lab(always(CHUNKED + b"\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n"))

    answer = await client.get("/")

    assert (answer.body, answer.value(b"content-length")) == (b"abcdef", None)


async def test_http10_clients_get_an_end_by_close(lab):
    """Chunks are unwrapped for a client that speaks HTTP/1.0, and the connection ends the body."""
    _, _, client = await lab(
        always(CHUNKED + b"\r\n", b"3\r\nabc\r\n", b"3\r\ndef\r\n0\r\nX-T: 1\r\n\r\n", pause=0.02)
    )

    answer = await client.get("/", version="1.0")

    assert answer.body == b"abcdef"
    assert answer.value(b"transfer-encoding") is None
    assert answer.value(b"connection") == b"close"


async def test_http10_clients_may_keep_their_connection(lab):
    """A response with a length keeps the connection of an HTTP/1.0 client that asked for it."""
    _, _, client = await lab(always(reply(b"abc")))

    answers = [await client.get("/", "Connection: keep-alive", version="1.0") for _ in range(2)]

    assert [(a.body, a.value(b"connection")) for a in answers] == [(b"abc", b"keep-alive")] * 2


async def test_a_client_that_asks_to_close_is_closed(lab):
    """Connection: close is honoured and said."""
    _, _, client = await lab(always(reply(b"abc")))

    answer = await client.get("/", "Connection: close")

    assert answer.value(b"connection") == b"close"
    assert await client.rest() == b""


async def test_a_draining_forwarder_asks_clients_to_leave(lab):
    """While draining every response says close."""
    door, _, client = await lab(always(reply(b"abc")))
    door.forwarder.draining = True

    assert (await client.get("/")).value(b"connection") == b"close"


async def test_r36_head_is_done_with_its_head(lab):
    """The answer to HEAD has no body, and its connection serves the next request."""
    _, upstream, client = await lab(always(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"))

    answers = [await client.get("/", method="HEAD") for _ in range(3)]

    assert [answer.value(b"content-length") for answer in answers] == [b"1000"] * 3
    assert upstream.connections == 1


@pytest.mark.parametrize(
    "surplus",
    [b"x", b"0\r\n\r\n", b"5", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad", b"bad\r\n\r\n"],
)
@pytest.mark.parametrize("framing", [b"Content-Length: 3", b"Transfer-Encoding: chunked"])
async def test_r36_any_byte_after_head_discards_the_connection(lab, surplus, framing):
    """Bytes after the answer to HEAD are nobody's: they never become the next answer."""
    _, upstream, client = await lab(always(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n" + surplus))

    answers = [await client.get("/", method="HEAD") for _ in range(2)]

    assert [answer.status for answer in answers] == [200, 200]
    assert upstream.connections == 2


@pytest.mark.parametrize("pause", [0.0, 0.02])
@pytest.mark.parametrize(
    "whole",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
        CHUNKED + b"\r\n2\r\nok\r\n0\r\n\r\n",
    ],
)
async def test_r36_surplus_bytes_never_begin_the_next_answer(lab, whole, pause):
    """A second message behind the first, at once or later, closes the connection; the next answer is its own."""
    evil = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    door, upstream, client = await lab(always(whole, evil, pause=pause))
    (pool,) = door.forwarder._pools.values()

    answers = []
    for _ in range(2):
        answers.append(await client.get("/"))
        await eventually(lambda: not pool.size)

    assert all(answer.body in {b"ok", b""} for answer in answers)
    assert upstream.connections == 2


async def test_r36_a_body_without_framing_ends_with_its_connection(lab):
    """No length and not chunked: until end of file, passed on in chunks, and never reused."""

    async def script(call):
        await call.send(b"HTTP/1.1 200 OK\r\n\r\n", b"abc", b"def", pause=0.02)
        return "close"

    _, upstream, client = await lab(script)

    answers = [await client.get("/") for _ in range(2)]

    assert [answer.body for answer in answers] == [b"abcdef", b"abcdef"]
    assert upstream.connections == 2


async def test_r36_bytes_while_idle_close_the_connection(lab):
    """What an upstream says unasked is thrown away with its connection."""

    async def script(call):
        await call.send(reply(b"one"))
        await asyncio.sleep(0.05)
        await call.send(reply(b"unasked"))

    door, upstream, client = await lab(script)
    (pool,) = door.forwarder._pools.values()

    first = await client.get("/")
    await eventually(lambda: not pool.size)
    second = await client.get("/")

    assert (first.body, second.body) == (b"one", b"one")
    assert upstream.connections == 2


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
async def test_statuses_without_body(lab, status):
    """204 and 304 end with their head and keep both connections."""
    _, upstream, client = await lab(always(b"HTTP/1.1 " + status + b'\r\nETag: "x"\r\n\r\n'))

    answers = [await client.get("/") for _ in range(2)]

    assert [answer.value(b"etag") for answer in answers] == [b'"x"', b'"x"']
    assert upstream.connections == 1


async def test_pipelined_requests_are_answered_in_order(lab):
    """Three requests in one segment get three answers in their order."""

    async def script(call):
        await call.send(reply(call.request_line))

    _, _, client = await lab(script)

    await client.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: app.test\r\n\r\n" % n for n in range(3)))
    answers = [await client.response() for _ in range(3)]

    assert [answer.body for answer in answers] == [b"GET /%d HTTP/1.1" % n for n in range(3)]


async def test_early_hints_pass_and_continue_is_swallowed(lab):
    """103 reaches the client before the response; 100 and 102 do not."""
    _, upstream, client = await lab(
        always(
            b"HTTP/1.1 100 Continue\r\n\r\n",
            b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nConnection: x\r\nX: y\r\nSet-Cookie: a=b\r\n\r\n",
            b"HTTP/1.1 102 Processing\r\n\r\n" + reply(b"done"),
            pause=0.02,
        )
    )

    await client.ask("/")
    hints, answer = await client.response(), await client.response()

    assert (hints.status, hints.headers) == (103, [(b"Link", b"</a.css>; rel=preload")])
    assert (answer.status, answer.body) == (200, b"done")
    await client.ask("/")
    await client.response()
    await client.response()
    assert upstream.connections == 1


async def test_early_hints_are_not_for_http10(lab):
    """An HTTP/1.0 client would take a 1xx for the response."""
    _, _, client = await lab(always(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + reply(b"done")))

    assert (await client.get("/", version="1.0")).status == 200


async def test_endless_interim_responses_are_broken_off(lab):
    """An upstream that only ever promises is a broken one."""
    _, _, client = await lab(always(b"HTTP/1.1 102 Processing\r\n\r\n" * 40))

    assert (await client.get("/")).body == b"broken_response"


async def test_the_target_is_forwarded_untouched(lab):
    """r32: percent-encoding, case, plus signs and empty queries reach the upstream as they came."""
    _, upstream, client = await lab(always(reply()))

    targets = ["/a%20b%7e/%E2%82%AC?x=%2F+%zz", "/?", "/a?b?c&&d", "/caf%c3%a9"]
    for target in targets:
        await client.get(target)

    assert [call.request_line.split()[1].decode() for call in upstream.calls] == targets


async def test_identity_is_injected_and_aliases_are_stripped(lab):
    """The upstream sees one identity, the gateway's, and one set of forwarded headers."""
    _, upstream, client = await lab(
        always(reply()),
        identity=((b"X-Auth-Request-User", b"alice"), (b"X-Team", b"core")),
        options=IdentityOptions(claims=(("X-Team", "team"),)),
    )

    await client.get(
        "/",
        "X-Auth-Request-User: mallory",
        "x_auth_request_user: mallory",
        "X-AUTH-REQUEST-EMAIL: m@example.com",
        "X-Team: admins",
        "X_Team: admins",
        "X-Forwarded-For: 1.2.3.4",
        "X-Forwarded-Prefix: /x",
        "Forwarded: for=1.2.3.4",
        "X-Real-IP: 1.2.3.4",
        "X-Original-URL: /admin",
        "Connection: X-Auth-Request-User, keep-alive, X-Extra, X-Forwarded-For",
        "X-Extra: hop",
        "X-Kept: yes",
        "TE: trailers",
        "X-HTTP-Method-Override: DELETE",
    )

    assert upstream.calls[0].headers == [
        (b"Host", b"app.test"),
        (b"X-Kept", b"yes"),
        (b"X-Forwarded-For", b"127.0.0.1"),
        (b"X-Forwarded-Proto", b"https"),
        (b"X-Forwarded-Host", b"app.test"),
        (b"X-Auth-Request-User", b"alice"),
        (b"X-Team", b"core"),
    ]


async def test_own_cookies_never_pass_in_either_direction(lab):
    """r17: the upstream sees the other cookies byte for byte; its Set-Cookie of our names is dropped."""
    _, upstream, client = await lab(
        always(reply(b"", b"Set-Cookie: a=1; Path=/", b"Set-Cookie: __Host-session=stolen; Path=/; Secure")),
        set_cookies=["__Host-session=fresh; Path=/"],
    )

    answer = await client.get(
        "/", 'Cookie: a="1 ";  __Host-session=secret; b=\xe9;c', "Cookie: __Host-logout=x"
    )

    assert upstream.calls[0].values(b"cookie") == [b'a="1 "; b=\xe9;c']
    assert answer.values(b"set-cookie") == [b"a=1; Path=/", b"__Host-session=fresh; Path=/"]


async def test_a_document_is_not_stored(lab):
    """r27: a navigation's answer is no-store, its 304 included; another one becomes private."""
    _, _, client = await lab(
        always(reply(b"x", b"Cache-Control: public, max-age=60", b"CDN-Cache-Control: max-age=9"))
    )

    document = await client.get("/", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document")
    asset = await client.get("/x.js", "Sec-Fetch-Dest: script")

    assert document.values(b"cache-control") == [b"no-store"]
    assert asset.values(b"cache-control") == [b"max-age=60, private"]
    assert asset.value(b"cdn-cache-control") is None


async def test_a_unix_socket_is_an_upstream(tmp_path):
    """unix:/path reaches an application that listens on a socket file."""
    upstream = await FakeUpstream(always(reply(b"over a socket file"))).start(str(tmp_path / "app.sock"))
    door = await Door(Route("/", f"unix:{tmp_path}/app.sock")).start()
    client = await door.client()

    answer = await client.get("/")

    assert answer.body == b"over a socket file"
    await client.close()
    await door.close()
    await upstream.close()


async def test_routes_share_a_pool_by_address_and_match_by_longest_prefix():
    """The longest prefix wins; a path that none covers is not found."""
    upstream = await FakeUpstream(always(reply())).start()
    forwarder = Forwarder(
        [Route("/app/", upstream.url), Route("/app/api/", upstream.url)],
        live=Door(Route("/", upstream.url)).live,
    )

    assert forwarder.route_for("/app/api/x").path == "/app/api/"
    assert forwarder.route_for("/app/apix").path == "/app/"
    with pytest.raises(Exception, match="not_found"):
        forwarder.route_for("/other")
    await forwarder.close()
    await upstream.close()


async def test_idle_connections_are_closed_after_a_while(lab, hand):
    """A free connection is not kept for ever."""
    _, upstream, client = await lab(always(reply()), keep_alive=10.0)

    await client.get("/")
    hand.goes(9.0)
    await client.get("/")
    assert upstream.connections == 1
    hand.goes(20.0)

    await eventually(lambda: not upstream._tasks)

"""Request bodies on their way to the upstream."""

from __future__ import annotations

import asyncio

import pytest

from tests.fakes.door import comes_to_rest, eventually, open_lab
from tests.fakes.patience import PATIENCE
from tests.fakes.upstream import reply

lab = pytest.fixture(open_lab)


async def echo(call):
    """Answer with the request's body."""
    await call.send(reply(await call.body()))


async def post(client, *pieces, headers=(), pause=0.0, path="/"):
    lines = (f"POST {path} HTTP/1.1", "Host: app.test", *headers, "", "")
    await client.send("\r\n".join(lines).encode())
    for piece in pieces:
        await asyncio.sleep(pause)
        await client.send(piece)


async def test_a_small_body_goes_with_its_head(lab):
    """A body that came with the head is sent with the head, under its length."""
    _, upstream, client = await lab(echo)

    await client.send(b"POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5\r\n\r\nhello")

    assert (await client.response()).body == b"hello"
    assert upstream.calls[0].values(b"content-length") == [b"5"]


@pytest.mark.parametrize("pause", [0.0, 0.02])
async def test_a_chunked_body_stays_chunked(lab, pause):
    """Chunks arrive as chunks; request trailers are dropped, and so is their announcement."""
    _, upstream, client = await lab(echo)

    await post(
        client, b"5\r\nhello\r\n", b"6\r\n world\r\n", b"0\r\nX-Trailer: x\r\n\r\n",
        headers=("Transfer-Encoding: chunked", "Trailer: X-Trailer"), pause=pause,
    )  # fmt: skip

    assert (await client.response()).body == b"hello world"
    assert upstream.calls[0].values(b"transfer-encoding") == [b"chunked"]
    assert (upstream.calls[0].values(b"trailer"), upstream.calls[0].trailers) == ([], b"")
    assert (await client.get("/")).status == 200


async def test_an_empty_chunked_body_is_ended(lab):
    """A chunked body without a byte still gets its last chunk."""
    _, _, client = await lab(echo)

    await post(client, b"0\r\n\r\n", headers=("Transfer-Encoding: chunked",))

    assert (await client.response()).body == b""


async def test_a_large_upload_streams_and_the_connection_is_reused(lab):
    """A body larger than all buffers arrives whole, and both connections go on."""
    size = 5_000_000

    async def count(call):
        await call.send(reply(b"%d" % len(await call.body())))

    _, upstream, client = await lab(count)

    await post(client, b"x" * size, headers=(f"Content-Length: {size}",))

    assert (await client.response()).body == b"%d" % size
    assert (await client.get("/")).body == b"0"
    assert upstream.connections == 1


async def test_an_upload_is_held_back_by_a_slow_upstream(lab):
    """An upstream that does not read stops the client; memory stays bounded."""
    release = asyncio.Event()

    async def slow(call):
        await release.wait()
        await call.send(reply(b"%d" % len(await call.body())))

    _, _, client = await lab(slow)
    sent = 0
    await client.send(b"POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n")

    async def upload():
        nonlocal sent
        while sent < 1_000_000_000 and not release.is_set():
            await client.send(b"186a0\r\n" + b"x" * 100_000 + b"\r\n")
            sent += 100_000
        await client.send(b"0\r\n\r\n")

    uploading = asyncio.create_task(upload())
    assert await comes_to_rest(lambda: sent) < 500_000_000  # kernels take tens of megabytes where they may
    release.set()
    await uploading
    assert (await client.response()).body == b"%d" % sent


async def test_expect_continue_is_answered_by_the_gateway(lab):
    """The client is told to go on, and the upstream never sees the expectation."""
    _, upstream, client = await lab(echo)

    await post(client, headers=("Content-Length: 3", "Expect: 100-continue"))
    interim = await client.response()
    await client.send(b"abc")

    assert interim.status == 100
    assert (await client.response()).body == b"abc"
    assert upstream.calls[0].values(b"expect") == []


async def test_an_early_response_passes_while_the_upload_runs(lab):
    """An upstream that refuses in mid-upload is heard at once; its connection is not used again."""

    async def refuse(call):
        await call.reader.readexactly(10)
        await call.send(reply(b"too much", status=b"413 Content Too Large"))
        await call.client_gone()
        return "close"

    _, upstream, client = await lab(refuse)

    await post(client, b"x" * 10, headers=("Content-Length: 1000000",))

    assert (await client.response()).status == 413
    await eventually(upstream.calls[0].ended.is_set)


async def test_a_duplex_exchange_streams_both_ways(lab):
    """A response may run while its request is still being sent."""

    async def each_chunk(call):
        await call.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        async for chunk in call.chunks():
            await call.send(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        await call.send(b"0\r\n\r\n")

    _, upstream, client = await lab(each_chunk)

    await post(client, headers=("Transfer-Encoding: chunked",))
    await client.head()
    for word in (b"one", b"two"):
        await client.send(b"3\r\n%b\r\n" % word)
        assert (
            await asyncio.wait_for(client.reader.readuntil(word + b"\r\n"), PATIENCE)
            == b"3\r\n" + word + b"\r\n"
        )
    await client.send(b"0\r\n\r\n")

    assert await asyncio.wait_for(client.reader.readuntil(b"0\r\n\r\n"), PATIENCE)
    await post(client, b"0\r\n\r\n", headers=("Transfer-Encoding: chunked",))
    assert (await client.response()).status == 200
    assert upstream.connections == 1


async def test_a_client_that_breaks_off_breaks_the_upload_visibly(lab):
    """A truncated body never looks whole to the upstream."""
    seen = {}

    async def script(call):
        try:
            await call.body()
        except (asyncio.IncompleteReadError, ConnectionError, ValueError) as error:
            seen["error"] = type(error)
            raise

    _, upstream, client = await lab(script)

    await post(client, b"5\r\nhello\r\n", headers=("Transfer-Encoding: chunked",))
    await eventually(lambda: upstream.calls)
    await client.close()

    await eventually(lambda: seen)


async def test_a_malformed_chunk_is_the_clients_fault(lab, hand):
    """A body that breaks its own framing never looks whole to the upstream."""
    ended = asyncio.Event()

    async def script(call):
        try:
            await call.body()
        except (asyncio.IncompleteReadError, ConnectionError, ValueError):
            ended.set()
            raise asyncio.IncompleteReadError(b"", None) from None

    # aiohttp does not tell the reader of a body that its framing broke, so the idle limit is what ends it.
    _, upstream, client = await lab(script, idle=10)

    await post(client, b"5\r\nhello\r\n", headers=("Transfer-Encoding: chunked",))
    await eventually(lambda: upstream.calls)
    await client.send(b"zz\r\n")
    hand.goes(20)

    assert (await client.response()).status >= 400
    await asyncio.wait_for(ended.wait(), PATIENCE)


@pytest.mark.parametrize("framing", ["Content-Length: 20", "Transfer-Encoding: chunked"])
async def test_a_body_over_the_limit_is_refused(lab, framing):
    """By its length before anything is sent, by its chunks as soon as they are too many."""
    door, upstream, client = await lab(echo, body=10)

    body = b"x" * 20 if "Length" in framing else b"14\r\n" + b"x" * 20 + b"\r\n0\r\n\r\n"
    await post(client, body, headers=(framing,))

    assert (await client.response()).body == b"too_large"
    assert [error.code for error in door.errors] == ["too_large"]
    assert not upstream.calls


@pytest.mark.parametrize(("within", "waited"), [(0, 60), (600, 600), (5, 5)])
async def test_a_body_that_pauses_is_waited_for_as_long_as_its_upstream_allows(lab, hand, within, waited):
    """A pause of 25 s is none by default; `upstreams[].client_body` is longer or shorter than the door's own."""
    door, upstream, client = await lab(echo, idle=3, first_byte=1_000, client_body=within)

    await post(client, b"abc", headers=("Content-Length: 10",))
    await eventually(lambda: upstream.calls)
    hand.goes(2)  # a window begins with the first look
    hand.goes(waited - 3)
    assert not door.errors
    hand.goes(5)

    assert (await client.response()).body == b"too_slow"
    assert [error.code for error in door.errors] == ["too_slow"]


async def test_an_upload_that_pauses_for_25_seconds_arrives(lab, hand):
    """Nothing but the pause is slow about it."""
    _, upstream, client = await lab(echo)
    await post(client, b"a" * 50_000, headers=("Content-Length: 100000",))
    await eventually(lambda: upstream.calls)
    for _ in range(5):
        hand.goes(5)
    await client.send(b"b" * 50_000)
    assert len((await client.response()).body) == 100_000

"""A directory as an upstream, over the wire: fallback, encodings, ranges, caching, and no way out."""

from __future__ import annotations

import asyncio
import os

import pytest

from gateway.core.routes import Route
from tests.fakes.door import Door, eventually, session

INDEX = b"<!doctype html><title>app</title>"
BIG = os.urandom(3_000_000)


@pytest.fixture
def root(tmp_path):
    site = tmp_path / "site"
    (site / "assets").mkdir(parents=True)
    (site / "docs").mkdir()
    (site / ".git").mkdir()
    (site / ".well-known").mkdir()
    (site / "index.html").write_bytes(INDEX)
    (site / "docs/index.html").write_bytes(b"docs")
    (site / "assets/index-DiwrgTda.js").write_bytes(b"let a = 1")
    (site / "assets/index-DiwrgTda.js.br").write_bytes(b"BR")
    (site / "assets/index-DiwrgTda.js.gz").write_bytes(b"GZ")
    (site / "logo.svg").write_bytes(b"<svg/>")
    (site / "big.bin").write_bytes(BIG)
    (site / "empty.txt").write_bytes(b"")
    (site / ".git/config").write_bytes(b"secret")
    (site / ".well-known/x.txt").write_bytes(b"known")
    (tmp_path / "secret.txt").write_bytes(b"secret")
    (site / "out.txt").symlink_to(tmp_path / "secret.txt")
    (site / "out").symlink_to(tmp_path)
    (site / "in.svg").symlink_to("logo.svg")
    os.mkfifo(site / "pipe")
    return site


@pytest.fixture
async def lab(root):
    door = await Door(Route("/", f"file://{root}"), who=session("s")).start()
    client = await door.client()
    yield door, client
    await client.close()
    await door.close()


async def test_files_and_places(lab):
    """Files are served with their type; places inside the application get index.html; missing assets are missing."""
    _, client = lab

    logo = await client.get("/logo.svg")
    places = [await client.get(path) for path in ("/", "/orders/7", "/orders/")]
    document = await client.get("/v1.2/notes.old", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document")
    missing = await client.get("/assets/gone.js", "Sec-Fetch-Dest: script")

    assert (logo.body, logo.value(b"content-type")) == (b"<svg/>", b"image/svg+xml")
    assert [place.body for place in (*places, document)] == [INDEX] * 4
    assert {place.value(b"cache-control") for place in (*places, document)} == {b"no-store"}
    assert (missing.status, missing.body) == (404, b"Not found.\n")


async def test_directories_with_an_index_of_their_own(lab):
    """Without the slash they redirect, so that relative links hold; the query stays."""
    _, client = lab

    assert (await client.get("/docs/")).body == b"docs"
    answer = await client.get("/docs?x=1")
    assert (answer.status, answer.value(b"location")) == (301, b"/docs/?x=1")


@pytest.mark.parametrize(
    "path",
    [
        "/out.txt",
        "/out/secret.txt",
        "/.git/config",
        "/pipe",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/.env",
    ],
)
async def test_nothing_outside_the_root_is_served(lab, path):
    """Links that leave the root, hidden files, dot segments and pipes are no files."""
    _, client = lab

    answer = await client.get(path, "Sec-Fetch-Dest: script")

    assert b"secret" not in answer.body
    assert answer.body in {b"Not found.\n", INDEX, b"ambiguous_target"}


async def test_what_stays_inside_the_root_is_served(lab):
    """A link within the root, and .well-known."""
    _, client = lab

    assert (await client.get("/in.svg")).body == b"<svg/>"
    assert (await client.get("/.well-known/x.txt")).body == b"known"


@pytest.mark.parametrize(
    ("accept", "body", "encoding"),
    [
        ("gzip, deflate, br", b"BR", b"br"),
        ("gzip", b"GZ", b"gzip"),
        ("br;q=0, gzip;q=0.5", b"GZ", b"gzip"),
        ("br;q=0.1, gzip;q=0.5", b"GZ", b"gzip"),
        ("*", b"BR", b"br"),
        ("identity", b"let a = 1", None),
    ],
)
async def test_precompressed_variants(lab, accept, body, encoding):
    """The best variant the client takes, under an ETag of its own, with Vary."""
    _, client = lab

    answer = await client.get("/assets/index-DiwrgTda.js", f"Accept-Encoding: {accept}")

    assert (answer.body, answer.value(b"content-encoding"), answer.value(b"vary")) == (
        body,
        encoding,
        b"Accept-Encoding",
    )
    assert answer.value(b"cache-control") == b"max-age=31536000, immutable, private"
    again = await client.get(
        "/assets/index-DiwrgTda.js",
        f"Accept-Encoding: {accept}",
        f"If-None-Match: {answer.value(b'etag').decode()}",
    )
    assert (again.status, again.value(b"etag")) == (304, answer.value(b"etag"))


async def test_conditional_requests(lab):
    """If-None-Match goes before If-Modified-Since."""
    _, client = lab
    first = await client.get("/logo.svg")
    since = f"If-Modified-Since: {first.value(b'last-modified').decode()}"

    assert (await client.get("/logo.svg", since)).status == 304
    assert (await client.get("/logo.svg", since, 'If-None-Match: "other"')).status == 200
    assert (await client.get("/logo.svg", "If-Modified-Since: nonsense")).status == 200
    assert first.value(b"cache-control") == b"no-cache, private"


async def test_a_large_file_streams_and_ranges_hold(lab):
    """All of it, a part from the middle, the end, and a range that is not there."""
    door, client = lab

    whole = await client.get("/big.bin")
    part = await client.get("/big.bin", "Range: bytes=1000000-1999999")
    tail = await client.get("/big.bin", "Range: bytes=-5")
    beyond = await client.get("/big.bin", "Range: bytes=3000000-")
    stale = await client.get("/big.bin", "Range: bytes=0-4", 'If-Range: "other"')

    assert whole.body == BIG
    assert (part.status, part.body) == (206, BIG[1_000_000:2_000_000])
    assert part.value(b"content-range") == b"bytes 1000000-1999999/3000000"
    assert (tail.status, tail.body) == (206, BIG[-5:])
    assert (beyond.status, beyond.value(b"content-range")) == (416, b"bytes */3000000")
    assert (stale.status, len(stale.body)) == (200, 3_000_000)
    await eventually(lambda: len(door.live) == 0)


async def test_head_and_other_methods(lab):
    """HEAD gives the head alone; nothing can be written."""
    _, client = lab

    head = await client.get("/big.bin", method="HEAD")
    post = await client.get("/logo.svg", "Content-Length: 0", method="POST")

    assert (head.status, head.value(b"content-length")) == (200, b"3000000")
    assert (post.status, post.value(b"allow")) == (405, b"GET, HEAD")
    assert (await client.get("/empty.txt")).body == b""


async def test_r22_a_file_under_way_is_broken_off_when_its_session_ends(lab, root):
    """A slow download is visibly incomplete after sign-out."""
    door, client = lab
    with (root / "huge.bin").open("wb") as file:
        file.truncate(200_000_000)
    await client.ask("/huge.bin")
    await client.head()
    await eventually(lambda: len(door.live) == 1)

    assert door.live.end("s", "signed out") == 1

    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await client.reader.readexactly(200_000_000)


async def test_a_file_that_shrinks_is_broken_off(lab, root):
    """A file that becomes shorter while it is sent never looks complete."""
    _, client = lab
    path = root / "shrinking.bin"
    with path.open("wb") as file:
        file.truncate(100_000_000)
    await client.ask("/shrinking.bin")
    await client.head()
    os.truncate(path, 1_000)

    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await client.reader.readexactly(100_000_000)


async def test_a_prefix_has_its_own_application(tmp_path):
    """A route's prefix is part of the path below the root, and its index.html answers for its places."""
    (tmp_path / "admin").mkdir()
    (tmp_path / "admin/index.html").write_bytes(b"admin")
    door = await Door(Route("/admin/", f"file://{tmp_path}")).start()
    client = await door.client()

    assert (await client.get("/admin/users/1")).body == b"admin"
    await client.close()
    await door.close()

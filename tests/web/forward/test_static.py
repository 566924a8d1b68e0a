"""A directory as an upstream, over the wire: fallback, encodings, caching, and no way out; large files: test_downloads."""

from __future__ import annotations

import os

import pytest

from gateway.core.http.routes import Route
from tests.fakes.door import Door, session

NAVIGATION = ("Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document")
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
    (site / "loop").symlink_to("loop")
    (site / "assets/.index.js.swp").write_bytes(b"secret")
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
    """Files are served with their type; whoever goes to a place inside the application gets index.html."""
    _, client = lab

    logo = await client.get("/logo.svg")
    start = await client.get("/")
    places = [await client.get(path, *NAVIGATION) for path in ("/orders/7", "/orders/", "/v1.2/notes.old")]
    places.append(await client.get("/orders/7", "Accept: text/html,*/*;q=0.8"))
    frame = await client.get("/orders/7", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe")

    assert (logo.body, logo.value(b"content-type")) == (b"<svg/>", b"image/svg+xml")
    assert [each.body for each in (start, *places, frame)] == [INDEX] * 6
    assert {each.value(b"cache-control") for each in (start, *places, frame)} == {b"no-store"}


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/assets/gone.js", ("Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: script")),
        ("/api/orders/7", ("Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty", "Accept: */*")),
        ("/api/orders/7", ("Accept: application/json",)),
        ("/orders/7", ("Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty", "Accept: text/html")),
    ],
)
async def test_what_nobody_goes_to_is_missing(lab, path, headers):
    """A script, and a call to an API that is not there: 404, not a page with status 200."""
    _, client = lab

    answer = await client.get(path, *headers)

    assert (answer.status, answer.body) == (404, b"Not found.\n")


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
        "/..%5csecret.txt",
        "/%00",
        "/out.txt%00.svg",
        "/.%00./secret.txt",
        "/%ff",
        "/%ed%a0%80",
        "/.env",
        "/assets/.index.js.swp",
        "/loop/secret.txt",
        "/" + "a" * 300,
        "/" + "a/" * 2_000,
    ],
)
async def test_nothing_outside_the_root_is_served(lab, path):
    """Links that leave the root or go in circles, hidden files, dot segments, pipes and endless names are no files."""
    _, client = lab

    answer = await client.get(path, "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: script")

    assert (answer.status, answer.body) in {(404, b"Not found.\n"), (400, b"ambiguous_target")}


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


async def test_head_and_other_methods(lab):
    """HEAD gives the head alone; nothing can be written."""
    _, client = lab

    head = await client.get("/big.bin", method="HEAD")
    post = await client.get("/logo.svg", "Content-Length: 0", method="POST")

    missing = await client.get("/gone.js", method="HEAD")

    assert (head.status, head.value(b"content-length")) == (200, b"3000000")
    assert (missing.status, missing.value(b"content-length")) == (404, b"11")
    assert (post.status, post.value(b"allow")) == (405, b"GET, HEAD")
    assert (await client.get("/empty.txt")).body == b""


async def test_a_prefix_has_its_own_application(tmp_path):
    """A route's prefix is part of the path below the root, and its index.html answers for its places."""
    (tmp_path / "admin").mkdir()
    (tmp_path / "admin/index.html").write_bytes(b"admin")
    door = await Door(Route("/admin/", f"file://{tmp_path}")).start()
    client = await door.client()

    assert (await client.get("/admin/users/1", *NAVIGATION)).body == b"admin"
    await client.close()
    await door.close()


@pytest.mark.parametrize("path", ["/big.bin", "/logo.svg", "/orders/7", "/assets/none.js"])
async def test_a_session_that_has_ended_gets_no_file(root, path):
    """It ended between the decision and the file, for a disk may take long: nothing of it is sent, large or small."""
    door = Door(
        Route("/", f"file://{root}"), who=session("s"), alive=lambda _: False, tab_script="/oauth2/tab.js"
    )
    await door.start()
    client = await door.client()

    await client.ask(path, "Connection: close", *(NAVIGATION if path == "/orders/7" else ()))

    assert await client.until_reset() == b""
    await client.close()
    await door.close()

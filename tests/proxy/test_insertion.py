"""The tab script in HTML that passes through, in pieces and at once."""

from __future__ import annotations

import pytest

from gateway.core.http.routes import Route
from gateway.proxy.connection import UpstreamConnection
from tests.fakes.door import Door, eventually, open_lab, session
from tests.fakes.upstream import always, reply

lab = pytest.fixture(open_lab)

SCRIPT = "/oauth2/tab.js"
TAG = b'<script src="/oauth2/tab.js" async></script>'
DOCUMENT = ("Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "Sec-Fetch-Site: none")
PAGE, PAGE_WITH = b"<!doctype html><head><p>x", b"<!doctype html><head>" + TAG + b"<p>x"
HTML = (b"Content-Type: text/html", b'ETag: "a"')
HTML_LINES = b"\r\n".join((*HTML, b""))


def asking(script: str = SCRIPT, **changes):
    return {"tab_script": script, "who": session("s"), **changes}


async def test_a_document_of_a_signed_in_user_gets_it(lab):
    """With its new length, stored by nobody, without the validator of the old bytes; the connection goes on."""
    _, upstream, client = await lab(always(reply(PAGE, *HTML)), **asking())
    for _ in range(2):
        answer = await client.get(
            "/", *DOCUMENT, "Accept-Encoding: gzip, br", "Range: bytes=0-", 'If-None-Match: "a"'
        )
        assert answer.body == PAGE_WITH
        assert answer.value(b"content-length") == b"%d" % len(PAGE_WITH)
        assert answer.value(b"etag") is None
        assert answer.value(b"cache-control") == b"no-store"
    assert upstream.connections == 1
    for name in (b"accept-encoding", b"range", b"if-none-match"):
        assert upstream.calls[-1].values(name) == []


@pytest.mark.parametrize(
    ("options", "headers"),
    [
        ({"who": None}, DOCUMENT),
        ({"script": ""}, DOCUMENT),
        ({}, ("Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty", "Sec-Fetch-Site: same-origin")),
    ],
    ids=["nobody signed in", "not configured", "a fetch"],
)
async def test_anything_else_passes_as_it_is(lab, options, headers):
    """Whole, with its validator, and asked for as the client asked."""
    _, upstream, client = await lab(always(reply(PAGE, *HTML)), **asking(**options))
    answer = await client.get("/", *headers, "Accept-Encoding: gzip")
    assert (answer.body, answer.value(b"etag")) == (PAGE, b'"a"')
    assert upstream.calls[-1].values(b"accept-encoding") == [b"gzip"]


async def test_a_head_request_is_answered_as_it_is(lab):
    """There is nothing to put anything into."""
    _, _, client = await lab(
        always(b"HTTP/1.1 200 OK\r\nContent-Length: 25\r\n" + HTML_LINES + b"\r\n"), **asking()
    )
    answer = await client.get("/", *DOCUMENT, method="HEAD")
    assert answer.value(b"content-length") == b"25"


FRAMINGS = {
    "length": (b"Content-Length: 25\r\n", [b"<!doctype", b" html><he", b"ad><p", b">x"]),
    "chunks": (
        b"Transfer-Encoding: chunked\r\n",
        [b"9\r\n<!doctype\r\n", b"9\r\n html><he\r\n7\r\nad><p>x\r\n", b"0\r\n\r\n"],
    ),
    "end": (b"", [b"<!doctype", b" html><he", b"ad><p>x"]),
}


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("version", ["1.1", "1.0"])
async def test_a_document_that_comes_in_pieces(lab, framing, version, monkeypatch):
    """It goes out in pieces: in chunks, or until the connection ends."""
    fields, pieces = FRAMINGS[framing]
    received, take = [], UpstreamConnection.data_received

    def noted(connection, data):
        received.append(data)
        take(connection, data)

    monkeypatch.setattr(UpstreamConnection, "data_received", noted)

    async def script(call):
        sent = b""
        for piece in (b"HTTP/1.1 200 OK\r\n" + HTML_LINES + fields + b"\r\n", *pieces):
            await call.send(piece)
            sent += piece
            await eventually(lambda sent=sent: b"".join(received) == sent)
        return "close"

    _, _, client = await lab(script, **asking())
    answer = await client.get("/", *DOCUMENT, version=version)
    assert answer.body == PAGE_WITH
    chunked = answer.value(b"transfer-encoding") == b"chunked"
    assert (chunked, answer.value(b"connection")) == ((True, None) if version == "1.1" else (False, b"close"))


async def test_a_document_that_breaks_off_breaks_off(lab):
    """Nobody takes it for complete."""

    async def script(call):
        await call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n" + HTML_LINES + b"\r\n" + PAGE)
        return "close"

    _, _, client = await lab(script, **asking())
    await client.ask("/", *DOCUMENT)
    with pytest.raises((ConnectionError, EOFError)):
        await client.response()


async def test_an_upstream_that_compresses_all_the_same(lab):
    """Its document passes untouched."""
    packed = reply(b"\x1f\x8b...", *HTML, b"Content-Encoding: gzip")
    _, _, client = await lab(always(packed), **asking())
    answer = await client.get("/", *DOCUMENT)
    assert (answer.body, answer.value(b"etag")) == (b"\x1f\x8b...", b'"a"')


async def test_a_nonce_goes_along(lab):
    """The application's own policy lets the script run."""
    page = reply(PAGE, *HTML, b"Content-Security-Policy: script-src 'nonce-r4nd0m'")
    _, _, client = await lab(always(page), **asking())
    assert (
        b'<script src="/oauth2/tab.js" async nonce="r4nd0m"></script>'
        in (await client.get("/", *DOCUMENT)).body
    )


@pytest.fixture
def site(tmp_path):
    (tmp_path / "index.html").write_bytes(PAGE)
    (tmp_path / "index.html.gz").write_bytes(b"GZ")
    (tmp_path / "long.html").write_bytes(PAGE + b"x" * 200_000)
    (tmp_path / "longest.html").write_bytes(PAGE + b"x" * 2_000_000)
    (tmp_path / "piece.html").write_bytes(b"<p>x")
    return tmp_path


async def test_documents_from_a_directory_get_it(site):
    """The built application's index.html, for all its places, and longer ones; compressed variants are left aside."""
    door = await Door(Route("/", f"file://{site}"), **asking()).start()
    client = await door.client()
    for path in ("/", "/reports/7"):
        answer = await client.get(path, *DOCUMENT, "Accept-Encoding: gzip", "Range: bytes=0-3")
        assert (answer.status, answer.body) == (200, PAGE_WITH)
        assert answer.value(b"content-length") == b"%d" % len(PAGE_WITH)
        assert (answer.value(b"etag"), answer.value(b"content-encoding")) == (None, None)
    assert (await client.get("/long.html", *DOCUMENT)).body == PAGE_WITH + b"x" * 200_000
    await client.close()
    await door.close()


async def test_other_files_pass_as_they_are(site):
    """Pieces, documents beyond the limit, and whatever a script asks for."""
    door = await Door(Route("/", f"file://{site}"), **asking()).start()
    client = await door.client()
    assert (await client.get("/piece.html", *DOCUMENT)).body == b"<p>x"
    assert TAG not in (await client.get("/longest.html", *DOCUMENT)).body
    answer = await client.get("/", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty", "Accept-Encoding: gzip")
    assert (answer.body, answer.value(b"content-encoding")) == (b"GZ", b"gzip")
    await client.close()
    await door.close()

"""Where the script goes in a stream of HTML, and where it does not go."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.http.response_headers import CHUNKED, LENGTH, NONE, downstream_response_headers
from gateway.core.http.tab_injection import LONGEST, Insertion, insertion, nonce_of, reframed, uncompressed

TAG = b'<script src="/oauth2/tab.js" async></script>'
DOCUMENTS = [
    b"<!doctype html><html><head>|<title>x</title></head><body></body></html>",
    b'<!DOCTYPE html>\n<HTML lang="en">\n  <HEAD prefix="a>b">|\n<meta charset=utf-8>',
    b"\xef\xbb\xbf \r\n<!-- <head> --><!doctype html><!--><!---><html><!-- a --!>\n<head\n>|x",
    b"<!doctype html>|<title>x</title>",
    b"<!doctype html>\n\n|<p>x",
    b"<!doctype html>|x",
    b'<html class=\'a>b\' data-x=a"b id = "c">|<body>x',
    b"<html>|</html>",
    b"<html>|<header>x",
    b"<head>|<title>x</title>",
    b"<head/>|x",
    b'<?xml version="1.0"?><!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://x"><html><head>|x',
]
PIECES = [
    b"",
    b" ",
    b"<p>x</p>",
    b"<li>x</li><!doctype html><html><head>",
    b"x<!doctype html><html><head>",
    b"<!-- only a comment --><div><head></div>",
    b"<header>x</header>",
    b"<htmlx><head>",
    b"</div><html><head>",
    "<!doctype html><head>".encode("utf-16"),
    b"{}",
]
UNFINISHED = [
    b"<!doctype html",
    b"<!doctype html><html><hea",
    b"<!--",
    b"<html class='a>",
    b"<",
    b"<!doctype html>",
]


def fed(*pieces: bytes) -> bytes:
    """What comes out of these pieces."""
    way = Insertion(TAG)
    return b"".join(way.feed(piece, last=False) for piece in pieces) + way.feed(b"", last=True)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_document_gets_it_first_in_its_head(document):
    """Right behind the head's tag, or where the head begins without one; every other byte passes."""
    assert fed(document.replace(b"|", b"")) == document.replace(b"|", TAG)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_however_it_comes(document):
    """Byte by byte, and in every two pieces."""
    plain, expected = document.replace(b"|", b""), document.replace(b"|", TAG)
    assert fed(*(plain[at : at + 1] for at in range(len(plain)))) == expected
    assert {fed(plain[:at], plain[at:]) for at in range(len(plain))} == {expected}


@pytest.mark.parametrize("piece", PIECES + UNFINISHED)
def test_what_is_no_document_passes_untouched(piece):
    """Pieces for a page that is there already, other text, and what ends before its head begins."""
    assert fed(piece) == piece


def test_what_follows_is_not_held_back():
    """Once the place is found, or there is none, bytes pass as they come."""
    way = Insertion(TAG)
    assert way.feed(b"<!doctype html><he", last=False) == b""
    assert way.feed(b"ad>", last=False) == b"<!doctype html><head>" + TAG
    assert way.feed(b"<title>", last=False) == b"<title>"
    piece = Insertion(TAG)
    assert piece.feed(b"<p", last=False) == b"<p"


@pytest.mark.parametrize(
    "endless", [b"<!--" + b"x" * LONGEST, b"<!doctype html>" + b" " * LONGEST, b"<html " + b"a" * LONGEST]
)
def test_no_more_than_the_limit_is_held_back(endless):
    """Then all of it passes, and the rest as it comes."""
    way = Insertion(TAG)
    assert way.feed(endless, last=False) == endless
    assert way.feed(b"--><head>", last=False) == b"--><head>"


@given(
    st.lists(
        st.sampled_from(
            [b"<", b"!--", b"-->", b"<html", b"<head", b"=", b'"', b"'", b">", b" ", b"x", b"<!doctype"]
        )
    )
)
def test_whatever_comes_is_only_added_to(pieces):
    """Without the script it is what it was, and in pieces it is what it is at once."""
    whole = b"".join(pieces)
    out = fed(whole)
    assert out.count(TAG) <= 1
    assert out.replace(TAG, b"") == whole
    assert fed(*pieces) == out


def head(*fields: tuple[bytes, bytes], status: int = 200, **options):
    return downstream_response_headers(status, b"OK", fields, **options)


HTML = (b"Content-Type", b"text/html; charset=utf-8")
FIVE = (b"Content-Length", b"5")


@pytest.mark.parametrize(
    ("fields", "status", "gets"),
    [
        ([HTML, FIVE], 200, True),
        ([(b"content-type", b"Text/HTML")], 404, True),
        ([HTML, FIVE, (b"Content-Encoding", b"identity")], 200, True),
        ([HTML, FIVE, (b"Content-Encoding", b"gzip")], 200, False),
        ([HTML, FIVE, (b"Content-Range", b"bytes 0-4/9")], 206, False),
        ([HTML], 304, False),
        ([HTML, (b"Content-Length", b"0")], 200, False),
        ([(b"Content-Type", b"application/xhtml+xml"), FIVE], 200, False),
        ([(b"Content-Type", b"text/plain"), FIVE], 200, False),
        ([FIVE], 200, False),
    ],
)
def test_only_whole_plain_html_gets_it(fields, status, gets):
    """Nothing compressed, no part, nothing without a body, no other type."""
    assert (insertion(head(*fields, status=status), status, "/oauth2/tab.js") is not None) == gets


def test_an_answer_to_head_stays_as_it_is():
    """It has no body to put anything into."""
    assert head(HTML, FIVE, head_only=True).framing == NONE
    assert insertion(head(HTML, FIVE, head_only=True), 200, "/x") is None


def test_the_head_says_what_is_true_of_the_new_body():
    """With its length where all is at hand; without validators, ranges and digests of the old one."""
    stale = [(b"ETag", b'"a"'), (b"Accept-Ranges", b"bytes"), (b"Repr-Digest", b"sha-256=:x:")]
    kept = (b"X-Kept", b"1")
    known = reframed(head(HTML, FIVE, *stale, kept), length=49, http10=False)
    assert known.raw == head(HTML, kept, (b"Content-Length", b"49")).raw
    assert (known.framing, known.length, known.chunk, known.close) == (LENGTH, 5, False, False)


def test_a_length_that_is_not_known_yet():
    """In chunks, or until the end of the connection for a client of HTTP/1.0."""
    chunked = reframed(head(HTML, FIVE), length=None, http10=False)
    assert chunked.raw.endswith(b"\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert (chunked.framing, chunked.chunk, chunked.close) == (LENGTH, True, False)
    old = reframed(head(HTML, FIVE, http10=True), length=None, http10=True)
    assert old.raw.count(b"Connection: ") == 1
    assert old.raw.endswith(b"\r\nConnection: close\r\n\r\n")
    assert (old.chunk, old.close) == (False, True)
    again = reframed(head(HTML, (b"Transfer-Encoding", b"chunked")), length=None, http10=False)
    assert again.raw.count(b"chunked") == 1
    assert again.framing == CHUNKED


@pytest.mark.parametrize(
    ("policy", "nonce"),
    [
        ("script-src 'self'", ""),
        ("script-src 'self' 'nonce-abc+/=='", "abc+/=="),
        ("default-src 'nonce-a'; script-src 'self'", ""),
        ("default-src 'none'; script-src-elem 'nonce-b'; script-src 'nonce-a'", "b"),
        ("Default-Src 'NONCE-Qx_-1='", "Qx_-1="),
        ("style-src 'nonce-a'; script-src 'strict-dynamic' 'nonce-c'", "c"),
        ("img-src *, script-src 'nonce-d'", "d"),
        ("script-src 'nonce-\"><script>'", ""),
        ("script-src 'nonce-a' ; script-src 'nonce-b'", "a"),
        ("", ""),
    ],
)
def test_the_nonce_is_that_of_scripts(policy, nonce):
    """The directive that decides on script elements, the first of its name; only what can be a nonce."""
    assert nonce_of(policy) == nonce


def test_the_nonce_goes_along():
    """From whichever policy demands one."""
    policies = [
        (b"Content-Security-Policy", b"img-src *"),
        (b"content-security-policy", b"script-src 'nonce-abc='"),
    ]
    way = insertion(head(HTML, FIVE, *policies), 200, "/oauth2/tab.js")
    assert way is not None
    assert (
        way.feed(b"<head>", last=True) == b'<head><script src="/oauth2/tab.js" async nonce="abc="></script>'
    )


def test_the_upstream_is_asked_for_what_a_script_can_be_added_to():
    """Whole and plain: the client's copy has a script in it, so that its validators and ranges are of another body."""
    asked = (
        (b"Accept", b"text/html"), (b"ACCEPT-Encoding", b"gzip"), (b"Range", b"bytes=0-1"), (b"If-Range", b"x"),
        (b"If-None-Match", b'"a"'), (b"if-modified-since", b"x"), (b"Cookie", b"a=b"),
    )  # fmt: skip
    assert uncompressed(asked) == (asked[0], asked[-1])

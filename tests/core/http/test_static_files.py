"""Rules for answering from a directory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.http.static_files import (
    UNSATISFIABLE,
    Conditions,
    FileFacts,
    byte_range,
    choose_encoding,
    content_type,
    is_hashed,
    plan,
    segments,
)

FILE = FileFacts("logo.svg", 100, 1_700_000_000, 1_700_000_000_123)


@pytest.mark.parametrize("path", ["/.env", "/a/.git/config", "/..", "/a/../b", "/a\\b", "/a\0", "/."])
def test_names_that_are_never_served(path):
    """Hidden files, dot segments, other systems' separators, NUL."""
    assert segments(path) is None


def test_segments_of_ordinary_paths():
    """Empty ones count for nothing; .well-known is served."""
    assert segments("/") == ()
    assert segments("/a/b.js") == ("a", "b.js")
    assert segments("/.well-known/security.txt") == (".well-known", "security.txt")


@given(st.text(max_size=40))
def test_segments_never_climb(path):
    """Whatever the path, no segment has a meaning to the file system but its name."""
    for part in segments(path) or ():
        assert part not in {"", ".", ".."}
        assert not {"/", "\\", "\0"}.intersection(part)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.js", "text/javascript; charset=utf-8"),
        ("A.HTML", "text/html; charset=utf-8"),
        ("x.wasm", "application/wasm"),
        ("x.png", "image/png"),
        ("x.unknown", "application/octet-stream"),
        ("README", "application/octet-stream"),
    ],
)
def test_types_by_name(name, expected):
    """The same on every machine."""
    assert content_type(name) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("assets/index-DiwrgTda.js", True),
        ("assets/index.3f2a9c1b.css", True),
        ("static/js/main.a1b2c3d4.chunk.js", True),
        ("_next/static/chunks/0a1b2c3d4e5f.js", True),
        ("assets/logo.svg", False),
        ("assets/component-selector.js", False),
        ("index-DiwrgTda.js", False),
        ("app.js", False),
    ],
)
def test_names_with_a_hash_of_the_content(path, expected):
    """Only those may be kept for ever, and only where bundlers put them."""
    assert is_hashed(path.split("/")) is expected


@pytest.mark.parametrize(
    ("accept", "available", "expected"),
    [
        ("gzip, br", {"br", "gzip"}, "br"),
        ("gzip;q=1.0, br;q=0.9", {"br", "gzip"}, "gzip"),
        ("*;q=0.5, br;q=0", {"br", "gzip"}, "gzip"),
        ("br", {"gzip"}, ""),
        ("", {"br"}, ""),
        ("br;q=nonsense", {"br"}, ""),
        ("identity", {"br"}, ""),
    ],
)
def test_encodings(accept, available, expected):
    """By weight, then by size."""
    assert choose_encoding(accept, available) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-9", (0, 9)),
        ("bytes=90-", (90, 99)),
        ("bytes=90-900", (90, 99)),
        ("bytes=-10", (90, 99)),
        ("bytes=-900", (0, 99)),
        ("bytes=100-", UNSATISFIABLE),
        ("bytes=-0", UNSATISFIABLE),
        ("bytes=9-0", None),
        ("bytes=0-1,5-6", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("bytes=+1-2", None),
        ("bytes=\u0661-", None),
        ("items=0-9", None),
        (" Bytes = 0-9 ", (0, 9)),
        ("bytes=0-" + "9" * 18, (0, 99)),
        ("bytes=0-" + "9" * 5000, None),
        ("", None),
    ],
)
def test_ranges(header, expected):
    """Single ranges by RFC 9110; whatever is malformed is answered with all."""
    assert byte_range(header, 100) == expected


@given(st.integers(0, 10**6), st.integers(1, 1000))
def test_ranges_lie_within_the_file(start, size):
    """No range names a byte that is not there."""
    found = byte_range(f"bytes={start}-{start + 5}", size)

    assert found == UNSATISFIABLE or (found is not None and 0 <= found[0] <= found[1] < size)


def headers_of(conditions, **options):
    found = plan(FILE, conditions, **({"head_only": False, "hashed": False, "varies": False} | options))
    return found.status, dict(found.headers)


def test_plans():
    """Status, length and caching for each kind of request."""
    etag = FILE.etag

    assert headers_of(Conditions())[0] == 200
    assert headers_of(Conditions(if_none_match=f'"x", W/{etag}'))[0] == 304
    assert headers_of(Conditions(if_none_match="*"))[0] == 304
    assert headers_of(Conditions(if_modified_since="Tue, 14 Nov 2023 22:13:20 GMT"))[0] == 304
    assert headers_of(Conditions(if_modified_since="Tue, 14 Nov 2023 22:13:19 GMT"))[0] == 200
    assert headers_of(Conditions(if_modified_since="last Tuesday"))[0] == 200
    assert headers_of(Conditions(range="bytes=0-1", if_range=etag))[0] == 206
    assert headers_of(Conditions(range="bytes=0-1", if_range="Tue, 14 Nov 2023 22:13:20 GMT"))[0] == 206
    assert headers_of(Conditions(range="bytes=0-1", if_range='"x"'))[0] == 200
    assert headers_of(Conditions(range="bytes=0-1"), head_only=True)[0] == 200
    assert headers_of(Conditions(), hashed=True)[1][b"Cache-Control"] == b"max-age=31536000, immutable"
    assert headers_of(Conditions(), varies=True)[1][b"Vary"] == b"Accept-Encoding"


def test_a_part_that_is_not_there_is_told_with_the_size():
    """So that the client can ask for one that is."""
    status, said = headers_of(Conditions(range="bytes=100-"))
    assert (status, said[b"Content-Range"], said[b"Content-Length"]) == (416, b"bytes */100", b"0")
    assert said[b"ETag"] == FILE.etag.encode()


def test_encodings_have_etags_of_their_own():
    """A cache may not mix them up."""
    other = FileFacts(FILE.name, FILE.size, FILE.modified, FILE.stamp, "br")
    packed = dict(plan(other, Conditions(), head_only=False, hashed=False, varies=True).headers)
    assert packed[b"Content-Encoding"] == b"br"
    assert b"Content-Encoding" not in headers_of(Conditions())[1]

    assert other.etag != FILE.etag

"""The request target, read once (rule R32)."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote, unquote, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import DownstreamError
from gateway.core.http.target import (
    decode_path,
    has_encoded_slash,
    is_reserved,
    local_path,
    split_target,
    way_back,
)
from tests.corpus.read import lines

READ_AS = {
    "/": "/",
    "/a/b": "/a/b",
    "/a%20b": "/a b",
    "/%C3%A9": "/é",
    "/a;v=1": "/a",
    "/crisis;id=3;foo=bar/details;x": "/crisis/details",
    "/public;x/admin": "/public/admin",
    "/a%3Bb/c": "/a/c",
    "/admin;": "/admin",
    "/a;b.c/d": "/a/d",
    "/a.b/..c/d..": "/a.b/..c/d..",
    "/...": "/...",
    "/a%23b": "/a#b",
    "/a%3Fb": "/a?b",
    "/a%25b": "/a%b",
    "/a/": "/a/",
    "/%252e%252e/b": "/%2e%2e/b",
    "/a%252Fb": "/a%2Fb",
    "/a|b^c`": "/a|b^c`",
}
"""What is decoded once, and once only."""


@pytest.mark.parametrize(("raw", "path"), READ_AS.items())
def test_r32_a_path_is_decoded_once(raw: str, path: str) -> None:
    """An unambiguous path is decoded exactly once."""
    assert decode_path(raw) == path


@pytest.mark.parametrize("raw", lines("ambiguous_targets.txt"))
def test_r32_an_ambiguous_path_is_refused(raw: str) -> None:
    """What two parsers could read in two ways is refused, with encoded slashes admitted or not (CVE-2025-66490)."""
    for admitted in (False, True):
        with pytest.raises(DownstreamError) as refused:
            decode_path(raw, encoded_slashes=admitted)
        assert refused.value.code == "ambiguous_target"


@pytest.mark.parametrize("raw", ["/a%2Fb", "/a%2fb", "/%2F", "/a/%2Fb"])
def test_r32_an_encoded_slash_is_matched_literally_where_it_is_admitted(raw: str) -> None:
    """``%2F`` is refused by default; where an upstream admits it, it stays what it is (CVE-2021-29492)."""
    with pytest.raises(DownstreamError):
        decode_path(raw)
    assert decode_path(raw, encoded_slashes=True) == raw.replace("%2f", "%2F")
    assert has_encoded_slash(raw)


@pytest.mark.parametrize("raw", ["/a%252Fb", "/a%252fb", "/a", "/%2e", "/a%2Db"])
def test_a_slash_encoded_twice_is_no_encoded_slash(raw: str) -> None:
    """Decoded once it is the text %2F, not a slash."""
    assert not has_encoded_slash(raw)


def test_a_query_is_split_off_and_left_alone() -> None:
    """Everything after the first question mark is the query, an empty one too."""
    assert split_target("/a?b=/c?d") == ("/a", "b=/c?d")
    assert split_target("/a?") == ("/a", "")
    assert split_target("/a") == ("/a", None)


@pytest.mark.parametrize(
    "raw",
    ["*", "", "a", "http://evil.example/", "evil.example:443", "/a?b#c", "/a?b c", "/a?\x01", "/a?é", "?a"],
)
def test_cve_2023_47106_only_origin_form_without_a_fragment(raw: str) -> None:
    """Absolute form, authority form, an asterisk, a fragment and raw bytes in the query are refused."""
    with pytest.raises(DownstreamError):
        split_target(raw)


@given(st.text(alphabet="/.%25eEfF;\\\x00é?#a0", max_size=24))
def test_what_is_read_has_no_second_reading(raw: str) -> None:
    """Whatever is accepted has no dot segment, empty segment, backslash or control character once decoded."""
    try:
        path = decode_path("/" + raw)
    except DownstreamError:
        return
    assert "//" not in path
    assert "\\" not in path
    assert not any(part.partition(";")[0] in {".", ".."} for part in path.split("/"))
    assert not any(ord(character) < 32 for character in path)
    assert path.count("/") == ("/" + raw).count("/")


PRINTABLE = st.characters(exclude_categories=("C", "Z"), exclude_characters="/\\;") | st.just(" ")


@given(st.text(PRINTABLE, min_size=1, max_size=20))
def test_every_ordinary_name_can_be_a_segment(name: str) -> None:
    """A printable name, encoded as the standard says, is a path of one segment."""
    if name in {".", ".."} or name.encode("utf-8", "replace").decode() != name:
        return
    assert decode_path("/" + quote(name, safe="")) == "/" + name


def test_cve_2020_5233_no_redirect_leaves_this_origin() -> None:
    """No spelling of another place passes for a local path, read raw or percent-decoded."""
    for text in lines("open_redirects.txt"):
        for spelling in {text, unquote(text)}:
            target = local_path(spelling)
            assert target is None or _stays(target), target


def test_the_corpus_of_redirects_is_large() -> None:
    """The corpus has hundreds of strings, and nearly all of them are refused outright."""
    texts = lines("open_redirects.txt")
    assert len(texts) >= 500
    assert sum(local_path(text) is None for text in texts) > len(texts) * 0.9


@pytest.mark.parametrize(
    "text",
    [
        "/",
        "/reports/3?x=1&y=%2F",
        "/a?next=https://other.example/",
        "/a/@b",
        "/a:b",
        "/a?q=\\d+",
        "/a?q=\"<>'`|{}^",
    ],
)
def test_a_path_of_this_origin_is_local(text: str) -> None:
    """An absolute path with its query may be returned to."""
    assert local_path(text) == text


PREFIX = "/oauth2"


def test_r13_no_way_back_reaches_an_endpoint_of_ours() -> None:
    """However it is spelt: read as a browser resolves it, and decoded as often as anybody in front may do."""
    for text in lines("open_redirects.txt"):
        for spelling in {text, unquote(text)}:
            target = way_back(spelling, PREFIX)
            assert target is None or (_stays(target) and not _ours(target)), target


@pytest.mark.parametrize(
    "text",
    ["/", "/logouts", "/logout-help", "/logged-outside", "/oauth20/x", "/a/logout", "/a?next=/logout", "/oauth2/sessions",
     "/login", "/LOGOUT", "/log", "/a;v=1", "/search?q=%2Flogout", "/100%25"],
)  # fmt: skip
def test_the_application_s_own_paths_are_ways_back(text: str) -> None:
    """Names that only look like ours, what stands in a query, and the list of one's sessions."""
    assert way_back(text, PREFIX) == text


@given(
    st.sampled_from(
        ["/logout", "/logged-out", "/oauth2", "/logout/continue", "/oauth2/sign_out", "/oauth2/start"]
    ),
    st.lists(st.integers(0, 30), max_size=6),
    st.integers(1, 4),
    st.sampled_from(["", "/", "?", "?to=shop", ";", ";x=1", "/x"]),
)
def test_no_number_of_encodings_hides_an_endpoint_of_ours(
    path: str, at: list[int], times: int, end: str
) -> None:
    """Any letters of it, encoded any number of times, with anything behind it."""
    letters = [f"%{ord(letter):02X}" if n in at and n else letter for n, letter in enumerate(path)]
    spelt = "".join(letters)
    for _ in range(times - 1):
        spelt = spelt.replace("%", "%25")
    assert way_back(spelt + end, PREFIX) is None


@given(st.text(alphabet="/.%25logutdn-eELO;?#a26cC", max_size=24))
def test_whatever_may_be_returned_to_is_not_ours(text: str) -> None:
    """What is accepted is the application's, however often it is decoded."""
    target = way_back("/" + text, PREFIX)
    assert target is None or not _ours(target)


def _ours(target: str) -> bool:
    """Whether some reader takes it for one of our own endpoints: resolved as browsers do, decoded again and again."""
    readings = [target.partition("?")[0]]
    while (again := unquote(readings[-1])) != readings[-1]:
        readings.append(again)
    for reading in readings:
        merged = re.sub(r"/{2,}", "/", re.sub(r";[^/]*", "", reading.replace("\\", "/")))
        if is_reserved(urlsplit(urljoin("https://app.example.com/", merged)).path.rstrip("/"), PREFIX):
            return reading != f"{PREFIX}/sessions"
    return False


def test_a_path_longer_than_any_request_line_is_not_local() -> None:
    """8,192 bytes are enough for an address."""
    assert local_path("/" + "a" * 8_191) is not None
    assert local_path("/" + "a" * 8_192) is None


def _stays(target: str) -> bool:
    """As browsers resolve it (WHATWG URL): backslash is slash, tab and newline vanish."""
    seen = target.replace("\\", "/").translate({9: None, 10: None, 13: None}).strip()
    parts = urlsplit(seen)
    return not parts.scheme and not parts.netloc and seen.startswith("/") and not seen.startswith("//")


def test_the_corpora_name_their_origin() -> None:
    """The first line of each corpus file is a comment that says where it comes from."""
    for path in (Path(__file__).parents[2] / "corpus").glob("*.txt"):
        assert path.read_text(encoding="utf-8").startswith("#"), path.name


@pytest.mark.parametrize("target", ["", "a", "*", "http://evil.example/a", "evil.example:443", "%2Fa", "?a"])
def test_r37_what_is_no_absolute_path_is_no_path(target: str) -> None:
    """Whole addresses, authorities and asterisks are other forms of a target, and none of ours."""
    with pytest.raises(DownstreamError) as refused:
        decode_path(target)
    assert refused.value.code == "ambiguous_target"

"""Which upstream a path belongs to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import DownstreamError
from gateway.core.http.routes import Route, match_route, ordered

ROUTES = [Route(path, f"http://{n}") for n, path in enumerate(("/", "/api/", "/api/v2", "/docs"))]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", "/"),
        ("/apix", "/"),
        ("/api", "/"),
        ("/api/", "/api/"),
        ("/api/x", "/api/"),
        ("/api/v2", "/api/v2"),
        ("/api/v2/x", "/api/v2"),
        ("/api/v22", "/api/"),
        ("/docs", "/docs"),
        ("/docs/", "/docs"),
        ("/docsx", "/"),
        ("/API/x", "/"),
    ],
)
def test_the_longest_prefix_wins_at_segment_boundaries(path, expected):
    """Case matters, a segment is never cut."""
    assert match_route(ordered(ROUTES), path).name == expected


def test_a_path_nobody_covers_is_not_found():
    """Without a route for everything else."""
    with pytest.raises(DownstreamError, match="not_found"):
        match_route(ROUTES[1:], "/other")


@given(st.text("/ab", max_size=8), st.text("/ab", max_size=8))
def test_covering_is_prefix_by_segments(prefix, path):
    """Against the naive matcher that compares segments."""
    route = Route("/" + prefix, "http://x")
    mine = ("/" + path).split("/")
    theirs = route.path.split("/")
    expected = ("/" + path).startswith(route.path) if theirs[-1] == "" else mine[: len(theirs)] == theirs

    assert route.covers("/" + path) == expected


@pytest.mark.parametrize(
    ("path", "covered"),
    [
        ("/admin/", True), ("/admin", True), ("/Admin/", True), ("/ADMIN", True), ("/aDmIn/x", True), ("/\u017fo", False),
        ("/administrator", False), ("/", False), ("/x/admin/", False),
    ],
)  # fmt: skip
def test_a_server_that_makes_no_difference_gets_all_spellings(path, covered):
    """Case, and the slash at the end: what such a server serves as one is one route."""
    for written in ("/admin/", "/Admin", "/ADMIN/"):
        route = Route(written, "http://x", insensitive=True)
        assert route.covers(path) == covered
    assert Route("/\u212a/", "http://x", insensitive=True).covers("/k/x")  # a Kelvin sign


@pytest.mark.parametrize("path", ["/app/out", "/APP/Out", "/app/out/"])
def test_a_sign_out_of_the_application_is_known_as_its_server_knows_it(path):
    """In any spelling where that makes no difference, else in the one that is written."""
    own = frozenset({"/App/out"})
    assert Route("/app/", "http://x", sign_out_on=own, insensitive=True).signs_out(path)
    assert not Route("/app/", "http://x", sign_out_on=own).signs_out(path)
    assert not Route("/app/", "http://x", sign_out_on=own, insensitive=True).signs_out("/app/out/x")

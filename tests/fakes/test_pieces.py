"""Addresses come into a text in one pass, whatever their digits."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.pieces import put

PORTS = st.integers(1, 65_535)


def test_what_was_put_is_not_looked_at_again() -> None:
    """The port of the gateway begins with the one that the recipe has for the application."""
    recipe = "proxy_pass http://127.0.0.1:8080; proxy_pass http://127.0.0.1:3000;"
    pieces = {"127.0.0.1:8080": "127.0.0.1:30007", "127.0.0.1:3000": "127.0.0.1:38041"}
    assert put(recipe, pieces) == "proxy_pass http://127.0.0.1:30007; proxy_pass http://127.0.0.1:38041;"


@given(st.lists(PORTS, min_size=1, max_size=6, unique=True), st.data())
def test_every_port_arrives_as_it_is(old: list[int], data: st.DataObject) -> None:
    """In whatever order they are given, and whichever of them are the beginnings of others."""
    new = [data.draw(PORTS) for _ in old]
    pieces = data.draw(st.permutations(list(zip(old, new, strict=True))))
    text = " ".join(f"at:{port};" for port in old)
    found = put(text, {f":{before};": f":{after};" for before, after in pieces})
    assert [int(port) for port in re.findall(r"at:(\d+);", found)] == new


def test_the_longer_piece_counts() -> None:
    """Where one is the beginning of another."""
    assert put("a:80 a:8080", {"a:80": "x", "a:8080": "y"}) == "x y"


def test_a_piece_that_is_not_there_is_said() -> None:
    """The text has changed, and the test would go on with something it does not mean."""
    with pytest.raises(AssertionError, match="listen 81"):
        put("listen 80;", {"listen 81": "listen 82"})


def test_nothing_to_put_changes_nothing() -> None:
    """And is no error."""
    assert put("listen 80;", {}) == "listen 80;"

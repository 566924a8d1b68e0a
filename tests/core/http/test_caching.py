"""Cache-Control for the browser alone (rule R27); most cases are tested through the response head."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.http.caching import for_shared_caches, is_date, private_cache_control

DIRECTIVE = st.sampled_from(
    [
        b"public",
        b"private",
        b"max-age=5",
        b"s-maxage=9",
        b"no-cache",
        b"no-store",
        b'private="a, b"',
        b"x=1",
        b"",
    ]
)


@given(st.lists(DIRECTIVE, max_size=6), st.sampled_from([b",", b", ", b" ,\t"]))
def test_r27_nothing_for_shared_caches_remains(directives, comma):
    """Unless nothing may be stored at all; and rewriting twice changes nothing."""
    result = private_cache_control(comma.join(directives))

    parts = [part.strip() for part in result.split(b",")]
    assert b"no-store" in parts or (
        b"private" in parts and not {b"public", b"s-maxage=9"}.intersection(parts)
    )
    assert sorted(private_cache_control(result).split(b", ")) == sorted(result.split(b", "))


def test_names_of_shared_cache_headers():
    """RFC 9213's targeted field, whoever's name is in front."""
    assert for_shared_caches(b"cdn-cache-control")
    assert for_shared_caches(b"vercel-cdn-cache-control")
    assert not for_shared_caches(b"cache-control")


@pytest.mark.parametrize("value", [b"Sun, 30 Nov 2025 00:00:00 GMT"])
def test_an_expires_that_is_a_date_is_a_word(value):
    """What says until when it lasts is not asked for before."""
    assert is_date(value)
    assert private_cache_control(b"", expires=True) == b"private"


@pytest.mark.parametrize("value", [b"", b"0", b"-1", b"Sunday, 30-Nov-25 00:00:00 GMT", b"tomorrow"])
def test_any_other_expires_says_nothing(value):
    """Browsers differ in what they make of it."""
    assert not is_date(value)

"""Cache-Control for the browser alone (rule R27); most cases are tested through the response head."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.http.caching import for_shared_caches, private_cache_control

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
    assert private_cache_control(result) == result


def test_names_of_shared_cache_headers():
    """RFC 9213's targeted field, whoever's name is in front."""
    assert for_shared_caches(b"cdn-cache-control")
    assert for_shared_caches(b"vercel-cdn-cache-control")
    assert not for_shared_caches(b"cache-control")

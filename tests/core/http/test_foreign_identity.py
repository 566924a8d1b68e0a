"""Other proxies' identity headers: the list is written in the spelling in which names are compared."""

from __future__ import annotations

from gateway.core.http.foreign_identity import BEGINNINGS, NAMES, one_spelling


def test_the_list_is_in_one_spelling() -> None:
    for name in (*NAMES, *BEGINNINGS):
        assert one_spelling(name) == name
    assert one_spelling(b"x_auth.request!user9") == b"x-auth-request-user9"

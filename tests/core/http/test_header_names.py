"""Names by kind, and what Connection nominates."""

from __future__ import annotations

from gateway.core.http.header_names import NameKinds, nominated


def test_spellings_are_remembered_but_not_for_ever():
    """Each spelling is classified in lower case; a flood of new ones does not fill the memory."""
    seen = []

    def classify(name):
        seen.append(name)
        return len(name)

    kinds = NameKinds(classify)

    assert [kinds[b"ABC"], kinds[b"ABC"], kinds[b"ABC"], kinds[b"abc"]] == [3, 3, 3, 3]
    assert seen == [b"abc"] * 3
    for n in range(5_000):
        assert kinds[b"x-%d" % n] == kinds[b"x-%d" % n]
    assert b"x-4999" in kinds
    assert len(kinds) <= 2_048


def test_ordinary_options_nominate_nothing():
    """close, keep-alive, upgrade and TE are options, not names."""
    assert nominated(b"Close, keep-alive ,\tUpgrade, TE,, HTTP2-Settings", frozenset()) == frozenset()
    assert nominated(b"X-A, host , x-b", frozenset({b"host"})) == {b"x-a", b"x-b"}

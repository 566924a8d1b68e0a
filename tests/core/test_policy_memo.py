"""The bounded memory."""

from __future__ import annotations

from gateway.core.policy_memo import Memo


def test_the_least_recently_used_is_forgotten_first() -> None:
    """Asking for an answer keeps it; the size is never exceeded."""
    memo: Memo[str, int] = Memo(2)
    memo.keep("a", 1)
    memo.keep("b", 2)
    assert memo.get("a") == 1
    memo.keep("c", 3)
    assert (memo.get("a"), memo.get("b"), memo.get("c")) == (1, None, 3)
    assert len(memo) == 2


def test_keeping_gives_the_answer_back() -> None:
    """So that an answer can be kept and returned in one go."""
    assert Memo[str, int](1).keep("a", 7) == 7

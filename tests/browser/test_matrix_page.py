"""The matrix is whole, and ``docs/logout.md`` says what it says."""

from __future__ import annotations

from itertools import product

from tests.browser.matrix import COMBINATIONS, LEFT_OUT, Failure, Window
from tests.browser.matrix_page import PAGE, PART, table
from tests.browser.matrix_rows import ROWS
from tests.browser.matrix_walk import WALKS
from tests.marked import part


def test_the_page_has_the_table() -> None:
    """Whoever changes the matrix runs ``python -m tests.browser.matrix_page``."""
    assert part(PAGE.read_text(), PART) == table()


def test_every_combination_meets_every_failure() -> None:
    """In a row, or there is a reason why it cannot."""
    met = {(row.combination, row.failure) for row in ROWS}
    assert met | set(LEFT_OUT) == set(product(COMBINATIONS, Failure))
    assert not met & set(LEFT_OUT)
    assert all(LEFT_OUT.values())


def test_every_browser_meets_every_combination_and_every_failure() -> None:
    """Somewhere; nothing that depends on one of them goes unseen."""
    runs = [(row, window) for row in ROWS for window in row.windows]
    assert {(row.combination, window) for row, window in runs} == set(product(COMBINATIONS, Window))
    assert {(row.failure, window) for row, window in runs} == set(product(Failure, Window))


def test_every_row_can_be_told_apart_and_says_what_the_user_sees() -> None:
    """In one sentence, which ends like one; the receipt has a chip for each hop, and each failure has a walk."""
    assert len({row.id for row in ROWS}) == len(ROWS)
    assert set(WALKS) == set(Failure)
    for row in ROWS:
        assert row.sees.endswith(".") and row.sees.count(". ") == 0, row.id
        assert len(row.chips) == len(COMBINATIONS[row.combination].labels)

"""``python -m tests.browser.matrix_page``: write the matrix into ``docs/logout.md``, between its markers."""

from __future__ import annotations

from pathlib import Path

from tests.browser.matrix import COGNITO, COMBINATIONS, LEFT_OUT, NAMES, OKTA, Failure, Row
from tests.browser.matrix_rows import ROWS
from tests.marked import with_part

PAGE = Path(__file__).parents[2] / "docs" / "logout.md"
PART = "matrix"
_PARTIES = {COGNITO: "Cognito", OKTA: "Okta"}


def table() -> str:
    """One line for each row, in the order of the definition, and below it what is left out and why."""
    lines = ["| what goes wrong | what the user sees | tried in |", "|---|---|---|"]
    parts = []
    for combination in COMBINATIONS.values():
        rows = [row for row in ROWS if row.combination == combination.key]
        parts.append("\n".join([f"**{combination.key}: {combination.title}**\n", *lines, *map(_line, rows)]))
    left = [f"{key} and *{failure.value}*: {why}" for (key, failure), why in LEFT_OUT.items()]
    return "\n\n".join([*parts, f"Not in the tables, because it cannot happen: {'; '.join(left)}."])


def _line(row: Row) -> str:
    where = "all four" if len(row.windows) == len(NAMES) else ", ".join(NAMES[each] for each in row.windows)
    return f"| {_what(row)} | {row.sees} | {where} |"


def _what(row: Row) -> str:
    """The failure, and at which provider it is, where there are two that it could be at."""
    several = sum((each.combination, each.failure) == (row.combination, row.failure) for each in ROWS) > 1
    of_two = row.failure in {Failure.CLOSED, Failure.ERROR, Failure.SILENT} and row.combination in {
        "1a",
        "1b",
        "2",
    }
    return f"{row.failure.value} ({_PARTIES[row.party]})" if several or of_two else row.failure.value


def main() -> None:
    PAGE.write_text(with_part(PAGE.read_text(), PART, table()))


if __name__ == "__main__":
    main()

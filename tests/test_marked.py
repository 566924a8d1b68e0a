"""Parts of a page that are written by programs."""

from __future__ import annotations

from tests.marked import part, with_part, with_parts_of

PAGE = "# Title\n\nBefore.\n\n<!-- figures -->\nold\n<!-- /figures -->\n\nAfter.\n"


def test_only_what_is_between_the_markers_is_replaced() -> None:
    """Also where the new text has other markers in it; the same text again changes nothing."""
    new = with_part(PAGE, "figures", "\n| a |\n")
    assert new == PAGE.replace("old", "| a |")
    assert part(new, "figures") == "| a |"
    assert with_part(new, "figures", "| a |") == new


def test_a_page_without_markers_gets_them_at_its_end() -> None:
    """So does an empty one; a begin without its end is none."""
    assert with_part("# Title\n", "figures", "x") == "# Title\n\n<!-- figures -->\nx\n<!-- /figures -->\n"
    assert with_part("", "figures", "x") == "<!-- figures -->\nx\n<!-- /figures -->\n"
    assert part("<!-- figures -->\nx", "figures") is None


def test_who_writes_the_page_anew_keeps_the_part_of_another() -> None:
    """But not instead of its own, and nothing that was not there."""
    assert with_parts_of("# New\n", PAGE, "figures", "other").endswith(
        "<!-- figures -->\nold\n<!-- /figures -->\n"
    )
    own = with_part("# New\n", "figures", "mine")
    assert with_parts_of(own, PAGE, "figures") == own

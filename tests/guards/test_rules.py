"""Every citation can be resolved in ``docs/rules.md``, and every rule that is built has a test of its name."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "rules.md"
ENTRY = re.compile(r'^- <a id="([rp]\d+)"></a>\*\*([RP]\d+)\*\* (.+?)(?=^- |^#|^$)', re.MULTILINE | re.DOTALL)

NOT_YET: dict[str, str] = {}
"""Rules of which nothing is built, and why; they come off this list with their first test."""


def texts() -> list[str]:
    found = [path for top in ("gateway", "tests") for path in (ROOT / top).rglob("*.py")]
    return [path.read_text("utf-8") for path in found if "node_modules" not in path.parts]


def entries() -> dict[str, str]:
    """Number -> what the document says of it."""
    return {number: said for _, number, said in ENTRY.findall(DOCUMENT.read_text("utf-8"))}


def numbers_of_tests() -> set[str]:
    """The numbers in the names of tests: ``test_r12_p18_…`` has two."""
    names = (name for text in texts() for name in re.findall(r"def test((?:_[rp]\d+)+)_", text))
    return {
        f"{kind.upper()}{int(number)}" for name in names for kind, number in re.findall(r"([rp])(\d+)", name)
    }


def test_every_citation_has_its_entry() -> None:
    """Rules and pains, wherever they are cited, and in the names of tests."""
    cited = {number for text in texts() for number in re.findall(r"\b[RP][1-9]\d?\b", text)}
    assert len(cited) > 40
    assert (cited | numbers_of_tests()) - set(entries()) == set()


def test_every_number_has_one_entry_with_its_anchor() -> None:
    """R1 to R39 and P1 to P25, each once, with an anchor of its name."""
    found = [(anchor, number) for anchor, number, _ in ENTRY.findall(DOCUMENT.read_text("utf-8"))]
    assert all(anchor == number.lower() for anchor, number in found)
    expected = [f"R{number}" for number in range(1, 40)] + [f"P{number}" for number in range(1, 26)]
    assert sorted(number for _, number in found) == sorted(expected)


def test_every_cited_section_is_named() -> None:
    """Design sections by number, protocol facts by letter."""
    document = DOCUMENT.read_text("utf-8")
    sections = {number for text in texts() for number in re.findall(r"design section\s+(\d+)", text)}
    facts = {letter for text in texts() for letter in re.findall(r"\bfacts ([A-Z])\.\d", text)}
    assert sections
    assert facts
    assert [number for number in sections if not re.search(rf"\b{number}\. \*\*", document)] == []
    assert [letter for letter in facts if f"**{letter}** " not in document] == []


def test_every_rule_that_is_built_has_a_test_of_its_name() -> None:
    """What has none is listed above with its reason, and the document says that it is not built."""
    said = entries()
    rules = {number for number in said if number.startswith("R")}
    assert rules - numbers_of_tests() == set(NOT_YET)
    assert {number for number in rules if said[number].startswith("*Not built yet.*")} == set(NOT_YET)


def test_the_page_is_linked() -> None:
    """Whoever reads the house rules finds it."""
    assert "(docs/rules.md)" in (ROOT / "CONTRIBUTING.md").read_text("utf-8")

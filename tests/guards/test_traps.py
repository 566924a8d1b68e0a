"""Every trap of facts E.1, and what practice added, is closed by a test or a check of the doctor, and ``docs/traps.md`` says truly by which."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

from gateway.doctor.examination import NAMES

ROOT = Path(__file__).parents[2]
TRAPS = range(1, 42)
ROW = re.compile(r"^\| (\d+) \| ([^|]+) \|([^|]*)\|([^|]*)\|$", re.MULTILINE)
NAMED = re.compile(r"test(?:_[rp]\d\d)*_trap((?:_\d\d|_and)+)_")


def rows() -> list[tuple[int, str, set[str], set[str]]]:
    """Number, the trap in words, the tests and the checks that close it."""
    text = (ROOT / "docs" / "traps.md").read_text("utf-8")
    return [
        (int(number), words, set(re.findall(r"`([^`]+)`", tests)), set(re.findall(r"`([^`]+)`", checks)))
        for number, words, tests, checks in ROW.findall(text)
    ]


@cache
def numbers_of_tests() -> dict[str, set[int]]:
    """The tests that are named after traps, with the numbers in their names."""
    found: dict[str, set[int]] = {}
    for path in (ROOT / "tests").rglob("test_*.py"):
        if "node_modules" in path.parts or not NAMED.search(text := path.read_text("utf-8")):
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (name := NAMED.match(node.name)):
                found[node.name] = {int(number) for number in re.findall(r"\d\d", name[1])}
    return found


def test_each_trap_is_there_once() -> None:
    """All of them, in order, each in a whole sentence."""
    assert [number for number, *_ in rows()] == list(TRAPS)
    assert all(words.endswith(".") for _, words, *_ in rows())


def test_each_trap_is_closed() -> None:
    """By a test or by a check."""
    assert [number for number, _, tests, checks in rows() if not tests and not checks] == []


def test_the_table_tells_the_truth() -> None:
    """Its tests exist and carry the trap's number, and its checks exist."""
    numbers = numbers_of_tests()
    wrong = [
        (number, name)
        for number, _, tests, _ in rows()
        for name in tests
        if number not in numbers.get(name, set())
    ]
    assert wrong == []
    assert {check for *_, checks in rows() for check in checks} <= NAMES


def test_every_test_of_a_trap_is_in_the_table() -> None:
    """A number that is none would be a citation of nothing."""
    listed = {name for _, _, tests, _ in rows() for name in tests}
    assert set(numbers_of_tests()) - listed == set()
    assert {number for numbers in numbers_of_tests().values() for number in numbers} <= set(TRAPS)


def test_the_page_is_linked() -> None:
    """From the page about signing out."""
    assert "(traps.md)" in (ROOT / "docs" / "logout.md").read_text("utf-8")

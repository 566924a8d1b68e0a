"""No test passes or fails by chance, as far as its text can tell: CONTRIBUTING.md says how each is written instead."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.fakes.patience import PATIENCE

ROOT = Path(__file__).parents[2]
MEASURING = ("tests/bench/", "tests/autobahn/")
"""What measures is allowed to look at the clock."""
CLOCKS = {"monotonic", "perf_counter", "monotonic_ns", "perf_counter_ns", "process_time"}


def sources(*words: str) -> Iterator[tuple[str, ast.Module]]:
    """The tests, parsed; given words, those that have one of them in their text."""
    for path in sorted((ROOT / "tests").rglob("*.py")):
        if "node_modules" not in path.parts:
            text = path.read_text("utf-8")
            if not words or any(word in text for word in words):
                yield path.relative_to(ROOT).as_posix(), ast.parse(text)


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _replaces(node: ast.AST) -> bool:
    """Whether it is ``text.replace(old, new)``; ``Path.replace`` has one argument, ``datetime.replace`` has names."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "replace"
        and len(node.args) == 2
        and not node.keywords
    )


def _fixed(call: ast.Call) -> bool:
    return all(isinstance(each, ast.Constant) for each in call.args)


def replacements_one_after_another(tree: ast.AST) -> list[int]:
    """Lines where something that is not written there is put into a text in which it is looked for again."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.For):
            targets = {each.id for each in ast.walk(node.target) if isinstance(each, ast.Name)}
            for call in filter(_replaces, ast.walk(node)):
                assert isinstance(call, ast.Call)
                used = {each.id for arg in call.args for each in ast.walk(arg) if isinstance(each, ast.Name)}
                if used & targets and _kept_for_the_next_turn(node, call):
                    found.add(call.lineno)
        if _replaces(node):
            assert isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
            inner = node.func.value
            if _replaces(inner) and not (_fixed(node) and _fixed(inner)):  # type: ignore[arg-type]  # `_replaces`: a call
                found.add(node.lineno)
    return sorted(found)


def _kept_for_the_next_turn(loop: ast.For, call: ast.Call) -> bool:
    """``text = text.replace(…)`` or ``path.write_text(path.read_text().replace(…))``."""
    assert isinstance(call.func, ast.Attribute)
    on = ast.unparse(call.func.value)
    assigned = {
        ast.unparse(target)
        for node in ast.walk(loop)
        if isinstance(node, ast.Assign)
        for target in node.targets
    }
    return on in assigned or "read_" in on


def _reads_a_clock(node: ast.AST) -> bool:
    """``time.monotonic()``, ``loop.time()`` and what is made of them on the spot."""
    for each in ast.walk(node):
        if isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute):
            if each.func.attr in CLOCKS:
                return True
            if each.func.attr == "time" and "loop" in ast.unparse(each.func.value):
                return True
    return False


def assertions_on_elapsed_time(tree: ast.AST) -> list[int]:
    """Lines of an assertion that compares how long something took."""
    found = set()
    for function in functions(tree) if _reads_a_clock(tree) else ():
        clocked = {
            target.id
            for node in ast.walk(function)
            if isinstance(node, ast.Assign) and _reads_a_clock(node.value)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        waiting = {
            each for node in ast.walk(function) if isinstance(node, ast.While) for each in ast.walk(node)
        }  # an assertion in a loop that waits is its limit
        for node in ast.walk(function):
            if (
                isinstance(node, ast.Assert)
                and node not in waiting
                and (
                    _reads_a_clock(node.test)
                    or any(isinstance(each, ast.Name) and each.id in clocked for each in ast.walk(node.test))
                )
            ):
                found.add(node.lineno)
    return sorted(found)


IMPATIENT = PATIENCE
"""Seconds. Whatever happens at once when nothing else runs may take long on a busy machine."""
WAITS = {
    "timeout": 0,
    "wait": 0,
    "wait_for": 1,
    "join": 0,
    "eventually": 1,
    "soon": 1,
    "settimeout": 0,
    "within": 0,
    "until": 2,
    "ends": 0,
    "receive": 0,
    "create_connection": 1,
    "run": None,
    "check_call": None,
    "check_output": None,
    "communicate": 1,
    "refused": None,
    "shows": None,
    "arrives": None,
}
"""Calls that give up, and which of their arguments says when; None: only one with a name."""
PATIENT_NAMES = {"within", "seconds", "timeout"}


def impatience(tree: ast.AST) -> list[int]:
    """Lines where waiting for something is given up so soon that a busy machine decides."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found |= _impatient_unless_told(node)
        if isinstance(node, ast.Assign) and _number(node.value, below=IMPATIENT):
            found |= {node.lineno for each in node.targets if getattr(each, "id", "") == "PATIENCE"}
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        at = WAITS.get(name)
        given = [node.args[at]] if at is not None and len(node.args) > at else []
        if name.startswith(("wait_for_", "goto", "expect_")):
            found |= {
                node.lineno
                for each in node.keywords
                if each.arg == "timeout" and _number(each.value, below=1_000 * IMPATIENT)
            }
        if name in WAITS:
            given += [each.value for each in node.keywords if each.arg in PATIENT_NAMES]
        found |= {node.lineno for each in given if _number(each, below=IMPATIENT)}
    return sorted(found)


def _number(node: ast.expr, *, below: float) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float) and node.value < below


def _impatient_unless_told(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[int]:
    """Lines of ``within: float = 3``, or ``seconds`` or ``timeout``."""
    given = function.args
    pairs = [*zip(reversed(given.args), reversed(given.defaults), strict=False)]
    pairs += [
        (one, default) for one, default in zip(given.kwonlyargs, given.kw_defaults, strict=True) if default
    ]
    return {
        default.lineno
        for one, default in pairs
        if one.arg in PATIENT_NAMES
        and isinstance(default, ast.Constant)
        and isinstance(default.value, int | float)
        and default.value < IMPATIENT
    }


LIMITS = {"within", "deadline", "timeout", "patience", "lease"}
"""What the product is told of how long something may take."""
IN_FRONT = {"connect"}
"""Calls of which the first argument says it; not where it is something else."""
OVER, AMPLE = 1, 30
"""Seconds. A limit of less is there to be waited out, one of more does not pass while a machine stops for a moment. In
between nobody can tell whether the test wants it to pass, and now and then it does.
"""


def limits_that_may_pass(tree: ast.AST) -> list[int]:
    """Lines of ``RedisLog(place, deadline=5)`` and the like: enough on most days."""
    return sorted(
        {
            node.lineno
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            for each in _told(node)
            if isinstance(each, ast.Constant)
            and isinstance(each.value, int | float)
            and OVER <= each.value < AMPLE
        }
    )


def _told(call: ast.Call) -> list[ast.expr]:
    """What the product is told of limits by this call."""
    named = [each.value for each in call.keywords if each.arg in LIMITS]
    in_front = isinstance(call.func, ast.Attribute) and call.func.attr in IN_FRONT
    return [*named, *(call.args[:1] if in_front else ())]


LEAVES = re.compile(r"location(\.href)? *=[^=]|location\.(assign|replace|reload)\(|\.submit\(")
"""What a script of a page does to lead it elsewhere."""


def moments_of_a_browser(tree: ast.AST) -> list[int]:
    """Lines that take for granted where a page is at this moment: where it has arrived, which may be on its way, compared
    with where it should be; and a script that makes it leave, whose answer may be lost with it.
    """
    constants = {
        target.id: node.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            calls = [each for each in ast.walk(node) if isinstance(each, ast.Call)]
            found |= {call.lineno for call in calls if getattr(call.func, "id", "") == "arrives"}
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "run":
            for each in (part for arg in node.args[:1] for part in ast.walk(arg)):
                text = constants.get(each.id) if isinstance(each, ast.Name) else getattr(each, "value", None)
                if isinstance(text, str) and LEAVES.search(text):
                    found.add(node.lineno)
    return sorted(found)


def narrow_times_of_day(tree: ast.AST) -> list[int]:
    """Lines of ``assert abs(at - time.time()) < 2``: so near to now is a moment only on a machine that hurries."""
    return sorted(
        {
            node.lineno
            for node in ast.walk(tree)
            if isinstance(node, ast.Assert)
            and isinstance(node.test, ast.Compare)
            and isinstance(node.test.left, ast.Call)
            and getattr(node.test.left.func, "id", "") == "abs"
            and re.search(r"\b(time\.time|clock\.now)\(\)", ast.unparse(node.test.left))
            and isinstance(limit := node.test.comparators[0], ast.Constant)
            and isinstance(limit.value, int | float)
            and limit.value < IMPATIENT
        }
    )


SLEEPS = {"asyncio.sleep", "time.sleep"}


def counted_looks(tree: ast.AST) -> list[int]:
    """Lines of a loop that looks so many times whether something has happened, and sleeps in between."""
    found = set()
    for loop in ast.walk(tree):
        if not (isinstance(loop, ast.For) and ast.unparse(loop.iter).startswith("range(")):
            continue
        inside = [each for statement in loop.body for each in ast.walk(statement)]
        sleeps = any(
            isinstance(each, ast.Call)
            and ast.unparse(each.func) in SLEEPS
            and ast.unparse(each.args[0]) != "0"
            for each in inside
        )
        if sleeps and any(isinstance(each, ast.Break | ast.Return) for each in inside):
            found.add(loop.lineno)
    return sorted(found)


FINDERS = (
    replacements_one_after_another,
    assertions_on_elapsed_time,
    impatience,
    limits_that_may_pass,
    moments_of_a_browser,
    narrow_times_of_day,
    counted_looks,
)


@cache
def found() -> list[tuple[object, str, int]]:
    """What finds something, the file and the line: each file is parsed once for all."""
    return [(find, name, line) for name, tree in sources() for find in FINDERS for line in find(tree)]


def lines(find: object, allowed: tuple[str, ...] = ()) -> list[str]:
    assert find in FINDERS
    return [f"{name}:{line}" for by, name, line in found() if by is find and not name.startswith(allowed)]


def test_addresses_are_put_into_a_text_in_one_pass() -> None:
    """`tests.fakes.pieces.put`: a port that has been put there may begin with the one that is looked for next."""
    assert lines(replacements_one_after_another) == []


def test_no_assertion_is_about_elapsed_time() -> None:
    """Whatever shares the machine decides that; `make bench` and `make bench-logout` measure."""
    assert lines(assertions_on_elapsed_time, MEASURING) == []


def test_whatever_is_waited_for_has_time() -> None:
    """A wait ends when the thing happens; its limit only ends a run that hangs."""
    assert lines(impatience, MEASURING) == []


def test_a_limit_is_there_to_pass_or_does_not() -> None:
    """The product gives up something that a test needs, because the machine stopped for two seconds."""
    assert lines(limits_that_may_pass, MEASURING) == []


def test_no_browser_is_asked_for_a_moment() -> None:
    """`stays_at` and `sets_off` of `tests/browser/driver.py`."""
    assert lines(moments_of_a_browser) == []


def test_no_time_of_day_is_held_against_now_too_closely() -> None:
    """The machine may have stopped between the two."""
    assert lines(narrow_times_of_day, MEASURING) == []


def test_nobody_looks_only_so_many_times() -> None:
    """How long that is the machine decides; `PATIENCE` ends a run that hangs."""
    assert lines(counted_looks, MEASURING) == []


@pytest.mark.parametrize(
    ("find", "text"),
    [
        (
            replacements_one_after_another,
            "for old, new in pieces.items():\n    text = text.replace(old, new)",
        ),
        (
            replacements_one_after_another,
            "for old in names:\n    p.write_text(p.read_text().replace(old, 'x'))",
        ),
        (replacements_one_after_another, "text.replace('a', port).replace('b', other)"),
        (
            assertions_on_elapsed_time,
            "def test():\n    began = time.monotonic()\n    assert time.monotonic() - began < 1",
        ),
        (assertions_on_elapsed_time, "def test():\n    took = loop.time() - began\n    assert took < 1"),
        (impatience, "async def test():\n    async with asyncio.timeout(2):\n        pass"),
        (impatience, "assert read.wait(10)"),
        (impatience, "thread.join(timeout=5)"),
        (impatience, "async def test():\n    await asyncio.wait_for(done.wait(), 0.5)"),
        (impatience, "async def test():\n    await eventually(lambda: done, seconds=3)"),
        (impatience, "async def test():\n    assert await within(5, lambda: done)"),
        (impatience, "async def test():\n    message = await sock.receive(2)"),
        (impatience, "async def test():\n    await refused(second, copied, within=1)"),
        (impatience, "async def gone(tab, within=5.0): ..."),
        (impatience, "async def gone(tab, *, within=5.0): ..."),
        (impatience, "def forwards(data, seconds=0.15): ..."),
        (impatience, "socket.create_connection(address, timeout=0.15)"),
        (impatience, "await tab.wait_for_url('**/reports/7', timeout=5_000)"),
        (impatience, "PATIENCE = 30"),
        (moments_of_a_browser, "assert await arrives(tab, app) == f'{app}/logout'"),
        (moments_of_a_browser, "await tab.run('setTimeout(() => location.reload(), 0)')"),
        (moments_of_a_browser, "await tab.run('setTimeout(() => { location.href = args[0]; })', there)"),
        (moments_of_a_browser, "OUT = 'setTimeout(() => form.submit())'\nawait tab.run(OUT)"),
        (narrow_times_of_day, "assert abs(at - time.time()) < 10"),
        (narrow_times_of_day, "assert abs(entry.expires - clock.now() - 3_600) <= 2"),
        (counted_looks, "for _ in range(100):\n    if done():\n        break\n    await asyncio.sleep(0.02)"),
        (limits_that_may_pass, "await link.ask(PING, within=5)"),
        (limits_that_may_pass, "await store.claim('s', 0, lease=1)"),
        (limits_that_may_pass, "waiting = asyncio.ensure_future(pool.connect(1))"),
        (impatience, "subprocess.run([node, '--check', file], check=True, timeout=30)"),
    ],
)
def test_this_guard_finds_what_it_is_about(find: object, text: str) -> None:
    """Each kind, as it was written once."""
    assert callable(find)
    assert find(ast.parse(text)) != []

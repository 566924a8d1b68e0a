"""What goes on beside a test decides nothing, as far as its text can tell; the rest is in `test_chance.py`."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

import pytest

from tests.fakes.patience import NEVER
from tests.guards.test_chance import OVER, sources


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def beats_that_may_come(tree: ast.AST) -> list[int]:
    """Lines of ``beat=60`` and the like: a test that takes long sees one, and one that waits for it has as long.

    What rests goes by a clock that the test moves.
    """
    return sorted(
        {
            call.lineno
            for call in _calls(tree)
            for each in call.keywords
            if each.arg == "beat"
            and isinstance(each.value, ast.Constant)
            and isinstance(each.value.value, int | float)
            and OVER < each.value.value < NEVER
            and not ast.unparse(call.func).endswith(".rest")
        }
    )


def databases_that_are_given_up(tree: ast.AST) -> list[int]:
    """Lines of ``sqlite3.connect(path)``, which waits five seconds for whoever writes."""
    return sorted(
        call.lineno
        for call in _calls(tree)
        if ast.unparse(call.func) == "sqlite3.connect"
        and not any(each.arg == "timeout" for each in call.keywords)
    )


def properties_judged_by_time(tree: ast.AST) -> list[int]:
    """Lines of ``suppress_health_check=[HealthCheck.function_scoped_fixture]``, which takes the place of the profile's."""
    return sorted(
        each.value.lineno
        for call in _calls(tree)
        for each in call.keywords
        if each.arg == "suppress_health_check"
        and ast.unparse(each.value) != "list(HealthCheck)"
        and "too_slow" not in ast.unparse(each.value)
    )


def test_what_goes_on_meanwhile_decides_nothing() -> None:
    """`NEVER` is the beat of what must not interfere; who writes to a database is waited for, as is who draws examples."""
    found = [
        f"{name}:{line} {find.__name__}"
        for name, tree in sources("beat", "sqlite3", "suppress_health_check")
        for find in (beats_that_may_come, databases_that_are_given_up, properties_judged_by_time)
        for line in find(tree)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("find", "text"),
    [
        (beats_that_may_come, "log = await opened(path, beat=60.0)"),
        (databases_that_are_given_up, "db = sqlite3.connect(path, isolation_level=None)"),
        (
            properties_judged_by_time,
            "@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])\ndef test(): ...",
        ),
    ],
)
def test_this_guard_finds_what_it_is_about(find: Callable[[ast.AST], list[int]], text: str) -> None:
    """Each kind, as it was written once."""
    assert find(ast.parse(text)) != []

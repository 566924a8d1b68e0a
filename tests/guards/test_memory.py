"""Whatever a running gateway can remember stands in docs/memory.md, with its bound in bytes."""

from __future__ import annotations

import ast
import re
from importlib import import_module
from pathlib import Path

from tests.bounds.listed import rows

ROOT = Path(__file__).parents[2]
GATEWAY = ROOT / "gateway"
SERVING = ("app", "core", "idp", "oidc", "proxy", "state", "telemetry", "web", "workers")
"""Packages of which something runs while requests are answered; the others read a configuration, or end with a command."""
NOT_SERVING = {"core/policy_cases/case_file.py", "telemetry/receipt_log.py"}
"""Modules of these that only commands use."""
MAKERS = {
    "Counter", "Family", "Kept", "Memo", "NameKinds", "OrderedDict", "PriorityQueue", "Queue", "WeakKeyDictionary",
    "WeakSet", "WeakValueDictionary", "bytearray", "cache", "counters", "defaultdict", "deque", "dict", "list", "lru_cache", "set", "tallies",
}  # fmt: skip


def makes(node: ast.expr | None) -> bool:
    """Whether an expression makes something that can grow: an empty container, or a cache."""
    if isinstance(node, ast.List | ast.Set | ast.Dict):
        return not getattr(node, "elts", None) and not getattr(node, "keys", None)
    if not isinstance(node, ast.Call):
        return False
    called = node.func
    if isinstance(called, ast.Call):  # lru_cache(...)(function)
        return makes(called)
    if isinstance(called, ast.Subscript):
        called = called.value
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    if name == "field":
        return any(
            word.arg == "default_factory" and getattr(word.value, "id", "") in MAKERS
            for word in node.keywords
        )
    return name in MAKERS and (name not in {"dict", "list", "set", "bytearray"} or not node.args)


def places(tree: ast.Module) -> set[str]:
    """Names of a module, of its classes or of its objects that such a thing is kept under."""
    found = set()
    functions = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for inner in ast.walk(node)
        if inner is not node
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in node.decorator_list:
                name = decorator.func if isinstance(decorator, ast.Call) else decorator
                if getattr(name, "attr", getattr(name, "id", "")) in {"lru_cache", "cache"}:
                    found.add(node.name)
        if not isinstance(node, ast.Assign | ast.AnnAssign) or not makes(node.value):
            continue
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if isinstance(target, ast.Attribute) and getattr(target.value, "id", "") == "self":
                found.add(target.attr)
            elif isinstance(target, ast.Name) and id(node) not in functions:
                found.add(target.id)
    return found


GROWTH = {"add", "append", "appendleft", "extend", "insert", "setdefault"}
"""Methods by which something takes in one more."""
NO_MEMORIES = {
    "_live": "adds to what proxy/live.py has",
    "_log": "appends to the log, which its own rows are about",
    "table": "appends to the file of the log",
    "_map": "a file in memory, of a fixed size",
    "_words": "the same",
    "counts": "kinds that are written in the code",
}
"""Attributes that are none, though something is put into them."""


def grows(tree: ast.Module) -> set[str]:
    """Attributes of objects, and names of a module, that something is put into, however they were made."""
    top = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in GROWTH:
            into = node.func.value
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            into = node.value
        else:
            continue
        if isinstance(into, ast.Attribute) and getattr(into.value, "id", "") == "self":
            found.add(into.attr)
        elif isinstance(into, ast.Name) and into.id in top:
            found.add(into.id)
    return found


def serving() -> dict[str, ast.Module]:
    """What runs while requests are answered, by its name."""
    paths = [path for name in SERVING for path in (GATEWAY / name).rglob("*.py")]
    paths += GATEWAY.glob("*.py")
    modules = {path.relative_to(GATEWAY).as_posix(): path for path in paths}
    return {
        module: ast.parse(path.read_text(encoding="utf-8"))
        for module, path in modules.items()
        if module not in NOT_SERVING
    }


def remembered() -> set[str]:
    """Module and name of each."""
    return {f"{module} {name}" for module, tree in serving().items() for name in places(tree)}


def filled() -> dict[str, str]:
    """The test that fills each, by what the tests say of themselves."""
    return {
        place: name
        for path in (ROOT / "tests/bounds").glob("test_*.py")
        for name, test in vars(import_module(f"tests.bounds.{path.stem}")).items()
        for place in getattr(test, "fills", ())
    }


def test_r25_whatever_is_remembered_stands_in_the_table() -> None:
    """And nothing stands there that is no more."""
    assert remembered() - rows().keys() == set()
    assert rows().keys() - remembered() == set()


def test_nothing_takes_in_more_that_is_not_in_the_table() -> None:
    """Whatever way it was made; a subclass may fill what its parent has the row of."""
    listed = {place.split()[1] for place in rows()}
    found = {(module, name) for module, tree in serving().items() for name in grows(tree)}
    assert {(module, name) for module, name in found if name not in listed | NO_MEMORIES.keys()} == set()
    assert NO_MEMORIES.keys() - {name for _, name in found} == set()


def test_each_row_has_a_bound_in_bytes() -> None:
    """A number and a unit; `each` is multiplied by what the row says it is bounded by."""
    assert [place for place, row in rows().items() if row.bytes is None] == []


def test_each_row_is_filled_by_its_test() -> None:
    """Which measures that what the row says is true."""
    assert {place: row.test for place, row in rows().items()} == filled()


def test_the_bytes_of_a_memo_are_those_of_its_code() -> None:
    """The page is held to the constants."""
    wrong, held = [], 0
    for place, row in rows().items():
        module, _, name = place.partition(" ")
        text = (GATEWAY / module).read_text(encoding="utf-8")
        made = re.search(rf"\b{name}\b[^\n=]*= (?:Memo|Kept)\((?:[^()]|\([^()]*\))*?size=([\w *]+)", text)
        if made is None:
            continue
        held += 1
        code = vars(import_module("gateway." + module.removesuffix(".py").replace("/", ".")))
        if eval(made[1], dict(code)) != row.bytes:
            wrong.append((place, made[1], row.size))
    assert wrong == []
    assert held >= 19


def test_what_grows_is_seen() -> None:
    """Each way to write it, so that the scan cannot go blind."""
    source = """
KNOWN: dict[str, int] = {}
READ = Memo(make, entries=1, size=2)
@lru_cache(maxsize=4)
def asked(): return {}
class Thing:
    lines: list[str] = field(default_factory=list)
    def __init__(self):
        self.waiting: deque[int] = deque()
        self.passed = lru_cache(maxsize=2)(self.go)
        self.counts = collections.Counter()
        local = {}
"""
    assert places(ast.parse(source)) == {"KNOWN", "READ", "asked", "lines", "waiting", "passed", "counts"}


def test_what_takes_in_more_is_seen() -> None:
    """Each way to do it, so that the scan cannot go blind."""
    source = """
KNOWN = made()
class Thing:
    def __init__(self, given):
        self.given = given
        self.read = {name: 1 for name in given}
    def take(self, one):
        KNOWN[one] = 1
        self.given.append(one)
        self.read[one] = 2
        self.told.setdefault(one, []).append(one)
        local = []
        local.append(one)
"""
    assert grows(ast.parse(source)) == {"KNOWN", "given", "read", "told"}

"""What tests and benchmarks start is what the project's own set-up installs, on every machine."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import programs
from tests.programs import LINKS, ROOT, TABLE, Row, table

ROWS = table(TABLE.read_text(encoding="utf-8"))
BY_NAME = {row.program: row for row in ROWS if row.linked}
STARTING = {
    *(f"subprocess.{name}" for name in ("run", "Popen", "call", "check_call", "check_output")),
    *("shutil.which", "asyncio.create_subprocess_exec", "program", "programs.program"),
    *("stand.start_proxy", "stand.start_beside", "start"),  # the benchmark's own
}
"""Functions whose first argument is a program, or a command that begins with one."""
IN_A_SYSTEM = re.compile(r"/(usr/)?(local/)?s?bin/\w")
ELSEWHERE = {
    "tests/autobahn/install.py": {
        "python2.7",
        "python2",
    },  # looked for wherever they may be, for `make autobahn` alone
    "tests/test_programs.py": {"apt-get", "python3"},  # which are not found
}
"""Programs that are asked for besides those in the table."""


LARGE = ("providers", "monitoring")
"""Folders of tests that need more programs than all others, and have a target of their own."""


@dataclass(frozen=True)
class Source:
    """One of the tests, or of the scripts in `deploy/`.

    :ivar starts: what stands as the first word of a command that it starts. :ivar texts: all its strings.
    """

    place: str
    starts: frozenset[str]
    texts: tuple[str, ...]

    @property
    def who(self) -> str:
        """For whom it starts its programs."""
        folder = self.place.split("/")[1]
        if folder in LARGE:
            return folder
        name = self.place.rpartition("/")[2]
        ours = self.place.startswith("tests/bench/") and not name.startswith("test_") and name != "logout.py"
        return "bench" if ours else "tests"


def read(path: Path) -> Source:
    place, nodes = (
        path.relative_to(ROOT).as_posix(),
        list(ast.walk(ast.parse(path.read_text(encoding="utf-8")))),
    )
    commands: dict[str, list[ast.expr]] = {}
    for node in nodes:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            commands.setdefault(node.targets[0].id, []).append(node.value)
    starts = set()
    for node in nodes:
        if isinstance(node, ast.Call) and node.args and ast.unparse(node.func) in STARTING:
            first = node.args[0]
            for value in [first, *(commands.get(first.id, []) if isinstance(first, ast.Name) else [])]:
                word = value.elts[0] if isinstance(value, ast.List | ast.Tuple) and value.elts else value
                if isinstance(word, ast.Constant) and isinstance(word.value, str):
                    starts.add(word.value)
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return Source(place, frozenset(starts - ELSEWHERE.get(place, set())), tuple(texts))


@pytest.fixture(scope="module")
def sources() -> list[Source]:
    paths = [path for top in ("tests", "deploy") for path in sorted((ROOT / top).rglob("*.py"))]
    return [read(path) for path in paths if "node_modules" not in path.parts]


def test_the_table_is_whole() -> None:
    """Each program once; whoever needs one needs what it starts in turn."""
    names = [row.program for row in ROWS if row.program != "-"]
    assert len(names) == len(set(names))
    for row in ROWS:
        assert row.who <= {"demo", "tests", *LARGE, "bench", "bench-quick"}, row
        for each in row.starts:
            assert row.who <= found_by(BY_NAME[each]), f"{row.program} starts {each}"


def found_by(row: Row) -> set[str]:
    """Who finds its program: what the tests do, those with programs of their own do as well."""
    return {*row.who, *(LARGE if "tests" in row.who else ())}


def test_what_is_started_is_in_the_table(sources: list[Source]) -> None:
    """For those who start it, and found by its name alone."""
    found = {(name, source.who) for source in sources for name in source.starts}
    starting = {name for name, _ in found}
    assert {"nginx", "redis-server", "chromium", "firefox-esr", "taskset", "apache2", "go"} <= starting
    assert [
        each for each in found if each[0] not in BY_NAME or each[1] not in found_by(BY_NAME[each[0]])
    ] == []


def test_what_is_in_the_table_is_started(sources: list[Source]) -> None:
    """By the tests, the benchmark, or another program in it."""
    said: dict[str, set[str]] = {who: set() for who in ("tests", "bench", *LARGE)}
    for source in sources:
        words = {word for text in source.texts for word in re.findall(r"[\w.-]+", text)}
        for who in {source.who, "tests"}:  # which run much of the benchmark too
            said[who] |= words
    in_turn = {name for row in ROWS for name in row.starts}
    for row in BY_NAME.values():
        for who in row.who & said.keys():
            assert row.program in said[who] | in_turn, f"{row.program}: {who} start it no more"


def test_no_program_is_found_by_its_place(sources: list[Source]) -> None:
    """A path of a system's own would be found there on one machine and not on another."""
    found = [(each.place, text) for each in sources for text in each.texts if IN_A_SYSTEM.match(text)]
    assert found == []


def test_these_tests_see_nothing_else() -> None:
    """Whatever the machine has besides; and each link leads to a program."""
    assert os.environ["PATH"] == str(LINKS / "tests")
    linked = {path.name for path in (LINKS / "tests").iterdir()} - {".table"}
    assert linked == {row.program for row in BY_NAME.values() if "tests" in row.who}
    assert all(shutil.which(name) for name in linked)
    assert shutil.which("apt-get") is None
    assert shutil.which("python3") is None
    with pytest.raises(FileNotFoundError, match="apt-get is not among the programs"):
        programs.program("apt-get")


@pytest.mark.parametrize(
    "row", [row for row in ROWS if "tests" in row.who and row.starts], ids=lambda row: row.program
)
def test_what_is_a_script_finds_all_it_calls(row: Row) -> None:
    """A shell says of a command that it lacks: not found."""
    run = subprocess.run([row.program, "--version"], capture_output=True, text=True, timeout=60, check=True)
    assert "not found" not in run.stderr


def test_links_of_another_table_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And missing ones: the message says what to run."""
    monkeypatch.setattr(programs, "ROOT", tmp_path)
    monkeypatch.setattr(programs, "LINKS", tmp_path / "build")
    with pytest.raises(SystemExit, match=r"run `bash tests/servers\.sh tests`"):
        programs.only("tests")
    (tmp_path / "build" / "tests").mkdir(parents=True)
    (tmp_path / "build" / "tests" / ".table").write_text("of last week")
    with pytest.raises(SystemExit, match="is not what requirements/programs says"):
        programs.only("tests")
    assert os.environ["PATH"] == str(LINKS / "tests")


def test_whoever_runs_tests_has_their_programs() -> None:
    """Each target of the Makefile that runs pytest needs `servers`, so that the links are there."""
    rules = re.findall(
        r"^([a-z-]+): *(.*?)(?: *##.*)?\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE
    )
    running = {name: needs.split() for name, needs, recipe in rules if "-m pytest" in recipe}
    assert "test" in running
    for name, needs in running.items():
        assert "servers" in needs, name

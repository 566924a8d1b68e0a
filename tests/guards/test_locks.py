"""The locks name no addresses, and every file in them is known by its hash (rule R39)."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
NPM_LOCKS = [
    path for path in ROOT.rglob("package-lock.json") if not {"node_modules", ".venv"} & set(path.parts)
]
PINNED = re.compile(r"^([A-Za-z0-9._-]+)(\[[^]]*\])?==[^ ;\\]+")


def wanted(text: str) -> list[str]:
    """The requirements in an .in file."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("-")]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_r39_a_lock_pins_by_hash_and_names_no_address(lock: Path) -> None:
    """Each requirement has a version and at least one SHA-256; no index, no URL, no header with a path."""
    text = lock.read_text(encoding="utf-8")
    assert not re.search(r"https?://|file:|--index|--find-links|/work/|/home/|/tmp/", text)
    blocks = re.split(
        r"\n(?=[A-Za-z0-9])", "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    )
    for block in filter(str.strip, blocks):
        assert PINNED.match(block.strip()), block[:80]
        assert "--hash=sha256:" in block, block[:80]


def test_there_is_a_lock_for_each_wish_list() -> None:
    """And none without one."""
    wishes = {path.stem for path in (ROOT / "requirements").glob("*.in")}
    assert {path.stem for path in LOCKS} == wishes
    assert {"run", "demo", "test"} <= wishes


def test_r39_npm_locks_name_no_registry() -> None:
    """Each package has its integrity and no address."""
    assert NPM_LOCKS
    for path in NPM_LOCKS:
        packages = json.loads(path.read_text(encoding="utf-8"))["packages"]
        assert not [
            name for name, package in packages.items() if "resolved" in package and not package.get("link")
        ]
        assert not [
            name
            for name, package in packages.items()
            if name and not package.get("link") and "integrity" not in package
        ]


def test_the_package_wants_what_the_wish_lists_say() -> None:
    """`pyproject.toml` and `requirements/*.in` cannot drift apart."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for declared, name in (
        (project["dependencies"], "run"),
        (project["optional-dependencies"]["demo"], "demo"),
        (project["optional-dependencies"]["grpc"], "grpc"),
    ):
        assert sorted(declared) == sorted(
            wanted((ROOT / "requirements" / f"{name}.in").read_text(encoding="utf-8"))
        )


def test_every_dependency_is_locked() -> None:
    """What the package wants is in the lock that production installs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    locked = {
        match[1].lower()
        for line in (ROOT / "requirements" / "run.txt").read_text().splitlines()
        if (match := PINNED.match(line))
    }
    names = {re.split(r"[<>=!~ ;\[]", line)[0].lower() for line in project["dependencies"]}
    assert names <= locked


def test_nothing_is_installed_that_is_not_locked() -> None:
    """But the project itself, and what was built of it."""
    recipes = [ROOT / "Makefile", *(ROOT / "deploy").rglob("Dockerfile*")]
    installing = [
        line.strip()
        for path in recipes
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r"(?i)pip\b.* install ", line)
    ]
    assert len(installing) > 5
    locked = re.compile(r"--require-hashes\b.* -r requirements/")
    ours = re.compile(r"--no-deps\b.*(?: --editable \.| /wheels/\*\.whl)(?: \\)?$")
    assert [line for line in installing if not locked.search(line) and not ours.search(line)] == []

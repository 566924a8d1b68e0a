"""The demo SPA's built files are what its sources make (rule R39)."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.patience import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "deploy" / "demo" / "spa"
COMMITTED = ROOT / "gateway" / "demo" / "spa"


def _files(top: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(top)): path.read_bytes() for path in sorted(top.rglob("*")) if path.is_file()
    }


@pytest.mark.xdist_group("npm")
def test_r39_a_rebuild_gives_the_committed_bytes(tmp_path: Path) -> None:
    """`build.py` with the pinned Node checks types, runs the SPA's tests and makes the committed files again."""
    built = tmp_path / "built"
    command: list[str | Path] = [sys.executable, ROOT / "deploy" / "demo" / "build.py", "--into", built]
    run = subprocess.run(command, capture_output=True, text=True, timeout=10 * PATIENCE, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    made, committed = _files(built), _files(COMMITTED)
    assert sorted(made) == sorted(committed), "other files than the committed ones: run `make spa` and commit"
    assert [name for name in made if made[name] != committed[name]] == []


def test_r39_the_lock_file_names_no_address() -> None:
    """npm's lock has an integrity hash for every package and no download address for any."""
    packages = json.loads((SOURCES / "package-lock.json").read_text("utf-8"))["packages"]
    foreign = [package for name, package in packages.items() if name]
    assert len(foreign) > 5
    assert all(
        "resolved" not in package and package["integrity"].startswith("sha512-") for package in foreign
    )


def test_the_page_works_under_a_strict_policy() -> None:
    """index.html has no inline script, style or handler, and loads nothing from another place."""
    page = (COMMITTED / "index.html").read_text("utf-8")
    assert re.findall(r"<script[^>]*>([^<]*)</script>", page) == ["", ""]  # its own, and the tab script
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", page)
    addresses = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert len(addresses) > 2
    assert all(re.fullmatch(r"/[^/].*", address) for address in addresses)


def _scripts() -> Iterator[str]:
    for path in sorted(COMMITTED.glob("assets/*.js")):
        yield path.read_text("utf-8")


def test_routes_are_loaded_when_they_are_needed() -> None:
    """Each route is a chunk of its own, so that an expired session is also met by a script request."""
    names = {path.name.partition("-")[0] for path in COMMITTED.glob("assets/*.js")}
    assert {"Dashboard", "Reports", "Report", "Admin", "NotFound", "index"} <= names


def test_the_spa_has_no_sign_in_code() -> None:
    """No token, cookie or storage is touched anywhere in the sources: ordinary error handling is all there is."""
    sources = [path.read_text("utf-8") for path in SOURCES.glob("src/**/*.ts*")]
    assert len(sources) > 10
    for word in (
        "document.cookie",
        "localStorage",
        "sessionStorage",
        "Bearer",
        "cognito",
        "okta",
        "credentials",
    ):
        assert not [text for text in sources if word in text]


def test_sign_out_is_only_a_form() -> None:
    """The one thing that the SPA knows of signing out is a form posted to /logout (rule R14)."""
    assert sum(text.count("/logout") for text in _scripts()) == 1

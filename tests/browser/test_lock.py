"""The npm packages that the browser tests need are pinned, without an address."""

from __future__ import annotations

import json
from pathlib import Path

HERE = Path(__file__).parent


def test_r39_the_lock_file_pins_and_names_no_address() -> None:
    """Every package of the lock has an integrity hash and no download address; package.json names exact versions."""
    packages = json.loads((HERE / "package-lock.json").read_text("utf-8"))["packages"]
    wanted = json.loads((HERE / "package.json").read_text("utf-8"))["dependencies"]
    assert packages[""]["dependencies"] == wanted
    for name, version in wanted.items():
        assert packages[f"node_modules/{name}"]["version"] == version
    foreign = [package for name, package in packages.items() if name]
    assert foreign
    assert all("resolved" not in package and "sha512-" in package["integrity"] for package in foreign)

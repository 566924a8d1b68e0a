"""What is done before a commit is what `make check` does, with what the set-up has brought."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


def test_hooks_download_nothing_and_are_the_parts_of_check() -> None:
    """Each part once, in its order; where it takes file names, those of a commit."""
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert repository["repo"] == "local"
    assert {hook["language"] for hook in repository["hooks"]} == {"system"}
    recipe = re.search(
        r"^check:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert recipe is not None
    parts = [line.split() for line in recipe[1].splitlines()]
    wanted = [" ".join(word for word in part if word not in {"gateway", "tests", "deploy"}) for part in parts]
    entries = [hook["entry"].replace(" --force-exclude", "") for hook in repository["hooks"]]
    assert entries == [part.replace("$(BIN)", ".venv/bin") for part in wanted]
    for hook in repository["hooks"]:
        assert hook["files"] in {"^(gateway|tests|deploy)/", "^gateway/"}

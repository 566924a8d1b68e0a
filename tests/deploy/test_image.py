"""The production image: what the Dockerfile copies exists, and what it installs runs without the demo."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()


def test_every_copied_path_exists_and_reaches_the_build() -> None:
    """COPY sources are in the repository and not kept out by .dockerignore."""
    copied = [
        line.split()[1:-1]
        for line in DOCKERFILE.splitlines()
        if line.startswith("COPY ") and "--from" not in line
    ]
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for source in (name.rstrip("/") for names in copied for name in names):
        assert (ROOT / source).exists()
        assert source in allowed


def test_it_runs_without_root_and_knows_how_to_stop() -> None:
    """A numeric user for runAsNonRoot, no shell, SIGTERM, the exec form."""
    assert re.search(r"^USER 10001:10001$", DOCKERFILE, re.MULTILINE)
    assert "STOPSIGNAL SIGTERM" in DOCKERFILE
    assert 'ENTRYPOINT ["gateway"]' in DOCKERFILE


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project as the Dockerfile builds it: without gateway/demo, as a wheel, unpacked beside nothing else."""
    work = tmp_path_factory.mktemp("image")
    source = work / "src"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "policies", source / "policies")
    shutil.copytree(
        ROOT / "gateway", source / "gateway", symlinks=True, ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.rmtree(source / "gateway" / "demo")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    build = [*pip, "wheel", "-q", "--no-deps", "--no-build-isolation", "--wheel-dir", str(work), str(source)]
    subprocess.run(build, check=True, cwd=work)
    wheel = next(work.glob("*.whl"))
    target = work / "site"
    subprocess.run(
        [*pip, "install", "-q", "--no-deps", "--target", str(target), str(wheel)], check=True, cwd=work
    )
    return target


WITHOUT_THE_CHECKOUT = """
import runpy, sys
sys.meta_path[:] = [finder for finder in sys.meta_path if "Editable" not in getattr(finder, "__name__", "")]
sys.path[:] = [path for path in sys.path if not path.startswith("__editable__")]
runpy.run_module("gateway", run_name="__main__", alter_sys=True)
"""
"""An editable install would otherwise supply what the wheel lacks."""


def run(installed: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    command = [sys.executable, "-P", "-c", WITHOUT_THE_CHECKOUT, *arguments]
    return subprocess.run(
        command, env=environment, cwd=installed.parent, capture_output=True, text=True, check=False
    )


def test_r29_the_installed_gateway_has_no_demo(installed: Path) -> None:
    """Nothing of the emulators is there, and asking for them says what to do."""
    assert not (installed / "gateway" / "demo").exists()
    answer = run(installed, "demo")
    assert answer.returncode == 2
    assert "the demo is not installed" in answer.stderr


def test_the_installed_gateway_finds_its_policies_and_pages(installed: Path) -> None:
    """Package data is in the wheel: policies, templates."""
    answer = run(installed, "policy", "test", "builtin:groups")
    assert answer.returncode == 0, answer.stderr
    assert (installed / "gateway" / "web" / "pages" / "templates" / "style.css").is_file()

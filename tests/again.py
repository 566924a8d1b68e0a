"""``make test-again``: the whole suite, again and again on a machine that is busy with something else, until one fails.

What passes by chance fails here: every processor is kept busy by a burner of its own, which takes no more than its share
and ends with this, however this ends. Each run begins clean: with no ``build/again`` of the run before, no cached
results, no bytecode, and a hash seed of its own. The first run has the machine to itself.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.fakes.patience import PATIENCE

ROOT = Path(__file__).parents[1]
PLACE = ROOT / "build" / "again"
BOUND = 45 * 60
"""Seconds after which a run has hung: three times what it takes on two busy cores."""
MOST = 20
SUITE = ("-m", "pytest", "-q", "-n", "4", "--dist", "loadgroup", "-x")
BURN = """
import os, sys
while os.getppid() == int(sys.argv[1]):  # ends with whoever started it, however that ends
    for _ in range(1_000_000):
        pass
"""


@contextlib.contextmanager
def busy(cores: int) -> Iterator[None]:
    """Burn that many processors."""
    burners = [subprocess.Popen([sys.executable, "-c", BURN, str(os.getpid())]) for _ in range(cores)]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def clean() -> None:
    """Leave nothing of a run before."""
    shutil.rmtree(PLACE, ignore_errors=True)
    PLACE.mkdir(parents=True)
    for top in ("gateway", "tests"):
        for cache in [path for path in (ROOT / top).rglob("__pycache__") if "node_modules" not in path.parts]:
            shutil.rmtree(cache, ignore_errors=True)


def once(arguments: list[str], cores: int) -> int:
    """One run; its exit status, 124 when it has taken too long."""
    clean()
    environ = {**os.environ, "PYTHONHASHSEED": str(random.randrange(1, 4_294_967_295))}
    command = [sys.executable, *SUITE, "-p", "no:cacheprovider", f"--basetemp={PLACE / 'tmp'}", *arguments]
    with busy(cores):
        running = subprocess.Popen(command, cwd=ROOT, env=environ)
        try:
            return running.wait(BOUND)
        except subprocess.TimeoutExpired:
            return 124
        finally:
            running.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.wait(PATIENCE)
            running.kill()


def main(times: int, arguments: list[str]) -> int:
    """Run it so often; the first status that is not 0."""
    if not 1 <= times <= MOST:
        print(f"test-again: N is {times}, and should be from 1 to {MOST}", file=sys.stderr)
        return 2
    for number in range(1, times + 1):
        cores = os.cpu_count() or 1 if number > 1 else 0
        began = time.monotonic()
        status = once(arguments, cores)
        how = "took too long" if status == 124 else f"failed with status {status}" if status else "passed"
        beside = f"beside {cores} busy processes" if cores else "alone"
        print(
            f"test-again: run {number} of {times}, {beside}: {how} after {time.monotonic() - began:.0f} s",
            flush=True,
        )
        if status:
            return status
    shutil.rmtree(PLACE, ignore_errors=True)
    return 0


if __name__ == "__main__":
    number = sys.argv[1] if len(sys.argv) > 1 else "3"
    sys.exit(main(int(number) if number.isdecimal() else 0, sys.argv[2:]))

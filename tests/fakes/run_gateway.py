"""A gateway in a process of its own: ``python -m tests.fakes.run_gateway CONFIG WORKERS ACCEPT_FOR``, for `tests.fakes.serving`.

``SET_CLOCK`` names a file with the seconds by which its wall clock is set, ``STATE_WITHIN`` says for how many seconds it
waits for the file of its state.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
from pathlib import Path
from typing import Any

LIMITED = (
    ("gateway.state.sqlite.log", "SqliteLog.__init__", "deadline"),
    ("gateway.state.sqlite.token_revocations", "SqliteTokenRevocations.__init__", "within"),
    ("gateway.state.sqlite.companion", "CompanionTable.ask", "within"),
)
"""What gives up when the file does not answer, and how the limit is called there."""


def set_clock(file: Path) -> None:
    """Before anything else has looked at it."""
    time: Any = importlib.import_module("time")
    told = time.time
    time.time = lambda: told() + float(file.read_text())


def wait_for_the_state(seconds: float) -> None:
    """Nothing here may import the metrics: whoever serves says first where their files are."""
    for module, name, limit in LIMITED:
        holder, _, method = name.partition(".")
        made = getattr(getattr(importlib.import_module(module), holder), method)
        assert limit in made.__kwdefaults__, name
        made.__kwdefaults__[limit] = seconds
    refreshes: Any = importlib.import_module("gateway.state.sqlite.refreshes")
    refreshes.WITHIN = seconds


def main(config: str, workers: str, accept_for: str) -> int:
    """The exit status, as `gateway serve` has it."""
    load = importlib.import_module("gateway.config").load
    errors, parent = (
        importlib.import_module(f"gateway.{name}") for name in ("core.errors", "workers.parent")
    )
    try:
        status: int = parent.serve(load(Path(config), {}), workers=int(workers), accept_for=float(accept_for))
    except errors.GatewayError as error:
        print(f"gateway: {error.detail}; {error.fix}", file=sys.stderr)
        return 1
    return status


if __name__ == "__main__":
    gc.disable()  # as `serve` does, which is imported only then: what is imported is no garbage
    if file := os.environ.get("SET_CLOCK"):
        set_clock(Path(file))
    if seconds := os.environ.get("STATE_WITHIN"):
        wait_for_the_state(float(seconds))
    sys.exit(main(*sys.argv[1:]))

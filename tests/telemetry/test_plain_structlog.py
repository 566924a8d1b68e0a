"""What logging loads at every start."""

from __future__ import annotations

import subprocess
import sys

_LOADED = """
import sys
import gateway.app.server
assert "rich" not in sys.modules, "the gateway loads rich"
import rich
"""


def test_logging_loads_no_colours() -> None:
    """rich stays out of a running gateway, and can still be imported by whoever wants it."""
    run = subprocess.run([sys.executable, "-c", _LOADED], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_who_has_it_keeps_it() -> None:
    """What was loaded before is there afterwards."""
    code = "import rich, sys; import gateway.telemetry.log; assert sys.modules['rich'] is rich"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
